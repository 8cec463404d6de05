// Money and My usage in a real browser: what an agent's call costs is there at once, leads to exactly its calls, and the file
// says what the table says. The same without JavaScript.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { admin } from './admin.mjs';
import { typescriptV2 } from './agents.mjs';
import { launch, visit } from './chromium.mjs';
import { eventually, manager, ready } from './world.mjs';

const HOME = `${ready.url}/t/${ready.tenant}`;
const TOOL = 'crm.list_companies';

let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

const done = async (page) => {
  assert.deepEqual(page.complaints, [], 'the browser complained');
  await page.context().close();
};

/** One call of a tool by an MCP client, as the demo's agent that may do everything. */
async function call() {
  const agent = await typescriptV2(ready.mcp_url, manager().key, 'auto');
  const result = await agent.call(TOOL, {});
  await agent.close();
  assert.ok(!result.isError, JSON.stringify(result));
}

/** Sets what a call of the tool costs. */
const price = (amount) => admin(['module', 'price', '--tool', TOOL, '--amount', amount, '--currency', 'EUR']);

/** The row of a table by what its head says. */
const row = (page, name) => page.locator('table.spend tbody tr', { has: page.getByRole('rowheader').getByText(name, { exact: true }) });

/** What the first figure of a row is exactly. */
const exact = async (locator) => Number(await locator.locator('data.amount').first().getAttribute('value'));
const count = (text) => Number(text.replace(/\D/g, ''));

/** RFC 4180, as far as our files go. */
const lines = (csv) => csv.trim().split('\r\n').map((line) => line.match(/("([^"]|"")*"|[^,]*)(,|$)/g).slice(0, -1).map((cell) => cell.replace(/,$/, '').replace(/^"(.*)"$/, '$1').replace(/""/g, '"')));

for (const javaScriptEnabled of [true, false]) {
  describe(`Money ${javaScriptEnabled ? 'with' : 'without'} JavaScript`, () => {
    test('a call shows its charge at once, and its row leads to exactly the calls', async () => {
      await price('0.1234567891');
      const page = await visit(browser, { javaScriptEnabled });
      await page.goto(`${HOME}/money?view=what&by=tool`);
      const tool = row(page, TOOL);
      const before = (await tool.count()) ? await exact(tool) : 0;
      const calls = (await tool.count()) ? count(await tool.locator('td').nth(3).innerText()) : 0;
      await call();
      // The reply does not wait for the settlement.
      await eventually('the charge', async () => {
        await page.reload();
        return (await tool.count()) && count(await tool.locator('td').nth(3).innerText()) === calls + 1 && (await exact(tool)) > before;
      }, { within: 3_000 });
      assert.equal(((await exact(tool)) - before).toFixed(10), '0.1234567891', 'exactly its price');
      await tool.locator('td').nth(3).getByRole('link').click();
      await page.waitForURL(/\/activity\?/);
      const rows = page.locator('#calls tr');
      assert.ok((await rows.count()) > 0);
      const shown = Math.min(calls + 1, 50);
      assert.equal(await rows.count(), shown, 'as many as the figure counts, or a page of them');
      for (const text of await rows.locator('.call-tool').allInnerTexts()) assert.equal(text.trim(), TOOL);
      await done(page);
    });

    test('one goes from a department to its teams, to an agent, to its tools', async () => {
      const page = await visit(browser, { javaScriptEnabled });
      await page.goto(`${HOME}/money`);
      const total = await page.locator('.sums-main data').getAttribute('value');
      assert.ok(Number(total) > 0);
      const sales = row(page, 'Sales');
      const ofSales = await exact(sales);
      await sales.getByRole('rowheader').getByRole('link', { name: 'Sales', exact: true }).click();
      await page.waitForURL(/by=team/);
      assert.equal(Number(await page.locator('.sums-main data').getAttribute('value')), ofSales, 'the whole is the row it came from');
      const figures = page.locator('table.spend tbody tr td:nth-child(2) data');
      const parts = await figures.evaluateAll((all) => all.map((one) => Number(one.value)));
      assert.ok(Math.abs(parts.reduce((sum, part) => sum + part, 0) - ofSales) < 1e-9, 'a department is its teams');
      await page.getByRole('rowheader').getByRole('link').first().click();
      await page.waitForURL(/by=agent/);
      await page.getByRole('rowheader').getByRole('link').first().click();
      await page.waitForURL(/view=what/);
      assert.equal(await page.locator('.chips li:has(.chip-less)').count(), 3, 'what it is narrowed to');
      await page.locator('.chip-less').first().click();
      assert.equal(await page.locator('.chips li:has(.chip-less)').count(), 2);
      await page.getByRole('link', { name: 'Everything' }).click();
      assert.equal(await page.locator('.chips').count(), 0);
      await done(page);
    });

    test('the period and the question are a form that writes the address', async () => {
      const page = await visit(browser, { javaScriptEnabled });
      await page.goto(`${HOME}/money`);
      await page.getByLabel('Period (UTC)').selectOption('30d');
      await page.getByRole('combobox', { name: 'By' }).selectOption('agent');
      await page.getByRole('button', { name: 'Apply' }).click();
      await page.waitForURL(`${HOME}/money?span=30d&by=agent`);
      await page.getByRole('link', { name: 'Side by side' }).click();
      await page.waitForURL(`${HOME}/money?view=cross&span=30d`);
      assert.ok((await page.locator('table.cross thead th').count()) >= 3);
      await page.goto(`${HOME}/money?from=2026-01-02&to=2026-01-01`);
      await page.getByText('To must not be before from.').first().waitFor();
      page.complaints = page.complaints.filter((said) => !said.includes('422'));
      await done(page);
    });

    test('the file says what the table says', async () => {
      const page = await visit(browser, { javaScriptEnabled });
      for (const view of ['who', 'what', 'change', 'when', 'cross']) {
        await page.goto(`${HOME}/money?view=${view}&span=30d`);
        const table = await page.locator('table.spend tbody tr').evaluateAll((rows, view) => rows.map((row) => [...row.querySelectorAll('td data.amount')]
          .slice(0, view === 'cross' ? undefined : 1).map((cell) => cell.value)), view);
        const href = await page.getByRole('link', { name: 'CSV' }).getAttribute('href');
        const file = lines(await (await page.request.get(`${ready.url}${href}`)).text());
        // The table leaves cells empty where there was no call; the file has a nought there.
        const amounts = (rows) => rows.map((row) => row.map(Number).filter((amount) => view !== 'cross' || amount !== 0));
        assert.deepEqual(amounts(file.slice(1).map((line) => (view === 'cross' ? line.slice(1) : [line[1]]))), amounts(table), view);
      }
      await done(page);
    });
  });
}

test('a member sees their own usage and nothing of Money', async () => {
  const member = ready.people.find((person) => person.roles.length === 1 && person.roles[0] === 'member');
  const page = await visit(browser, { email: member.email });
  await page.goto(`${HOME}/usage`);
  await page.getByRole('heading', { level: 1, name: 'My usage' }).waitFor();
  assert.equal(await page.getByRole('navigation', { name: 'Places' }).getByRole('link', { name: 'Money' }).count(), 0);
  assert.equal((await page.goto(`${HOME}/money`)).status(), 404);
  assert.equal((await page.request.get(`${HOME}/money/file`)).status(), 404);
});
