// The dashboard without a browser: signed in by its own form, pages as text. For what is on record and has no other way out.
import { ready } from './world.mjs';

/** Signs the owner in; resolves to a function from a path below the organization to its HTML. */
export async function dashboard() {
  const response = await fetch(`${ready.url}/sign-in`, {
    method: 'POST',
    redirect: 'manual',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', Origin: ready.url, 'Sec-Fetch-Site': 'same-origin' },
    body: new URLSearchParams({ email: ready.owner.email, password: ready.owner.password, next: '' }),
  });
  const cookie = response.headers.getSetCookie().map((one) => one.split(';')[0]).join('; ');
  if (![302, 303].includes(response.status) || cookie === '') throw new Error(`signing in: HTTP ${response.status}`);
  return async (path) => {
    const page = await fetch(`${ready.url}/t/${ready.tenant}${path}`, { headers: { Cookie: cookie }, redirect: 'manual' });
    if (page.status !== 200) throw new Error(`${path}: HTTP ${page.status}`);
    return page.text();
  };
}
