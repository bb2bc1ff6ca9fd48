/**
 * Visits every screen and state of the demo build in every look, lets axe judge each, and takes a picture of it:
 * `npm run e2e:demo [-- <part of a scene's name> …] [-- --look=dark] [-- --no-pictures]`.
 * Without pictures only what has a fault is drawn.
 */
import { createServer } from 'node:http';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { AXE, violations } from './axe.mjs';
import { scenes } from './scenes.mjs';

const root = fileURLToPath(new URL('../dist-demo', import.meta.url));
const shots = fileURLToPath(new URL('./shots', import.meta.url));
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS =
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync';
/** As strict as the desktop window: nothing inline, nothing evaluated. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data: blob:; media-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none'";
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' };

const WIDE = { width: 1280, height: 800 };
const LEAST = { width: 480, height: 600 };
/** `dark` and `contrast` differ from `light` in colours alone, `rtl` and `large` in everything else: each is judged by what it changes. */
const LOOKS = [
  { name: 'light', set: 'light', size: WIDE, brief: true },
  { name: 'dark', set: 'dark', size: WIDE, judge: 'colours' },
  { name: 'contrast', set: 'contrast', size: WIDE, judge: 'colours' },
  { name: 'rtl', set: 'light,lang:ar', size: WIDE, judge: 'structure' },
  { name: 'large', set: 'light,text:200', size: WIDE, judge: 'structure' },
  { name: 'small', set: 'light', size: LEAST },
  { name: 'small-large', set: 'dark,text:200', size: LEAST, brief: true },
  { name: 'small-rtl', set: 'dark,lang:ar', size: LEAST },
  { name: 'pseudo', set: 'light,lang:en-XA', size: LEAST, judge: 'nothing' },
];

const AXE_AT = '/assets/axe-core.js';

function serve() {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, 'http://x').pathname));
    const file = path === AXE_AT ? AXE : join(root, path === '/' ? 'index.html' : path);
    try {
      const body = readFileSync(file);
      // Kept, so that each of the many visits reads and compiles the programs once.
      const kept = path.startsWith('/assets/') ? 'max-age=3600, immutable' : 'no-cache';
      const type = TYPES[extname(file)] ?? 'application/octet-stream';
      response.writeHead(200, { 'content-type': type, 'cache-control': kept, 'content-security-policy': POLICY });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

const wanted = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const pictures = !process.argv.includes('--no-pictures');
const lookWanted = process.argv.find((word) => word.startsWith('--look='))?.slice(7).split(',');
const looks = LOOKS.filter((look) => !lookWanted || lookWanted.includes(look.name));
const chosen = scenes.filter((scene) => wanted.length === 0 || wanted.some((part) => scene.name.includes(part)));
if (wanted.length === 0 && !lookWanted) rmSync(shots, { recursive: true, force: true });
mkdirSync(shots, { recursive: true });

const server = await serve();
const origin = `http://127.0.0.1:${server.address().port}`;
const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS.split(' ') });
const faults = [];
let visits = 0;

/** Two at a time: while one page is drawn, axe reads another. Each takes a part of a look, so that both end together. */
const PART = 30;
const queue = looks.flatMap((look) => {
  const seen = chosen.filter((one) => !one.brief || look.brief);
  return Array.from({ length: Math.ceil(seen.length / PART) }, (_, at) => ({ look, part: seen.slice(at * PART, (at + 1) * PART) }));
});
const visitor = async () => {
  for (let next = queue.shift(); next; next = queue.shift()) await visit(next.look, next.part);
};
await Promise.all([visitor(), visitor()]);
await browser.close();
server.close();
console.log(`${chosen.length} scenes in ${looks.length} looks, ${faults.length} faults`);
for (const fault of [...new Set(faults)]) console.log(`  ${fault}`);
process.exitCode = faults.length > 0 ? 1 : 0;

async function visit(look, part) {
  const context = await browser.newContext({ viewport: look.size, reducedMotion: 'reduce', locale: 'en' });
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  let where = '';
  page.on('pageerror', (error) => faults.push(`${where}: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') faults.push(`${where}: console: ${message.text()}`);
  });
  for (const scene of part) {
    where = `${scene.name} [${look.name}]`;
    try {
      await page.setViewportSize(scene.size ?? look.size);
      // Each visit has an address of its own, and so is a page that knows nothing of the last one.
      await page.goto(`${origin}/?visit=${++visits}&demo=${scene.demo ? `${scene.demo},` : ''}${look.set}${scene.at ?? '#/'}`);
      await scene.act?.(page);
      if (scene.shows) await page.getByTestId(scene.shows).first().waitFor({ timeout: 4000 });
      await page.evaluate(() => document.fonts.ready);
      const before = faults.length;
      await judge(page, look);
      if (pictures || faults.length > before) await draw(page, scene);
    } catch (error) {
      faults.push(`${where}: ${error.message.split('\n')[0]}`);
      await draw(page, scene).catch(() => {});
    }
  }
  await context.close();
  console.log(`${look.name}: ${part.length} scenes seen, ${faults.length} faults so far`);

  function draw(page, scene) {
    return page.screenshot({ path: join(shots, `${scene.name}.${look.name}.png`) });
  }

  async function judge(page, look) {
    const wide = await page.evaluate(() => {
      const seen = [...document.querySelectorAll('*')].filter((one) => {
        const style = getComputedStyle(one);
        const scrolls = /auto|scroll/.test(style.overflowX) || one === document.documentElement;
        return scrolls && one.scrollWidth > one.clientWidth + 1;
      });
      const outside = [...document.querySelectorAll('button, input, textarea, h1, p')].filter((one) => {
        const box = one.getBoundingClientRect();
        const hidden = box.width <= 2 || one.closest('.out-of-sight') || one.closest('.preview');
        return !hidden && (box.right > innerWidth + 1 || box.left < -1);
      });
      return [...seen, ...outside].map((one) => `${one.tagName}.${one.className} ${one.dataset?.testid ?? ''}`);
    });
    for (const one of wide) faults.push(`${where}: wider than its place: ${one}`);
    const h1 = await page.locator('h1').count();
    if (h1 !== 1) faults.push(`${where}: ${h1} h1`);
    if (look.judge === 'nothing') return;
    for (const one of await violations(page, { url: AXE_AT, judge: look.judge })) {
      for (const node of one.nodes) faults.push(`${where}: ${one.id}: ${node.target.join(' ')}: ${node.any[0]?.message ?? one.help}`);
    }
  }
}
