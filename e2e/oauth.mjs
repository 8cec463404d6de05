// An MCP server that takes tokens, and the authorization server that gives them: `oidc-provider`, which knows nothing of MCP.
// People agree at once; access tokens end after a few seconds.
import { createServer } from 'node:http';

import { Provider } from 'oidc-provider';

const SCOPES = 'files:read files:write';

/**
 * Resolves to { mcp, issuer, tokens, good, revoke, stop }: `tokens` tells { issued, renewed, refused, returned } so far, `revoke` takes back all
 * that was given, `good` tells how many refresh tokens are good still.
 */
export async function protectedServer({ lifetime }) {
  const counts = { issued: 0, renewed: 0, refused: 0, returned: 0 };
  const web = createServer();
  await new Promise((resolve) => web.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${web.address().port}`;
  const mcp = `${issuer}/mcp`;

  const provider = new Provider(issuer, {
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo(_context, indicator) {
          if (indicator !== mcp) throw new Error(`a token for ${indicator} was asked for`);
          return { scope: SCOPES, audience: mcp, accessTokenFormat: 'opaque', accessTokenTTL: lifetime };
        },
      },
    },
    ttl: { AccessToken: lifetime },
    rotateRefreshToken: true,
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  });
  provider.on('grant.success', (context) => (context.oidc.params.grant_type === 'refresh_token' ? (counts.renewed += 1) : (counts.issued += 1)));
  provider.on('grant.error', () => (counts.refused += 1));
  const [grants, renewable] = [new Set(), new Set()];
  provider.on('refresh_token.saved', ({ jti }) => renewable.add(jti));
  provider.on('revocation.error', () => (counts.refused += 1));

  async function interact(request, response) {
    const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
    if (prompt.name === 'login') {
      return provider.interactionFinished(request, response, { login: { accountId: 'ada' } });
    }
    const grant = (grantId && (await provider.Grant.find(grantId))) || new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope('openid offline_access');
    grant.addResourceScope(mcp, SCOPES);
    const id = await grant.save();
    grants.add(id);
    return provider.interactionFinished(request, response, { consent: { grantId: id } }, { mergeWithLastSubmission: true });
  }

  const json = (response, status, body, headers = {}) => {
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };

  async function answer(request, response) {
    const [, text] = /^Bearer (.+)$/.exec(request.headers.authorization ?? '') ?? [];
    const token = text && (await provider.AccessToken.find(text));
    if (!token?.isValid || token.aud !== mcp) {
      const error = text ? ', error="invalid_token"' : '';
      const challenge = `Bearer resource_metadata="${issuer}/.well-known/oauth-protected-resource/mcp", scope="files:read"${error}`;
      return json(response, 401, { error: 'invalid_token' }, { 'WWW-Authenticate': challenge });
    }
    if (request.method !== 'POST') return json(response, 405, {});
    const message = JSON.parse(await body(request));
    const wants = message.method === 'tools/call' ? `files:${message.params.name}` : 'files:read';
    if (!token.scope.split(' ').includes(wants)) {
      return json(response, 403, {}, { 'WWW-Authenticate': `Bearer error="insufficient_scope", scope="${wants}"` });
    }
    const result = {
      initialize: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'files', version: '1' } },
      'tools/list': { tools: ['read', 'write'].map((name) => ({ name, inputSchema: { type: 'object' } })) },
      'tools/call': { content: [{ type: 'text', text: `${message.params?.name} as ${token.accountId}` }] },
    }[message.method];
    if (message.id === undefined) return response.writeHead(202).end();
    if (!result) return json(response, 200, { jsonrpc: '2.0', id: message.id, error: { code: -32601, message: 'no such method' } });
    return json(response, 200, { jsonrpc: '2.0', id: message.id, result });
  }

  web.on('request', (request, response) => {
    const { pathname } = new URL(request.url, issuer);
    const failed = (error) => json(response, 500, { error: String(error) });
    if (pathname === '/mcp') return answer(request, response).catch(failed);
    if (pathname.startsWith('/interaction/')) return interact(request, response).catch(failed);
    if (pathname === '/.well-known/oauth-protected-resource/mcp') {
      return json(response, 200, { resource: mcp, authorization_servers: [issuer], scopes_supported: ['files:read'] });
    }
    if (pathname === '/token/revocation') response.on('finish', () => (counts.returned += Number(response.statusCode === 200)));
    return provider.callback()(request, response);
  });

  return {
    mcp,
    issuer,
    tokens: () => ({ ...counts }),
    async good() {
      const isGood = async (id) => {
        const token = await provider.RefreshToken.find(id);
        return token?.isValid && (await provider.Grant.find(token.grantId)) !== undefined;
      };
      return (await Promise.all([...renewable].map(isGood))).filter(Boolean).length;
    },
    async revoke() {
      for (const id of grants) await (await provider.Grant.find(id))?.destroy();
    },
    stop: () => new Promise((resolve) => web.close(resolve) && web.closeAllConnections()),
  };
}

async function body(request) {
  let text = '';
  for await (const piece of request) text += piece;
  return text;
}
