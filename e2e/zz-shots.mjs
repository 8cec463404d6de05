import { chromium } from 'playwright-core';
import { readFileSync } from 'node:fs';
const ready = JSON.parse(readFileSync('/tmp/money-dev.json', 'utf8').split('\n')[0]);
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-sync'] });
const pages = process.argv.slice(2);
for (const [name, scheme, width] of [['light', 'light', 1280], ['dark', 'dark', 1280], ['phone', 'light', 390]]) {
  const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height: 900 } });
  const page = await context.newPage();
  await page.goto(`${ready.url}/sign-in`);
  await page.getByLabel('Mail address').fill(ready.owner.email);
  await page.getByLabel('Password').fill(ready.owner.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(/\/t\//);
  for (const path of pages) {
    const started = Date.now();
    const response = await page.goto(`${ready.url}/t/demo/${path}`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    const file = `/tmp/money-shots/${path.replace(/[^a-z0-9]+/gi, '-').slice(0, 60)}-${name}.png`;
    await page.screenshot({ path: file, fullPage: true });
    console.log(response.status(), Date.now() - started, wide ? 'WIDE' : '', file);
  }
  await context.close();
}
await browser.close();
