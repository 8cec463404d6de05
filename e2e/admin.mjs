// `workingagents admin`, as the suites use it. If its words change, they change here.
import { execFile } from 'node:child_process';

import { binary, ready } from './world.mjs';

/** Runs one command; resolves to its JSON, or rejects with what it said. */
export function admin(words, { tenant = ready.tenant, env = {} } = {}) {
  const args = ['admin', '--config', ready.config_file, ...(tenant ? ['--tenant', tenant] : []), '--json', ...words];
  return new Promise((resolve, reject) => {
    execFile(binary, args, { timeout: 60_000, maxBuffer: 64 << 20, env: { ...process.env, ...env } }, (failed, stdout, stderr) => {
      if (failed) reject(new Error(`workingagents admin ${words.join(' ')}: ${stderr.trim() || failed.message}`));
      else resolve(stdout.trim() === '' ? null : JSON.parse(stdout));
    });
  });
}

/** Adds an upstream MCP server and approves all its tools. */
export const addModule = (name, title, url) =>
  admin(['module', 'add', '--name', name, '--title', title, '--url', url, '--approve-all']);

/** Gives an agent a permission key. */
export const give = (key, agent) => admin(['grant', 'give', '--key', key, '--agent', agent]);

/** Takes it back. */
export const revoke = (key, agent) => admin(['grant', 'revoke', '--key', key, '--agent', agent]);

/** Issues a bearer key: { key, prefix, … }. `expiresIn` such as `30d` or `2s`. */
export const issueKey = (agent, { expiresIn, tenant } = {}) =>
  admin(['key', 'issue', '--agent', agent, ...(expiresIn ? ['--expires-in', expiresIn] : [])], { tenant });

/** Revokes the key that begins with `prefix`. */
export const revokeKey = (prefix) => admin(['key', 'revoke', '--prefix', prefix]);

/** Founds an organization: { tenant, mcp_path, owner: { email, password }, … }. */
export const foundTenant = (slug, name) =>
  admin(['tenant', 'create', '--slug', slug, '--name', name, '--owner-email', `owner@${slug}.example`, '--owner-name', 'Olga Other'], {
    tenant: null,
  });

/** The newest calls on record, newest first; of tools whose name contains `tool`. */
export const calls = ({ tool, limit = 50 } = {}) => admin(['calls', 'list', '--limit', String(limit), ...(tool ? ['--tool', tool] : [])]);

/** Everything on record about one call. */
export const story = (id) => admin(['calls', 'show', id]);

/** Makes an endpoint at `{mcp_url}/{name}` that has one module's tools, prompts and resources under their plain names. */
export const createBundle = (name, module) => admin(['bundle', 'create', '--name', name, '--module', module, '--unprefixed']);
