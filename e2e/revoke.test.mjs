// Taking rights away: the next call is refused, through this server and through another one on the same database.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { addModule, give, issueKey, revoke, revokeKey } from './admin.mjs';
import { managedAgent, typescriptV2 } from './agents.mjs';
import { hostile } from './upstreams.mjs';
import { anotherServer, fresh, outsider, ready } from './world.mjs';

const name = fresh('revocable');
const tool = `${name}.fine`;
let upstream;
let second;

before(async () => {
  upstream = await hostile();
  await addModule(name, 'Revocable', upstream.url);
  second = await anotherServer();
});
after(async () => {
  await second?.stop();
  await upstream?.stop();
});

describe('a grant', () => {
  test('lets the next call through, and revoked, refuses the next one, on both servers', async () => {
    const one = await managedAgent(ready.mcp_url, outsider().key);
    const other = await managedAgent(second.mcp_url, outsider().key);
    // Again and again, because a server that lags behind is right most of the time.
    for (let round = 1; round <= 10; round += 1) {
      await give(name, outsider().name);
      for (const agent of [one, other]) {
        const result = await agent.call(tool, {});
        assert.ok(!result.isError, `round ${round}: ${JSON.stringify(result)}`);
      }
      const received = upstream.received.length;
      await revoke(name, outsider().name);
      for (const agent of [other, one]) {
        const result = await agent.call(tool, {});
        assert.equal(result.isError, true, `round ${round}`);
      }
      assert.equal(upstream.received.length, received, `round ${round}: nothing reached the upstream server`);
    }
  });

  test('is seen in the list of tools as soon', async () => {
    const agent = await typescriptV2(second.mcp_url, outsider().key, 'legacy');
    const shown = async () => (await agent.tools()).some((one) => one.name === tool);
    assert.equal(await shown(), false);
    await give(name, outsider().name);
    // A list is not a call: it may be a moment behind, and comes round by itself.
    const until = Date.now() + 10_000;
    while (!(await shown())) assert.ok(Date.now() < until, 'a new grant shows within 10 s');
    await revoke(name, outsider().name);
    while (await shown()) assert.ok(Date.now() < until, 'a revoked grant is gone within 10 s');
    await agent.close();
  });

  test('that is not there cannot be revoked: it says so', async () => {
    await assert.rejects(revoke(name, outsider().name), /grant/i);
  });
});

describe('a key', () => {
  test('that was revoked is refused with the next request, on both servers', async () => {
    const { key, prefix } = await issueKey(outsider().name);
    const one = await managedAgent(ready.mcp_url, key);
    const other = await managedAgent(second.mcp_url, key);
    await one.tools();
    await other.tools();
    await revokeKey(prefix);
    for (const agent of [other, one]) {
      await assert.rejects(agent.call(tool, {}), (error) => error.status === 401);
      await assert.rejects(agent.tools(), (error) => error.status === 401);
    }
  });
});

test('calls that run while the right is withdrawn: none is admitted after the revocation', async () => {
  await give(name, outsider().name);
  const agents = await Promise.all([ready.mcp_url, second.mcp_url, ready.mcp_url, second.mcp_url].map((url) => managedAgent(url, outsider().key)));
  let revoked = false;
  let late = 0;
  let passed = 0;
  const callers = agents.map(async (agent) => {
    for (;;) {
      const begunAfter = revoked;
      const { isError } = await agent.call(tool, {});
      if (isError) return;
      passed += 1;
      if (begunAfter) late += 1;
    }
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  await revoke(name, outsider().name);
  revoked = true;
  const received = upstream.received.length;
  await Promise.all(callers);
  assert.ok(passed > 4, `${passed} calls went through before`);
  assert.equal(late, 0, 'no call begun after the revocation was admitted');
  assert.ok(upstream.received.length - received <= agents.length, 'at most those that were already admitted arrive');
});
