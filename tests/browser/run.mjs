/**
 * Ana and Ben use the browser edition: two apps, two domains, an independent issuer, no mocks.
 *
 * `npm test`; the last line says how many scenes passed. Pictures and logs go into `out`.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { PATIENCE, Person } from './lib/person.mjs';
import { stopAll } from './lib/programs.mjs';
import { Runner } from './lib/runner.mjs';
import { TAMPERED, tamperedDomain } from './lib/tamper.mjs';
import { A, B, World } from './lib/world.mjs';

const OUT = fileURLToPath(new URL('./out', import.meta.url));
const FLAGS =
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync --no-proxy-server';
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
/** The issuer's development pages ask for a font from elsewhere; nothing else may. */
const NOWHERE = '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE *.localhost , EXCLUDE 127.0.0.1';

rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT, { recursive: true });
const folder = mkdtempSync(join(tmpdir(), 'parlance-browser-'));
const people = [];
const runner = new Runner(async (name) => {
  for (const { page, name: who } of people) {
    const file = `failure-${name.replace(/\W+/g, '-')}.${who}.png`;
    await page.screenshot({ path: join(OUT, file) }).catch(() => {});
    const text = await page.evaluate(() => document.body.innerText).catch(() => '');
    console.log(`     ${who} sees: ${text.replace(/\s+/g, ' ').slice(0, 300)}`);
    // What is left open must not stand in the way of the next scene.
    for (let layer = 0; layer < 3; layer += 1) await page.keyboard.press('Escape').catch(() => {});
  }
});

const world = await World.start(folder, join(OUT, 'logs'));
const tamperedPort = await tamperedDomain(world);
const browser = await chromium.launch({ executablePath: CHROMIUM, args: [...FLAGS.split(' '), NOWHERE] });

async function person(name, called, domain, issuer) {
  const app = await world.app(name, domain, { [TAMPERED]: tamperedPort });
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce', locale: 'en' });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.goto(app.url);
  const one = new Person({ name, called, domain, page, app, out: OUT, issuer });
  people.push(one);
  return one;
}

let ana;
let ben;

async function firstRun(one) {
  await one.protect();
  await one.chooseIssuer();
  await one.signIn(browser);
  await one.takeAddress();
}

await runner.scene('Ana gets an account at her domain, which vouches for her', async () => {
  ana = await person('ana', 'Ana Adams', A, `http://${A}`);
  await firstRun(ana);
});

await runner.scene('Ben gets an account at his domain, and an independent issuer vouches for him', async () => {
  ben = await person('ben', 'Ben Brown', B, world.issuer);
  await firstRun(ben);
});

await runner.aside('the page without its token reaches nothing', async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(new URL('/', ana.app.url).href);
  await page.getByTestId('app').waitFor({ state: 'hidden' });
  await page.getByTestId('start-trouble').waitFor({ timeout: PATIENCE });
  await context.close();
});

await runner.aside('what is no address is told at once', async () => {
  for (const [typed, words] of [['ben', 'such as ben@example.org'], [ana.address, 'your own address']]) {
    await ana.find(typed);
    await ana.at('find-address-fault').filter({ hasText: words }).waitFor();
    await ana.closeFind();
  }
});

await runner.scene('a denied permission leaves the other domain out of reach, in words', async () => {
  await ana.find(ben.address);
  await ana.permit(B, 'deny');
  await ana.at('find-trouble').filter({ hasText: 'You denied the permission' }).waitFor();
  await ana.judge('s10-denied');
  await ana.closeFind();
});

await runner.scene('asked again, Ana allows it and finds Ben', async () => {
  await ana.find(ben.address);
  await ana.permit(B, 'always');
  await ana.at('find-found').filter({ hasText: ben.address }).waitFor();
  await ana.judge('s7-found');
});

await runner.scene('Ana asks for contact, and what she writes waits', async () => {
  await ana.at('find-request').click();
  await ana.at('conversation-asked').waitFor();
  await ana.write('Hello Ben, this is Ana.');
  await ana.message('Hello Ben, this is Ana.').waitFor();
  await ana.judge('s4-asked');
});

await runner.scene('Ben sees who vouches for Ana before anything she wrote, and accepts', async () => {
  await ben.row(ana).click();
  await ben.at('contact-request-identity').filter({ hasText: `Vouched for by ${A}` }).waitFor();
  assert.equal(await ben.at('message-text').count(), 0, 'Ben must not read a message before he accepted');
  await ben.judge('s4-request');
  await ben.at('contact-accept').click();
  await ben.permit(A, 'always');
  await ben.at('contact-request').waitFor({ state: 'hidden' });
  await ana.at('conversation-asked').waitFor({ state: 'hidden' });
  await ana.at('conversation-identity').filter({ hasText: 'Vouched for by 127.0.0.1' }).waitFor();
});

