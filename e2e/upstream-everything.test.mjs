// The reference MCP server behind the gateway: what its tools answer comes through unchanged, whichever way they answer.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { addModule, calls, give, story } from './admin.mjs';
import { typescriptV1, typescriptV2 } from './agents.mjs';
import { everything } from './upstreams.mjs';
import { eventually, fresh, outsider, reader, ready } from './world.mjs';

const name = fresh('everything');
let upstream;
let direct;
let governed;

before(async () => {
  upstream = await everything();
  await addModule(name, 'Everything', upstream.url);
  await give(name, reader().name);
  direct = await typescriptV1(upstream.url);
  governed = await typescriptV1(ready.mcp_url, reader().key);
});

after(async () => {
  await direct?.close();
  await governed?.close();
  await upstream?.stop();
});

const through = (tool, args, options) => governed.call(`${name}.${tool}`, args, options);

test('its tools are listed under the name of the module, otherwise as they are', async () => {
  const own = await direct.tools();
  // A list is not a call: after a change it may be a moment behind, and each key is given by a change of its own.
  const shown = await eventually('the tools in the list', async () => {
    const found = (await governed.tools()).filter((tool) => tool.name.startsWith(`${name}.`));
    return found.length === own.length && found;
  });
  const prefixed = own.map((tool) => ({ ...tool, name: `${name}.${tool.name}` }));
  const byName = (a, b) => a.name.localeCompare(b.name);
  assert.deepEqual(shown.sort(byName), prefixed.sort(byName));
});

for (const [tool, args] of [
  ['echo', { message: 'Grüße, 世界 \u0000\u{1f600} "quoted" \\ /' }],
  ['get-sum', { a: 2 ** 40, b: -0.5 }],
  ['get-structured-content', { location: 'Chicago' }],
  ['get-tiny-image', {}],
  ['get-annotated-message', { messageType: 'error', includeImage: true }],
  ['get-resource-links', { count: 3 }],
  ['get-resource-reference', { resourceType: 'Text', resourceId: 1 }],
]) {
  test(`${tool} answers through the gateway what it answers directly`, async () => {
    const plain = (result) => JSON.parse(JSON.stringify(result, (key, value) => (key === 'lastModified' ? undefined : value)));
    const [one, other] = [plain(await direct.call(tool, args)), plain(await through(tool, args))];
    // Texts that tell the time of day differ between two calls, also two direct ones.
    const untimed = (result) => JSON.parse(JSON.stringify(result).replace(/\d{1,2}:\d\d:\d\d( [AP]M)?/g, 'TIME'));
    assert.deepEqual(untimed(other), untimed(one));
  });
}

test('a tool that takes its time is waited for', async () => {
  const result = await through('trigger-long-running-operation', { duration: 3, steps: 3 });
  assert.match(result.content[0].text, /Long running operation completed. Duration: 3 seconds, Steps: 3/);
});

test('its progress is told while one waits', async () => {
  const told = [];
  const result = await governed.client.callTool(
    { name: `${name}.trigger-long-running-operation`, arguments: { duration: 2, steps: 4 } },
    undefined,
    { onprogress: (progress) => told.push(progress), resetTimeoutOnProgress: true, timeout: 20_000 },
  );
  assert.match(result.content[0].text, /completed/);
  assert.deepEqual(told.map(({ progress, total }) => [progress, total]), [[1, 4], [2, 4], [3, 4], [4, 4]]);
});

test('its prompts are listed and got under the name of the module', async () => {
  const own = (await direct.client.listPrompts()).prompts;
  const shown = (await governed.client.listPrompts()).prompts.filter((prompt) => prompt.name.startsWith(`${name}.`));
  assert.ok(own.length > 1);
  const byName = (a, b) => a.name.localeCompare(b.name);
  assert.deepEqual(shown.sort(byName), own.map((prompt) => ({ ...prompt, name: `${name}.${prompt.name}` })).sort(byName));
  const args = Object.fromEntries((own.find((prompt) => prompt.arguments?.length)?.arguments ?? []).map((one) => [one.name, '1']));
  for (const prompt of own) {
    const given = prompt.arguments?.length ? args : {};
    const outcome = async (client, asked) => {
      try {
        return await client.getPrompt({ name: asked, arguments: given });
      } catch (error) {
        return { code: error.code };
      }
    };
    const [one, other] = [await outcome(direct.client, prompt.name), await outcome(governed.client, `${name}.${prompt.name}`)];
    const untimed = (result) => JSON.parse(JSON.stringify(result).replace(/\d{1,2}:\d\d:\d\d( [AP]M)?/g, 'TIME'));
    assert.deepEqual(untimed(other), untimed(one), prompt.name);
  }
});

