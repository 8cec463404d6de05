// Real servers that are programs behind the gateway: started by it, confined, and used by real clients. They are set up for a server of
// this suite's own; `dev` has none.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

import { admin, give } from './admin.mjs';
import { typescriptV1, typescriptV2 } from './agents.mjs';
import { anotherServer, beside, eventually, fresh, outsider, reader, ready } from './world.mjs';

const script = (name) => beside(`node_modules/@modelcontextprotocol/${name}`);
const isRoot = process.getuid() === 0;
const run = promisify(execFile);

/** Whether a program that runs as somebody else can get there. */
function reachable(file) {
  for (let folder = dirname(file); folder !== '/'; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false;
  }
  return true;
}
const open = (file) => existsSync(file) && (!isRoot || (reachable(file) && reachable(realpathSync(file))));

/** A Python that programs can use, with where it finds what the suites' own Python has. */
function python() {
  const own = process.env.WORKINGAGENTS_PYTHON ?? '';
  const ask = (file, what) => execFileSync(file, ['-c', `import sys, sysconfig; print(${what})`], { encoding: 'utf8' }).trim();
  if (!existsSync(own)) return undefined;
  const packages = ask(own, 'sysconfig.get_paths()["purelib"]');
  const same = (file) => existsSync(file) && ask(file, 'sys.version_info[:2]') === ask(own, 'sys.version_info[:2]');
  const file = [own, '/usr/bin/python3'].find((one) => open(one) && same(one));
  return file && { file, packages };
}
const needed = [process.execPath, script('server-memory/dist/index.js')];
const snake = python();
const closed = needed.find((file) => !open(file)) ?? (snake ? undefined : 'a Python');
const skip = closed ? `programs that are not root cannot reach ${closed}` : false;

let folder;
let files;
let repository;
let programs;
let settings;
let server;
const modules = {};

function environment() {
  return Object.fromEntries(Object.entries(settings).map(([key, value]) => [`WORKINGAGENTS_${key}`, value]));
}

const add = (name, url) =>
  admin(['module', 'add', '--name', name, '--title', name, '--url', url, '--approve-all'], { env: environment() });

before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), 'workingagents-programs-'));
  chmodSync(folder, 0o755);
  [files, repository] = [join(folder, 'files'), join(folder, 'repository')];
  execFileSync('git', ['init', '--quiet', '--initial-branch', 'main', repository]);
  execFileSync('mkdir', [files]);
  writeFileSync(join(files, 'hello.txt'), 'Grüße, 世界\n');
  writeFileSync(join(folder, 'secret.txt'), 'not yours');
  const git = (...words) => execFileSync('git', ['-C', repository, '-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', ...words]);
  writeFileSync(join(repository, 'readme.md'), 'one\n');
  git('add', '.');
  git('commit', '--quiet', '-m', 'The first commit');
  programs = {
    filesystem: [process.execPath, script('server-filesystem/dist/index.js'), files],
    memory: [process.execPath, script('server-memory/dist/index.js')],
    git: [snake.file, '-m', 'mcp_server_git', '--repository', repository],
    time: [snake.file, '-m', 'mcp_server_time', '--local-timezone', 'Europe/Berlin'],
  };
  settings = {
    PROGRAMS__KNOWN: Object.entries(programs).map(([name, command]) => `${name} = ${command.join(' ')}`).join(','),
    // The repository is ours, and git minds.
    PROGRAMS__ENVIRONMENT: [
      ...['git', 'time'].map((name) => `${name}: PYTHONPATH=${snake.packages}`),
      ...['COUNT=1', 'KEY_0=safe.directory', 'VALUE_0=*'].map((one) => `git: GIT_CONFIG_${one}`),
    ].join(','),
    PROGRAMS__USER: isRoot ? '61184-61247' : String(process.getuid()),
    PROGRAMS__TASKS: '4096',
  };
  for (const program of Object.keys(programs)) {
    modules[program] = fresh(program);
    await add(modules[program], `stdio:${program}`);
    await give(modules[program], reader().name);
  }
  server = await anotherServer(settings);
});

