// What people see, in a real browser: sign in, watch calls arrive, open one, filter; the same without JavaScript;
// fit for everybody.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { typescriptV2 } from './agents.mjs';
import { PICTURES, launch, visit as visitIn } from './chromium.mjs';
import { faults } from './fit.mjs';
import { fresh, manager, outsider, reader, ready } from './world.mjs';

const ACTIVITY = `${ready.url}/t/${ready.tenant}/activity`;

let browser;

before(async () => (browser = await launch()));
after(() => browser?.close());

const visit = (options) => visitIn(browser, options);

const done = async (page) => {
  assert.deepEqual(page.complaints, [], 'the browser complained');
  await page.context().close();
};

/** Makes one call as an agent and resolves to what it got: a result, or the error of a tool that is not there. */
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

const rowOf = (page, tool) => page.locator('#calls tr', { has: page.getByRole('link', { name: tool, exact: true }) }).first();

describe('signing in', () => {
  test('with a wrong password one is told so, and not which part was wrong', async () => {
    const page = await (await browser.newContext()).newPage();
    const said = [];
    for (const [email, password] of [[ready.owner.email, 'not the password'], [`${fresh('nobody')}@example.com`, 'not the password']]) {
      await page.goto(`${ready.url}/sign-in`);
      await page.getByLabel('Mail address').fill(email);
      await page.getByLabel('Password').fill(password);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('alert').or(page.locator('.error-summary')).first().waitFor();
      assert.equal(await page.getByLabel('Password').inputValue(), '', 'the password is not sent back');
      said.push(await page.getByRole('alert').or(page.locator('.error-summary')).first().innerText());
    }
    assert.equal(said[0], said[1]);
    await page.context().close();
  });

  test('without a session every page leads to sign-in and back', async () => {
    const page = await (await browser.newContext()).newPage();
    await page.goto(`${ACTIVITY}?verdict=deny`);
    assert.match(page.url(), /\/sign-in/);
    await page.getByLabel('Mail address').fill(ready.owner.email);
    await page.getByLabel('Password').fill(ready.owner.password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL(`${ACTIVITY}?verdict=deny`);
    await page.context().close();
  });

  test('signing out ends the session', async () => {
    const page = await visit();
    await page.goto(ACTIVITY);
    await page.locator('.person-button').click();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.waitForURL(/\/sign-in/);
    await page.goto(ACTIVITY);
    assert.match(page.url(), /\/sign-in/);
    await done(page);
  });
});

describe('Activity', () => {
  test('a call by a real client appears while one watches, with its end', async () => {
    const page = await visit();
    await page.goto(ACTIVITY);
    await page.locator('.live-bar[data-phase=live]').waitFor();
    await page.evaluate(() => (window.sameDocument = true));
    const known = new Set(await page.locator('#calls tr').evaluateAll((rows) => rows.map((row) => row.id)));

    const result = await callAs(manager().key, 'crm.list_companies', {});
    assert.ok(!result.isError, JSON.stringify(result));
    const arrived = page.locator('#calls tr').filter({ hasText: 'crm.list_companies' }).first();
    await page.waitForFunction(
      (ids) => [...document.querySelectorAll('#calls tr')].some((row) => !ids.includes(row.id) && row.textContent.includes('crm.list_companies')),
      [...known],
      { timeout: 5_000 },
    );
    assert.ok(!known.has(await arrived.getAttribute('id')), 'the newest row is on top');
    assert.match(await arrived.innerText(), new RegExp(manager().name));
    await page.waitForFunction(
      (id) => /succeeded|answered|done/i.test(document.getElementById(id)?.querySelector('.call-outcome')?.textContent ?? ''),
      await arrived.getAttribute('id'),
      { timeout: 5_000 },
    );

    const tool = `crm.${fresh('nothing')}`;
    await callAs(reader().key, tool, {});
    await rowOf(page, tool).waitFor({ timeout: 5_000 });
    assert.equal(await rowOf(page, tool).getAttribute('data-verdict'), 'deny');
    assert.equal(await page.evaluate(() => window.sameDocument), true, 'the page was not loaded again');
    await page.screenshot({ path: `${PICTURES}activity-live.png` });
    await done(page);
  });

  test('a call opens to its story: who, what, why, result', async () => {
    const page = await visit();
    await callAs(manager().key, 'crm.list_companies', {});
    await page.goto(ACTIVITY);
    await rowOf(page, 'crm.list_companies').getByRole('link', { name: 'crm.list_companies' }).click();
    await page.getByRole('heading', { level: 1, name: 'crm.list_companies' }).waitFor();
    const text = await page.locator('main').innerText();
    assert.match(text, new RegExp(manager().name));
    assert.match(text, /Arguments/);
    assert.match(text, /Result/);
    assert.match(text, /workingagents-e2e/, 'names the client');
    assert.match(text, /2026-07-28/, 'names the protocol revision');
    await page.screenshot({ path: `${PICTURES}call.png`, fullPage: true });
    await page.goBack();
    await page.waitForURL(ACTIVITY);
    await done(page);
  });

  test('a denied call says which right is missing and whom to ask', async () => {
    await callAs(outsider().key, 'crm.list_companies', {});
    const page = await visit();
    await page.goto(`${ACTIVITY}?verdict=deny`);
    await rowOf(page, 'crm.list_companies').getByRole('link', { name: 'crm.list_companies' }).click();
    const decision = await page.locator('.decision').innerText();
    assert.match(decision, /denied/i);
    assert.match(decision, /crm/);
    assert.match(decision, /ask/i);
    await page.screenshot({ path: `${PICTURES}call-denied.png`, fullPage: true });
    await done(page);
  });

  test('filters write the URL, narrow the list, and Back undoes them', async () => {
    const tool = `crm.${fresh('filtered')}`;
    await callAs(reader().key, tool, {});
    const page = await visit();
    await page.goto(ACTIVITY);
    await page.getByLabel('Decision').selectOption('deny');
    await page.getByLabel('Tool contains').fill(tool);
    await page.getByRole('button', { name: 'Apply' }).click();
    await page.waitForURL(/verdict=deny/);
    assert.match(page.url(), new RegExp(`tool=${tool}`));
    assert.equal(await page.locator('#calls tr').count(), 1);
    assert.equal(await page.getByLabel('Tool contains').inputValue(), tool);
    await page.goBack();
    await page.waitForURL(ACTIVITY);
    assert.ok((await page.locator('#calls tr').count()) > 1);
    await page.goto(`${ACTIVITY}?tool=${fresh('none')}`);
    await page.getByText('No call matches').waitFor();
    await done(page);
  });

  test('a live list that is filtered takes only what matches', async () => {
    const page = await visit();
    const wanted = `crm.${fresh('wanted')}`;
    await page.goto(`${ACTIVITY}?tool=wanted-`);
    await page.locator('.live-bar[data-phase=live]').waitFor();
    await callAs(reader().key, `crm.${fresh('other')}`, {});
    await callAs(reader().key, wanted, {});
    await rowOf(page, wanted).waitFor({ timeout: 5_000 });
    const tools = await page.locator('#calls .call-tool').allInnerTexts();
    assert.ok(tools.every((tool) => tool.includes('wanted-')), `${tools}`);
    await done(page);
  });

  test('older and newer pages hold together', async () => {
    const page = await visit();
    await page.goto(ACTIVITY);
    const ids = () => page.locator('#calls tr').evaluateAll((rows) => rows.map((row) => row.id));
    const first = await ids();
    await page.getByRole('link', { name: 'Older' }).click();
    await page.waitForURL(/\?/);
    const second = await ids();
    assert.ok(second.length > 0 && second.every((id) => !first.includes(id)), 'no row is on two pages');
    assert.ok(first.at(-1) > second[0], 'in order');
    await page.getByRole('link', { name: 'Newer' }).click();
    assert.ok((await ids()).includes(first.at(-1)));
    await done(page);
  });

  test('what an agent sent is never markup', async () => {
    const page = await visit();
    const nasty = '<img src=x onerror="window.owned=1"><script>window.owned=1</script>';
    await callAs(manager().key, 'crm.list_companies', { query: nasty, [nasty]: nasty });
    await callAs(manager().key, nasty, { nasty });
    await page.goto(ACTIVITY);
    assert.equal(await page.locator('main img[src=x]').count(), 0);
    const link = page.locator('#calls tr').first().locator('.call-tool a');
    await link.click();
    await page.getByRole('heading', { level: 1 }).waitFor();
    assert.equal(await page.locator('main img[src=x]').count(), 0);
    assert.equal(await page.evaluate(() => window.owned), undefined);
    await done(page);
  });

  test('a request that never became a call is listed as rejected', async () => {
    await fetch(ready.mcp_url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream', Authorization: `Bearer ${reader().key}` },
      body: '{"jsonrpc":',
    });
    const page = await visit();
    await page.goto(`${ACTIVITY}/rejected`);
    const listed = page.getByText('malformed_json').first();
    // Rejections are gathered before they are written.
    for (let n = 0; n < 20 && (await listed.count()) === 0; n += 1) {
      await page.waitForTimeout(500);
      await page.reload();
    }
    assert.ok((await listed.count()) > 0, 'the malformed request is listed');
    await done(page);
  });

  test('another organization is not found', async () => {
    const page = await visit();
    for (const path of ['/t/someone-else/activity', `/t/${ready.tenant}/activity/no-id`, `/t/${ready.tenant}/activity/call_01890000000070008000000000000000`, '/nowhere']) {
      const response = await page.goto(`${ready.url}${path}`);
      assert.equal(response.status(), 404, path);
    }
    page.complaints = page.complaints.filter((text) => !text.includes('404'));
    await done(page);
  });
});

