// Hostile text in every field of every form, in a real browser and an installation of its own: nothing runs, nothing breaks,
// nothing is wider than its window; it is stored and shown as text, or refused beside its field.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { PHONE, WIDE, launch, stranger } from './chromium.mjs';
import { tooWide } from './fit.mjs';
import { everyPage } from './every-page.mjs';
import { installation } from './mail.mjs';

const SCRIPT = 'window.ran = true';
const HOSTILE = {
  'markup that runs': `</textarea></title></template><svg onload="${SCRIPT}"><script>${SCRIPT}</script>" autofocus onfocus="${SCRIPT}" x='`,
  'an address that runs': `javascript:${SCRIPT}`,
  'right-to-left marks and emoji': 'invoice\u202Efdp.exe\u2066x\u200B\u{E0041} 👩‍👩‍👧‍👦🏳️‍🌈 é́́́́ ﷽',
  'ten thousand characters': 'W'.repeat(10_000),
  'NUL': 'before\0after',
};
/** What reads otherwise than it is written, and must never be shown as it came. */
const HIDDEN = /[\0\u202A-\u202E\u2066-\u2069\u{E0000}-\u{E007F}]/u;
/** Forms that would end the installation, or the test's own way in. */
const SPARED = /sign-out|\/danger|\/stop|\/remove|\/leave|\/suspend|\/password|\/session|\/retire|\/revoke|\/archive|\/sign-in$/;

let browser;
let own;
let page;
let pages;

before(async () => {
  browser = await launch();
  own = await installation({});
  page = await stranger(browser);
  page.setDefaultTimeout(20_000);
  await page.goto(`${own.ready.url}/sign-in`);
  await page.getByLabel('Mail address').fill(own.ready.owner.email);
  await page.getByLabel('Password').fill(own.ready.owner.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(`${own.ready.url}/t/**`);
  const found = await everyPage(page, own.ready);
  pages = [...found.map(({ url }) => url), `${own.ready.url}/sign-up`, `${own.ready.url}/forgot`, `${own.ready.url}/sign-in`];
});
after(async () => {
  await browser?.close();
  await own?.stop();
});

/** What is wrong with the page as it stands. */
async function faults(what) {
  const wrong = [];
  for (const size of [PHONE, WIDE]) {
    await page.setViewportSize(size);
    wrong.push(...(await tooWide(page, what)));
  }
  if (await page.evaluate(() => window.ran)) wrong.push(`${what}: a script ran`);
  const hidden = (await page.locator('body').innerText()).match(HIDDEN);
  if (hidden) wrong.push(`${what}: U+${hidden[0].codePointAt(0).toString(16)} is shown as it came`);
  wrong.push(...page.complaints.splice(0).filter((said) => !/status of 4(00|04|09|13|14|22|29|31)/.test(said)).map((said) => `${what}: ${said}`));
  return wrong;
}

/** Puts a text into every field of the form at a place among those of the page, and sends it. Resolves to the status. */
async function send(at, text) {
  const answered = page.waitForResponse((response) => response.request().isNavigationRequest() && response.request().frame() === page.mainFrame());
  await page.evaluate(
    ([at, text]) => {
      const form = document.querySelectorAll('main form')[at];
      form.noValidate = true;
      for (const field of form.querySelectorAll('input:not([type=hidden], [type=checkbox], [type=radio], [type=file]), textarea')) {
        if (field.tagName === 'INPUT') field.type = 'text';
        field.removeAttribute('maxlength');
        field.value = text;
      }
      form.submit();
    },
    [at, text],
  );
  const response = await answered;
  await page.waitForLoadState('domcontentloaded');
  return response.status();
}

const forms = () =>
  page.evaluate(() =>
    [...document.querySelectorAll('main form')].map((form, at) => ({
      at,
      action: new URL(form.action).pathname,
      hasText: form.querySelector('input:not([type=hidden], [type=checkbox], [type=radio], [type=file]), textarea') !== null,
    })),
  );

describe('hostile text', () => {
  for (const [what, text] of Object.entries(HOSTILE)) {
    test(`${what} in every field`, async () => {
      const wrong = [];
      const seen = new Set();
      for (const url of pages) {
        await page.goto(url);
        for (const { at, action } of (await forms()).filter((form) => form.hasText && !SPARED.test(form.action))) {
          // A form that stands on several pages is one.
          const name = action.replace(/[a-z]+_[0-9a-f]{32}/g, '*');
          if (seen.has(name)) continue;
          seen.add(name);
          await page.goto(url);
          const status = await send(at, text).catch((error) => `no answer: ${error.message}`);
          if (!(status < 500)) wrong.push(`${name}: ${status}`);
          wrong.push(...(await faults(`${name} on ${new URL(url).pathname}`)));
        }
      }
      assert.ok(seen.size > 15, `only ${seen.size} forms: ${[...seen]}`);
      assert.deepEqual(wrong, []);
    });
  }

  test('what was stored is shown as text wherever it stands', async () => {
    const wrong = [];
    for (const url of pages) {
      const response = await page.goto(url);
      // A filter may have been deleted, a name changed: not found is an answer too.
      if (response.status() >= 500) wrong.push(`${url}: ${response.status()}`);
      wrong.push(...(await faults(new URL(url).pathname)));
    }
    assert.deepEqual(wrong, []);
  });
});