after(async () => {
  await server?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

const text = (result) => result.content.map((part) => part.text).join('\n');

describe('servers that are programs', { skip, concurrency: false }, () => {
  let agent;
  before(async () => (agent = await typescriptV1(server.mcp_url, reader().key)));
  after(async () => agent?.close());
  const call = (program, tool, args) => agent.call(`${modules[program]}.${tool}`, args);

  for (const program of ['filesystem', 'memory', 'git', 'time']) {
    test(`${program} offers through the gateway what it offers directly`, async () => {
      const [command, ...args] = programs[program];
      const direct = new Client({ name: 'direct', version: '1' });
      await direct.connect(new StdioClientTransport({ command, args, stderr: 'ignore', env: { PYTHONPATH: snake.packages, HOME: folder } }));
      const own = (await direct.listTools()).tools.map((tool) => ({ ...tool, name: `${modules[program]}.${tool.name}` }));
      await direct.close();
      const shown = await eventually('its tools in the list', async () => {
        const found = (await agent.tools()).filter((tool) => tool.name.startsWith(`${modules[program]}.`));
        return found.length > 0 && found;
      });
      const byName = (a, b) => a.name.localeCompare(b.name);
      // A field that one SDK leaves out and the other writes empty is the same.
      const plain = (tools) => JSON.parse(JSON.stringify(tools.sort(byName)));
      assert.deepEqual(plain(shown), plain(own));
    });
  }

  test('files are read, and others are not', async () => {
    assert.equal(text(await call('filesystem', 'read_text_file', { path: join(files, 'hello.txt') })), 'Grüße, 世界\n');
    const refused = await call('filesystem', 'read_text_file', { path: join(folder, 'secret.txt') });
    assert.equal(refused.isError, true);
    assert.doesNotMatch(text(refused), /not yours/);
    if (isRoot) {
      const written = await call('filesystem', 'write_file', { path: join(files, 'new.txt'), content: 'x' });
      assert.equal(written.isError, true, 'its user may not write there');
    }
  });

  test('a repository is looked into', async () => {
    assert.match(text(await call('git', 'git_log', { repo_path: repository })), /The first commit/);
    writeFileSync(join(repository, 'readme.md'), 'two\n');
    assert.match(text(await call('git', 'git_diff_unstaged', { repo_path: repository })), /\+two/);
  });

  test('the time is told', async () => {
    const told = JSON.parse(text(await call('time', 'get_current_time', { timezone: 'Asia/Tokyo' })));
    assert.equal(told.timezone, 'Asia/Tokyo');
    assert.match(told.datetime, /\+09:00$/);
  });

  test('clients of both eras use it', async () => {
    const stateless = await typescriptV2(server.mcp_url, reader().key, { pin: '2026-07-28' });
    const told = await stateless.call(`${modules.time}.convert_time`, {
      source_timezone: 'UTC',
      time: '12:00',
      target_timezone: 'Asia/Tokyo',
    });
    assert.equal(JSON.parse(text(told)).target.timezone, 'Asia/Tokyo');
    await stateless.close();
  });

  test('ten calls at the same time do not get mixed up', async () => {
    const zones = ['UTC', 'Asia/Tokyo', 'Europe/Paris', 'America/New_York', 'Africa/Cairo'];
    const wanted = [...zones, ...zones];
    const results = await Promise.all(wanted.map((timezone) => call('time', 'get_current_time', { timezone })));
    assert.deepEqual(results.map((result) => JSON.parse(text(result)).timezone), wanted);
  });

  test('who has no right of it neither sees nor reaches it', async () => {
    const other = await typescriptV1(server.mcp_url, outsider().key);
    assert.deepEqual((await other.tools()).filter((tool) => tool.name.startsWith(modules.git)), []);
    assert.equal((await other.call(`${modules.git}.git_log`, { repo_path: repository })).isError, true);
    await other.close();
  });

  test('the official inspector lists its tools and calls one', async () => {
    const launcher = beside('node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js');
    const inspect = async (...words) => {
      const args = [launcher, '--cli', server.mcp_url, '--transport', 'http', '--header', `Authorization: Bearer ${reader().key}`];
      const env = { ...process.env, HOME: folder };
      const { stdout } = await run(process.execPath, [...args, ...words], { env, timeout: 60_000, maxBuffer: 64 << 20 });
      return JSON.parse(stdout);
    };
    const { tools } = await inspect('--method', 'tools/list');
    const name = `${modules.time}.get_current_time`;
    assert.ok(tools.some((tool) => tool.name === name), `${tools.map((tool) => tool.name)}`);
    const result = await inspect('--method', 'tools/call', '--tool-name', name, '--tool-arg', 'timezone=Asia/Tokyo');
    assert.equal(JSON.parse(text(result)).timezone, 'Asia/Tokyo');
  });

  test('nobody names what is run', async () => {
    await assert.rejects(add(fresh('sh'), 'stdio:sh'), /there is no program `sh` here; there is filesystem, git, memory, time/);
    await assert.rejects(admin(['module', 'add', '--name', fresh('no'), '--title', 'No', '--url', 'stdio:git']), /no programs are set up here/);
    assert.ok(ready.tenant);
  });

  test('a server that stops takes its programs with it', async () => {
    const mine = () => {
      const listed = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).split('\n');
      return listed.filter((line) => line.includes(folder) && !line.includes('ps -eo'));
    };
    assert.ok(mine().length > 0, 'they run');
    await server.stop();
    server = undefined;
    await eventually('their end', () => mine().length === 0);
  });
});
