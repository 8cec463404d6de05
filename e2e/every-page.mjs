// Finds every kind of page by following links from the front page, as a person would; one example of each kind.
import { ready as shared } from './world.mjs';

/** Files and streams, and what would sign us out: not pages. */
const NO_PAGE = /\.csv$|\/(live|export|template|file|sign-out)$/;
/** More kinds than this would be a fault of the naming of kinds. */
const MOST = 200;

/**
 * What kind of page an address is: ids and names become `*`, and of the query the names count, with the values of those that
 * choose another view. Addresses with two or more filters are kinds that their single filters show already.
 */
export function kindOf(url) {
  const { pathname, searchParams } = new URL(url);
  const path = pathname
    .replace(/\/t\/[^/]+/, '')
    .replace(/\/[a-z]+_[0-9a-f]{32}/g, '/*')
    .replace(/^\/catalog\/(?!new\b)[^/]+(\/(?!new\b|connection\b|switch|rediscover|edit\b|owner\b|off\b|on\b)[^/]+)?/, (_, tool) => `/catalog/*${tool ? '/*' : ''}`)
    .replace(/^\/bundles\/(?!new\b)[^/]+/, '/bundles/*')
    .replace(/\/activity\/sessions\/[^/]+/, '/activity/sessions/*');
  const query = [...new Set(searchParams.keys())].sort();
  if (query.length > 1) return null;
  const [name] = query;
  const view = ['tab', 'by', 'kind', 'columns', 'view', 'way', 'show'].includes(name) ? `${name}=${searchParams.get(name)}` : name;
  return (path || '/') + (view ? `?${view}` : '');
}

/** Resolves to [{ kind, name, url, status }], by following links in `page` (signed in at `ready`) breadth first. */
export async function everyPage(page, ready = shared) {
  const home = `${ready.url}/t/${ready.tenant}`;
  const found = new Map();
  const waiting = [home];
  while (waiting.length > 0 && found.size < MOST) {
    const url = waiting.shift();
    const kind = kindOf(url);
    if (kind === null || found.has(kind)) continue;
    const response = await page.goto(url, { waitUntil: 'domcontentloaded' });
    found.set(kind, { kind, name: fileName(kind), url, status: response.status() });
    const links = await page.evaluate(() => [...document.querySelectorAll('a[href]')].map((link) => new URL(link.getAttribute('href'), document.baseURI).href));
    for (const link of links) {
      const [address] = link.split('#');
      if (address.startsWith(`${home}/`) && !NO_PAGE.test(new URL(address).pathname)) waiting.push(address);
    }
  }
  return [...found.values()].sort((one, other) => (one.kind < other.kind ? -1 : 1));
}

const fileName = (kind) => (kind === '/' ? 'home' : kind.replace(/^\//, '').replaceAll('*', 'one').replace(/[^a-z0-9]+/gi, '-'));
