// A door before an MCP endpoint for clients that cannot be told a key, such as the conformance suite: it listens at `/mcp`,
// adds the key, and otherwise changes nothing. Host and Origin pass as they came, bodies as they come, and a side that hangs
// up is hung up on the other side too.
import { createServer, request as ask } from 'node:http';

// About one connection, not about what is said over it.
const HOP = ['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'];
const passing = (headers) => Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP.includes(name)));

/** Starts it before `target`, on 127.0.0.1. Resolves to { url, stop }. */
export async function front(target, { key, port = 0 }) {
  const { hostname, port: behind, pathname } = new URL(target);
  const server = createServer((request, response) => {
    if (new URL(request.url, 'http://localhost').pathname !== '/mcp') return void response.writeHead(404).end();
    const headers = { ...passing(request.headers), authorization: `Bearer ${key}` };
    // A connection for each request: one that is kept may end just when the next request is written.
    const inner = ask({ hostname, port: behind, path: pathname, method: request.method, headers, agent: false });
    inner.on('response', (answer) => {
      response.writeHead(answer.statusCode, passing(answer.headers));
      response.flushHeaders();
      answer.pipe(response);
      answer.on('error', () => response.destroy());
    });
    inner.on('error', () => {
      if (response.headersSent) response.destroy();
      else response.writeHead(502).end();
    });
    response.on('close', () => inner.destroy());
    request.pipe(inner);
  });
  server.keepAliveTimeout = 120_000;
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  const stop = () =>
    new Promise((resolve) => {
      server.closeAllConnections();
      server.close(resolve);
    });
  return { url: `http://127.0.0.1:${server.address().port}/mcp`, stop };
}
