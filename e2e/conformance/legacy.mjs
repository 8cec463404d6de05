// The `initialize` era of the fixture, revisions 2025-11-25 and 2025-06-18: a session that remembers what the client can do,
// requests of the server's own on the stream of a call, and a stream that can be left and come back to.
import { randomUUID } from 'node:crypto';

import { complete, getPrompt, listPrompts, listResources, listTemplates, read } from './contents.mjs';
import { listTools, runTool } from './tools.mjs';
import { Answer, INVALID_PARAMS, INVALID_REQUEST, NO_SUCH_METHOD, Refusal, notification } from './wire.mjs';

export const LEGACY = ['2025-11-25', '2025-06-18'];
const NOT_FOUND = -32002;
const LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'];
const CAPABILITIES = {
  tools: { listChanged: true },
  prompts: { listChanged: true },
  resources: { subscribe: true },
  completions: {},
  logging: {},
};

const METHODS = {
  ping: () => ({}),
  'logging/setLevel': ({ level }, call, session) => {
    if (!LEVELS.includes(level)) throw new Refusal(INVALID_PARAMS, `There is no log level ${level}.`);
    session.level = level;
    return {};
  },
  'tools/list': () => ({ tools: listTools('legacy') }),
  'tools/call': (params, call) => runTool(params, call),
  'resources/list': () => ({ resources: listResources() }),
  'resources/templates/list': () => ({ resourceTemplates: listTemplates() }),
  'resources/read': ({ uri }) => ({ contents: readable(uri) }),
  'resources/subscribe': ({ uri }, call, session) => {
    readable(uri);
    session.watched.add(uri);
    return {};
  },
  'resources/unsubscribe': ({ uri }, call, session) => {
    session.watched.delete(uri);
    return {};
  },
  'prompts/list': () => ({ prompts: listPrompts('legacy') }),
  'prompts/get': (params, call) => getPrompt(params, call),
  'completion/complete': (params) => complete(params, 'legacy'),
};

function readable(uri) {
  const contents = read(uri);
  if (!contents) throw new Refusal(NOT_FOUND, 'There is no such resource.', { data: { uri } });
  return contents;
}

/** The answer to a call whose stream may end early: what comes later waits until someone asks for it by the last event's id. */
class PausableAnswer extends Answer {
  #waiting;

  /** Ends the stream with an event that names `mark`; whoever comes back with it, after `retry` ms, gets the rest. */
  pause(mark, retry) {
    this.begin();
    this.response.end(`id: ${mark}\nretry: ${retry}\ndata: \n\n`);
    this.#waiting = [];
  }

  resume(response) {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    this.response = response;
    this.isStream = false;
    this.begin();
    for (const message of waiting) super.write(message);
    if (this.isOver) response.end();
  }

