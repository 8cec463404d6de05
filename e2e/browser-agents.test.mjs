// Agents in the browser: one is made, gets a key, connects by what its page says, calls, and is stopped; the same without
// JavaScript.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';

import { give } from './admin.mjs';
import { python, typescriptV2 } from './agents.mjs';
import { launch, visit as visitIn } from './chromium.mjs';
import { faults } from './fit.mjs';
import { beside, fresh, ready } from './world.mjs';

const run = promisify(execFile);
const PEOPLE = `${ready.url}/t/${ready.tenant}/people`;
const MEMBER = ready.people.find((person) => person.roles.includes('member'));

let browser;
let folder;

before(async () => {
  browser = await launch();
  // Beside the packages, so that a script in it finds them.
  folder = mkdtempSync(beside('snippets-'));
});
after(async () => {
  rmSync(folder, { recursive: true, force: true });
  await browser?.close();
});

const visit = (options) => visitIn(browser, options);

const done = async (page) => {
  assert.deepEqual(page.complaints, [], 'the browser complained');
  await page.context().close();
};

/** Makes an agent by its form; resolves to its address. */
async function makeAgent(page, name) {
  await page.goto(`${PEOPLE}/agents/new`);
  await page.getByLabel('Name', { exact: true }).fill(name);
  await page.getByLabel('Unit').selectOption({ index: 0 });
  await page.getByRole('button', { name: 'Make the agent' }).click();
  await page.getByRole('heading', { level: 1, name }).waitFor();
  assert.match(page.url(), /\/people\/agents\/agent_[0-9a-f]{32}$/);
  return page.url();
}

/** Issues a key by its form; resolves to the key as the page shows it. */
async function issueKey(page, agent, name = 'production') {
  await page.goto(`${agent}/keys/new`);
  await page.getByLabel('What it is for').fill(name);
  await page.getByRole('button', { name: 'Issue the key' }).click();
  await page.getByRole('heading', { level: 1, name: 'Store this key now' }).waitFor();
  return page.locator('#key').innerText();
}

/** What a call gets: a result, or the refusal. */
async function callAs(key, tool) {
  const agent = await typescriptV2(ready.mcp_url, key);
  try {
    return await agent.call(tool, {});
  } finally {
    await agent.close();
  }
}

/** Runs a snippet from the page, as somebody who copies it would. */
async function execute(page, id, file, command, args, env = {}) {
  const path = join(folder, file);
  writeFileSync(path, await page.locator(`#${id}`).textContent());
  const { stdout } = await run(command, [...args, path], { env: { ...process.env, ...env }, timeout: 120_000 });
  return stdout;
}

async function walk(page) {
  const name = `Walker ${fresh('agent')}`;
  const agent = await makeAgent(page, name);
  await page.getByText('It has no key in force').waitFor();
  const key = await issueKey(page, agent);
  assert.match(key, /^wa_[0-9A-Za-z]{49}$/);

  // Sent again, the form makes no second key and shows none.
  await page.reload();
  await page.getByRole('heading', { level: 1, name: 'This key was shown before' }).waitFor();
  assert.ok(!(await page.content()).includes(key));
  await page.goto(`${agent}?tab=keys`);
  assert.equal(await page.locator('.keys tbody tr').count(), 1);

  // Nothing is given to it: the page says what a call is told.
  await page.goto(`${agent}?tab=access&find=crm.list_companies`);
  const said = await page.locator('.access-table .reason').first().innerText();
  const denied = await callAs(key, 'crm.list_companies');
  assert.equal(denied.isError, true);
  const told = denied.content[0].text.replace('Denied: ', '').replaceAll('`', '');
  assert.ok(told.toLowerCase().startsWith(said.toLowerCase()), `${told}\n${said}`);

  await give('crm:read', name);
  await page.reload();
  await page.getByText('given to the agent itself').first().waitFor();
  assert.ok(!(await callAs(key, 'crm.list_companies')).isError);
  await page.goto(`${agent}?tab=activity`);
  await page.locator('.calls tbody tr').filter({ hasText: 'crm.list_companies' }).first().waitFor();
  await page.goto(`${agent}?tab=keys`);
  await page.getByText('just now').waitFor();

  await page.getByRole('link', { name: 'Revoke now' }).click();
  const meant = await page.locator('.consequence .numbers').innerText();
  assert.match(meant, /One key in force will be revoked/);
  assert.match(meant, /\d+ tools? can be called/);
  await page.getByRole('button', { name: 'Revoke now' }).click();
  await page.getByText('no call is admitted any more').waitFor();
  assert.match(page.url(), /\/people\/revocations\/evt_/);
  await assert.rejects(callAs(key, 'crm.list_companies'), 'the very next call is refused');
  await page.goto(agent);
  await page.getByText('Suspended', { exact: true }).waitFor();
}

