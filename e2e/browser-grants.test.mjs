// Rights given and taken in the browser, as an agent notices: by the matrix with the mouse, without JavaScript, and by the
// keyboard alone; what a review says; one column at a time on a phone.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { addModule, admin } from './admin.mjs';
import { typescriptV2 } from './agents.mjs';
import { PHONE, launch, visit } from './chromium.mjs';
import { faults } from './fit.mjs';
import { hostile } from './upstreams.mjs';
import { eventually, fresh, outsider, ready } from './world.mjs';

const module = fresh('vault');
const key = `${module}:write`;
const tool = `${module}.fine`;
const GRANTS = `${ready.url}/t/${ready.tenant}/grants`;
/** The matrix with this module's rows and the column of the agent that may do nothing. */
const MATRIX = `${GRANTS}?q=${module}&by=agents&who=${encodeURIComponent(outsider().name)}`;

let browser;
let upstream;

before(async () => {
  upstream = await hostile();
  await addModule(module, 'Vault', upstream.url);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await upstream?.stop();
});

const box = (page, of = key) => page.getByRole('checkbox', { name: `${of} for ${outsider().name}`, exact: true });
const review = (page) => page.getByRole('button', { name: 'Review the change' });

/** The agent, with an official client of its own. */
const agent = () => typescriptV2(ready.mcp_url, outsider().key, 'auto');

const sees = async (client) => (await client.tools()).some((one) => one.name === tool);

/** Which of the vault's keys asks for the tool: whichever way it was annotated, a call settles it. */
async function calls(client) {
  try {
    const result = await client.call(tool, {});
    return result.isError !== true;
  } catch (error) {
    if (error.code !== -32602) throw error;
    return false;
  }
}

const done = async (page) => {
  assert.deepEqual(page.complaints, [], 'the browser complained');
  await page.context().close();
};

/** Gives the module's own key by the matrix, and takes it back; the agent notices each at once. */
async function thereAndBack(page, act) {
  const client = await agent();
  assert.equal(await sees(client), false);
  assert.equal(await calls(client), false, 'nothing was given yet');

  await page.goto(MATRIX);
  await act.tick(page, box(page, module));
  await act.press(page, review(page));
  await page.getByRole('heading', { name: 'What it comes to' }).waitFor();
  const text = await page.locator('main').innerText();
  assert.match(text, new RegExp(`1 agent of 1 (team|department) gains ${module}:(read|write)`));
  assert.ok(text.includes(outsider().name));
  assert.equal(await calls(client), false, 'a review changes nothing');
  await act.press(page, page.getByRole('button', { name: `Give ${module} to ${outsider().name}` }));
  await page.getByRole('status').waitFor();
  assert.match(await page.getByRole('status').innerText(), /1 key was given/);
  assert.ok(await box(page, module).isChecked());
  await eventually('the agent sees the tool', () => sees(client));
  assert.equal(await calls(client), true, 'the next call is permitted');

  await act.tick(page, box(page, module));
  await act.press(page, review(page));
  await page.getByText(new RegExp('1 agent of 1 (team|department) loses')).first().waitFor();
  await act.press(page, page.getByRole('button', { name: `Revoke ${module} from ${outsider().name}` }));
  await page.getByRole('status').waitFor();
  assert.equal(await calls(client), false, 'the next call is denied');
  assert.equal(await box(page, module).isChecked(), false);
  await eventually('the agent sees it no more', async () => !(await sees(client)));
  await client.close();
}

const byMouse = {
  tick: (_, it) => it.click(),
  press: (_, it) => it.click(),
};

/** Tab, until it is reached; then a key. */
async function reach(page, it) {
  for (let step = 0; step < 200; step += 1) {
    await page.keyboard.press('Tab');
    if (await it.evaluate((node) => node === document.activeElement)) return;
  }
  throw new Error(`not reached by Tab: ${it}`);
}
const byKeyboard = {
  tick: async (page, it) => {
    await reach(page, it);
    await page.keyboard.press('Space');
  },
  press: async (page, it) => {
    await reach(page, it);
    await page.keyboard.press('Enter');
  },
};

