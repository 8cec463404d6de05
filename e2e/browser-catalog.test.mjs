// The catalog in a browser: the reference MCP server added by the wizard, with every way in which that can go wrong; its
// tools approved and tried; the call in Activity. All of it again without JavaScript.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';

import { give } from './admin.mjs';
import { launch, visit } from './chromium.mjs';
import { faults } from './fit.mjs';
import { everything } from './upstreams.mjs';
import { freePort, fresh, outsider, reader, ready } from './world.mjs';

const CATALOG = `${ready.url}/t/${ready.tenant}/catalog`;

let browser;
let upstream;
let odd;

before(async () => {
  browser = await launch();
  upstream = await everything();
  odd = await oddServer();
});
after(async () => {
  await browser?.close();
  await upstream?.stop();
  await odd?.stop();
});

/** A server that is no MCP server: at `/page` it answers with a page, at `/closed` it wants credentials, elsewhere it says nothing. */
async function oddServer() {
  const server = createServer((request, response) => {
    request.resume();
    if (request.url === '/page') response.writeHead(200, { 'Content-Type': 'text/html' }).end('<h1>It works!</h1>');
    if (request.url === '/closed') response.writeHead(401).end();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = () =>
    new Promise((resolve) => {
      server.closeAllConnections();
      server.close(resolve);
    });
  return { url: `http://127.0.0.1:${server.address().port}`, stop };
}

async function fillIn(page, { url, title, name }) {
  await page.getByLabel('Address', { exact: true }).fill(url);
  await page.getByLabel('Title', { exact: true }).fill(title);
  await page.getByLabel('Name', { exact: true }).fill(name);
}

/** Presses a button that leads to another page, and waits for that page. */
async function press(page, name) {
  const arrived = page.waitForEvent('framenavigated');
  await page.getByRole('button', { name }).click();
  await arrived;
}

/** Waits until a server has been asked: the page goes on by itself. */
const asked = (page) =>
  page.getByRole('heading', { name: 'The server could not be used' }).or(page.getByText('Add it, approve what is ticked')).first().waitFor({ timeout: 30_000 });

/** Chooses an agent of the form by the beginning of what its option says. */
async function actAs(page, agent) {
  const select = page.getByLabel('As the agent');
  const options = await select.locator('option').evaluateAll((all) => all.map((one) => [one.value, one.textContent]));
  const [value] = options.find(([, label]) => label.startsWith(agent.name)) ?? assert.fail(`no option for ${agent.name}: ${options}`);
  await select.selectOption(value);
}

const done = async (page) => {
  assert.deepEqual(page.complaints.filter((said) => !/422|409/.test(said)), [], 'the browser complained');
  await page.context().close();
};

for (const javaScriptEnabled of [true, false]) {
  describe(`the catalog ${javaScriptEnabled ? 'with' : 'without'} JavaScript`, () => {
    const name = fresh('everything');
    const title = `Everything ${name.slice(-4)}`;

    test('a server that cannot be used is told with what to do, and what was typed is kept', async () => {
      const page = await visit(browser, { javaScriptEnabled });
      const down = `http://127.0.0.1:${await freePort()}/mcp`;
      await page.goto(`${CATALOG}/new`);
      await fillIn(page, { url: 'not an address', title: '', name: 'Not A Name' });
      await press(page, 'Ask it for its tools');
      await page.getByText('There is a problem').waitFor();
      assert.equal(await page.getByLabel('Address', { exact: true }).inputValue(), 'not an address');
      await fillIn(page, { url: down, title, name });
      await press(page, 'Ask it for its tools');
      await asked(page);
      assert.match(await page.locator('main').innerText(), /Nothing listens at/);
      for (const [url, said] of [
        [`${odd.url}/page`, /is not MCP: /],
        [`${odd.url}/closed`, /Authorization header/],
        [`${odd.url}/hangs`, /did not answer within 1\d s/],
        ['http://10.255.255.1/mcp', /private|allowed_upstream_networks|could not be connected|firewall/],
        ['http://no-such-host.invalid/mcp', /No address is known/],
      ]) {
        assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), name);
        await page.getByLabel('Address', { exact: true }).fill(url);
        await press(page, 'Ask again');
        await asked(page);
        assert.match(await page.locator('main').innerText(), said, url);
      }
      await page.getByLabel('Address', { exact: true }).fill(upstream.url);
      await press(page, 'Ask again');
      await page.getByText('Add it, approve what is ticked').waitFor({ timeout: 30_000 });
      await done(page);
    });

    test('its tools are reviewed, some are approved, and the draft is finished from where it was left', async () => {
      const page = await visit(browser, { javaScriptEnabled });
      await page.goto(`${CATALOG}/new`);
      await page.getByRole('link', { name: title }).click();
      const row = page.locator('tr', { has: page.locator('code', { hasText: /^echo$/ }) });
      await row.getByRole('checkbox').check();
      await row.getByRole('textbox').fill('free');
      await press(page, 'Add it, approve what is ticked');
      await page.getByText('There is a problem').waitFor();
      assert.ok(await row.getByRole('checkbox').isChecked(), 'what was ticked stays ticked');
      await row.getByRole('textbox').fill('0.01');
      await press(page, 'Add it, approve what is ticked');
      await page.waitForURL(`${CATALOG}/${name}`);
      await page.getByText('with 1 approved tool.').waitFor();
      await page.locator('tr', { has: page.getByRole('link', { name: 'get-sum', exact: true }) }).getByRole('checkbox').check();
      await press(page, 'Approve what is ticked');
      await page.getByText('1 tool is approved.').waitFor();
      await done(page);
    });

    test('a tool is tried as an agent, its mistakes are said beside the field, and the call is in Activity', async () => {
      await give(name, reader().name);
      const page = await visit(browser, { javaScriptEnabled });
      await page.goto(`${CATALOG}/${name}`);
      await page.getByRole('link', { name: 'get-sum', exact: true }).click();
      await page.getByRole('link', { name: 'Try it' }).click();
      await actAs(page, reader());
      await page.getByLabel('a', { exact: true }).fill('one');
      await page.getByLabel('b', { exact: true }).fill('2');
      await press(page, 'Make the call');
      await page.getByText('Give a number such as 42 or 0.5').first().waitFor();
      assert.equal(await page.getByLabel('b', { exact: true }).inputValue(), '2');
      await page.getByLabel('a', { exact: true }).fill('40');
      await press(page, 'Make the call');
      await page.getByText('The sum of 40 and 2 is 42').first().waitFor();
      await page.goto(`${CATALOG}/${name}/echo/try`);
      await actAs(page, outsider());
      await page.getByLabel('message').fill('let me in');
      await press(page, 'Make the call');
      await page.getByText('Denied').first().waitFor();
      assert.equal(await page.getByLabel('message').inputValue(), 'let me in');
      await actAs(page, reader());
      await page.getByLabel('message').fill('<script>alert(1)</script>');
      await press(page, 'Make the call');
      await page.getByText('Echo: <script>alert(1)</script>').first().waitFor();
      await page.getByRole('link', { name: 'The call, with its whole story' }).click();
      await page.getByText('WorkingAgents dashboard').first().waitFor();
      await page.goto(`${ready.url}/t/${ready.tenant}/activity?tool=${name}`);
      assert.equal(await page.locator('#calls tr').count(), 3);
      await done(page);
    });

    test('a module is switched off and on, its tool withdrawn and approved again', async () => {
      const page = await visit(browser, { javaScriptEnabled });
      await page.goto(`${CATALOG}/${name}`);
      await page.getByRole('link', { name: 'Switch off' }).click();
      assert.match(await page.locator('.consequence').innerText(), /2 approved tools/);
      await press(page, 'Switch it off');
      await page.getByText('every call of its tools is refused').waitFor();
      await press(page, 'Switch on');
      await page.getByText('takes calls again').waitFor();
      await press(page, 'Ask its server again');
      await page.getByText('Nothing has changed.').waitFor();
      await page.goto(`${CATALOG}/${name}/echo`);
      await page.getByRole('link', { name: 'Withdraw' }).click();
      await press(page, 'Withdraw it');
      await press(page, 'Approve it again');
      await page.getByText('is approved: whoever has its key may call it').waitFor();
      await done(page);
    });
  });
}

test('what a server answered is fit for everybody, good or bad', async () => {
  const page = await visit(browser);
  const name = fresh('everything');
  const wrong = [];
  for (const [what, url] of [['failed', `${odd.url}/closed`], ['review', upstream.url]]) {
    await page.goto(`${CATALOG}/new`);
    await fillIn(page, { url, title: `Everything to see, ${what}`, name: `${name}-with-a-long-name-${what}` });
    await press(page, 'Ask it for its tools');
    await asked(page);
    wrong.push(...(await faults(page, `catalog-${what}`)));
  }
  // A module with tools, prompts, and resources whose names are addresses, beside what else is known of it.
  await press(page, 'Add it, approve what is ticked');
  await page.getByRole('heading', { level: 1, name: 'Everything to see, review' }).waitFor();
  wrong.push(...(await faults(page, 'catalog-module')));
  await page.goto(CATALOG);
  wrong.push(...(await faults(page, 'catalog-of-long-names')));
  assert.deepEqual(wrong, []);
  await done(page);
});
