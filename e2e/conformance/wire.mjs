// JSON-RPC over HTTP as both eras of the fixture need it: reading a message, refusing one, and an answer that becomes an
// event stream when something has to be told before it.

export const INVALID_REQUEST = -32600;
export const NO_SUCH_METHOD = -32601;
export const INVALID_PARAMS = -32602;
export const HEADER_MISMATCH = -32020;
export const MISSING_CAPABILITY = -32021;
export const UNSUPPORTED_VERSION = -32022;

/** A refusal in JSON-RPC's words, with the HTTP status that goes with it where the answer is not a stream already. */
export class Refusal extends Error {
  constructor(code, message, { data, status = 200 } = {}) {
    super(message);
    this.status = status;
    this.error = { code, message, ...(data === undefined ? {} : { data }) };
  }
}

/** The whole body as text. */
export async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** One JSON-RPC message. Neither revision that is spoken here knows batches. */
export function messageOf(text) {
  let message;
  try {
    message = JSON.parse(text);
  } catch {
    throw new Refusal(-32700, 'The body is not JSON.', { status: 400 });
  }
  const isResponse = message?.method === undefined && (message?.result !== undefined || message?.error !== undefined);
  const hasId = typeof message?.id === 'string' || Number.isInteger(message?.id) || message?.id === undefined;
  if (message?.jsonrpc !== '2.0' || !hasId || (typeof message.method !== 'string' && !isResponse)) {
    throw new Refusal(INVALID_REQUEST, 'The body is not one JSON-RPC message.', { status: 400 });
  }
  return message;
}

export const notification = (method, params) => ({ jsonrpc: '2.0', method, ...(params ? { params } : {}) });

const EVENT_STREAM = { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache', 'X-Accel-Buffering': 'no' };

/** The answer to one request: JSON, unless a stream had to begin first. After the client has left, it says nothing more. */
export class Answer {
  constructor(response, id, headers = {}) {
    this.response = response;
    this.id = id;
    this.headers = headers;
    this.isStream = false;
    this.isOver = false;
  }

  /** Makes it a stream now. */
  begin() {
    if (this.isStream) return;
    this.isStream = true;
    this.response.writeHead(200, { ...EVENT_STREAM, ...this.headers });
    this.response.flushHeaders();
  }

  /** Sends a message ahead of the answer. */
  tell(message) {
    if (this.isOver) return;
    this.begin();
    this.write(message);
  }

  /** The one answer: `{ result }` or `{ error }`. */
  finish(fields, status = 200) {
    if (this.isOver) return;
    this.isOver = true;
    // Without a readable id there is none in the error: null is no id.
    const message = { jsonrpc: '2.0', ...(this.id === undefined ? {} : { id: this.id }), ...fields };
    if (this.isStream) {
      this.write(message);
      this.response.end();
    } else {
      this.response.writeHead(status, { 'Content-Type': 'application/json', ...this.headers });
      this.response.end(JSON.stringify(message));
    }
  }

  refuse(problem) {
    if (problem instanceof Refusal) return this.finish({ error: problem.error }, problem.status);
    return this.finish({ error: { code: -32603, message: `The fixture is wrong: ${problem.stack}` } }, 500);
  }

  write(message) {
    if (!this.response.destroyed) this.response.write(`event: message\ndata: ${JSON.stringify(message)}\n\n`);
  }
}
