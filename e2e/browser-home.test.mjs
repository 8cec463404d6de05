// The front page, search and the palette: with the mouse, with the keyboard alone, and without JavaScript.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { AxeBuilder } from '@axe-core/playwright';

import { typescriptV2 } from './agents.mjs';
import { PICTURES, WIDE, launch, visit as visitAs } from './chromium.mjs';
import { manager, outsider, ready } from './world.mjs';

const HOME = `${ready.url}/t/${ready.tenant}`;

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

async function callAs(key, tool, args = {}) {
  const agent = await typescriptV2(ready.mcp_url, key, 'auto');
  try {
    return await agent.call(tool, args);
  } catch (error) {
    if (error.code !== -32602) throw error;
    return { isError: true, error };
  } finally {
    await agent.close();
  }
}

const figure = (page, label) => page.locator('#now dl > div', { has: page.getByText(label, { exact: true }) }).locator('dd');
const number = async (locator) => Number((await locator.innerText()).replaceAll(',', ''));
const palette = (page) => page.locator('dialog#palette');
const field = (page) => page.getByRole('combobox', { name: 'Find anything' });
const active = (page) => page.locator('#palette-results [aria-selected=true]');

describe('Home', () => {
  test('three bands, and the last hour counts a call while one watches', async () => {
    const page = await visit();
    await page.goto(HOME);
    for (const name of ['Needs you', 'Now', /^This month/]) await page.getByRole('heading', { level: 2, name }).waitFor();
    await page.evaluate(() => (window.sameDocument = true));
    const [calls, denied] = [await number(figure(page, 'Calls')), await number(figure(page, 'Denied'))];
    await callAs(manager().key, 'crm.list_companies');
    await callAs(outsider().key, 'crm.list_companies');
    await page.waitForFunction(
      ([calls, denied]) => {
        const value = (label) => {
          const term = [...document.querySelectorAll('#now dt')].find((term) => term.textContent === label);
          return Number(term?.nextElementSibling.textContent.replaceAll(',', ''));
        };
        return value('Calls') >= calls + 2 && value('Denied') > denied;
      },
      [calls, denied],
      { timeout: 15_000 },
    );
    assert.equal(await page.evaluate(() => window.sameDocument), true, 'the page was not loaded again');
    await page.screenshot({ path: `${PICTURES}home-live.png`, fullPage: true });
    await figure(page, 'Denied').getByRole('link').click();
    await page.waitForURL(/activity\?span=1h&verdict=deny/);
    await done(page);
  });

  test('the same without JavaScript, where a button brings the figures up to date', async () => {
    const page = await visit({ javaScriptEnabled: false });
    await page.goto(HOME);
    const before = await number(figure(page, 'Calls'));
    await callAs(manager().key, 'crm.list_companies');
    await page.getByRole('button', { name: 'Refresh' }).click();
    assert.ok((await number(figure(page, 'Calls'))) > before);
    await page.getByRole('link', { name: 'Find' }).click();
    await page.waitForURL(/\/find$/);
    await page.getByLabel('Name').fill('crm li');
    await page.getByRole('button', { name: 'Find' }).click();
    await page.getByRole('link', { name: 'crm.list_companies' }).waitFor();
    assert.equal(await page.locator('dialog[open]').count(), 0);
    await done(page);
  });
});

