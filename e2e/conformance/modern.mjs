// The stateless era of the fixture, revision 2026-07-28: every request says who asks and what it can answer, in its body and in
// headers that repeat it; nothing is remembered but the streams that listen.
import { inputsOf } from './asking.mjs';
import { complete, getPrompt, listPrompts, listResources, listTemplates, read } from './contents.mjs';
import { listTools, runTool, toolOf } from './tools.mjs';
import { Answer, HEADER_MISMATCH, INVALID_PARAMS, NO_SUCH_METHOD, Refusal, UNSUPPORTED_VERSION, notification } from './wire.mjs';

export const MODERN = '2026-07-28';
const key = (name) => `io.modelcontextprotocol/${name}`;
export const VERSION_KEY = key('protocolVersion');
const LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'];
const CAPABILITIES = {
  tools: { listChanged: true },
  prompts: { listChanged: true },
  resources: { listChanged: true, subscribe: true },
  completions: {},
  logging: {},
};

/** What a list or a reading says about how long it may be kept. The lists are the same for everyone. */
const kept = (result, cacheScope = 'public') => ({ ...result, ttlMs: 5000, cacheScope });

const METHODS = {
  'server/discover': () => kept({ supportedVersions: [MODERN], capabilities: CAPABILITIES, instructions: 'A server to test with.' }),
  'tools/list': (params) => onlyPage(params, { tools: listTools('modern') }),
  'tools/call': (params, call) => runTool(params, call),
  'resources/list': (params) => onlyPage(params, { resources: listResources() }),
  'resources/templates/list': (params) => onlyPage(params, { resourceTemplates: listTemplates() }),
  'resources/read': ({ uri }) => {
    const contents = read(uri);
    if (!contents) throw new Refusal(INVALID_PARAMS, 'There is no such resource.', { data: { uri } });
    return kept({ contents }, 'private');
  },
  'prompts/list': (params) => onlyPage(params, { prompts: listPrompts('modern') }),
  'prompts/get': (params, call) => getPrompt(params, call),
  'completion/complete': (params) => complete(params, 'modern'),
};

function onlyPage({ cursor }, result) {
  if (cursor !== undefined) throw new Refusal(INVALID_PARAMS, 'There is one page only.');
  return kept(result);
}

/** The era for one server: `serve(message, request, response)`. */
export function modernEra(serverInfo) {
  const listeners = new Set();

  const news = {
    changed(kind) {
      const concerned = [...listeners].filter(({ wants }) => wants[`${kind}ListChanged`]);
      for (const listener of concerned) listener.tell(notification(`notifications/${kind}/list_changed`));
    },
    updated(uri) {
      const concerned = [...listeners].filter(({ wants }) => wants.resourceSubscriptions?.includes(uri));
      for (const listener of concerned) listener.tell(notification('notifications/resources/updated', { uri }));
    },
  };

  async function serve(message, request, response) {
    if (request.method !== 'POST') return void response.writeHead(405, { Allow: 'POST' }).end();
    // The revision has no notification from clients over HTTP, and no answers; both are harmless.
    if (message.id === undefined || message.method === undefined) return void response.writeHead(202).end();
    const answer = new Answer(response, message.id);
    // Who hangs up cancels.
    response.once('close', () => (answer.isOver = true));
    try {
      const params = message.params ?? {};
      const meta = envelope(params, request);
      headers(message, params, request);
      if (message.method === 'subscriptions/listen') return listen(params, answer);
      const method = METHODS[message.method];
      if (!method) throw new Refusal(NO_SUCH_METHOD, `There is no method ${message.method}.`, { status: 404 });
      const result = await method(params, callOf(params, meta, answer, news));
      const named = { ...result._meta, [key('serverInfo')]: serverInfo };
      answer.finish({ result: { resultType: 'complete', ...result, _meta: named } });
    } catch (problem) {
      answer.refuse(problem);
    }
  }

  function listen({ notifications: wants }, answer) {
    if (typeof wants !== 'object' || wants === null) throw new Refusal(INVALID_PARAMS, 'notifications says what to listen for.');
    const kinds = ['toolsListChanged', 'promptsListChanged', 'resourcesListChanged'].filter((kind) => wants[kind] === true);
    const honoured = Object.fromEntries(kinds.map((kind) => [kind, true]));
    if (Array.isArray(wants.resourceSubscriptions)) honoured.resourceSubscriptions = wants.resourceSubscriptions;
    const tagged = ({ params, ...rest }) => ({ ...rest, params: { ...params, _meta: { [key('subscriptionId')]: answer.id } } });
    const listener = { wants: honoured, tell: (message) => answer.tell(tagged(message)) };
    listener.tell(notification('notifications/subscriptions/acknowledged', { notifications: honoured }));
    listeners.add(listener);
    const beat = setInterval(() => answer.response.write(':\n\n'), 15_000);
    answer.response.once('close', () => {
      clearInterval(beat);
      listeners.delete(listener);
    });
  }

  return { serve };
}

