// Agents with every official client: what they are shown is what they may use, and a refusal says what to do.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { managedAgent, pythonClient, typescriptV1, typescriptV2 } from './agents.mjs';
import { manager, outsider, reader, ready } from './world.mjs';

const MODERN = '2026-07-28';
const CLIENTS = [
  ['TypeScript 1.x', (key) => typescriptV1(ready.mcp_url, key)],
  ['TypeScript 2.x, initialize era', (key) => typescriptV2(ready.mcp_url, key, 'legacy'), '2025-11-25'],
  ['TypeScript 2.x, stateless', (key) => typescriptV2(ready.mcp_url, key, { pin: MODERN }), MODERN],
  ['TypeScript 2.x, finding out', (key) => typescriptV2(ready.mcp_url, key, 'auto'), MODERN],
  ['like Managed Agents', (key) => managedAgent(ready.mcp_url, key), '2025-06-18'],
  ['like Managed Agents, newest', (key) => managedAgent(ready.mcp_url, key, { revision: '2025-11-25' }), '2025-11-25'],
  ['like Managed Agents, oldest', (key) => managedAgent(ready.mcp_url, key, { revision: '2025-03-26' }), '2025-03-26'],
  ['Python, finding out', (key) => python(key, 'auto'), MODERN],
  ['Python, initialize era', (key) => python(key, 'legacy'), '2025-11-25'],
];

/** The Python client with the same verbs: one process for each. */
async function python(key, mode) {
  const run = (step) => pythonClient(ready.mcp_url, key, [step], mode);
  let spoken;
  return {
    protocol: () => spoken,
    async tools() {
      const { protocol, steps } = await run({ tools: true });
      spoken = protocol;
      if (steps[0].error) throw new Error(steps[0].error.message);
      return steps[0].tools;
    },
    async call(name, args) {
      const { steps } = await run({ call: name, arguments: args });
      if (steps[0].error) throw Object.assign(new Error(steps[0].error.message), { code: steps[0].error.code });
      return steps[0].result;
    },
    close: async () => {},
  };
}

const names = (tools) => tools.map((tool) => tool.name).sort();
const isDelete = (name) => /^crm\.delete/.test(name);

for (const [title, connect, protocol] of CLIENTS) {
  describe(title, { concurrency: false }, () => {
    test('an agent with every right of the CRM sees and uses all its tools', async () => {
      const agent = await connect(manager().key);
      const tools = await agent.tools();
      assert.ok(names(tools).some(isDelete), `delete tools in ${names(tools)}`);
      assert.ok(names(tools).includes('crm.list_companies'), `${names(tools)}`);
      for (const tool of tools) {
        assert.equal(tool.inputSchema.type, 'object', tool.name);
        assert.ok(tool.description, `${tool.name} says what it does`);
      }
      if (protocol) assert.equal(agent.protocol(), protocol);
      const result = await agent.call('crm.list_companies', {});
      assert.ok(!result.isError, JSON.stringify(result));
      assert.equal(result.content[0].type, 'text');
      await agent.close();
    });

    test('an agent that may read sees no tool that deletes, and calling one is refused with the missing right', async () => {
      const agent = await connect(reader().key);
      const shown = names(await agent.tools());
      assert.ok(shown.includes('crm.list_companies'), `${shown}`);
      assert.deepEqual(shown.filter(isDelete), []);
      const result = await agent.call('crm.list_companies', {});
      assert.ok(!result.isError, JSON.stringify(result));
      assertRefused(await agent.call('crm.delete_company', { id: '00000000-0000-0000-0000-000000000000' }), /^crm/);
      await agent.close();
    });

    test('an agent without rights sees nothing, and is told what it would need', async () => {
      const agent = await connect(outsider().key);
      assert.deepEqual(await agent.tools(), []);
      assertRefused(await agent.call('crm.list_companies', {}), /^crm/);
      await agent.close();
    });
  });
}

/** The tool error of a denial: words for the model, the same for programs. */
function assertRefused(result, missing) {
  assert.equal(result.isError, true, JSON.stringify(result));
  const { error } = result.structuredContent;
  assert.equal(error.code, 'missing_key');
  assert.match(error.missing_key, missing);
  assert.ok(error.ask, 'says whom to ask');
  assert.ok(error.call_id, 'says under which id it is on record');
  assert.ok(error.message.includes(error.missing_key), error.message);
  assert.ok(error.message.includes(error.ask), error.message);
  assert.ok(result.content[0].text.includes(error.message), result.content[0].text);
}

test('a result is the same whatever the client', async () => {
  const results = [];
  for (const [title, connect] of CLIENTS) {
    const agent = await connect(manager().key);
    const { content, structuredContent } = await agent.call('crm.list_companies', {});
    results.push([title, { content, structuredContent }]);
    await agent.close();
  }
  for (const [title, result] of results) assert.deepEqual(result, results[0][1], title);
});

test('the definitions shown are the same in both eras', async () => {
  const legacy = await typescriptV2(ready.mcp_url, manager().key, 'legacy');
  const modern = await typescriptV2(ready.mcp_url, manager().key, { pin: MODERN });
  const plain = (tools) => JSON.parse(JSON.stringify(tools));
  assert.deepEqual(plain(await modern.tools()), plain(await legacy.tools()));
  await legacy.close();
  await modern.close();
});