await runner.scene('both write and both read it', async () => {
  await ben.message('Hello Ben, this is Ana.').waitFor();
  await ben.write('Hello Ana!');
  await ana.message('Hello Ana!').waitFor();
  for (const one of [ana, ben]) {
    await one.page.locator('[data-testid="message"][data-mine="true"][data-state="delivered"]').first().waitFor();
    await one.judge('s4-conversation');
  }
});

await runner.aside('hostile text stays text', async () => {
  const text = '<img src=x onerror="document.title=1"> <b>bold</b> \u202Eevil';
  await ana.write(text);
  await ben.message('<b>bold</b>').waitFor();
  assert.notEqual(await ben.page.title(), '1');
});

await runner.aside('an unknown address is told in words', async () => {
  await ana.find(`nobody@${B}`);
  await ana.at('find-trouble').filter({ hasText: 'There is nobody with this address' }).waitFor();
  await ana.judge('s7-unknown');
  await ana.closeFind();
});

await runner.aside('a domain that does not answer is told in words', async () => {
  await ana.find('somebody@down.localhost');
  await ana.at('find-trouble').filter({ hasText: 'Their domain does not answer' }).waitFor();
  await ana.closeFind();
});

await runner.aside('a package that was changed on its way is never started, in words', async () => {
  await ana.find(`somebody@${TAMPERED}`);
  const consent = ana.at('consent-dialog').waitFor().then(() => ana.permit(TAMPERED, 'once')).catch(() => {});
  await ana.at('find-trouble').filter({ hasText: 'was changed after it was signed' }).waitFor();
  await ana.judge('s10-tampered');
  await ana.closeFind();
  void consent;
});

await runner.aside('the modules stand in the settings with their rights', async () => {
  await ana.settings('modules');
  const stub = ana.page.locator(`[data-testid="module"][data-module*="${B}"]`).first();
  await stub.filter({ hasText: `signed by ${B}` }).waitFor();
  await ana.judge('s21-modules');
});

await runner.aside('themes are kept, and every one is readable', async () => {
  for (const theme of ['dark', 'contrast', 'light']) {
    await ana.settings('appearance');
    await ana.at(`theme-${theme}`).click();
    await ana.page.locator(`html[data-theme="${theme}"]`).waitFor();
    await ana.judge(`s21-appearance-${theme}`);
    await ana.at('nav-chats').click();
    await ana.row(ben).click();
    await ana.message('Hello Ana!').waitFor();
    await ana.judge(`s4-conversation-${theme}`);
  }
});

await runner.aside('Arabic turns the app around', async () => {
  await ana.settings('appearance');
  await ana.at('language').selectOption('ar');
  await ana.page.locator('html[dir="rtl"][lang="ar"]').waitFor();
  await ana.judge('s21-arabic');
  await ana.at('language').selectOption('en');
  await ana.page.locator('html[dir="ltr"][lang="en"]').waitFor();
});

await runner.aside('text at 200 % fits', async () => {
  await ana.settings('appearance');
  await ana.at('text-size').fill('200');
  await ana.page.locator('[data-testid="app"][data-narrow]').waitFor();
  await ana.judge('s21-large');
  const wide = await ana.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 1, `the page is ${wide} px wider than the window`);
  await ana.at('text-size').fill('100');
});

await runner.aside('settings and history are there after a reload', async () => {
  await ana.page.goto(ana.app.url);
  await ana.page.reload();
  await ana.online();
  await ana.row(ben).click();
  await ana.message('Hello Ana!').waitFor();
  await ana.page.locator('html[data-theme="light"]').waitFor();
});

await runner.aside('the person card says who vouches', async () => {
  await ben.at('nav-people').click();
  await ben.person(ana).click();
  await ben.at('person-card').filter({ hasText: ana.address }).waitFor();
  await ben.judge('s8-person');
});

await runner.aside('who is blocked is not heard any more', async () => {
  await ben.at('nav-people').click();
  await ben.person(ana).click();
  await ben.at('person-block').click();
  await ben.page.locator('[data-testid="person-contact"][data-contact="blocked"]').waitFor();
  // The block is done when it can be undone no more.
  await ben.at('toast-undo').waitFor({ state: 'hidden' });
  await ben.judge('s8-blocked');
  await ana.write('Can you still hear me?');
  await ana.message('Can you still hear me?').waitFor();
  await ben.at('nav-chats').click();
  assert.equal(await ben.row(ana).count(), 0);
  assert.equal(await ben.message('Can you still hear me?').count(), 0);
});

await runner.aside('no page had an error', async () => {
  for (const one of people) {
    // The refused token of the other page and the failed look-ups are no errors of these pages.
    assert.deepEqual(one.faults, [], `${one.name}'s page`);
  }
});

await browser.close();
await stopAll();
rmSync(folder, { recursive: true, force: true });
process.exit(runner.end() ? 0 : 1);
