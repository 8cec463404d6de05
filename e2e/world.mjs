// The product as these tests find it: a running `workingagents dev`, its ready line, and a few things that every
// suite does. What a suite makes, it makes under names of its own, so that suites can be repeated on one database.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

if (!process.env.WORKINGAGENTS_READY || !process.env.WORKINGAGENTS_BIN) {
  throw new Error('WORKINGAGENTS_READY and WORKINGAGENTS_BIN are not set: run `cargo xtask e2e`, or `node e2e/run.mjs`.');
}

/**
 * { url, mcp_url, tenant, owner: { email, password }, people: [{ name, email, roles }], agents: [{ name, key, unit, note }],
 *   config_file, pid, … }
 */
export const ready = JSON.parse(process.env.WORKINGAGENTS_READY);
/** The binary. */
export const binary = process.env.WORKINGAGENTS_BIN;

/** A name that no earlier run has used; fit for modules (a-z, 0-9, -). */
export const fresh = (what) => `${what}-${randomBytes(4).toString('hex')}`;

/** The demo's agent whose note matches. */
export function agent(note) {
  const found = ready.agents.find((one) => note.test(`${one.name}: ${one.note}`));
  if (!found) throw new Error(`no demo agent matches ${note}: ${ready.agents.map((one) => `${one.name}: ${one.note}`).join('; ')}`);
  return found;
}

/** The demo's three agents, by what they may do with the CRM. */
export const reader = () => agent(/read/i);
export const manager = () => agent(/everything/i);
export const outsider = () => agent(/nothing/i);

/** A port that was free a moment ago. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/**
 * Starts a process, waits until `isReady(everything it said so far)` is truthy, and returns { child, ready, said, stop }.
 * It is stopped by its own id, and with this process at the latest.
 */
export async function start(command, args, { env = {}, isReady, patience = 60_000 }) {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stdout.on('data', (data) => (said += data));
  child.stderr.on('data', (data) => (said += data));
  const ended = new Promise((resolve) => child.once('close', resolve));
  const last = () => child.kill('SIGKILL');
  process.once('exit', last);
  const stop = async () => {
    process.off('exit', last);
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    const killer = setTimeout(() => child.kill('SIGKILL'), 15_000);
    await ended;
    clearTimeout(killer);
  };
  const until = Date.now() + patience;
  for (;;) {
    const answer = await isReady(said);
    if (answer) return { child, ready: answer, said: () => said, stop };
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > until) {
      await stop();
      throw new Error(`${command} ${args.join(' ')} did not get ready: ${said.slice(-2000)}`);
    }
    await sleep(50);
  }
}

/**
 * Another server on the same database: `workingagents serve` with the configuration of `dev`, and `settings` over it
 * ({ GATEWAY__UPSTREAM_TIMEOUT: '2s' }). Resolves to { mcp_url, stop, kill } for the same organization.
 */
export async function anotherServer(settings = {}) {
  const [dashboard, machines, authorization] = [await freePort(), await freePort(), await freePort()];
  const all = {
    DASHBOARD__LISTEN: `127.0.0.1:${dashboard}`,
    MACHINES__LISTEN: `127.0.0.1:${machines}`,
    AUTHORIZATION__LISTEN: `127.0.0.1:${authorization}`,
    ...settings,
  };
  const env = Object.fromEntries(Object.entries(all).map(([key, value]) => [`WORKINGAGENTS_${key}`, value]));
  const server = await start(binary, ['serve', '--config', ready.config_file], {
    env,
    isReady: async () => {
      try {
        return (await fetch(`http://127.0.0.1:${machines}/readyz`)).ok;
      } catch {
        return false;
      }
    },
  });
  const kill = () => server.child.kill('SIGKILL');
  return { mcp_url: `http://127.0.0.1:${machines}${new URL(ready.mcp_url).pathname}`, stop: server.stop, kill };
}

/** Asks again until the answer is truthy. For what is not promised at once, such as a line in a list. */
export async function eventually(what, ask, { within = 10_000 } = {}) {
  const until = Date.now() + within;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > until) throw new Error(`${what}: not within ${within} ms`);
    await sleep(100);
  }
}

/** A file beside the tests. */
export const beside = (name) => fileURLToPath(new URL(name, import.meta.url));
