// Clients and servers that do not speak the same era, both made with official SDKs or held to the official suite: what a server asks
// reaches the client, in the way that it can be asked, and so does what it tells.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema, ResourceUpdatedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';

import { addModule, calls, give, revoke, story } from './admin.mjs';
import { messagesOf, typescriptV1, typescriptV2 } from './agents.mjs';
import { fixture } from './conformance/fixture.mjs';
import { asking } from './upstreams.mjs';
import { anotherServer, eventually, fresh, reader, ready } from './world.mjs';

const older = fresh('older');
const newer = fresh('newer');
const EVERYTHING = { elicitation: {}, sampling: {}, roots: {} };
const person = (asked) => async (request) => {
  asked.push(request.params.message);
  const wanted = Object.entries(request.params.requestedSchema.properties);
  const says = { string: 'Ada', boolean: true, number: 1 };
  return { action: 'accept', content: Object.fromEntries(wanted.map(([name, { type }]) => [name, says[type]])) };
};
const model = async () => ({ role: 'assistant', model: 'm', content: { type: 'text', text: 'rhubarb' } });
const folders = async () => ({ roots: [{ uri: 'file:///a' }] });
let upstreams;

before(async () => {
  upstreams = [await asking(), await fixture({ era: 'modern' })];
  for (const [name, { url }] of [[older, upstreams[0]], [newer, upstreams[1]]]) {
    await addModule(name, name, url);
    await give(name, reader().name);
  }
});

after(async () => {
  for (const upstream of upstreams ?? []) await upstream.stop();
});

/** A client of the stateless era. */
async function stateless(prepare = () => {}, capabilities = EVERYTHING) {
  const agent = await typescriptV2(ready.mcp_url, reader().key, { pin: '2026-07-28' }, { capabilities, prepare });
  assert.equal(agent.protocol(), '2026-07-28');
  return agent;
}

/** The calls of a tool, once they are settled, oldest first. */
const settled = (tool, many) =>
  eventually(`${many} calls of ${tool} with their ends`, async () => {
    const rows = await calls({ tool });
    return rows.length === many && rows.every(({ outcome }) => outcome) && rows.reverse();
  });

/** One round of `greet`, by hand; resolves to the result. */
async function round(url, more = {}) {
  const key = (name) => `io.modelcontextprotocol/${name}`;
  const _meta = { [key('protocolVersion')]: '2026-07-28', [key('clientCapabilities')]: { elicitation: {} } };
  const name = `${older}.greet`;
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${reader().key}`,
      'Content-Type': 'application/json',
      Accept: 'application/json, text/event-stream',
      'MCP-Protocol-Version': '2026-07-28',
      'Mcp-Method': 'tools/call',
      'Mcp-Name': name,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: {}, ...more, _meta } }),
  });
  const [message] = messagesOf(response.headers.get('content-type'), await response.text());
  assert.equal(message.error, undefined, JSON.stringify(message));
  return message.result;
}

describe('a client of 2026-07-28 and a server of the initialize era', { concurrency: false }, () => {
  test('is asked in rounds, each of them on record', async (t) => {
    const asked = [];
    const agent = await stateless((client) => {
      client.setRequestHandler('elicitation/create', person(asked));
      client.setRequestHandler('sampling/createMessage', model);
    });
    t.after(agent.close);
    assert.equal((await agent.call(`${older}.greet`, {})).content[0].text, 'Hello Ada.');
    assert.deepEqual(asked, ['What is your name?']);
    assert.equal((await agent.call(`${older}.ask`, {})).content[0].text, 'The model says rhubarb.');
    const [first, second] = await settled(`${older}.greet`, 2);
    assert.deepEqual([first.outcome, second.outcome], ['succeeded', 'succeeded']);
    const [, round] = JSON.parse((await story(second.id)).arguments.Text);
    assert.deepEqual(round, { round: 2, first_call: first.id, inputResponses: { q1: { action: 'accept', content: { name: 'Ada' } } } });
  });

  test('whose right is taken away while a person thinks is refused, and the call ends', async (t) => {
    const agent = await stateless((client) => {
      client.setRequestHandler('elicitation/create', async (request) => {
        await revoke(older, reader().name);
        return person([])(request);
      });
    });
    t.after(agent.close);
    t.after(() => give(older, reader().name));
    const { isError, structuredContent } = await agent.call(`${older}.greet`, {});
    assert.equal(isError, true);
    assert.equal(structuredContent.error.code, 'missing_key');
    const rows = await eventually('both on record', async () => {
      const [second, first] = await calls({ tool: `${older}.greet`, limit: 2 });
      return first.outcome && [first, second];
    });
    assert.deepEqual(rows.map(({ verdict }) => verdict), ['permit', 'deny']);
  });

  test('is told by another node to make the call again, and a node that dies leaves it interrupted', async (t) => {
    const [one, other] = [await anotherServer(), await anotherServer()];
    t.after(other.stop);
    t.after(one.stop);
    const asked = await round(one.mcp_url);
    assert.equal(asked.resultType, 'input_required');
    const inputResponses = { q1: { action: 'accept', content: { name: 'Ada' } } };
    const elsewhere = await round(other.mcp_url, { inputResponses, requestState: asked.requestState });
    assert.equal(elsewhere.structuredContent.error.code, 'asked_by_another_node');
    const [, first] = await calls({ tool: `${older}.greet`, limit: 2 });
    assert.equal(first.outcome, null, 'it is still executing');
    one.kill();
    const outcome = async () => (await calls({ tool: `${older}.greet`, limit: 2 })).find(({ id }) => id === first.id)?.outcome;
    assert.equal(await eventually('its end', outcome, { within: 90_000 }), 'interrupted');
  });

  test('is answered no more by a node that stops, which leaves nothing open', async () => {
    const node = await anotherServer();
    const asked = await round(node.mcp_url);
    assert.equal(asked.resultType, 'input_required');
    await node.stop();
    const [first] = await calls({ tool: `${older}.greet`, limit: 1 });
    assert.equal(first.outcome, 'succeeded');
    assert.match((await story(first.id)).result.Text, /Nobody to greet: cancel/);
  });

  test('hears of a resource that it listens for', async (t) => {
    const told = [];
    const agent = await stateless((client) => {
      client.setNotificationHandler('notifications/resources/updated', ({ params }) => told.push(params.uri));
    });
    t.after(agent.close);
    const uri = `${older}+notes://all`;
    const subscription = await agent.client.listen({ resourceSubscriptions: [uri, `${older}+notes://none`] });
    assert.deepEqual(subscription.honoredFilter, { resourceSubscriptions: [uri] });
    assert.equal(upstreams[0].watched(), 1);
    await agent.call(`${older}.touch`, {});
    await eventually('the update', () => told.length > 0);
    assert.deepEqual(told, [uri]);
    await subscription.close();
    await eventually('nobody is subscribed any more', () => upstreams[0].watched() === 0);
  });
});

