// Every kind of page there is, found by following links: it answers, the browser has nothing to complain about, axe
// finds nothing serious in either colour scheme, nothing is wider than a phone, nothing jumps. `cargo xtask screenshots` runs
// this alone and leaves pictures of each in target/screenshots.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';

import { PHONE, PICTURES, WIDE, launch, stranger, visit } from './chromium.mjs';
import { everyPage } from './every-page.mjs';
import { overlaps, serious, tooWide } from './fit.mjs';
import { ready } from './world.mjs';

/** Below this nobody sees that something moved. */
const MOST_SHIFT = 0.01;
const takesPictures = process.env.WORKINGAGENTS_PICTURES === '1';
let browser;
let pages;

before(async () => {
  browser = await launch();
  const page = await visit(browser);
  pages = await everyPage(page);
  await page.context().close();
});
after(() => browser?.close());

/** On a phone, axe looks for what can differ there. */
const inPart = (axe) => axe.withRules(['scrollable-region-focusable']);

/** What else is wrong with the page as it stands in the window. */
const faults = async (page) => {
  const moved = await shift(page);
  const wrong = await page.evaluate(() => {
    const wrong = [];
    const headings = document.querySelectorAll('h1').length;
    if (headings !== 1) wrong.push(`${headings} first headings`);
    if (document.title.trim() === '') wrong.push('no title');
    const ids = [...document.querySelectorAll('[id]')].map((node) => node.id);
    const twice = ids.filter((id, at) => ids.indexOf(id) !== at);
    if (twice.length > 0) wrong.push(`ids that are there twice: ${[...new Set(twice)].join(', ')}`);
    return wrong;
  });
  return moved > MOST_SHIFT ? [...wrong, `the layout shifts by ${moved.toFixed(3)}`] : wrong;
};

/** By how much of the window, times how far, what was shown has moved since. */
const shift = (page) =>
  page.evaluate(
    () =>
      new Promise((resolve) => {
        let sum = 0;
        new PerformanceObserver((list) => list.getEntries().forEach((entry) => (sum += entry.value))).observe({ type: 'layout-shift', buffered: true });
        setTimeout(() => resolve(sum), 50);
      }),
  );

const firstByte = (page) =>
  page.evaluate(() => {
    const [navigation] = performance.getEntriesByType('navigation');
    return navigation.responseStart - navigation.requestStart;
  });

// Both schemes at a time: a browser waits for a server half of its time.
describe('every page', { concurrency: 2 }, () => {
  test('there are pages, and each that is linked to is there', () => {
    assert.ok(pages.length > 5, `${pages.length} pages`);
    assert.deepEqual(pages.filter(({ status }) => status !== 200).map(({ url, status }) => `${url}: ${status}`), []);
  });

  for (const colorScheme of ['light', 'dark']) {
    test(`is fit for everybody in ${colorScheme}`, async () => {
      const signedIn = await visit(browser, { colorScheme });
      const nobody = await stranger(browser, { colorScheme });
      const outside = ['sign-in', 'sign-up', 'forgot'].map((name) => ({ name, url: `${ready.url}/${name}`, page: nobody }));
      outside.push({ name: 'components', url: ready.components_url, page: nobody, isShown: true });
      const wrong = [];
      const waits = [];
      for (const { name, url, page = signedIn, isShown } of [...pages, ...outside]) {
        // On a phone only colours differ from scheme to scheme, and they are those of the wide page.
        const sizes = colorScheme === 'light' || takesPictures ? [[WIDE, ''], [PHONE, '-phone']] : [[WIDE, '']];
        for (const [size, suffix] of sizes) {
          await page.setViewportSize(size);
          await page.goto(url);
          waits.push([await firstByte(page), name]);
          // Pieces beside each other are no page of the product: each has a first heading, for one.
          if (!isShown) wrong.push(...(await faults(page)).map((fault) => `${name}${suffix}: ${fault}`));
          wrong.push(...(await tooWide(page, `${name}${suffix}`)), ...(await overlaps(page, `${name}${suffix}`)));
          wrong.push(...(await serious(page, `${name}${suffix}`, size === PHONE ? inPart : undefined)));
          if (takesPictures) await page.screenshot({ path: `${PICTURES}${name}-${colorScheme}${suffix}.png`, fullPage: true });
        }
      }
      wrong.push(...signedIn.complaints, ...nobody.complaints);
      waits.sort(([one], [other]) => one - other);
      const at = (share) => waits[Math.floor((waits.length - 1) * share)];
      console.log(`first byte of ${waits.length} pages: median ${at(0.5)[0].toFixed(1)} ms, slowest ${at(1)[0].toFixed(1)} ms (${at(1)[1]})`);
      if (takesPictures) writeFileSync(`${PICTURES}index-${colorScheme}.html`, gallery(colorScheme));
      assert.deepEqual(wrong, []);
      await signedIn.context().close();
      await nobody.context().close();
    });
  }
});

test('nothing jumps while a table arrives over a slow line', async () => {
  const page = await visit(browser);
  const line = await page.context().newCDPSession(page);
  await line.send('Network.enable');
  await line.send('Network.emulateNetworkConditions', { offline: false, latency: 50, downloadThroughput: 15_000, uploadThroughput: 15_000 });
  const moved = {};
  for (const path of ['crm/deals', 'catalog/crm', 'settings/record', 'activity']) {
    await page.goto(`${ready.url}/t/${ready.tenant}/${path}`);
    moved[path] = await shift(page);
  }
  assert.deepEqual(Object.entries(moved).filter(([, by]) => by > MOST_SHIFT), []);
  await page.context().close();
});

/** All pictures of a colour scheme on one page, to look at them one by one. */
function gallery(colorScheme) {
  const names = [...pages.map(({ name }) => name), 'sign-in', 'sign-up', 'forgot', 'components'];
  const figures = names.map(
    (name) => `<h2>${name}</h2><img src="${name}-${colorScheme}.png" width="900"> <img src="${name}-${colorScheme}-phone.png" width="280">`,
  );
  return `<!doctype html><meta charset="utf-8"><title>${colorScheme}</title>${figures.join('\n')}`;
}
