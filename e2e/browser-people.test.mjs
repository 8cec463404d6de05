// Units, people and invitations in a real browser: a team is made, moved and archived; somebody is invited, joins by the mail,
// gets a role, is suspended, removed; one's own account. Then the heart of it without JavaScript.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { launch, stranger, visit } from './chromium.mjs';
import { eventually, fresh, ready } from './world.mjs';

const HERE = `${ready.url}/t/${ready.tenant}`;
const PEOPLE = `${HERE}/people`;
const PASSWORD = 'four words in a row';

let browser;

before(async () => {
  browser = await launch();
});
after(() => browser?.close());

const done = async (page) => {
  assert.deepEqual(page.complaints, [], 'the browser complained');
  await page.context().close();
};

/** What was sent to an address, as the mailbox of `dev` has it: the newest first. */
async function mails(email) {
  const answer = await fetch(`${ready.mailbox_url}/api/mails?to=${encodeURIComponent(email)}`);
  return answer.json();
}

async function newUnit(page, name, { kind = 'Team', under } = {}) {
  await page.goto(`${PEOPLE}/units/new`);
  await page.getByLabel('Name').fill(name);
  await page.getByLabel(kind, { exact: true }).check();
  if (under) await page.getByLabel('Under').selectOption({ label: under });
  await page.getByRole('button', { name: 'Make the unit' }).click();
  await page.getByRole('heading', { level: 1, name }).waitFor();
  return page.url();
}

/** Invites an address and joins by its mail, in a browser of its own. */
async function invite(page, email, name, options = {}) {
  const before = (await mails(email)).length;
  await page.goto(`${PEOPLE}/invitations/new`);
  await page.getByLabel('Mail addresses').fill(email);
  await page.getByRole('button', { name: 'Send invitations' }).click();
  await page.getByText(`An invitation was sent to ${email}.`).waitFor();
  const theirs = await stranger(browser, options);
  const [newest] = await eventually(`a mail to ${email}`, async () => {
    const all = await mails(email);
    return all.length > before && all;
  }, { within: 20_000 });
  await theirs.goto(newest.links.find((link) => link.includes('/join/')));
  await theirs.getByRole('heading', { level: 1, name: /^Join / }).waitFor();
  await theirs.getByLabel('Your name').fill(name);
  await theirs.getByLabel('Password').fill(PASSWORD);
  await theirs.getByRole('button', { name: 'Join' }).click();
  await theirs.waitForURL(`${HERE}**`);
  return theirs;
}