  write(message) {
    if (this.#waiting) this.#waiting.push(message);
    else super.write(message);
  }
}

/** The era for one server: `serve(message, request, response)`, where a GET or DELETE has no message. */
export function legacyEra(serverInfo) {
  const sessions = new Map();

  async function serve(message, request, response) {
    const answer = new PausableAnswer(response, message?.id);
    try {
      if (message?.method === 'initialize') return initialize(message.params ?? {}, answer);
      const session = sessionOf(request);
      if (request.method === 'GET') return stream(session, request, response);
      if (request.method === 'DELETE') return end(session, response);
      if (request.method !== 'POST') return void response.writeHead(405, { Allow: 'GET, POST, DELETE' }).end();
      if (message.method === undefined) hear(session, message);
      if (message.method === 'notifications/cancelled') cancel(session, message.params ?? {});
      if (message.method === undefined || message.id === undefined) return void response.writeHead(202).end();
      await run(session, message, answer);
    } catch (problem) {
      answer.refuse(problem);
    }
  }

  function initialize({ protocolVersion, capabilities = {} }, answer) {
    const version = LEGACY.includes(protocolVersion) ? protocolVersion : LEGACY[0];
    const session = {
      id: randomUUID(),
      version,
      capabilities,
      level: 'debug',
      /** Requests that are being answered, by their id. */
      open: new Map(),
      /** Our own requests, by theirs. */
      asked: new Map(),
      /** Streams that were left, by their last event. */
      paused: new Map(),
      watched: new Set(),
      /** The stream for what belongs to no request. */
      aside: undefined,
    };
    sessions.set(session.id, session);
    answer.headers = { 'Mcp-Session-Id': session.id };
    answer.finish({ result: { protocolVersion: version, capabilities: CAPABILITIES, serverInfo, instructions: 'A server to test with.' } });
  }

  function sessionOf({ headers }) {
    const version = headers['mcp-protocol-version'];
    if (version !== undefined && !LEGACY.includes(version)) {
      throw new Refusal(INVALID_REQUEST, `Only ${LEGACY.join(' and ')} are spoken.`, { status: 400 });
    }
    const id = headers['mcp-session-id'];
    if (id === undefined) throw new Refusal(INVALID_REQUEST, 'A session begins with initialize.', { status: 400 });
    const session = sessions.get(id);
    if (!session) throw new Refusal(-32001, 'There is no such session (any more).', { status: 404 });
    return session;
  }

  /** A stream for what belongs to no request, or the rest of one that was left. */
  function stream(session, { headers }, response) {
    const paused = session.paused.get(headers['last-event-id']);
    if (paused) {
      session.paused.delete(headers['last-event-id']);
      return paused.resume(response);
    }
    if (session.aside) return void response.writeHead(409).end();
    session.aside = new Answer(response);
    session.aside.begin();
    response.once('close', () => (session.aside = undefined));
  }

  function end(session, response) {
    sessions.delete(session.id);
    session.aside?.response.end();
    for (const { reject } of session.asked.values()) reject(new Error('the session has ended'));
    response.writeHead(200).end();
  }

  /** The client's answer to a request of ours. */
  function hear(session, { id, result, error }) {
    const waiting = session.asked.get(id);
    session.asked.delete(id);
    if (error) waiting?.reject(new Error(error.message));
    else waiting?.resolve(result);
  }

  function cancel(session, { requestId }) {
    const answer = session.open.get(requestId);
    if (!answer) return;
    // No answer is owed to what was cancelled: its stream ends without one.
    answer.begin();
    answer.isOver = true;
    answer.response.end();
  }

  async function run(session, { id, method: name, params = {} }, answer) {
    const method = METHODS[name];
    if (!method) throw new Refusal(NO_SUCH_METHOD, `There is no method ${name}.`);
    session.open.set(id, answer);
    try {
      answer.finish({ result: await method(params, callOf(session, params, answer), session) });
    } finally {
      session.open.delete(id);
    }
  }

  /** What a tool or prompt can do besides answering. */
  function callOf(session, { _meta: meta }, answer) {
    return {
      era: 'legacy',
      capabilities: session.capabilities,
      progress(progress, total) {
        const progressToken = meta?.progressToken;
        if (progressToken !== undefined) answer.tell(notification('notifications/progress', { progressToken, progress, total }));
      },
      log(level, data) {
        if (LEVELS.indexOf(level) < LEVELS.indexOf(session.level)) return;
        answer.tell(notification('notifications/message', { level, logger: 'fixture', data }));
      },
      ask({ method, params = {} }) {
        const id = `ask-${randomUUID()}`;
        const { mode, ...rest } = params;
        const heard = new Promise((resolve, reject) => session.asked.set(id, { resolve, reject }));
        answer.tell({ jsonrpc: '2.0', id, method, params: session.version === LEGACY[0] ? params : rest });
        return heard;
      },
      changed(kind) {
        for (const { aside } of sessions.values()) aside?.tell(notification(`notifications/${kind}/list_changed`));
      },
      updated(uri) {
        const concerned = [...sessions.values()].filter(({ watched }) => watched.has(uri));
        for (const { aside } of concerned) aside?.tell(notification('notifications/resources/updated', { uri }));
      },
      pause(retry) {
        // Events without data came with this revision; older clients cannot read them.
        if (session.version !== LEGACY[0]) return;
        const mark = randomUUID();
        session.paused.set(mark, answer);
        answer.pause(mark, retry);
      },
    };
  }

  return { serve };
}
