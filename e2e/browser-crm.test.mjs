// The CRM in a browser: a company with a contact, a deal and an interaction, found, changed, exported, imported and deleted;
// the same without JavaScript; what an agent changed names its call.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { typescriptV2 } from './agents.mjs';
import { launch, visit } from './chromium.mjs';
import { faults } from './fit.mjs';
import { fresh, manager, ready } from './world.mjs';

const CRM = `${ready.url}/t/${ready.tenant}/crm`;

let browser;

before(async () => (browser = await launch()));
after(() => browser?.close());

const done = async (page) => {
  assert.deepEqual(page.complaints, [], 'the browser complained');
  await page.context().close();
};

const download = async (page, name) => {
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name }).click()]);
  const chunks = [];
  for await (const chunk of await file.createReadStream()) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
};

for (const javaScriptEnabled of [true, false]) {
  describe(`the CRM ${javaScriptEnabled ? 'with' : 'without'} JavaScript`, () => {
    test('a company lives from being added to being deleted, with what belongs to it', async () => {
      const page = await visit(browser, { javaScriptEnabled });
      const name = fresh('Anvils & <b>Sons</b>');
      await page.goto(`${CRM}/companies`);
      assert.equal(await page.getByRole('link', { name: 'CRM', exact: true }).first().getAttribute('aria-current'), 'page');
      await page.getByRole('link', { name: 'New company' }).click();
      await page.getByLabel('Website').fill('anvils.example');
      await page.getByLabel('Name', { exact: true }).fill(' ');
      await page.getByRole('button', { name: 'Add' }).click();
      // A browser lets a space through; the server does not, and keeps what was typed.
      assert.match(await page.locator('.error-summary').innerText(), /Give its name/);
      assert.equal(await page.getByLabel('Website').inputValue(), 'anvils.example');
      await page.getByLabel('Name', { exact: true }).fill(name);
      await page.getByRole('button', { name: 'Add' }).click();
      await page.getByText('The company was added.').waitFor();
      const company = page.url();
      assert.equal(await page.getByRole('heading', { level: 1 }).innerText(), name);

      await page.getByRole('link', { name: 'New contact' }).click();
      assert.equal(await page.getByLabel('Company').inputValue(), name);
      await page.getByLabel('Name', { exact: true }).fill('Wile E.');
      await page.getByLabel('Mail address').fill(`${fresh('wile')}@anvils.example`);
      await page.getByRole('button', { name: 'Add' }).click();
      await page.getByRole('link', { name: 'New interaction' }).click();
      await page.getByLabel('Kind').selectOption('call');
      await page.getByLabel('What was said or agreed').fill('He wants rockets.');
      await page.getByRole('button', { name: 'Add' }).click();

      await page.goto(company);
      await page.getByRole('link', { name: 'New deal' }).click();
      await page.getByLabel('Name', { exact: true }).fill('Rockets');
      await page.getByLabel('Amount').fill('12500.50');
      await page.getByRole('button', { name: 'Add' }).click();
      assert.match(await page.locator('[data-field="currency"]').innerText(), /Give the currency/);
      await page.getByLabel('Currency').fill('EUR');
      await page.getByLabel('Stage').selectOption('won');
      await page.getByRole('button', { name: 'Add' }).click();
      await page.goto(company);
      assert.match(await page.locator('main').innerText(), /EUR 12,500\.50[\s\S]*He wants rockets\./);
      if (javaScriptEnabled) assert.deepEqual(await faults(page, 'crm-company'), []);

      await page.getByRole('link', { name: 'Delete' }).click();
      assert.match(await page.locator('main').innerText(), /1 contact and 1 deal/);
      assert.equal(await page.getByRole('button', { name: 'Delete the company' }).count(), 0);
      await page.goto(company);
      for (const [list, link] of [['deals', 'Rockets'], ['contacts', 'Wile E.']]) {
        await page.goto(company);
        await page.getByRole('link', { name: link, exact: true }).first().click();
        await page.getByRole('link', { name: 'Delete' }).click();
        if (list === 'contacts') assert.match(await page.locator('main').innerText(), /1 interaction/);
        await page.getByRole('button', { name: /^Delete the/ }).click();
      }
      await page.goto(`${company}/delete`);
      await page.getByRole('button', { name: 'Delete the company' }).click();
      await page.getByText('was deleted.').waitFor();
      assert.equal((await page.goto(company)).status(), 404);
      page.complaints = page.complaints.filter((complaint) => !complaint.includes('404') && !complaint.includes('422'));
      await done(page);
    });

    test('a list is filtered in the address, exported, and imported after a look', async () => {
      const page = await visit(browser, { javaScriptEnabled, acceptDownloads: true });
      const tag = fresh('sheet');
      await page.goto(`${CRM}/companies/import`);
      const file = (text) => ({ name: 'companies.csv', mimeType: 'text/csv', buffer: Buffer.from(text) });
      await page.getByLabel('File').setInputFiles(file(`external_id,name,website\n${tag}-1,=1+1 ${tag},\n${tag}-2,,\n`));
      await page.getByLabel('By the id in another system').check();
      await page.getByRole('button', { name: 'Preview the import' }).click();
      assert.match(await page.locator('main').innerText(), /Nothing of the file is taken[\s\S]*Give its name/);
      if (javaScriptEnabled) assert.deepEqual(await faults(page, 'crm-import-wrong'), []);
      await page.getByRole('link', { name: 'Choose the corrected file' }).click();
      await page.getByLabel('File').setInputFiles(file(`external_id,name,website\n${tag}-1,=1+1 ${tag},\n${tag}-2,Other ${tag},x.example\n`));
      await page.getByLabel('By the id in another system').check();
      await page.getByRole('button', { name: 'Preview the import' }).click();
      if (javaScriptEnabled) assert.deepEqual(await faults(page, 'crm-import'), []);
      await page.getByRole('button', { name: 'Apply: 2 new, 0 changed' }).click();
      await page.getByText('2 companies were added').waitFor();

      await page.getByLabel('Search').fill(tag);
      await page.getByRole('button', { name: 'Apply' }).click();
      assert.equal(new URL(page.url()).searchParams.get('q'), tag);
      assert.equal(await page.locator('table.records tbody tr').count(), 2);
      const sheet = await download(page, 'Export CSV');
      assert.equal(sheet.trim().split('\r\n').length, 3);
      assert.match(sheet, new RegExp(`,'=1\\+1 ${tag},`), 'no spreadsheet runs it');
      await done(page);
    });
  });
}

test('what an agent changed names the agent and leads to its call', async () => {
  const name = fresh('Agent made');
  const agent = await typescriptV2(ready.mcp_url, manager().key, 'auto');
  await agent.call('crm.create_company', { name });
  await agent.close();
  const page = await visit(browser);
  await page.goto(`${CRM}/companies?q=${encodeURIComponent(name)}`);
  await page.getByRole('link', { name }).click();
  await page.getByRole('link', { name: 'in this call' }).click();
  assert.match(await page.locator('main').innerText(), /create_company/);
  await done(page);
});

test('who may only read has no buttons to change, and who may not has no CRM', async () => {
  const people = ready.people;
  const auditor = people.find((one) => one.roles.some((role) => /auditor/i.test(role)));
  const page = await visit(browser, { email: auditor.email });
  await page.goto(`${CRM}/companies`);
  assert.equal(await page.getByRole('link', { name: 'New company' }).count(), 0);
  assert.equal((await page.goto(`${CRM}/companies/new`)).status(), 404);
  await page.context().close();
});
