/** Two domains that know nothing of each other, an issuer that belongs to neither, and apps for a browser. */
import { chmodSync, mkdirSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, nodeJs, ours, start } from './programs.mjs';

export const A = 'a.localhost';
export const B = 'b.localhost';
const OPENS_MS = 30_000;

export class World {
  static async start(folder, logs) {
    const world = new World();
    world.folder = folder;
    world.logs = logs;
    const issuer = { cwd: join(ROOT, 'tests/issuer') };
    const [a, b, op] = await Promise.all([
      world.#node(A, 'ws'),
      world.#node(B, 'sse'),
      start(world.logs, 'issuer', nodeJs, ['op.mjs', '0'], issuer, (line) => line.startsWith('OP ') && line.slice(3).trim()),
    ]);
    world.ports = { [A]: a, [B]: b };
    world.issuer = op.found;
    return world;
  }

  async #node(domain, wire) {
    const data = join(this.folder, `node-${domain}`);
    mkdirSync(data, { recursive: true, mode: 0o700 });
    const args = ['--data', data, 'serve', '--domain', domain, '--wire', wire, '--port', '0', '--packages', join(ROOT, 'hyperties/dist')];
    const ready = 'parlance-node ready ';
    const { found } = await start(this.logs, `node-${domain}`, ours('parlance-node'), args, {}, (line) => line.startsWith(ready) && line.slice(ready.length));
    return Number(new URL(found.trim()).port);
  }

  /** Serves the app of one person; `ports` may say that a domain lives elsewhere. */
  async app(person, domain, ports = {}) {
    const home = join(this.folder, person);
    mkdirSync(home, { recursive: true, mode: 0o700 });
    const addresses = join(home, 'addresses');
    const browser = join(home, 'browser');
    writeFileSync(addresses, '');
    writeFileSync(browser, `#!/bin/sh\nprintf '%s\\n' "$1" >> '${addresses}'\n`);
    chmodSync(browser, 0o700);
    const localhost = Object.entries({ ...this.ports, ...ports }).map(([name, port]) => `${name}=${port}`).join(',');
    const env = {
      HOME: home,
      // What the device is called among the devices of its owner.
      HOSTNAME: person,
      PARLANCE_HOME: join(home, 'parlance'),
      PARLANCE_LOCALHOST: localhost,
      PARLANCE_DOMAIN: domain,
      PARLANCE_ISSUERS: `${this.issuer}=Independent issuer`,
      PARLANCE_KEYRING: 'off',
      PARLANCE_BROWSER: browser,
      PARLANCE_MICROPHONE: 'none',
      PARLANCE_SPEAKER: 'none',
      PARLANCE_CAMERA: 'counter',
      PARLANCE_MEDIA_LOOPBACK: '1',
      RUST_LOG: process.env.RUST_LOG ?? 'info',
    };
    const args = ['--profile', person, 'serve', '--listen', '127.0.0.1:0', '--ui', process.env.PARLANCE_UI ?? join(ROOT, 'ui/dist')];
    const { found, stop } = await start(this.logs, `app-${person}`, ours('parlance-cli'), args, { env }, (line) => line.startsWith('http://') && line.trim());
    let taken = 0;
    const nextAddress = async () => lineOf(addresses, taken++, `the app of ${person} opened no browser`);
    return { url: found, nextAddress, stop };
  }
}

/** The line with this number, as soon as somebody has written it. */
function lineOf(path, number, otherwise) {
  return new Promise((resolve, reject) => {
    const look = () => {
      const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
      if (lines.length > number) end(() => resolve(lines[number]));
    };
    const watcher = watch(path, look);
    const timer = setTimeout(() => end(() => reject(new Error(otherwise))), OPENS_MS);
    const end = (then) => {
      clearTimeout(timer);
      watcher.close();
      then();
    };
    look();
  });
}
