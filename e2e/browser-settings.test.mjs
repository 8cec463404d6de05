// Settings in a browser: forms that keep what was typed, sessions ended, the record of changes, the emergency stop and the page
// that closes the organization (which is not closed here: the demo is shared).
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { typescriptV2 } from './agents.mjs';
import { PICTURES, launch, visit } from './chromium.mjs';
import { eventually, manager, ready } from './world.mjs';

const SETTINGS = `${ready.url}/t/${ready.tenant}/settings`;

let browser;

before(async () => (browser = await launch()));
after(() => browser?.close());

/** A refusal of what was typed is an answer of 422, which browsers complain of. */
const done = async (page) => {
  assert.deepEqual(page.complaints.filter((complaint) => !/ 4(22|04) /.test(complaint)), [], 'the browser complained');
  await page.context().close();
};

for (const javaScriptEnabled of [true, false]) {
  describe(`settings ${javaScriptEnabled ? 'with' : 'without'} JavaScript`, () => {
    test('the organization, sign-in rules and the mail sender are saved, or come back with what was typed', async () => {
      const page = await visit(browser, { javaScriptEnabled });
      await page.goto(SETTINGS);
      const zone = await page.getByLabel('Time zone').inputValue();
      await page.getByLabel('Time zone').fill('Moon/Sea');
      await page.getByRole('button', { name: 'Save' }).click();
      assert.match(await page.locator('.error-summary').innerText(), /time zone/);
      assert.equal(await page.getByLabel('Time zone').inputValue(), 'Moon/Sea');
      await page.getByLabel('Time zone').fill(zone);
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByText('It was saved.').waitFor();
      assert.match(await page.locator('#mcp-url').innerText(), /\/mcp_[0-9a-f]{32}\/mcp$/);

      await page.getByRole('link', { name: 'Sign-in', exact: true }).click();
      await page.getByLabel('Shortest password').fill('14');
      await page.getByLabel('Mail domains').fill('not a domain');
      await page.getByRole('button', { name: 'Save' }).click();
      assert.match(await page.locator('.error-summary').innerText(), /no mail domain/);
      assert.equal(await page.getByLabel('Shortest password').inputValue(), '14');
      await page.getByLabel('Shortest password').fill('12');
      await page.getByLabel('Mail domains').fill('');
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByText('It was saved.').waitFor();

      await page.getByRole('link', { name: 'Mail sender' }).click();
      await page.getByLabel('Name of the sender').fill('Help <desk>');
      await page.getByRole('button', { name: 'Save' }).click();
      assert.match(await page.locator('.error-summary').innerText(), /quotation marks, brackets/);
      await page.getByLabel('Name of the sender').fill('');
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByText('It was saved.').waitFor();

      await page.getByRole('link', { name: 'Record of changes' }).click();
      await page.getByLabel('What', { exact: true }).selectOption('settings.sign_in');
      await page.getByRole('button', { name: 'Apply' }).click();
      assert.equal(new URL(page.url()).searchParams.get('what'), 'settings.sign_in');
      assert.ok((await page.locator('table.records tbody tr').count()) >= 1);
      await done(page);
    });

    test('a session that is ended is over at its next click', async () => {
      const page = await visit(browser, { javaScriptEnabled });
      const person = ready.people.find((one) => one.email !== ready.owner.email);
      const other = await visit(browser, { javaScriptEnabled, email: person.email });
      await page.goto(`${SETTINGS}/sessions?q=${encodeURIComponent(person.email)}`);
      await page.getByRole('link', { name: 'End all' }).first().click();
      assert.match(await page.locator('main').innerText(), /ends? with (its|their) next click/);
      await page.getByRole('button', { name: 'End all' }).click();
      await page.getByText(/ ended\./).waitFor();
      await other.reload();
      assert.match(other.url(), /sign-in/);
      await other.context().close();
      await done(page);
    });
  });
}

test('the emergency stop refuses the next call of every agent, and lets them go on', async () => {
  const page = await visit(browser);
  const called = async () => {
    const agent = await typescriptV2(ready.mcp_url, manager().key, 'auto').catch(() => null);
    if (agent === null) return false;
    try {
      await agent.call('crm.list_companies', { limit: 1 });
      return true;
    } catch {
      return false;
    } finally {
      await agent.close();
    }
  };
  assert.ok(await called());
  await page.goto(`${SETTINGS}/danger`);
  await page.getByRole('link', { name: 'Stop all agents' }).click();
  assert.match(await page.locator('main').innerText(), /\d+ agents with [\d,]+ valid keys can do nothing/);
  try {
    await page.getByRole('button', { name: 'Stop all agents' }).click();
    await page.getByText('All agents are stopped since').waitFor();
    await page.screenshot({ path: `${PICTURES}settings-stopped.png`, fullPage: true });
    assert.equal(await called(), false);
  } finally {
    await page.goto(`${SETTINGS}/danger`);
    await page.getByRole('button', { name: 'Let the agents go on' }).click();
  }
  await eventually('the agents go on', called);
  await page.getByRole('link', { name: 'Close the organization' }).click();
  await page.getByLabel('Short name').fill('not it');
  await page.getByRole('button', { name: 'Close the organization' }).click();
  assert.match(await page.locator('.error-summary').innerText(), new RegExp(ready.tenant));
  await done(page);
});

test('admins have no danger zone', async () => {
  const admin = ready.people.find((one) => one.roles.some((role) => /admin/i.test(role)));
  const theirs = await visit(browser, { email: admin.email });
  await theirs.goto(SETTINGS);
  assert.equal(await theirs.getByRole('link', { name: 'Danger zone' }).count(), 0);
  assert.equal((await theirs.goto(`${SETTINGS}/danger`)).status(), 404);
  await theirs.context().close();
});
