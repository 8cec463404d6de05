// A browser as people have one, and pages in it that remember what the browser complained about.
import { mkdirSync } from 'node:fs';

import { chromium } from 'playwright-core';

import { beside, ready } from './world.mjs';

/** Where pictures go. */
export const PICTURES = beside('../target/screenshots/');
export const WIDE = { width: 1280, height: 900 };
export const PHONE = { width: 390, height: 844 };


const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];

/** Starts the browser, with `flags` beside those that it always gets. Close it when done. */
export function launch(flags = []) {
  mkdirSync(PICTURES, { recursive: true });
  return chromium.launch({
    executablePath: process.env.WORKINGAGENTS_CHROMIUM ?? '/usr/bin/chromium',
    args: [...FLAGS, ...flags],
  });
}

/** A page of its own that nobody has signed in to. `page.complaints`: everything the browser complained about. */
export async function stranger(browser, options = {}) {
  const context = await browser.newContext({ viewport: WIDE, ...options });
  const page = await context.newPage();
  page.complaints = [];
  page.on('console', (message) => message.type() === 'error' && page.complaints.push(message.text()));
  page.on('pageerror', (error) => page.complaints.push(String(error)));
  return page;
}

/** A page of its own, signed in: as the demo's owner, or as `email` (the demo's people share a password). */
export async function visit(browser, { email = ready.owner.email, ...options } = {}) {
  const page = await stranger(browser, options);
  await page.goto(`${ready.url}/sign-in`);
  await page.getByLabel('Mail address').fill(email);
  await page.getByLabel('Password').fill(ready.owner.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(`${ready.url}/t/${ready.tenant}**`);
  return page;
}
