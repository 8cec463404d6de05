// A module behind an authorization server that was not written for it: connected in the dashboard, without scripts, by somebody
// who is sent there and back; its token renewed while agents call; taken back.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { calls, give } from './admin.mjs';
import { typescriptV1 } from './agents.mjs';
import { protectedServer } from './oauth.mjs';
import { eventually, fresh, reader, ready } from './world.mjs';

/** How long an access token is good for, in seconds. */
const LIFETIME = 4;
const name = fresh('files');
const module = `/t/${ready.tenant}/catalog/${name}`;
let service;
let governed;

/** A browser that has no scripts: it keeps cookies, follows redirects, and sends forms. */
const jar = new Map();
async function visit(address, form) {
  let url = new URL(address, ready.url);
  for (let request = form; ; request = undefined) {
    const cookies = jar.get(url.origin) ?? jar.set(url.origin, new Map()).get(url.origin);
    const headers = { Accept: 'text/html', Cookie: [...cookies].map((pair) => pair.join('=')).join('; ') };
    if (request) Object.assign(headers, { Origin: url.origin, 'Sec-Fetch-Site': 'same-origin' });
    const response = await fetch(url, { headers, redirect: 'manual', ...(request && { method: 'POST', body: new URLSearchParams(request) }) });
    for (const cookie of response.headers.getSetCookie()) {
      const [, key, value] = /^([^=]+)=([^;]*)/.exec(cookie);
      if (value === '') cookies.delete(key);
      else cookies.set(key, value);
    }
    const location = response.headers.get('location');
    const text = await response.text();
    if (!location) return { url, status: response.status, text, soon: response.headers.has('refresh') };
    url = new URL(location, url);
  }
}

/** Presses what asks who gives access, goes there, and is back. */
async function connect(form) {
  const leaving = await visit(form, {});
  const [, link] = new RegExp(`href="(${service.issuer}/auth[^"]*)"`).exec(leaving.text) ?? assert.fail(leaving.text);
  return visit(link.replaceAll('&amp;', '&'));
}

before(async () => {
  service = await protectedServer({ lifetime: LIFETIME });
  await visit('/sign-in', { email: ready.owner.email, password: ready.owner.password, next: '' });
});

after(async () => {
  await governed?.close();
  await service?.stop();
});

test('the wizard says that it wants a token, and connects it', async () => {
  const fields = { url: service.mcp, title: 'Files', name, owner: '', authorization: '' };
  let page = await visit(`/t/${ready.tenant}/catalog/new`, fields);
  const draft = page.url.pathname;
  const settled = () => eventually('the server is asked', async () => ((page = await visit(draft)), !page.soon && page));
  assert.match((await settled()).text, /Connect with OAuth/);
  page = await connect(`${draft}/oauth`);
  assert.equal(page.url.pathname, draft, page.text);
  const review = (await settled()).text;
  const [, reviewed] = /name="reviewed" value="([^"]*)"/.exec(review) ?? assert.fail(review);
  page = await visit(`${draft}/add`, { reviewed, all: '1' });
  assert.equal(page.url.pathname, module);
  assert.match(page.text, /Connected with OAuth/);
  assert.match(page.text, /files:read/);
  assert.deepEqual(service.tokens(), { issued: 1, renewed: 0, refused: 0, returned: 0 });
});

test('calls go on while its token is renewed again and again', async () => {
  await give(name, reader().name);
  governed = await typescriptV1(ready.mcp_url, reader().key);
  for (let round = 0; round < 6; round += 1) {
    const [{ text }] = (await governed.call(`${name}.read`, {})).content;
    assert.equal(text, 'read as ada');
    await sleep((LIFETIME * 1000) / 2);
  }
  const { issued, renewed, refused } = service.tokens();
  assert.equal(issued, 1);
  assert.ok(renewed >= 2, `renewed ${renewed} times`);
  assert.equal(refused, 0, 'a refresh token that was used twice would be refused');
});

test('one that is over is renewed before the call, by one of many that want it', async () => {
  await sleep((LIFETIME + 1) * 1000);
  const [before, begun] = [service.tokens().renewed, Date.now()];
  const answers = await Promise.all(Array.from({ length: 6 }, () => governed.call(`${name}.read`, {})));
  assert.ok(answers.every(({ isError }) => !isError), JSON.stringify(answers));
  assert.equal(service.tokens().refused, 0);
  // Where calls take longer than a token lives, another is due meanwhile: in the last quarter of its life.
  const due = 1 + Math.floor((Date.now() - begun) / (LIFETIME * 750));
  const renewed = service.tokens().renewed - before;
  assert.ok(renewed >= 1 && renewed <= due, `renewed ${renewed} times, not once for all that waited`);
});

test('what it is not good for is asked for when it is connected again', async () => {
  const refused = await governed.call(`${name}.write`, {});
  assert.equal(refused.isError, true);
  assert.match(refused.content[0].text, /to connect it again/);
  assert.match((await visit(module)).text, /want of more than it was given/);
  const page = await connect(`${module}/-/oauth`);
  assert.equal(page.url.pathname, module, page.text);
  const answer = await eventually('the call', async () => {
    const answer = await governed.call(`${name}.write`, {});
    return !answer.isError && answer;
  });
  assert.equal(answer.content[0].text, 'write as ada');
});

test('what was taken back must be connected again, and everybody is told so', async () => {
  await service.revoke();
  const told = await eventually('the end of it', async () => {
    const answer = await governed.call(`${name}.read`, {});
    return answer.isError && answer.structuredContent?.error?.code === 'must_be_connected' && answer.content[0].text;
  }, { within: 20_000 });
  assert.match(told, /nothing was done\. Ask .+ to connect it again/);
  assert.match((await visit(module)).text, /Must be connected again/);
  assert.match((await visit(`/t/${ready.tenant}`)).text, new RegExp(`${name}.*must be connected again`, 's'));
  const newest = (await calls({ tool: `${name}.read`, limit: 1 }))[0];
  assert.equal(newest.outcome, 'not_sent', JSON.stringify(newest));
  const page = await connect(`${module}/-/oauth`);
  assert.equal(page.url.pathname, module, page.text);
  const [{ text }] = (await governed.call(`${name}.read`, {})).content;
  assert.equal(text, 'read as ada');
});

test('what it was given goes back when it is disconnected', async () => {
  assert.equal(service.tokens().returned, 0, 'connected again by the same client, it keeps what that has');
  assert.ok((await service.good()) >= 1);
  const page = await visit(`${module}/-/connection/revoke`, {});
  assert.equal(page.url.pathname, module, page.text);
  assert.match(page.text, /is presented nothing any more/);
  await eventually('it is back', async () => service.tokens().returned === 1);
  assert.equal(await service.good(), 0);
  assert.equal((await governed.call(`${name}.read`, {})).isError, true);
});