describe('the matrix', () => {
  test('gives a key that the agent can use at once, and takes it back', async () => {
    const page = await visit(browser);
    await thereAndBack(page, byMouse);
    await done(page);
  });

  test('does so without JavaScript', async () => {
    const page = await visit(browser, { javaScriptEnabled: false });
    await thereAndBack(page, byMouse);
    await page.context().close();
  });

  test('does so by the keyboard alone', async () => {
    const page = await visit(browser);
    await thereAndBack(page, byKeyboard);
    await done(page);
  });

  test('undoes what was done, through a review', async () => {
    const page = await visit(browser);
    await page.goto(MATRIX);
    await box(page).check();
    await review(page).click();
    await page.getByRole('button', { name: `Give ${key} to` }).click();
    await page.getByRole('link', { name: 'Undo…' }).click();
    await page.getByRole('button', { name: `Revoke ${key} from` }).click();
    await page.getByRole('status').waitFor();
    assert.equal(await box(page).isChecked(), false);
    await done(page);
  });

  test('what somebody else changed meanwhile is shown before it is done', async () => {
    const page = await visit(browser);
    await page.goto(MATRIX);
    await box(page).check();
    await review(page).click();
    await admin(['grant', 'give', '--key', key, '--agent', outsider().name]);
    await page.getByRole('button', { name: `Give ${key} to` }).click();
    await page.getByText('Rights have changed since you looked at this').waitFor();
    await page.getByText('everything is so already').waitFor();
    await admin(['grant', 'revoke', '--key', key, '--agent', outsider().name]);
    await page.context().close();
  });

  test('shows from where a right comes, on a page of its own with its end', async () => {
    const page = await visit(browser);
    await page.goto(`${GRANTS}/new?key=${key}`);
    await page.getByRole('link', { name: 'Agents', exact: true }).click();
    await page.getByRole('link', { name: outsider().name }).click();
    await page.getByLabel('Ends on (optional)').fill('2199-12-30');
    await review(page).click();
    await page.getByRole('button', { name: `Give ${key} to` }).click();
    await page.getByRole('status').waitFor();
    await page.goto(MATRIX);
    await page.getByRole('link', { name: 'Until' }).first().click();
    await page.getByText('it was given here').waitFor();
    assert.deepEqual(await faults(page, 'grants-cell'), []);
    await page.getByRole('link', { name: `Revoke ${key} from ${outsider().name}` }).click();
    await page.getByRole('button', { name: `Revoke ${key} from` }).click();
    await page.getByText('1 key was revoked').waitFor();
    await done(page);
  });
});

describe('on any screen', () => {
  test('choices and reviews are fit for everybody', async () => {
    const page = await visit(browser);
    const wrong = [];
    const item = `crm%3Awrite%40role_admin`;
    for (const [name, path] of [
      ['matrix-nothing', '?q=zzz'], ['new-end', '/new?key=crm:read&role=admin'], ['review-give', `/review?give=${item}`],
      ['review-nothing', `/review?revoke=${item}`], ['review-wrong', `/review?give=${item}&until=2020-01-01`],
    ]) {
      await page.goto(`${GRANTS}${path}`);
      wrong.push(...(await faults(page, `grants-${name}`)));
    }
    assert.deepEqual(wrong, []);
    await page.context().close();
  });

  test('a phone shows one column at a time, and keeps the ticks of the others', async () => {
    const page = await visit(browser, { viewport: PHONE, javaScriptEnabled: false });
    await page.goto(`${GRANTS}?q=crm&by=roles`);
    const ticks = () => page.locator('.matrix tbody tr').first().locator('td:visible');
    assert.equal(await ticks().count(), 1);
    await page.getByRole('checkbox', { name: 'crm for role Owner', exact: true }).check();
    await page.getByLabel('Column', { exact: true }).selectOption({ label: 'Auditor' });
    assert.equal(await ticks().count(), 1);
    await page.getByRole('checkbox', { name: 'crm for role Auditor', exact: true }).check();
    await review(page).click();
    await page.getByRole('button', { name: 'Give 2 keys' }).waitFor();
    await page.context().close();
  });
});