async function personOf(page, email) {
  await page.goto(`${PEOPLE}?text=${encodeURIComponent(email)}`);
  await page.locator('.folding .who a').first().click();
  await page.waitForURL(/\/people\/users\//);
  return page.url();
}

for (const javaScriptEnabled of [true, false]) {
  describe(javaScriptEnabled ? 'with JavaScript' : 'without JavaScript', () => {
    test('a unit is made, moved after its consequence was seen, renamed and archived', async () => {
      const page = await visit(browser, { javaScriptEnabled });
      const [upper, lower] = [fresh('Division'), fresh('Team')];
      const above = await newUnit(page, upper, { kind: 'Department' });
      const place = await newUnit(page, lower);
      await page.getByRole('link', { name: 'Move', exact: true }).click();
      await page.getByLabel('Under').selectOption({ label: upper });
      await page.getByRole('button', { name: 'Show what it changes' }).click();
      await page.getByRole('heading', { level: 2, name: 'What it changes' }).waitFor();
      assert.match(await page.locator('.consequence').innerText(), /0 people, 0 agents and 0 keys/);
      await page.getByRole('button', { name: 'Move the unit' }).click();
      await page.waitForURL(place);
      await page.getByText('The unit was moved.').waitFor();
      assert.match(await page.locator('.breadcrumb').innerText(), new RegExp(upper));

      // The one above cannot be archived, and says what to move.
      await page.goto(`${above}/archive`);
      await page.getByText('It is not empty').waitFor();
      await page.getByRole('link', { name: '1 unit below' }).waitFor();
      await page.goto(`${place}/rename`);
      await page.getByLabel('Name').fill(`${lower} 2`);
      await page.getByRole('button', { name: 'Rename' }).click();
      await page.getByRole('heading', { level: 1, name: `${lower} 2` }).waitFor();
      for (const unit of [place, above]) {
        await page.goto(`${unit}/archive`);
        await page.getByRole('button', { name: 'Archive the unit' }).click();
        await page.getByText('The unit was archived.').waitFor();
      }
      await done(page);
    });

    test('somebody is invited by mail, joins, is suspended, comes back and is removed', async () => {
      const page = await visit(browser, { javaScriptEnabled });
      const [name, email] = [fresh('Person'), `${fresh('person')}@example.com`];
      await page.goto(`${PEOPLE}/invitations/new`);
      await page.getByLabel('Mail addresses').fill(`${email}\nnonsense\n${ready.owner.email}`);
      await page.getByRole('button', { name: 'Send invitations' }).click();
      await page.getByRole('alert').getByText('Line 2').waitFor();
      assert.equal(await page.getByLabel('Mail addresses').inputValue(), `${email}\nnonsense\n${ready.owner.email}`);
      page.complaints = page.complaints.filter((text) => !text.includes('422'));

      const theirs = await invite(page, email, name, { javaScriptEnabled });
      const place = await personOf(page, email);
      await page.getByLabel('Role', { exact: true }).selectOption('approver');
      await page.getByRole('button', { name: 'Give', exact: true }).click();
      await page.getByText('The role was given').waitFor();
      assert.match(await page.locator('main').innerText(), /Approver/);

      await page.getByRole('link', { name: 'Suspend' }).click();
      await page.getByText('signed out everywhere at once').waitFor();
      await page.getByRole('button', { name: 'Suspend' }).click();
      await page.getByText('They are suspended').waitFor();
      await theirs.goto(`${HERE}/me`);
      assert.match(theirs.url(), /\/sign-in/, 'nobody any more');
      await page.getByRole('button', { name: 'Resume' }).click();
      await page.getByText('They may act again.').waitFor();
      await page.getByRole('link', { name: 'Remove' }).click();
      await page.getByRole('button', { name: 'Remove' }).click();
      await page.waitForURL(place);
      await page.getByText('They were removed').waitFor();
      assert.equal(await page.getByRole('link', { name: 'Suspend' }).count(), 0);
      await page.goto(`${PEOPLE}?text=${email}`);
      await page.getByText('Nobody matches').waitFor();
      await theirs.context().close();

      // The address is free.
      const again = await invite(page, email, `${name} again`, { javaScriptEnabled });
      await again.goto(`${HERE}/me/leave`);
      await again.getByRole('button', { name: /^Leave/ }).click();
      await again.waitForURL(/\/sign-in/);
      await again.context().close();
      await done(page);
    });

    test('one changes name, zone and password, and other browsers are signed out', async () => {
      const page = await visit(browser, { javaScriptEnabled });
      const email = `${fresh('person')}@example.com`;
      const mine = await invite(page, email, 'Somebody', { javaScriptEnabled });
      await mine.goto(`${HERE}/me`);
      await mine.getByLabel('Name', { exact: true }).fill('Somebody Else');
      await mine.getByLabel('Time zone').selectOption('Asia/Tokyo');
      await mine.getByRole('button', { name: 'Save' }).click();
      await mine.getByText('Saved.').waitFor();
      assert.equal(await mine.getByLabel('Time zone').inputValue(), 'Asia/Tokyo');

      const other = await stranger(browser, { javaScriptEnabled });
      await other.goto(`${ready.url}/sign-in`);
      await other.getByLabel('Mail address').fill(email);
      await other.getByLabel('Password').fill(PASSWORD);
      await other.getByRole('button', { name: 'Sign in' }).click();
      await other.waitForURL(`${HERE}**`);
      await mine.getByLabel('Current password').fill(PASSWORD);
      await mine.getByLabel('New password').fill(`${PASSWORD} again`);
      await mine.getByRole('button', { name: 'Change the password' }).click();
      await mine.getByText('The password was changed').waitFor();
      await other.goto(`${HERE}/me`);
      assert.match(other.url(), /\/sign-in/);
      await other.context().close();
      await mine.context().close();
      await done(page);
    });
  });
}

describe('for everybody', () => {
  test('a member sees themselves, and no button that would be refused', async () => {
    const owner = await visit(browser);
    const member = await invite(owner, `${fresh('member')}@example.com`, 'A Member');
    await member.goto(PEOPLE);
    const text = await member.locator('main').innerText();
    assert.match(text, /A Member/);
    assert.doesNotMatch(text, /Invite|New unit|New agent/);
    assert.equal(await member.locator('.tree').count(), 0);
    const answer = await member.goto(`${PEOPLE}/units/new`);
    assert.equal(answer.status(), 404);
    await member.context().close();
    await done(owner);
  });

  test('the tree is worked by keyboard', async () => {
    const page = await visit(browser);
    await page.goto(PEOPLE);
    const row = page.locator('.tree li a').first();
    await row.focus();
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.tagName), 'SUMMARY');
    const open = () => page.evaluate(() => document.activeElement.closest('details').open);
    const before = await open();
    await page.keyboard.press('Enter');
    assert.equal(await open(), !before);
    await row.focus();
    await page.keyboard.press('Enter');
    await page.waitForURL(/unit=unit_/);
    await done(page);
  });
});
