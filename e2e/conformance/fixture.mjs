// A server with everything that the official conformance suite asks of one, in both eras at one URL. By hand:
// `PORT=3000 ERA=both node conformance/fixture.mjs` prints one line of JSON, { "url": … }, when it listens.
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

import { LEGACY, legacyEra } from './legacy.mjs';
import { VERSION_KEY, modernEra } from './modern.mjs';
import { Answer, bodyOf, messageOf } from './wire.mjs';

const SERVER_INFO = { name: 'conformance-fixture', version: '1.0.0' };
const ERAS = ['both', 'modern', 'legacy'];

/** Starts it on 127.0.0.1. `era`: both, or one alone, as if the server knew no other. Resolves to { url, stop }. */
export async function fixture({ era = 'both', port = 0 } = {}) {
  if (!ERAS.includes(era)) throw new Error(`era is ${ERAS.join(', ')}, not ${era}`);
  const modern = modernEra(SERVER_INFO);
  const legacy = legacyEra(SERVER_INFO);
  const eraOf = (message, request) => ({ modern, legacy })[era === 'both' ? spoken(message, request) : era];

  const server = createServer(async (request, response) => {
    if (new URL(request.url, 'http://localhost').pathname !== '/mcp') return void response.writeHead(404).end();
    if (!isLocal(request)) return void response.writeHead(403).end();
    let message;
    try {
      if (request.method === 'POST') message = messageOf(await bodyOf(request));
    } catch (problem) {
      return new Answer(response).refuse(problem);
    }
    return eraOf(message, request).serve(message, request, response);
  });
  // A client that keeps connections must not meet one that is just being closed.
  server.keepAliveTimeout = 120_000;
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  const stop = () =>
    new Promise((resolve) => {
      server.closeAllConnections();
      server.close(resolve);
    });
  return { url: `http://127.0.0.1:${server.address().port}/mcp`, stop };
}

/** A request is of the `initialize` era if it neither says a version in its body nor names a newer one in its header. */
function spoken(message, { headers }) {
  if (message?.params?._meta?.[VERSION_KEY] !== undefined) return 'modern';
  const told = headers['mcp-protocol-version'];
  return told === undefined || LEGACY.includes(told) ? 'legacy' : 'modern';
}

/** A page elsewhere whose name was made to point here says another host, or another origin. */
function isLocal({ headers }) {
  const here = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;
  const origin = headers.origin;
  return here.test(headers.host ?? '') && (origin === undefined || here.test(origin.replace(/^https?:\/\//, '')));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await fixture({ era: process.env.ERA || 'both', port: Number(process.env.PORT || 0) });
  console.log(JSON.stringify({ url }));
}
