// From nothing to a signed-in owner and through a forgotten password, by mails that a real SMTP server got; the same without
// JavaScript.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { PHONE, PICTURES, launch, stranger } from './chromium.mjs';
import { faults } from './fit.mjs';
import { installation, mailServer } from './mail.mjs';
import { fresh, ready as shared } from './world.mjs';

const OLD = 'correct horse battery staple';
const NEW = 'seven green bottles standing';

let browser;
let mails;
let own;
let url;

before(async () => {
  browser = await launch();
  mails = await mailServer();
  own = await installation({ MAIL__SMTP_URL: mails.smtp_url, MAIL__FROM: 'Acme Agents <agents@acme.example>' });
  url = own.ready.url;
});
after(async () => {
  await browser?.close();
  await own?.stop();
  await mails?.stop();
});

const done = async (page) => {
  assert.deepEqual(page.complaints, [], 'the browser complained');
  await page.context().close();
};

const looks = async (page, name) => assert.deepEqual(await faults(page, `joining-${name}`), []);

async function signIn(page, email, password) {
  await page.goto(`${url}/sign-in`);
  await page.getByLabel('Mail address').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

for (const javaScriptEnabled of [true, false]) {
  describe(javaScriptEnabled ? 'joining' : 'joining without JavaScript', () => {
    const organization = fresh('Northwind');
    const slug = organization.toLowerCase();
    const email = `${slug}@example.com`;
    const options = { javaScriptEnabled, timezoneId: 'Europe/Berlin' };

    test('sign up, prove the address by the mail, and be at home', async () => {
      const page = await stranger(browser, options);
      await page.goto(`${url}/sign-in`);
      await page.getByRole('link', { name: 'Set up an organization' }).click();
      await page.waitForURL(`${url}/sign-up`);
      if (javaScriptEnabled) {
        await looks(page, 'sign-up');
        assert.equal(await page.locator('#time_zone').inputValue(), 'Europe/Berlin');
      }
      // First with mistakes: each is said beside its field, and what was typed stays.
      await page.getByLabel('Organization').fill(organization);
      await page.getByLabel('Your name').fill('Ada Lovelace');
      await page.getByLabel('Mail address').fill('ada at example');
      await page.getByLabel('Password').fill('short');
      await page.getByRole('button', { name: 'Continue' }).click();
      await page.locator('.error-summary').waitFor();
      assert.equal(await page.locator('.field[data-wrong]').count(), 2);
      assert.equal(await page.getByLabel('Organization').inputValue(), organization);
      assert.equal(await page.getByLabel('Mail address').inputValue(), 'ada at example');
      assert.equal(await page.getByLabel('Password').inputValue(), '');
      if (javaScriptEnabled) await looks(page, 'sign-up-wrong');

      await page.getByLabel('Mail address').fill(email);
      await page.getByLabel('Password').fill(OLD);
      await page.getByLabel('Currency').selectOption('EUR');
      // The form that came back has said what is wrong, which the browser counts as a complaint of the network.
      page.complaints.length = 0;
      await page.getByRole('button', { name: 'Continue' }).click();
      await page.waitForURL(`${url}/sign-up/sent`);
      assert.match(await page.locator('main').innerText(), new RegExp(email));
      if (javaScriptEnabled) await looks(page, 'sent');

      const mail = await mails.to(email, /Confirm your mail address/);
      assert.equal(mail.from[0].address, 'agents@acme.example');
      assert.equal(mail.headers['auto-submitted'], 'auto-generated');
      const [link] = mail.links;
      assert.ok(link.startsWith(`${url}/verify/`) && mail.html.includes(`href="${link}"`), mail.html);

      // A program that looks at mails follows the link: nothing happens by that.
      for (let n = 0; n < 2; n += 1) assert.equal((await fetch(link)).status, 200);
      await page.goto(link);
      assert.match(await page.locator('main').innerText(), new RegExp(organization));
      if (javaScriptEnabled) await looks(page, 'verify');
      await page.getByRole('button', { name: 'Confirm and go there' }).click();
      await page.waitForURL(`${url}/t/${slug}**`);
      assert.match(await page.locator('body').innerText(), new RegExp(organization));
      await done(page);

      // Used up.
      const again = await stranger(browser, options);
      assert.equal((await again.goto(link)).status(), 404);
      assert.match(await again.locator('main').innerText(), /used up or too old/);
      if (javaScriptEnabled) await looks(again, 'spent');
      await again.context().close();
    });

    test('a forgotten password is set anew by the mail, and old sessions are over', async () => {
      const before = await stranger(browser, options);
      await signIn(before, email, OLD);
      await before.waitForURL(`${url}/t/${slug}**`);

      const page = await stranger(browser, options);
      await page.goto(`${url}/sign-in`);
      await page.getByRole('link', { name: 'Forgot your password?' }).click();
      if (javaScriptEnabled) await looks(page, 'forgot');
      await page.getByLabel('Mail address').fill(email);
      await page.getByRole('button', { name: 'Send the mail' }).click();
      await page.waitForURL(`${url}/forgot/sent`);
      const [link] = (await mails.to(email, /Set a new password/)).links;
      await page.goto(link);
      if (javaScriptEnabled) await looks(page, 'reset');
      await page.getByLabel('New password').fill(NEW);
      await page.getByRole('button', { name: 'Set the password' }).click();
      await page.waitForURL(`${url}/sign-in?reset=yes`);
      assert.match(await page.getByRole('status').innerText(), /new password is set/);
      const told = await mails.to(email, /Your password was changed/);
      assert.match(told.text, new RegExp(organization));

      await before.goto(`${url}/t/${slug}/activity`);
      assert.match(before.url(), /\/sign-in/, 'the session with the old password is over');
      await before.context().close();
      await signIn(page, email, OLD);
      await page.locator('.error-summary').waitFor();
      page.complaints.length = 0;
      await signIn(page, email, NEW);
      await page.waitForURL(`${url}/t/${slug}**`);
      await done(page);
    });

    test('somebody unknown is answered as somebody known, and gets another mail', async () => {
      const nobody = `${fresh('nobody')}@example.com`;
      const said = [];
      for (const address of [email, nobody]) {
        const page = await stranger(browser, options);
        await page.goto(`${url}/forgot`);
        await page.getByLabel('Mail address').fill(address);
        await page.getByRole('button', { name: 'Send the mail' }).click();
        await page.waitForURL(`${url}/forgot/sent`);
        said.push((await page.locator('main').innerText()).replace(address, 'ADDRESS'));
        await done(page);
      }
      assert.equal(said[0], said[1]);
      await mails.to(email, /Set a new password/);
      await mails.to(nobody, /There is no account with this address/);
    });
  });
}

test('how a mail looks, wide and on a phone, light and dark', async () => {
  const email = `${fresh('look')}@example.com`;
  const form = { organization: 'Müller & Söhne', name: 'Ada', email, password: OLD, currency: 'EUR' };
  const headers = { Origin: url, 'Sec-Fetch-Site': 'same-origin' };
  await fetch(`${url}/sign-up`, { method: 'POST', body: new URLSearchParams(form), headers, redirect: 'manual' });
  const { html } = await mails.to(email, /Confirm your mail address/);
  const page = await stranger(browser, { javaScriptEnabled: false });
  for (const colorScheme of ['light', 'dark']) {
    for (const viewport of [{ width: 800, height: 600 }, PHONE]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize(viewport);
      await page.setContent(html);
      await page.screenshot({ path: `${PICTURES}mail-${colorScheme}-${viewport.width}.png` });
    }
  }
  await done(page);
});

test('in dev without a mail server, mails are in the mailbox', async () => {
  const email = `${fresh('dev')}@example.com`;
  const form = new URLSearchParams({ email });
  const headers = { Origin: shared.url, 'Sec-Fetch-Site': 'same-origin' };
  const answer = await fetch(`${shared.url}/forgot`, { method: 'POST', body: form, headers, redirect: 'manual' });
  assert.equal(answer.status, 303);
  const page = await stranger(browser);
  for (let n = 0; n < 50 && (await (await fetch(`${shared.mailbox_url}/api/mails?to=${email}`)).json()).length === 0; n += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const [mail] = await (await fetch(`${shared.mailbox_url}/api/mails?to=${email}`)).json();
  assert.match(mail.subject, /no account/);
  await page.goto(shared.mailbox_url);
  await page.getByRole('row', { name: email }).getByRole('link').click();
  assert.match(await page.locator('pre').innerText(), /No account has it/);
  await page.frameLocator('iframe').getByRole('heading', { name: mail.subject }).waitFor();
  assert.equal(own.ready.mailbox_url, null, 'with a mail server there is no mailbox');
  await done(page);
});
