// Whether a page is fit for everybody: nothing that axe calls serious, in either colour scheme, and nothing wider than a phone.
import { AxeBuilder } from '@axe-core/playwright';

import { PHONE, PICTURES, WIDE } from './chromium.mjs';

/** What axe calls serious or worse, a sentence each. `narrow`: takes and returns the builder. */
export async function serious(page, name, narrow = (axe) => axe) {
  const { violations } = await narrow(new AxeBuilder({ page })).analyze();
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, impact, help, nodes }) => `${name}: ${id} (${impact}): ${help}: ${nodes[0].html.slice(0, 200)}`);
}

/** What is wider than the window, as a list of one sentence or none. */
export async function tooWide(page, name) {
  const [wide, window, culprit] = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    const nodes = [...document.querySelectorAll('body *')].filter((node) => node.getBoundingClientRect().right > clientWidth + 0.5);
    return [scrollWidth, clientWidth, nodes.at(-1)?.outerHTML.slice(0, 300)];
  });
  return wide > window ? [`${name}: ${wide} px wide in a window of ${window}: ${culprit}`] : [];
}

/** What sticks out of the column that it stands in, over whatever stands beside it: a sentence for each. */
export async function overlaps(page, name) {
  const found = await page.evaluate(() => {
    const scrolls = (node) => node && (getComputedStyle(node).overflowX !== 'visible' || scrolls(node.parentElement));
    return [...document.querySelectorAll('main :is(table, form, pre, ul, dl)')]
      .filter((node) => node.checkVisibility() && !scrolls(node.parentElement))
      .map((node) => [node, node.getBoundingClientRect().right - node.parentElement.getBoundingClientRect().right])
      .filter(([, over]) => over > 1)
      .map(([node, over]) => `${Math.round(over)} px out of its column: ${node.outerHTML.slice(0, 200)}`);
  });
  return found.map((what) => `${name}: ${what}`);
}

/**
 * Everything that is wrong with the page as it stands, wide and on a phone, light and dark; with a picture of each. For what no
 * link leads to, such as what a form answers: `browser-every-page` looks at all the rest.
 */
export async function faults(page, name) {
  const found = [];
  for (const [size, suffix] of [[PHONE, '-phone'], [WIDE, '']]) {
    await page.setViewportSize(size);
    found.push(...(await tooWide(page, `${name}${suffix}`)), ...(await overlaps(page, `${name}${suffix}`)));
    for (const colorScheme of ['dark', 'light']) {
      await page.emulateMedia({ colorScheme });
      const what = `${name}-${colorScheme}${suffix}`;
      found.push(...(await serious(page, what)));
      await page.screenshot({ path: `${PICTURES}${what}.png`, fullPage: true });
    }
  }
  return found;
}