describe('a client of the initialize era and a server of 2026-07-28', { concurrency: false }, () => {
  test('is asked on its own request, and each round is on record', async (t) => {
    const asked = [];
    const agent = await typescriptV1(ready.mcp_url, reader().key, {
      capabilities: EVERYTHING,
      prepare: (client) => {
        client.setRequestHandler(ElicitRequestSchema, person(asked));
        client.setRequestHandler(CreateMessageRequestSchema, model);
        client.setRequestHandler(ListRootsRequestSchema, folders);
      },
    });
    t.after(agent.close);
    for (const [tool, rounds] of [['elicitation', 2], ['multiple_inputs', 2], ['multi_round', 3], ['request_state', 2]]) {
      const name = `${newer}.test_input_required_result_${tool}`;
      const result = await agent.call(name, {});
      assert.ok(!result.isError, JSON.stringify(result));
      const rows = await settled(name, rounds);
      assert.ok(rows.every(({ outcome }) => outcome === 'succeeded'), tool);
    }
    assert.ok(asked.length > 0);
  });

  test('that can be asked nothing is told so', async (t) => {
    const agent = await typescriptV1(ready.mcp_url, reader().key);
    t.after(agent.close);
    const { isError, structuredContent } = await agent.call(`${newer}.test_input_required_result_elicitation`, {});
    assert.equal(isError, true);
    assert.equal(structuredContent.error.code, 'client_lacks_capability');
  });

  test('hears of a resource that it subscribed to', async (t) => {
    const told = [];
    const prepare = (client) => client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void told.push(params.uri));
    const agent = await typescriptV1(ready.mcp_url, reader().key, { prepare });
    t.after(agent.close);
    const uri = `${newer}+test://watched-resource`;
    await agent.client.subscribeResource({ uri });
    // Its stream is opened beside what it asks.
    await sleep(500);
    await agent.call(`${newer}.test_trigger_resource_update`, {});
    await eventually('the update', () => told.length > 0);
    assert.deepEqual(told, [uri]);
    await agent.client.unsubscribeResource({ uri });
    await agent.call(`${newer}.test_trigger_resource_update`, {});
    await sleep(1000);
    assert.equal(told.length, 1);
  });
});

test('a tool that has changed is frozen as soon as its server says so, and who listens hears of it', async (t) => {
  const told = [];
  const agent = await stateless((client) => {
    client.setNotificationHandler('notifications/tools/list_changed', () => void told.push('tools'));
  });
  t.after(agent.close);
  const spares = async () => (await agent.tools()).map(({ name }) => name).filter((name) => name.includes('test_spare_tool'));
  const before = await spares();
  const subscription = await agent.client.listen({ toolsListChanged: true });
  t.after(() => subscription.close());
  await agent.call(`${newer}.test_trigger_tool_change`, {});
  await eventually('that the list has changed', () => told.length > 0);
  assert.equal((await spares()).length, before.length - 1);
});