describe('an agent', () => {
  test('is made, gets a key, calls, and is stopped with one click', async () => {
    const page = await visit();
    await walk(page);
    await done(page);
  });

  test('the same without JavaScript', async () => {
    const page = await visit({ javaScriptEnabled: false });
    await walk(page);
    await done(page);
  });

  test('connects by the text that its page shows, in Python, TypeScript and a shell', async () => {
    const page = await visit();
    const name = `Snippets ${fresh('agent')}`;
    const agent = await makeAgent(page, name);
    await give('crm:read', name);
    const key = await issueKey(page, agent);
    const expected = /crm\.list_companies/;
    // As the page of the key has them, with the key in them.
    assert.match(await execute(page, 'typescript', 'with-key.mjs', process.execPath, []), expected);
    assert.match(await execute(page, 'python', 'with-key.py', python, []), expected);
    assert.match(await execute(page, 'curl', 'with-key.sh', 'bash', []), expected);
    const vault = JSON.parse(await page.locator('#vault-json').textContent());
    assert.deepEqual(vault.auth, { type: 'static_bearer', mcp_server_url: ready.mcp_url, token: key });
    assert.ok((await page.locator('#claude-code').textContent()).includes(`Bearer ${key}`));
    // As the agent's page has them, with the key in the environment.
    const env = { WORKINGAGENTS_KEY: key };
    await page.goto(`${agent}?tab=connect&way=typescript`);
    assert.match(await execute(page, 'typescript', 'from-env.mjs', process.execPath, [], env), expected);
    await page.getByRole('link', { name: 'Python' }).click();
    assert.match(await execute(page, 'python', 'from-env.py', python, [], env), expected);
    await page.getByRole('link', { name: 'curl' }).click();
    assert.match(await execute(page, 'curl', 'from-env.sh', 'bash', [], env), expected);
    await page.getByRole('link', { name: 'Claude Managed Agents' }).click();
    const json = JSON.parse(await page.locator('#agent-json').textContent());
    assert.equal(json.mcp_servers[0].url, ready.mcp_url);
    assert.ok(!(await page.content()).includes(key));
    await done(page);
  });

  test('one key is rotated, and another revoked, while the rest go on', async () => {
    const page = await visit();
    const name = `Keys ${fresh('agent')}`;
    const agent = await makeAgent(page, name);
    await give('crm:read', name);
    const laptop = await issueKey(page, agent, 'laptop');
    const old = await issueKey(page, agent, 'server');
    await page.getByRole('link', { name: 'I have stored it' }).click();
    await page.getByRole('link', { name: `Rotate ${old.slice(0, 9)}` }).click();
    await page.getByRole('button', { name: 'Issue the new key' }).click();
    const next = await page.locator('#key').innerText();
    for (const key of [laptop, old, next]) assert.ok(!(await callAs(key, 'crm.list_companies')).isError);
    await page.goto(`${agent}?tab=keys`);
    await page.getByRole('link', { name: `Revoke ${laptop.slice(0, 9)}` }).click();
    await page.getByRole('button', { name: 'Revoke the key' }).click();
    await page.getByText('no call is admitted any more').waitFor();
    await assert.rejects(callAs(laptop, 'crm.list_companies'));
    for (const key of [old, next]) assert.ok(!(await callAs(key, 'crm.list_companies')).isError);
    await page.goto(agent);
    assert.equal(await page.locator('.agent-facts').getByText('Active').count(), 1);
    await done(page);
  });

  test('a form that is wrong says so beside the field and keeps what was typed', async () => {
    const page = await visit();
    const agent = await makeAgent(page, `Forms ${fresh('agent')}`);
    await page.goto(`${agent}/keys/new`);
    await page.getByLabel('What it is for').fill('laptop');
    await page.getByLabel('Addresses it may come from').fill('192.0.2.0/24\nnot an address');
    await page.getByRole('button', { name: 'Issue the key' }).click();
    await page.locator('.error-summary').waitFor();
    assert.match(await page.locator('#allowed_addresses-error').innerText(), /is no address and no network/);
    assert.equal(await page.getByLabel('What it is for').inputValue(), 'laptop');
    assert.equal(await page.getByLabel('Addresses it may come from').inputValue(), '192.0.2.0/24\nnot an address');
    page.complaints = page.complaints.filter((text) => !text.includes('422'));
    await done(page);
  });

  test('its owner sees it, and cannot change it', async () => {
    const page = await visit();
    const agent = await makeAgent(page, `Owned ${fresh('agent')}`);
    await page.goto(`${agent}?tab=settings`);
    await page.getByLabel('Mail address of the new owner').fill(MEMBER.email);
    await page.getByRole('button', { name: 'Hand over' }).click();
    await page.getByText('It has its new owner.').waitFor();
    await done(page);
    const theirs = await visit({ email: MEMBER.email });
    await theirs.goto(`${agent}?tab=access`);
    await theirs.getByText('tools may be called by the agent for itself').waitFor();
    assert.equal(await theirs.getByRole('link', { name: 'Revoke now' }).count(), 0);
    assert.equal((await theirs.goto(`${agent}/revoke`)).status(), 404);
    await theirs.context().close();
  });
});

test('a key just made and a revocation just done are fit for everybody', async () => {
  const page = await visit();
  const agent = await makeAgent(page, `Pages ${fresh('agent')} ${'with a long name '.repeat(4)}`.trim());
  await issueKey(page, agent);
  const wrong = await faults(page, 'agent-key');
  await page.goto(`${agent}/revoke`);
  await page.getByRole('button', { name: 'Revoke now' }).click();
  await page.getByText('no call is admitted any more').waitFor();
  wrong.push(...(await faults(page, 'agent-revoked')));
  assert.deepEqual(wrong, []);
  await done(page);
});