describe('without JavaScript', () => {
  test('sign in, see a call after a reload, open it, filter, sign out', async () => {
    const page = await visit({ javaScriptEnabled: false });
    await page.goto(ACTIVITY);
    const tool = `crm.${fresh('plain')}`;
    await callAs(reader().key, tool, {});
    await page.reload();
    await rowOf(page, tool).waitFor();
    await rowOf(page, tool).getByRole('link', { name: tool }).click();
    await page.getByRole('heading', { level: 1, name: tool }).waitFor();
    await page.goBack();
    await page.getByLabel('Tool contains').fill(tool);
    await page.getByRole('button', { name: 'Apply' }).click();
    await page.waitForURL(new RegExp(`tool=${tool}`));
    assert.equal(await page.locator('#calls tr').count(), 1);
    await page.locator('.person-button').click();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.waitForURL(/\/sign-in/);
    await done(page);
  });
});

describe('for everybody', () => {
  test('what filters find, nothing, and filters that cannot be are fit for everybody', async () => {
    await callAs(outsider().key, 'crm.list_companies', {});
    const page = await visit();
    const wrong = [];
    for (const [name, query] of [['filtered', 'verdict=deny&span=7d'], ['nothing', `tool=${fresh('none')}`], ['wrong-filter', 'from=yesterday']]) {
      await page.goto(`${ACTIVITY}?${query}`);
      wrong.push(...(await faults(page, `activity-${name}`)));
    }
    await page.goto(`${ready.url}/t/${ready.tenant}/nowhere`);
    wrong.push(...(await faults(page, 'not-found')));
    assert.deepEqual(wrong, []);
    await page.context().close();
  });

  test('everything is reached by keyboard: the skip link, the filters, a call', async () => {
    const page = await visit();
    await page.goto(ACTIVITY);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.closest('main') !== null), true);
    const link = rowOf(page, await page.locator('#calls .call-tool a').first().innerText()).locator('.call-tool a');
    await link.focus();
    const outline = await link.evaluate((node) => {
      const style = getComputedStyle(node);
      return style.outlineStyle !== 'none' || style.boxShadow !== 'none';
    });
    assert.ok(outline, 'focus is visible');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 2, name: 'What happened' }).waitFor();
    await done(page);
  });

  test('pages come with a policy that forbids foreign scripts and frames', async () => {
    const response = await fetch(`${ready.url}/sign-in`);
    const policy = response.headers.get('content-security-policy') ?? '';
    assert.match(policy, /script-src[^;]*'nonce-/);
    assert.doesNotMatch(policy, /script-src[^;]*'unsafe-inline'/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
  });
});
