// Lighthouse on five pages, as a phone on a slow line (its default) and as a desktop. Accessibility and good practice must be
// as good as they are; the score for speed depends on the machine, so it is told and left to whoever reads it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import lighthouse, { desktopConfig } from 'lighthouse';

import { launch, visit } from './chromium.mjs';
import { freePort, ready } from './world.mjs';

const CATEGORIES = ['performance', 'accessibility', 'best-practices'];
const PAGES = ['', '/activity', '/people', '/catalog', '/money'];

let browser;
let port;
let cookie;

before(async () => {
  port = await freePort();
  browser = await launch([`--remote-debugging-port=${port}`]);
  const page = await visit(browser);
  cookie = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
});
after(() => browser?.close());

for (const path of PAGES) {
  for (const [factor, config] of [['phone', undefined], ['desktop', desktopConfig]]) {
    test(`${path || '/'} on a ${factor}`, async () => {
      const url = `${ready.url}/t/${ready.tenant}${path}`;
      const options = { port, extraHeaders: { Cookie: cookie }, onlyCategories: CATEGORIES, logLevel: 'error' };
      const { lhr } = await lighthouse(url, options, config);
      assert.equal(new URL(lhr.finalDisplayedUrl).pathname, new URL(url).pathname, 'it is the page that was meant');
      const scores = Object.fromEntries(CATEGORIES.map((name) => [name, Math.round(lhr.categories[name].score * 100)]));
      console.log(`lighthouse ${factor} ${path || '/'}: ${CATEGORIES.map((name) => `${name} ${scores[name]}`).join(', ')}`);
      const short = Object.values(lhr.audits)
        .filter(({ score, scoreDisplayMode }) => score !== null && score < 0.9 && scoreDisplayMode !== 'informative')
        .map(({ id, score, displayValue }) => `${id} ${score} ${displayValue ?? ''}`);
      assert.ok(scores.accessibility >= 95 && scores['best-practices'] >= 95, short.join('\n'));
    });
  }
}
