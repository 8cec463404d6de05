// Upstream MCP servers: the reference one that speaks every feature, and one of our own whose tools misbehave.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { SubscribeRequestSchema, UnsubscribeRequestSchema } from '@modelcontextprotocol/sdk/types.js';

import { beside, freePort, start } from './world.mjs';

/** Starts `@modelcontextprotocol/server-everything` over streamable HTTP, or over the older HTTP with SSE (`sse`). */
export async function everything(transport = 'streamableHttp') {
  const port = await freePort();
  const script = beside('node_modules/@modelcontextprotocol/server-everything/dist/index.js');
  const begin = () =>
    start(process.execPath, [script, transport], {
      env: { PORT: String(port) },
      isReady: (said) => /(listening|running) on port/.test(said),
    });
  let server = await begin();
  const stop = () => server.stop();
  const restart = async () => {
    await stop();
    server = await begin();
  };
  return { url: `http://127.0.0.1:${port}/${transport === 'sse' ? 'sse' : 'mcp'}`, stop, restart };
}

const NAMES = ['fine', 'hangs', 'garbage', 'html', 'half', 'redirects', 'fails', 'other-id', 'floods', 'closes', 'error'];

/**
 * A server of the `initialize` era that is well until its tools are called. Each tool has one vice. `received` lists
 * what was really called, `seen` the headers of each request.
 */
export async function hostile() {
  const received = [];
  const seen = [];
  const server = createServer((request, response) => {
    seen.push({ url: request.url, headers: request.headers });
    let body = '';
    request.on('data', (data) => (body += data));
    request.on('end', () => {
      if (request.method !== 'POST') return void response.writeHead(405, { Allow: 'POST' }).end();
      const message = JSON.parse(body);
      if (message.id === undefined) return void response.writeHead(202).end();
      const reply = (fields) => {
        response.writeHead(200, { 'Content-Type': 'application/json' });
        response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, ...fields }));
      };
      if (message.method === 'initialize') {
        return reply({
          result: {
            protocolVersion: '2025-06-18',
            capabilities: { tools: {} },
            serverInfo: { name: 'hostile', version: '1.0.0' },
          },
        });
      }
      if (message.method === 'tools/list') {
        const inputSchema = { type: 'object', properties: {} };
        return reply({ result: { tools: NAMES.map((name) => ({ name, description: `Is ${name}.`, inputSchema })) } });
      }
      if (message.method !== 'tools/call') return reply({ error: { code: -32601, message: 'no such method' } });
      received.push(message.params);
      misbehave(message.params.name, message, response, reply);
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${server.address().port}/mcp`;
  const stop = () =>
    new Promise((resolve) => {
      server.closeAllConnections();
      server.close(resolve);
    });
  return { url, received, seen, stop };
}

function misbehave(vice, message, response, reply) {
  const json = { 'Content-Type': 'application/json' };
  switch (vice) {
    case 'fine':
      return reply({ result: { content: [{ type: 'text', text: 'fine' }] } });
    case 'hangs':
      return undefined;
    case 'garbage':
      return void response.writeHead(200, json).end('{"jsonrpc":"2.0","id":');
    case 'html':
      return void response.writeHead(200, { 'Content-Type': 'text/html' }).end('<h1>It works!</h1>');
    case 'half':
      response.writeHead(200, { ...json, 'Content-Length': '1000' });
      response.write('{"jsonrpc":"2.0","id":');
      return void setTimeout(() => response.destroy(), 50);
    case 'redirects':
      return void response.writeHead(302, { Location: 'http://127.0.0.1:9/elsewhere' }).end();
    case 'fails':
      return void response.writeHead(500, { 'Content-Type': 'text/plain' }).end('secret stack trace of the upstream');
    case 'other-id':
      response.writeHead(200, json);
      return void response.end(JSON.stringify({ jsonrpc: '2.0', id: 'someone-else', result: { content: [] } }));
    case 'floods': {
      // More than any limit: until the reader hangs up.
      response.writeHead(200, json);
      const more = () => {
        while (response.writable && response.write(' '.repeat(65536)));
      };
      response.on('drain', more);
      return more();
    }
    case 'closes':
      return void response.destroy();
    case 'error':
      return reply({ error: { code: -32000, message: 'the upstream says no' } });
    default:
      return reply({ error: { code: -32602, message: `no such tool: ${vice}` } });
  }
}

/**
 * A server of the `initialize` era made with the official TypeScript SDK, 1.x. Its tool `greet` asks a person for a name, `ask` asks a
 * model, `touch` says that the resource `notes://all` was updated. `watched()` is how many sessions are subscribed to that.
 */
export async function asking() {
  const sessions = new Map();
  const watching = new Set();

  function session() {
    const server = new McpServer({ name: 'asking', version: '1.0.0' }, { capabilities: { resources: { subscribe: true } } });
    const says = (text) => ({ content: [{ type: 'text', text }] });
    server.registerTool('greet', { description: 'Greets a person by the name that they give.' }, async (extra) => {
      const requestedSchema = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] };
      const params = { message: 'What is your name?', requestedSchema };
      const { action, content } = await server.server.elicitInput(params, { relatedRequestId: extra.requestId });
      return says(action === 'accept' ? `Hello ${content.name}.` : `Nobody to greet: ${action}.`);
    });
    server.registerTool('ask', { description: 'Asks a model for a word, and says it.' }, async (extra) => {
      const messages = [{ role: 'user', content: { type: 'text', text: 'A word?' } }];
      const { content } = await server.server.createMessage({ messages, maxTokens: 9 }, { relatedRequestId: extra.requestId });
      return says(`The model says ${content.text}.`);
    });
    server.registerTool('touch', { description: 'Changes the notes.' }, async () => {
      for (const each of watching) await each.server.sendResourceUpdated({ uri: 'notes://all' });
      return says('Touched.');
    });
    server.registerResource('notes', 'notes://all', {}, async (uri) => ({ contents: [{ uri: uri.href, text: 'Notes.' }] }));
    server.server.setRequestHandler(SubscribeRequestSchema, async () => (watching.add(server), {}));
    server.server.setRequestHandler(UnsubscribeRequestSchema, async () => (watching.delete(server), {}));
    return server;
  }

  async function serve(request, response) {
    const known = sessions.get(request.headers['mcp-session-id']);
    if (known) return known.handleRequest(request, response);
    const server = session();
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => sessions.set(id, transport),
    });
    transport.onclose = () => {
      sessions.delete(transport.sessionId);
      watching.delete(server);
    };
    await server.connect(transport);
    return transport.handleRequest(request, response);
  }

  const http = createServer((request, response) => {
    serve(request, response).catch(() => response.headersSent || response.writeHead(500).end());
  });
  await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
  const stop = () =>
    new Promise((resolve) => {
      http.closeAllConnections();
      http.close(resolve);
    });
  return { url: `http://127.0.0.1:${http.address().port}/mcp`, watched: () => watching.size, stop };
}
