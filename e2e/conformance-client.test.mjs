// The official conformance suite as the servers behind the gateway: what they see when they are discovered, approved and called
// through its endpoint. The gateway runs in a program of its own (crates/gateway/examples/conformance_client), once for each
// scenario.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { REVISIONS, conclusion, expectedFailures, runClientSuite, summary, table } from './conformance/suite.mjs';

const command = process.env.WORKINGAGENTS_CONFORMANCE_CLIENT;

describe('servers of the conformance suite behind the gateway', { concurrency: false }, () => {
  for (const revision of REVISIONS) {
    test(`everything passes at ${revision}, except for what is known not to`, async () => {
      assert.ok(command, 'WORKINGAGENTS_CONFORMANCE_CLIENT is not set: run `cargo xtask e2e`, which builds the program');
      const { code, said, scenarios } = await runClientSuite(command, revision, { expected: expectedFailures(revision, 'client') });
      assert.equal(code, 0, `\n${table(scenarios)}\n\n${conclusion(said)}`);
      assert.ok(scenarios.length >= 18, `the suite ran ${scenarios.length} scenarios: ${said.slice(-1000)}`);
      console.log(`conformance of the client side ${revision}: ${summary(scenarios)}`);
    });
  }
});
