// The official conformance suite against the gateway, with a server behind it that has everything the suite asks for. Each
// revision has a server that speaks this era alone, so that what passes does not pass by way of the other one.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { addModule, createBundle, give } from './admin.mjs';
import { fixture } from './conformance/fixture.mjs';
import { conclusion, expectedFailures, runSuite, summary, table } from './conformance/suite.mjs';
import { front } from './front.mjs';
import { anotherServer, freePort, fresh, reader } from './world.mjs';

const SETS = [
  { revision: '2026-07-28', era: 'modern' },
  { revision: '2025-11-25', era: 'legacy' },
];

let server;

before(async () => {
  for (const set of SETS) {
    set.port = await freePort();
    set.upstream = await fixture({ era: set.era });
  }
  // The suite calls as a page of the server's own address does, which a server has to allow: here, the fronts'.
  const origins = SETS.map(({ port }) => `http://127.0.0.1:${port}`);
  server = await anotherServer({ GATEWAY__ALLOWED_ORIGINS: origins.join(',') });
});

after(async () => {
  for (const { upstream } of SETS) await upstream?.stop();
  await server?.stop();
});

for (const set of SETS) {
  describe(set.revision, { concurrency: false }, () => {
    // Otherwise one would look in the gateway for what is wrong with the server behind it, or with the front.
    test('everything passes without the gateway', async (t) => {
      const door = await front(set.upstream.url, { key: 'none' });
      t.after(door.stop);
      await passes(door.url, set.revision);
    });

    test('everything passes through the gateway, except for what is known not to', async (t) => {
      const name = fresh('conformance');
      await addModule(name, 'Conformance', set.upstream.url);
      await give(name, reader().name);
      await createBundle(name, name);
      const door = await front(`${server.mcp_url}/${name}`, { key: reader().key, port: set.port });
      t.after(door.stop);
      await passes(door.url, set.revision, expectedFailures(set.revision));
    });
  });
}

async function passes(url, revision, expected) {
  const { code, said, scenarios } = await runSuite(url, revision, { expected });
  assert.equal(code, 0, `\n${table(scenarios)}\n\n${conclusion(said)}`);
  assert.ok(scenarios.length >= 30, `the suite ran ${scenarios.length} scenarios: ${said.slice(-1000)}`);
  console.log(`conformance ${revision}: ${summary(scenarios)}`);
}