describe('the palette', () => {
  test('loads nothing before it is opened, and then finds by the keyboard alone', async () => {
    const page = await visit();
    const loaded = [];
    page.on('request', (request) => loaded.push(new URL(request.url()).pathname));
    await page.goto(`${HOME}/find`);
    assert.ok(!loaded.some((path) => path.endsWith('.wasm')), 'a page without islands loads no WebAssembly');
    const skip = page.getByRole('link', { name: 'Skip to content' });
    await skip.focus();

    await page.keyboard.press('Control+k');
    await palette(page).waitFor();
    assert.ok(await field(page).evaluate((it) => it === document.activeElement), 'the field has the focus');
    await active(page).waitFor();
    assert.ok(loaded.some((path) => path.endsWith('.wasm')), 'the islands come with the first opening');
    await page.keyboard.type('list comp');
    await page.locator('#palette-results').getByRole('option', { name: /crm\.list_companies/ }).waitFor();
    const before = await active(page).getAttribute('id');
    await page.keyboard.press('ArrowUp');
    const last = await active(page).getAttribute('id');
    assert.equal(await field(page).getAttribute('aria-activedescendant'), last);
    await page.keyboard.press('ArrowDown');
    assert.equal(await active(page).getAttribute('id'), before, 'around the end to the beginning');
    const { violations } = await new AxeBuilder({ page }).include('#palette').analyze();
    assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`), []);
    await page.screenshot({ path: `${PICTURES}palette.png` });

    await page.keyboard.press('Escape');
    assert.equal(await palette(page).isVisible(), false);
    assert.ok(await skip.evaluate((it) => it === document.activeElement), 'the focus is back where it was');

    await page.keyboard.press('Control+k');
    await page.keyboard.type('activ');
    await page.locator('#palette-results').getByRole('option', { name: 'Activity' }).waitFor();
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/activity$/);
    await done(page);
  });

  test('what is typed while it loads is not lost, and Enter finds also before it is awake', async () => {
    const page = await visit();
    await page.goto(`${HOME}/find`);
    let let_go;
    const held = new Promise((resolve) => (let_go = resolve));
    await page.route('**/*.wasm*', async (route) => {
      await held;
      await route.continue();
    });
    await page.getByRole('link', { name: 'Find' }).first().click();
    await page.keyboard.type('crm.list');
    let_go();
    await page.locator('#palette-results').getByRole('option', { name: /crm\.list_companies/ }).waitFor();
    await page.unroute('**/*.wasm*');

    await page.goto(`${HOME}/find`);
    await page.route('**/*.wasm*', (route) => route.abort());
    await page.keyboard.press('Control+k');
    await page.keyboard.type('crm.list');
    await page.keyboard.press('Enter');
    await page.waitForURL(/find\?q=crm\.list/);
    await page.getByRole('link', { name: 'crm.list_companies' }).waitFor();
    page.complaints = page.complaints.filter((text) => !/Failed to load|Failed to fetch|ERR_FAILED/.test(text));
    await done(page);
  });

  test('on a page that has islands it is awake already, and names are text in it', async () => {
    const page = await visit();
    await page.goto(`${HOME}/activity`);
    await page.keyboard.press('Control+k');
    await page.keyboard.type('<img src=x onerror=window.owned=1>');
    await page.locator('#palette-results .nothing').waitFor();
    assert.equal(await page.evaluate(() => window.owned), undefined);
    await page.getByRole('button', { name: 'Close' }).click();
    assert.equal(await palette(page).isVisible(), false);
    assert.match(page.url(), /\/activity$/, 'closing leads nowhere');
    await done(page);
  });
});

describe('shortcuts', () => {
  test('? lists them, g and a letter goes, and single keys can be switched off', async () => {
    const page = await visit();
    await page.goto(`${HOME}/find`);
    await page.locator('h1').click();
    await page.keyboard.press('?');
    const list = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
    await list.waitFor();
    await page.screenshot({ path: `${PICTURES}shortcuts.png` });
    await page.keyboard.press('Escape');
    await page.keyboard.press('g');
    await page.keyboard.press('a');
    await page.waitForURL(/\/activity$/);

    // In a field a letter is a letter.
    await page.getByLabel('Tool contains').focus();
    await page.keyboard.type('g?h');
    assert.equal(await page.getByLabel('Tool contains').inputValue(), 'g?h');
    await page.locator('h1').click();

    await page.keyboard.press('?');
    await list.getByRole('checkbox').uncheck();
    await list.getByRole('button', { name: 'Close' }).click();
    for (const key of ['g', 'h', '?']) await page.keyboard.press(key);
    await page.reload();
    for (const key of ['g', 'h', '?']) await page.keyboard.press(key);
    assert.match(page.url(), /\/activity$/);
    assert.equal(await page.locator('dialog[open]').count(), 0);
    await page.keyboard.press('Control+k');
    await palette(page).waitFor();
    await done(page);
  });

  test('the dialogs fit a phone', async () => {
    const page = await visit({ viewport: { width: 390, height: 844 } });
    await page.goto(`${HOME}/find`);
    await page.getByRole('link', { name: 'Find' }).first().click();
    await active(page).waitFor();
    const box = await palette(page).boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= 390, JSON.stringify(box));
    await page.screenshot({ path: `${PICTURES}palette-phone.png` });
    await page.setViewportSize(WIDE);
    await done(page);
  });
});
