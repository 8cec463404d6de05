// The reference MCP server over the transport of 2024-11-05, HTTP with SSE: found out by itself, and used like any other.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { addModule, give } from './admin.mjs';
import { typescriptV1, typescriptV2 } from './agents.mjs';
import { everything } from './upstreams.mjs';
import { fresh, reader, ready } from './world.mjs';

const name = fresh('older');
let upstream;
let agent;

before(async () => {
  upstream = await everything('sse');
  await addModule(name, 'Older', upstream.url);
  await give(name, reader().name);
  agent = await typescriptV1(ready.mcp_url, reader().key);
});

after(async () => {
  await agent?.close();
  await upstream?.stop();
});

test('its tools answer, also many at once', async () => {
  const wanted = Array.from({ length: 10 }, (_, n) => `number ${n}`);
  const results = await Promise.all(wanted.map((message) => agent.call(`${name}.echo`, { message })));
  assert.deepEqual(results.map((result) => result.content[0].text), wanted.map((message) => `Echo: ${message}`));
});

test('its progress is told while one waits', async () => {
  const told = [];
  const result = await agent.client.callTool(
    { name: `${name}.trigger-long-running-operation`, arguments: { duration: 2, steps: 4 } },
    undefined,
    { onprogress: (progress) => told.push(progress), resetTimeoutOnProgress: true, timeout: 20_000 },
  );
  assert.match(result.content[0].text, /completed/);
  assert.deepEqual(told.map(({ progress, total }) => [progress, total]), [[1, 4], [2, 4], [3, 4], [4, 4]]);
});

test('its prompts and resources are had, by a client of the stateless era too', async () => {
  const stateless = await typescriptV2(ready.mcp_url, reader().key, { pin: '2026-07-28' });
  const { resources } = await stateless.client.listResources();
  const { uri } = resources.find((resource) => resource.uri.startsWith(`${name}+`));
  const { contents } = await stateless.client.readResource({ uri });
  assert.ok(contents[0].text ?? contents[0].blob);
  await stateless.close();
  const { prompts } = await agent.client.listPrompts();
  assert.ok(prompts.some((prompt) => prompt.name.startsWith(`${name}.`)));
});

test('when the server restarts, its stream is opened anew', async () => {
  await upstream.restart();
  const result = await agent.call(`${name}.echo`, { message: 'back again' });
  assert.equal(result.content[0].text, 'Echo: back again');
});
