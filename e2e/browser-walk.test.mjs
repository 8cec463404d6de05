// The whole of it as somebody new meets it: an organization signs up and proves its address by a mail that a real SMTP server
// got, adds a module, makes a team, gives it a key, makes an agent; an official client calls; Activity shows it while one
// watches; the key is taken back and the next call is denied; Money shows what was charged. All of it again without JavaScript.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { typescriptV2 } from './agents.mjs';
import { launch, stranger } from './chromium.mjs';
import { installation, mailServer } from './mail.mjs';
import { everything } from './upstreams.mjs';
import { eventually, fresh } from './world.mjs';

const PASSWORD = 'correct horse battery staple';

let browser;
let mails;
let own;
let upstream;

before(async () => {
  browser = await launch();
  upstream = await everything();
  mails = await mailServer();
  own = await installation({ MAIL__SMTP_URL: mails.smtp_url, MAIL__FROM: 'WorkingAgents <agents@workingagents.example>' });
});
after(async () => {
  await browser?.close();
  await own?.stop();
  await mails?.stop();
  await upstream?.stop();
});

/** What a call gets: a result, or the refusal as the agent reads it. */
async function call(url, key, tool, args) {
  const agent = await typescriptV2(url, key);
  try {
    return await agent.call(tool, args);
  } finally {
    await agent.close();
  }
}

const button = (page, name) => page.getByRole('button', { name });
const link = (page, name) => page.getByRole('link', { name });
/** A place of the product, by its navigation. */
const go = (page, name) => page.getByRole('navigation', { name: 'Places' }).getByRole('link', { name, exact: true }).click();