test('its resources are listed and read under the name of the module, by clients of both eras', async () => {
  const own = (await direct.client.listResources()).resources;
  const mine = (uri) => `${name}+${uri}`;
  const shown = (await governed.client.listResources()).resources.filter((resource) => resource.uri.startsWith(`${name}+`));
  assert.ok(own.length > 0);
  assert.deepEqual(shown.map(({ uri }) => uri).sort(), own.map(({ uri }) => mine(uri)).sort());
  const stateless = await typescriptV2(ready.mcp_url, reader().key, { pin: '2026-07-28' });
  for (const { uri } of own.slice(0, 3)) {
    const { contents } = await direct.client.readResource({ uri });
    assert.deepEqual((await governed.client.readResource({ uri: mine(uri) })).contents, contents);
    assert.deepEqual((await stateless.client.readResource({ uri: mine(uri) })).contents, contents);
  }
  const templates = (await direct.client.listResourceTemplates()).resourceTemplates;
  const governedTemplates = (await governed.client.listResourceTemplates()).resourceTemplates;
  assert.deepEqual(
    governedTemplates.map(({ uriTemplate }) => uriTemplate).filter((template) => template.startsWith(`${name}+`)).sort(),
    templates.map(({ uriTemplate }) => mine(uriTemplate)).sort(),
  );
  await stateless.close();
  const recorded = await calls({ tool: `${name}.resource:${own[0].uri}` });
  assert.ok(recorded.length >= 2, 'reading is on record');
});

test('arguments that the tool would refuse do not reach it, and the model reads what is wrong with them', async () => {
  assert.equal((await direct.call('get-sum', { a: 'one' })).isError, true);
  const { isError, content, structuredContent } = await governed.call(`${name}.get-sum`, { a: 'one' });
  assert.equal(isError, true);
  assert.equal(structuredContent.error.code, 'invalid_arguments');
  assert.match(content[0].text, /\/a: value is not of type "number"/);
  assert.match(content[0].text, /"b" is a required property/);
  const recorded = await calls({ tool: `${name}.get-sum` });
  assert.equal(recorded.filter(({ verdict }) => verdict === 'deny').length, 1, 'the refusal is on record');
});

test('a client of the stateless era reaches this server of the initialize era', async () => {
  const agent = await typescriptV2(ready.mcp_url, reader().key, { pin: '2026-07-28' });
  const result = await agent.call(`${name}.echo`, { message: 'across eras' });
  assert.deepEqual(result.content, [{ type: 'text', text: 'Echo: across eras' }]);
  await agent.close();
  const [row] = await calls({ tool: `${name}.echo` });
  const told = await story(row.id);
  assert.match(told.client, /^workingagents-e2e/, 'each request names its client in this era');
  assert.equal(told.protocol, '2026-07-28');
});

test('thirty calls at the same time do not get mixed up', async () => {
  const wanted = Array.from({ length: 30 }, (_, n) => n);
  const results = await Promise.all(wanted.map((n) => through('echo', { message: `number ${n}` })));
  assert.deepEqual(results.map((result) => result.content[0].text), wanted.map((n) => `Echo: number ${n}`));
});

test('an agent without the key neither sees it nor reaches it', async () => {
  const agent = await typescriptV1(ready.mcp_url, outsider().key);
  assert.deepEqual((await agent.tools()).filter((tool) => tool.name.startsWith(name)), []);
  const denied = await agent.call(`${name}.echo`, { message: 'let me in' });
  assert.equal(denied.isError, true);
  assert.doesNotMatch(JSON.stringify(denied.content), /let me in/);
  await agent.close();
});

test('the calls are on record with who, what, how and what it cost', async () => {
  await through('echo', { message: 'for the record' });
  const row = await eventually('the call in the list', async () => {
    const [newest] = await calls({ tool: `${name}.echo` });
    return newest?.outcome && newest;
  });
  assert.equal(row.agent_name, reader().name);
  assert.equal(row.verdict, 'permit');
  assert.equal(row.outcome, 'succeeded');
  assert.ok(row.duration_us > 0);
  assert.ok(row.charge, 'has a charge');
  const told = await story(row.id);
  assert.deepEqual(JSON.parse(told.arguments.Text), { message: 'for the record' });
  assert.deepEqual(JSON.parse(told.result.Text).content, [{ type: 'text', text: 'Echo: for the record' }]);
  assert.ok(told.client, 'says with what client');
});

test('when the server restarts, its sessions are renewed without the agent noticing', async () => {
  await upstream.restart();
  const result = await through('echo', { message: 'back again' });
  assert.equal(result.content[0].text, 'Echo: back again');
});
