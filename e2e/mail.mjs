// A real SMTP server that keeps what it gets (npm `maildev`), and an installation that sends to it.
import { mkdtempSync, chmodSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { beside, binary, eventually, freePort, start } from './world.mjs';

/**
 * Starts a mail server. Resolves to { smtp_url, to, stop }: `to(address, subject)` waits for the newest mail to an address and
 * resolves to { subject, text, html, from, headers, links }.
 */
export async function mailServer() {
  const [smtp, web] = [await freePort(), await freePort()];
  const places = ['--smtp', `${smtp}`, '--ip', '127.0.0.1', '--web', `${web}`, '--web-ip', '127.0.0.1'];
  const api = `http://127.0.0.1:${web}/api/email`;
  const server = await start(process.execPath, [beside('node_modules/maildev/dist/bin/maildev.js'), ...places], {
    isReady: async () => (await fetch(api).catch(() => null))?.ok,
  });
  const seen = new Set();
  /** The newest mail to an address that was not given out before. */
  const to = (address, subject) =>
    eventually(`a mail to ${address}: ${subject}`, async () => {
      const mails = await (await fetch(api)).json();
      const mine = mails.filter((mail) => mail.to.some((one) => one.address === address) && !seen.has(mail.id));
      const found = mine.findLast((mail) => subject.test(mail.subject));
      if (!found) return null;
      seen.add(found.id);
      const mail = await (await fetch(`${api}/${found.id}`)).json();
      return { ...mail, links: mail.text.split(/\r?\n/).filter((line) => /^https?:\/\//.test(line)) };
    });
  return { smtp_url: `smtp://127.0.0.1:${smtp}`, to, stop: server.stop };
}

/** Starts an installation of its own with settings as `serve` has them. Resolves to { ready, stop }. */
export async function installation(settings) {
  const data = mkdtempSync(join(tmpdir(), 'workingagents-e2e-'));
  // PostgreSQL runs as another user where we are root; unable to pass, it would leave its data elsewhere.
  chmodSync(data, 0o711);
  const env = Object.fromEntries(Object.entries(settings).map(([key, value]) => [`WORKINGAGENTS_${key}`, value]));
  const site = process.env.WORKINGAGENTS_SITE ?? new URL('../target/site', import.meta.url).pathname;
  const server = await start(binary, ['dev', '--json', '--port', '0', '--data', join(data, 'data'), '--site', site], {
    env,
    isReady: (said) => said.split('\n').find((line) => line.startsWith('{"')),
    patience: 180_000,
  });
  return {
    ready: JSON.parse(server.ready),
    stop: async () => {
      await server.stop();
      rmSync(data, { recursive: true, force: true });
    },
  };
}