for (const javaScriptEnabled of [true, false]) {
  describe(`from sign-up to the charge ${javaScriptEnabled ? 'with' : 'without'} JavaScript`, () => {
    const organization = fresh('Fabrikam');
    const email = `${organization.toLowerCase()}@example.com`;
    const [team, agent] = [fresh('Support'), `Helper ${fresh('bot')}`];
    const tool = 'everything.echo';
    let page;
    let home;
    let connection;

    before(async () => {
      page = await stranger(browser, { javaScriptEnabled });
      page.setDefaultTimeout(10_000);
    });
    after(() => page?.context().close());
    const complaints = () => page.complaints.filter((said) => !/422/.test(said));

    test('sign up, and verify by the mail', async () => {
      await page.goto(`${own.ready.url}/sign-up`);
      await page.getByLabel('Organization').fill(organization);
      await page.getByLabel('Your name').fill('Ada Lovelace');
      await page.getByLabel('Mail address').fill(email);
      await page.getByLabel('Password').fill(PASSWORD);
      await page.getByLabel('Currency').selectOption('EUR');
      await button(page, 'Continue').click();
      await page.waitForURL(/\/sign-up\/sent/);
      const mail = await mails.to(email, /Confirm your mail address/);
      await page.goto(mail.links[0]);
      await button(page, 'Confirm and go there').click();
      await page.waitForURL(/\/t\/[^/]+\/?$/);
      home = page.url().replace(/\/$/, '');
      // Home says what comes first.
      assert.match(await page.locator('main').innerText(), /module/i);
    });

    test('add a module, priced', async () => {
      await go(page, 'Catalog');
      await link(page, 'Add a module').first().click();
      await page.getByLabel('Address', { exact: true }).fill(upstream.url);
      await page.getByLabel('Title', { exact: true }).fill('Everything');
      await page.getByLabel('Name', { exact: true }).fill('everything');
      await button(page, 'Ask it for its tools').click();
      await page.getByText('Add it, approve what is ticked').waitFor({ timeout: 30_000 });
      const row = page.locator('tr', { has: page.locator('code', { hasText: /^echo$/ }) });
      await row.getByRole('checkbox').check();
      await row.getByRole('textbox').fill('0.25');
      await button(page, 'Add it, approve what is ticked').click();
      await page.getByText('with 1 approved tool.').waitFor();
    });

    test('make a team', async () => {
      await go(page, 'People & Agents');
      await link(page, 'New unit').first().click();
      await page.getByLabel('Name').fill(team);
      await page.getByLabel('Team', { exact: true }).check();
      await button(page, 'Make the unit').click();
      await page.getByRole('heading', { level: 1, name: team }).waitFor();
    });

    test('give the team its key', async () => {
      await go(page, 'Grants');
      await link(page, 'Give a key').first().click();
      await page.getByRole('main').getByRole('link', { name: 'everything', exact: true }).click();
      await page.getByRole('main').getByRole('link', { name: team }).click();
      await button(page, 'Review the change').click();
      await button(page, `Give everything to ${team}`).click();
      await page.getByText('1 key was given').waitFor();
    });

    test('make an agent in it, and a key for the agent', async () => {
      await go(page, 'People & Agents');
      await link(page, 'New agent').first().click();
      await page.getByLabel('Name', { exact: true }).fill(agent);
      const unit = page.getByLabel('Unit');
      const options = await unit.locator('option').evaluateAll((all) => all.map((one) => [one.value, one.textContent.trim()]));
      await unit.selectOption(options.find(([, name]) => name === team)[0]);
      await button(page, 'Make the agent').click();
      await page.getByRole('heading', { level: 1, name: agent }).waitFor();
      await link(page, 'Issue a key').first().click();
      await page.getByLabel('What it is for').fill('production');
      await button(page, 'Issue the key').click();
      await page.getByRole('heading', { level: 1, name: 'Store this key now' }).waitFor();
      const key = await page.locator('#key').innerText();
      const said = await page.locator('main').innerText();
      const url = said.match(/https?:\/\/\S+\/mcp_[0-9a-f]{32}\/mcp/)?.[0] ?? assert.fail(`no MCP URL on the page: ${said}`);
      connection = { url, key };
    });

    test('an official client calls, and Activity shows it', async () => {
      await go(page, 'Activity');
      if (javaScriptEnabled) {
        await page.locator('.live-bar[data-phase=live]').waitFor();
        await page.evaluate(() => (window.sameDocument = true));
      }
      const result = await call(connection.url, connection.key, tool, { message: 'hello' });
      assert.match(JSON.stringify(result), /hello/);
      const row = page.locator('#calls tr').filter({ hasText: tool }).filter({ hasText: agent });
      if (javaScriptEnabled) {
        await row.first().waitFor({ timeout: 5_000 });
        assert.equal(await page.evaluate(() => window.sameDocument), true, 'the page was not loaded again');
      } else {
        await page.reload();
      }
      assert.equal(await row.count(), 1);
      await page.reload();
      await row.first().getByRole('link').first().click();
      await page.getByText('0.25 EUR').first().waitFor();
    });

    test('the key is taken back, and the next call is denied', async () => {
      await go(page, 'Grants');
      await page.getByRole('main').getByRole('link', { name: 'List', exact: true }).click();
      await page.getByRole('link', { name: `Revoke everything from ${team}` }).click();
      await button(page, `Revoke everything from ${team}`).click();
      await page.getByText('1 key was revoked').waitFor();
      const denied = await call(connection.url, connection.key, tool, { message: 'again' });
      assert.equal(denied.isError, true);
      assert.match(denied.content[0].text, /^Denied: /);
    });

    test('Money shows the charge', async () => {
      await go(page, 'Money');
      await eventually('the charge', async () => {
        await page.reload();
        return /0\.25/.test(await page.locator('main').innerText());
      });
      await page.goto(`${home}/money?view=who&by=agent`);
      const row = page.locator('table.spend tbody tr').filter({ hasText: agent });
      assert.equal(await row.locator('data.amount').first().getAttribute('value'), '0.25');
      assert.deepEqual(complaints(), [], 'the browser complained');
    });
  });
}
