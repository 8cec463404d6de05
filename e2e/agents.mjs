// Agents as they come: every MCP client we test with behind the same few verbs, so that a suite can say what must
// hold for all of them. Each connects with a bearer key and nothing else.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from '@modelcontextprotocol/client';

const INFO = { name: 'workingagents-e2e', version: '1.0.0' };
const bearer = (key) => (key ? { headers: { Authorization: `Bearer ${key}` } } : {});

/** The official TypeScript client, 1.x: the `initialize` era. `prepare(client)` says what it does when it is asked or told something. */
export async function typescriptV1(url, key, { capabilities = {}, prepare = () => {} } = {}) {
  const client = new ClientV1(INFO, { capabilities });
  prepare(client);
  await client.connect(new TransportV1(new URL(url), { requestInit: bearer(key) }));
  return official(client, (params, options) => client.callTool(params, undefined, options));
}

/** The official TypeScript client, 2.x. `mode`: 'legacy', 'auto', or { pin: revision }. */
export async function typescriptV2(url, key, mode = 'auto', { capabilities = {}, prepare = () => {} } = {}) {
  const client = new ClientV2(INFO, { versionNegotiation: { mode }, capabilities });
  prepare(client);
  await client.connect(new TransportV2(new URL(url), { requestInit: bearer(key) }));
  return official(client, (params, options) => client.callTool(params, options), () => client.getNegotiatedProtocolVersion());
}

function official(client, call, protocol = () => undefined) {
  return {
    client,
    protocol,
    async tools() {
      const tools = [];
      let cursor;
      do {
        const page = await client.listTools(cursor ? { cursor } : undefined);
        tools.push(...page.tools);
        cursor = page.nextCursor;
      } while (cursor);
      return tools;
    },
    call: (name, args, options) => call({ name, arguments: args }, options),
    close: () => client.close(),
  };
}

/**
 * Behaves as Claude Managed Agents does, written by hand: the `initialize` era over streamable HTTP, one static
 * bearer token, no header that MCP itself does not name, no GET stream, no DELETE at the end.
 */
export async function managedAgent(url, key, { revision = '2025-06-18' } = {}) {
  let session;
  let spoken;
  let id = 0;

  async function post(message) {
    const headers = {
      'Content-Type': 'application/json',
      Accept: 'application/json, text/event-stream',
      Authorization: `Bearer ${key}`,
    };
    if (session) headers['Mcp-Session-Id'] = session;
    if (spoken) headers['MCP-Protocol-Version'] = spoken;
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(message), redirect: 'error' });
    return { response, text: await response.text() };
  }

  async function request(method, params) {
    const asked = { jsonrpc: '2.0', id: ++id, method, params };
    const { response, text } = await post(asked);
    if (response.status !== 200) {
      throw Object.assign(new Error(`${method}: HTTP ${response.status}: ${text.slice(0, 300)}`), { status: response.status, text });
    }
    const message = messagesOf(response.headers.get('content-type') ?? '', text).find((one) => one.id === asked.id);
    if (!message) throw new Error(`${method}: no answer in ${text.slice(0, 300)}`);
    if (message.error) throw Object.assign(new Error(message.error.message), { code: message.error.code, error: message.error });
    session ??= response.headers.get('mcp-session-id') ?? undefined;
    return message.result;
  }

  const hello = await request('initialize', {
    protocolVersion: revision,
    capabilities: {},
    clientInfo: { name: 'claude-managed-agents-like', version: '1.0.0' },
  });
  spoken = hello.protocolVersion;
  const ready = await post({ jsonrpc: '2.0', method: 'notifications/initialized' });
  if (ready.response.status !== 202) throw new Error(`notifications/initialized: HTTP ${ready.response.status}`);
  return {
    hello,
    request,
    protocol: () => spoken,
    async tools() {
      const tools = [];
      let cursor;
      do {
        const page = await request('tools/list', cursor ? { cursor } : {});
        tools.push(...page.tools);
        cursor = page.nextCursor;
      } while (cursor);
      return tools;
    },
    call: (name, args) => request('tools/call', { name, arguments: args }),
    close: async () => {},
  };
}

/** The JSON-RPC messages of a body, whether it is JSON or an event stream. */
export function messagesOf(contentType, text) {
  if (!contentType.startsWith('text/event-stream')) return [JSON.parse(text)];
  return text
    .split(/\r?\n\r?\n/)
    .map((event) => event.split(/\r?\n/).filter((line) => line.startsWith('data:')).map((line) => line.slice(5).trim()).join('\n'))
    .filter((data) => data !== '')
    .map((data) => JSON.parse(data));
}

/** A Python that has what requirements.txt names. */
export const python = process.env.WORKINGAGENTS_PYTHON ?? 'python3';

/**
 * The official Python client. It lives for one script of steps: [{ tools: true }, { call: name, arguments: {…} }].
 * `mode`: 'legacy', 'auto' or a revision. Resolves to { protocol, steps: [{ tools } | { result } | { error }] }.
 */
export function pythonClient(url, key, steps, mode = 'auto') {
  const script = fileURLToPath(new URL('python_client.py', import.meta.url));
  return new Promise((resolve, reject) => {
    const child = spawn(python, [script], { stdio: ['pipe', 'pipe', 'pipe'], timeout: 60_000 });
    let out = '';
    let said = '';
    child.stdout.on('data', (data) => (out += data));
    child.stderr.on('data', (data) => (said += data));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(out));
      else reject(new Error(`python_client.py ended with ${code}: ${said.slice(-1500)}`));
    });
    child.stdin.end(JSON.stringify({ url, key, steps, mode }));
  });
}