/** `_meta` of a request: the version and the capabilities have to be there, and the version has to be one we speak. */
function envelope({ _meta: meta }, { headers: given }) {
  const required = { [VERSION_KEY]: 'string', [key('clientCapabilities')]: 'object' };
  for (const [member, type] of Object.entries(required)) {
    const value = meta?.[member];
    if (typeof value !== type || value === null) {
      // Tells a client of the other era, which has no such member, what would be understood here.
      throw new Refusal(INVALID_PARAMS, `_meta lacks ${member}; ${MODERN} is spoken here.`, { data: { supported: [MODERN] }, status: 400 });
    }
  }
  const requested = meta[VERSION_KEY];
  match('MCP-Protocol-Version', given['mcp-protocol-version'], requested);
  if (requested !== MODERN) {
    throw new Refusal(UNSUPPORTED_VERSION, `Only ${MODERN} is spoken.`, { data: { supported: [MODERN], requested }, status: 400 });
  }
  const level = meta[key('logLevel')];
  if (level !== undefined && !LEVELS.includes(level)) throw new Refusal(INVALID_PARAMS, `There is no log level ${level}.`);
  return meta;
}

/** Headers that repeat what the body says, so that those in between need not read it. */
function headers({ method }, params, { headers: given }) {
  match('Mcp-Method', given['mcp-method'], method);
  const named = { 'tools/call': params.name, 'prompts/get': params.name, 'resources/read': params.uri };
  if (!(method in named)) return;
  match('Mcp-Name', decoded('Mcp-Name', given['mcp-name']), named[method]);
  if (method !== 'tools/call') return;
  for (const [argument, schema] of Object.entries(toolOf('modern', params.name).inputSchema.properties)) {
    const name = `Mcp-Param-${schema['x-mcp-header']}`;
    if (schema['x-mcp-header']) match(name, decoded(name, given[name.toLowerCase()]), params.arguments?.[argument] ?? undefined);
  }
}

function match(name, told, meant) {
  if (told === meant) return;
  throw new Refusal(HEADER_MISMATCH, `${name} is ${told ?? 'missing'}, and the body says ${meant ?? 'nothing'}.`, { status: 400 });
}

/** A value that a header cannot hold comes as base64 between marks. */
function decoded(name, value) {
  const inner = /^=\?base64\?(.*)\?=$/s.exec(value ?? '')?.[1];
  if (inner === undefined) return value;
  const octets = Buffer.from(inner, 'base64');
  // What does not come out the same again was no base64: decoding alone forgives everything.
  if (octets.toString('base64') !== inner) throw new Refusal(HEADER_MISMATCH, `${name} is no base64.`, { status: 400 });
  return octets.toString('utf8');
}

/** What a tool or prompt can do besides answering. */
function callOf(params, meta, answer, news) {
  const { progressToken } = meta;
  const least = LEVELS.indexOf(meta[key('logLevel')]);
  return {
    era: 'modern',
    capabilities: meta[key('clientCapabilities')],
    inputs: inputsOf(params),
    state: params.requestState,
    stream: () => answer.begin(),
    ...news,
    progress(progress, total) {
      if (progressToken === undefined) return;
      answer.tell(notification('notifications/progress', { progressToken, progress, total }));
    },
    log(level, data) {
      if (least < 0 || LEVELS.indexOf(level) < least) return;
      answer.tell(notification('notifications/message', { level, logger: 'fixture', data }));
    },
  };
}
