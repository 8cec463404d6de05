// Limits in a browser: one is set for an agent, an official client meets it, its use is shown, and it is changed and taken away.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { admin } from './admin.mjs';
import { typescriptV2 } from './agents.mjs';
import { launch, visit } from './chromium.mjs';
import { faults } from './fit.mjs';
import { manager, ready } from './world.mjs';

const TENANT = `${ready.url}/t/${ready.tenant}`;

let browser;

before(async () => (browser = await launch()));
after(async () => {
  await browser?.close();
  // What a test that failed has left would stand in the way of others.
  for (const { id, whose } of await admin(['limit', 'list'])) {
    if (whose === manager().name) await admin(['limit', 'remove', '--id', id]);
  }
});

/** A refusal of what was typed is an answer of 422, which browsers complain of. */
const done = async (page) => {
  assert.deepEqual(page.complaints.filter((complaint) => !/ 422 /.test(complaint)), [], 'the browser complained');
  await page.context().close();
};

const fit = async (page, name) => assert.deepEqual(await faults(page, `limits-${name}`), []);

for (const javaScriptEnabled of [true, false]) {
  describe(`limits ${javaScriptEnabled ? 'with' : 'without'} JavaScript`, () => {
    test('one is set for an agent, holds from the next call on, and is changed and taken away', async (t) => {
      const page = await visit(browser, { javaScriptEnabled });
      const agent = await typescriptV2(ready.mcp_url, manager().key, 'auto');
      t.after(agent.close);
      const call = () => agent.call('crm.list_companies', {});
      await page.goto(`${TENANT}/find?q=${encodeURIComponent(manager().name)}`);
      await page.locator('main').getByRole('link', { name: manager().name }).first().click();
      await page.getByRole('link', { name: 'Set a limit' }).click();
      await page.getByLabel('Calls', { exact: true }).fill('many');
      await page.getByRole('button', { name: 'Set it' }).click();
      assert.match(await page.locator('.error-summary').innerText(), /whole number/);
      await page.getByLabel('Calls', { exact: true }).fill('2');
      await page.getByLabel('In', { exact: true }).selectOption({ label: 'a minute' });
      if (javaScriptEnabled) await fit(page, 'new');
      await page.getByRole('button', { name: 'Set it' }).click();
      await page.waitForURL(`${TENANT}/settings/limits`);
      const row = page.getByRole('row', { name: new RegExp(manager().name) });
      await row.waitFor();

      assert.ok(!(await call()).isError && !(await call()).isError);
      const refused = await call();
      assert.equal(refused.isError, true);
      assert.equal(refused.structuredContent.error.code, 'limit_reached');
      assert.ok(refused.structuredContent.error.retry_after > 0);
      await page.reload();
      assert.match(await row.innerText(), /2 of 2 at present/);
      if (javaScriptEnabled) await fit(page, 'list');

      await row.getByRole('link', { name: /2 calls/ }).click();
      await page.getByLabel('Calls', { exact: true }).fill('50');
      await page.getByRole('button', { name: 'Save' }).click();
      await page.waitForURL(`${TENANT}/settings/limits`);
      assert.ok(!(await call()).isError, 'from the next call on');

      await row.getByRole('link', { name: /50 calls/ }).click();
      await page.getByRole('link', { name: 'Take it away' }).click();
      if (javaScriptEnabled) await fit(page, 'remove');
      await page.getByRole('button', { name: 'Take it away' }).click();
      await page.waitForURL(`${TENANT}/settings/limits`);
      assert.equal(await row.count(), 0);
      assert.ok(!(await call()).isError);
      await done(page);
    });
  });
}
