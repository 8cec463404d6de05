// What people keep and take out of Activity: saved filters, a session's story, a file, and the way from a denial to the
// grant that is missing. With and without JavaScript.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { typescriptV1, typescriptV2 } from './agents.mjs';
import { PICTURES, launch, visit as visitAs } from './chromium.mjs';
import { fresh, manager, outsider, reader, ready } from './world.mjs';

const ACTIVITY = `${ready.url}/t/${ready.tenant}/activity`;

let browser;

before(async () => {
  browser = await launch();
});
after(() => browser?.close());

const visit = (options) => visitAs(browser, options);

const done = async (page) => {
  assert.deepEqual(page.complaints, [], 'the browser complained');
  await page.context().close();
};

async function attempt(agent, tool, args = {}) {
  try {
    return await agent.call(tool, args);
  } catch (error) {
    if (error.code !== -32602) throw error;
    return { isError: true, error };
  }
}

async function callAs(key, tool, args) {
  const agent = await typescriptV2(ready.mcp_url, key, 'auto');
  try {
    return await attempt(agent, tool, args);
  } finally {
    await agent.close();
  }
}

const rowOf = (page, tool) => page.locator('#calls tr', { has: page.getByRole('link', { name: tool, exact: true }) }).first();

for (const javaScriptEnabled of [true, false]) {
  describe(javaScriptEnabled ? 'with JavaScript' : 'without JavaScript', () => {
    test('a filter is saved, gone to, shared, and deleted', async () => {
      const page = await visit({ javaScriptEnabled });
      const name = fresh('Denials');
      await page.goto(`${ACTIVITY}?verdict=deny`);
      await page.getByText('Save this filter').click();
      await page.getByLabel('Name', { exact: true }).fill('x'.repeat(80));
      await page.getByLabel('Name', { exact: true }).fill(name);
      await page.getByLabel(/Everybody in the organization/).check();
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByText(`The filter “${name}” was saved.`).waitFor();
      await page.goto(ACTIVITY);
      await page.getByRole('list', { name: 'Saved filters' }).getByRole('link', { name }).click();
      await page.waitForURL(/verdict=deny/);
      const other = await visit({ javaScriptEnabled, email: ready.people.find(({ roles }) => /admin/i.test(`${roles}`))?.email });
      await other.goto(ACTIVITY);
      assert.equal(await other.getByRole('list', { name: 'Saved filters' }).getByRole('link', { name }).count(), 1);
      await other.context().close();
      await page.getByText('Delete filters').click();
      await page.getByRole('button', { name: `Delete the filter ${name}` }).click();
      await page.getByText(`The filter “${name}” was deleted.`).waitFor();
      await done(page);
    });

    test('from a denial to the form that gives the key, filled in', async () => {
      await callAs(outsider().key, 'crm.list_companies');
      const page = await visit({ javaScriptEnabled });
      await page.goto(`${ACTIVITY}?verdict=deny&tool=crm.list_companies`);
      await rowOf(page, 'crm.list_companies').getByRole('link', { name: 'crm.list_companies' }).click();
      await page.getByRole('heading', { name: 'What would change this decision' }).waitFor();
      const give = page.getByRole('link', { name: 'Give the key' });
      assert.match(await give.getAttribute('href'), /\/grants\/new\?key=crm/);
      await page.screenshot({ path: `${PICTURES}call-why.png`, fullPage: true });
      const response = await page.goto(new URL(await give.getAttribute('href'), page.url()).href);
      assert.equal(response.status(), 200);
      assert.match(await page.locator('main').innerText(), new RegExp(outsider().name));
      await done(page);
    });
  });
}

test('the calls of a session are told in their order', async () => {
  const agent = await typescriptV1(ready.mcp_url, reader().key);
  const odd = `crm.${fresh('odd')}`;
  for (const tool of ['crm.list_companies', odd, 'crm.list_companies']) await attempt(agent, tool);
  await agent.close();
  const page = await visit();
  await page.goto(`${ACTIVITY}?tool=${odd}`);
  await rowOf(page, odd).getByRole('link', { name: odd }).click();
  await page.getByRole('link', { name: 'All calls of this session' }).click();
  await page.waitForURL(/\/activity\/sessions\//);
  const tools = await page.locator('.story .story-tool').allInnerTexts();
  assert.deepEqual(tools, ['crm.list_companies', odd, 'crm.list_companies']);
  assert.match(await page.locator('.session-facts').innerText(), new RegExp(reader().name));
  await page.screenshot({ path: `${PICTURES}session.png`, fullPage: true });
  await page.getByRole('link', { name: 'As a list' }).click();
  await page.waitForURL(/activity\?session=/);
  assert.equal(await page.locator('#calls tr').count(), 3);
  await page.getByRole('link', { name: /^Without Session/ }).click();
  await page.waitForURL(/\/activity$/);
  await done(page);
});

test('what is filtered leaves as a file', async () => {
  const tool = `=cmd.${fresh('formula')}`;
  await callAs(manager().key, tool);
  const page = await visit();
  await page.goto(`${ACTIVITY}?tool=${encodeURIComponent(tool)}`);
  const link = page.getByRole('link', { name: 'CSV of these calls' });
  const file = await page.request.get(new URL(await link.getAttribute('href'), page.url()).href);
  assert.match(file.headers()['content-disposition'], /^attachment; filename="calls-.*\.csv"$/);
  const lines = (await file.text()).trimEnd().split('\r\n');
  assert.equal(lines.length, 2);
  assert.ok(lines[1].includes(`,'${tool},`), 'no spreadsheet takes it for a formula');
  await done(page);
});

test('a person is filtered by name, and names lead to their pages', async () => {
  const page = await visit();
  await callAs(manager().key, 'crm.list_companies');
  await page.goto(ACTIVITY);
  const person = page.locator('#calls .call-who .person a').first();
  const name = await person.innerText();
  assert.match(await person.getAttribute('href'), /\/people\/(users|units)\//);
  assert.match(await page.locator('#calls .call-who .agent').first().getAttribute('href'), /\/people\/agents\//);
  await page.getByRole('searchbox', { name: 'Person' }).fill(name);
  await page.getByRole('button', { name: 'Apply' }).click();
  await page.waitForURL(/person=user_/);
  await page.getByRole('link', { name: `Without Person: ${name}` }).waitFor();
  await page.getByRole('searchbox', { name: 'Person' }).fill(fresh('nobody'));
  await page.getByRole('button', { name: 'Apply' }).click();
  await page.getByRole('alert').getByText('Nobody here is called so.').waitFor();
  page.complaints = page.complaints.filter((text) => !text.includes('422'));
  await done(page);
});
