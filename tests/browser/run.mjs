/**
 * Ana and Ben use the browser edition: two apps, two domains, an independent issuer, no mocks.
 * Ana has a mouse; whatever Ben does, he does with the keyboard alone.
 *
 * `npm test`; the last line says how many scenes passed. Pictures and logs go into `out`.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { countedUpTo } from './lib/counter.mjs';
import { Keyboard, Mouse } from './lib/hands.mjs';
import { PATIENCE, Person } from './lib/person.mjs';
import { judge, pictureOf } from './lib/judge.mjs';
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
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
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

async function person(name, called, domain, issuer, Hands, account = name) {
  const app = await world.app(name, domain, { [TAMPERED]: tamperedPort });
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce', locale: 'en' });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.goto(app.url);
  const one = new Person({ name, account, called, domain, page, hands: new Hands(page), app, out: OUT, issuer });
  people.push(one);
  return one;
}

/** Starts the app of somebody again, and opens its page. */
async function reopen(one) {
  one.app = await world.app(one.name, one.domain, { [TAMPERED]: tamperedPort });
  await one.page.goto(one.app.url);
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
  ana = await person('ana', 'Ana Adams', A, `http://${A}`, Mouse);
  await firstRun(ana);
});

await runner.scene('Ben gets one at his, without a mouse, and an independent issuer vouches for him', async () => {
  ben = await person('ben', 'Ben Brown', B, world.issuer, Keyboard);
  await firstRun(ben);
});

await runner.aside('a page without its token, or with another one, reaches nothing, in words', async () => {
  for (const [end, code] of [['/', 'shell-no-token'], [`/#token=${'0'.repeat(32)}`, 'shell-lost']]) {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(new URL(end, ana.app.url).href);
    await page.locator(`[data-testid="start-trouble"][data-code="${code}"]`).waitFor({ timeout: PATIENCE });
    assert.equal(await page.getByTestId('app').count(), 0);
    await judge(page, 's0-refused', pictureOf(OUT, 's0-refused', code));
    await context.close();
  }
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
  await ana.trouble('denied', 'You denied the permission').waitFor();
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
  await ana.press('find-request');
  await ana.at('conversation-asked').waitFor();
  await ana.write('Hello Ben, this is Ana.');
  await ana.message('Hello Ben, this is Ana.').waitFor();
  await ana.judge('s4-asked');
});

await runner.scene('Ben sees who vouches for Ana before anything she wrote, and accepts', async () => {
  await ben.hands.press(ben.row(ana));
  await ben.at('contact-request-identity').filter({ hasText: `Vouched for by ${A}` }).waitFor();
  assert.equal(await ben.at('message-text').count(), 0, 'Ben must not read a message before he accepted');
  await ben.judge('s4-request');
  await ben.press('contact-accept');
  await ben.permit(A, 'always');
  await ben.at('contact-request').waitFor({ state: 'hidden' });
  await ana.at('conversation-asked').waitFor({ state: 'hidden' });
  await ana.at('conversation-identity').filter({ hasText: 'Vouched for by 127.0.0.1' }).waitFor();
});

await runner.scene('both write and both read it', async () => {
  await ben.message('Hello Ben, this is Ana.').waitFor();
  await ben.write('Hello Ana!');
  await ana.message('Hello Ana!').waitFor();
  await ana.mine('Hello Ben, this is Ana.', 'delivered').waitFor();
  await ben.mine('Hello Ana!', 'delivered').waitFor();
  for (const one of [ana, ben]) {
    // What is in sight counts as read.
    await one.at('chat-unread').waitFor({ state: 'hidden' });
    await one.judge('s4-conversation');
  }
});

await runner.aside('they see each other: the numbers that each camera counts are read back from the pixels of the other page', async () => {
  await ana.press('conversation-call-seen');
  await ben.at('incoming-call').waitFor();
  await ben.press('call-accept-seen');
  for (const one of [ana, ben]) {
    await one.at('call-timer').waitFor();
    await one.at('call-view-own').waitFor();
    const seen = await countedUpTo(one.page, 'call-view-theirs', 10, PATIENCE);
    assert.ok(seen.every((number, at) => at === 0 || number > seen[at - 1]), `in order: ${seen}`);
    await countedUpTo(one.page, 'call-view-own', 3, PATIENCE);
    await one.judge('s14-seen');
  }
  await ana.page.keyboard.press('v');
  await ana.at('call-view-self').waitFor({ state: 'hidden' });
  await ben.at('call-view-off').waitFor();
  await ben.judge('s14-camera-off');
  await ana.press('call-hangup');
  for (const one of [ana, ben]) {
    await one.at('call-end').waitFor();
    await one.press('call-close');
    await one.at('call-end').waitFor({ state: 'hidden' });
  }
  await ana.open(ben);
  await ben.open(ana);
});

await runner.aside('both see that it was read, and who likes sees that the other is typing', async () => {
  await ana.mine('Hello Ben, this is Ana.', 'read').waitFor();
  await ben.mine('Hello Ana!', 'read').waitFor();
  await ben.fill('composer', 'I am just');
  await ana.at('conversation-typing').filter({ hasText: 'is typing' }).waitFor();
  await ana.judge('s4-typing');
  await ben.fill('composer', '');
});

await runner.aside('messages are answered, reacted to, edited and deleted for everyone, with a mouse and without', async () => {
  await ana.write('Shall we **meet** on Monday?');
  await ben.message('Shall we meet on Monday?').waitFor();
  assert.equal(await ben.line('Shall we').locator('strong').textContent(), 'meet');
  await ben.does('Shall we meet', 'message-reply');
  await ben.at('composer-about').waitFor();
  await ben.judge('s5-reply');
  await ben.page.keyboard.type('Tuesday is better');
  await ben.page.keyboard.press('Enter');
  await ana.line('Tuesday is better').getByTestId('message-quote').filter({ hasText: 'Shall we meet' }).waitFor();

  await ana.hands.actions(ana.line('Tuesday is better'));
  await ana.hands.press(ana.page.locator('[data-testid="message-react"][data-emoji="👍"]'));
  await ben.line('Tuesday is better').locator('[data-testid="message-reaction"][data-emoji="👍"]').waitFor();

  await ana.does('Shall we meet', 'message-edit');
  await ana.fill('composer', 'Shall we meet on Tuesday?');
  await ana.press('composer-send');
  await ben.line('Shall we meet on Tuesday?').getByTestId('message-edited').waitFor();
  await ben.does('Shall we meet on Tuesday?', 'message-pin');
  await ana.at('pinned').filter({ hasText: 'Shall we meet on Tuesday?' }).waitFor();
  for (const one of [ana, ben]) await one.judge('s4-talked-about');

  await ana.does('Shall we meet on Tuesday?', 'message-take-back');
  await ana.at('toast-undo').waitFor({ state: 'hidden' });
  await ben.at('message').filter({ hasText: 'Ana Adams deleted this message' }).waitFor();
  await ben.at('pinned').waitFor({ state: 'hidden' });
  assert.equal(await ben.message('Shall we meet').count(), 0);
  await ben.judge('s4-deleted-for-everyone');
});

await runner.aside('a link says where it leads, whatever the message says', async () => {
  await ben.write('Look: [a.localhost](http://elsewhere.example/login)');
  await ana.hands.press(ana.at('message-link').last());
  await ana.at('leave-host').filter({ hasText: 'elsewhere.example' }).waitFor();
  await ana.judge('s4-leave');
  await ana.page.keyboard.press('Escape');
  await ana.at('leave-dialog').waitFor({ state: 'hidden' });
});

await runner.aside('a message is found by its words', async () => {
  await ben.page.keyboard.press('Control+Shift+f');
  await ben.fill('search-field', 'tuesd bett');
  await ben.hands.press(ben.at('search-found').first());
  await ben.at('search-dialog').waitFor({ state: 'hidden' });
  await ben.page.waitForFunction(() => document.activeElement?.textContent?.includes('Tuesday is better'));
  await ben.page.keyboard.press('Control+Shift+f');
  await ben.fill('search-field', 'monday');
  await ben.at('search-status').filter({ hasText: 'No message' }).waitFor();
  await ben.judge('s24-search');
  await ben.page.keyboard.press('Escape');
});

await runner.aside('hostile text stays text', async () => {
  const text = '<img src=x onerror="document.title=1"> <b>bold</b> \u202Eevil';
  await ana.write(text);
  await ben.message('<b>bold</b>').waitFor();
  assert.equal(await ben.page.locator('[data-testid="message"] :is(img, b)').count(), 0);
  assert.notEqual(await ben.page.title(), '1');
});

await runner.aside('who is away is written to all the same', async () => {
  await ben.page.goto('about:blank');
  await ben.app.stop();
  await ana.write('Are you asleep?');
  await ana.mine('Are you asleep?', 'sent').waitFor();
});

await runner.scene('Ben starts his app again: only his passphrase opens it, and his history is there', async () => {
  await reopen(ben);
  await ben.unlock('not the passphrase');
  await ben.at('unlock-passphrase-fault').waitFor();
  await ben.judge('s1-unlock');
  await ben.unlock(ben.passphrase);
  await ben.online();
  await ben.open(ana);
  for (const words of ['Hello Ben, this is Ana.', 'Hello Ana!', 'Are you asleep?']) await ben.message(words).waitFor();
  await ana.mine('Are you asleep?', 'delivered').waitFor();
  await ben.write('Not any more.');
  await ana.message('Not any more.').waitFor();
});

await runner.aside('an unknown address is told in words', async () => {
  await ana.find(`nobody@${B}`);
  await ana.trouble('not-found', 'There is nobody with this address').waitFor();
  await ana.judge('s7-unknown');
  await ana.closeFind();
});

await runner.aside('a domain that does not answer is told in words', async () => {
  await ana.find('somebody@down.localhost');
  await ana.trouble('domain-unreachable', 'The domain does not answer').waitFor();
  await ana.closeFind();
});

await runner.aside('a package that was changed on its way is never started, in words', async () => {
  await ana.find(`somebody@${TAMPERED}`);
  await ana.trouble('package-tampered', 'was changed after it was signed').waitFor();
  assert.equal(await ana.at('consent-dialog').count(), 0, 'nobody is asked about a forgery');
  await ana.judge('s10-tampered');
  await ana.closeFind();
});

await runner.aside('every part of the window is reached by its key', async () => {
  const { keyboard } = ben.page;
  const inside = (testid) => ben.page.waitForFunction((id) => document.activeElement?.closest(`[data-testid="${id}"]`), testid);
  for (const [key, layer] of [['Control+k', 'palette'], ['Control+/', 'shortcuts-dialog'], ['Control+n', 'find-dialog']]) {
    await keyboard.press(key);
    await ben.at(layer).waitFor();
    await inside(layer);
    await ben.judge(`s24-${layer}`);
    await keyboard.press('Escape');
    await ben.at(layer).waitFor({ state: 'hidden' });
  }
  await inside('detail');
  for (const region of ['rail', 'list', 'detail']) {
    await keyboard.press('F6');
    await inside(region);
  }
  await keyboard.press('Control+k');
  await ben.fill('palette-input', 'Ana');
  await keyboard.press('Enter');
  await inside('conversation');
});

await runner.aside('the modules stand in the settings with their rights', async () => {
  await ana.settings('modules');
  const stub = ana.page.locator(`[data-testid="module"][data-module*="${B}"]`).first();
  await stub.filter({ hasText: `signed by ${B}` }).waitFor();
  await stub.getByTestId('module-revoke').waitFor();
  await ana.judge('s21-modules');
});

await runner.aside('who it is stands beside the conversation, and who one is oneself in the settings', async () => {
  await ana.open(ben);
  await ana.press('conversation-info');
  await ana.at('context').getByTestId('person-identity').filter({ hasText: 'Vouched for by 127.0.0.1' }).waitFor();
  await ana.judge('s6-context');
  await ana.press('context-close');
  await ana.settings('you');
  await ana.at('you-address').filter({ hasText: ana.address }).waitFor();
  await ana.at('you-vouched-by').filter({ hasText: A }).waitFor();
  for (const page of ['you', 'shortcuts', 'about']) {
    await ana.press(`settings-${page}`);
    await ana.page.locator(`[data-testid="settings-page"][data-page="${page}"]`).waitFor();
    await ana.judge(`s21-${page}`);
  }
});

await runner.aside('themes are kept, and every one is readable', async () => {
  for (const theme of ['dark', 'contrast', 'light']) {
    await ana.settings('appearance');
    await ana.press(`theme-${theme}`);
    await ana.page.locator(`html[data-theme="${theme}"]`).waitFor();
    await ana.judge(`s21-appearance-${theme}`);
    await ana.open(ben);
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
  await ana.at('text-size').fill('100');
});

await runner.aside('settings and history are there after a reload', async () => {
  await ana.page.goto(ana.app.url);
  await ana.page.reload();
  await ana.online();
  await ana.open(ben);
  for (const words of ['Hello Ben, this is Ana.', 'Hello Ana!', 'Not any more.']) await ana.message(words).waitFor();
  await ana.page.locator('html[data-theme="light"]').waitFor();
});

await runner.aside('the person card says who vouches', async () => {
  await ben.press('nav-people');
  await ben.hands.press(ben.person(ana));
  await ben.at('person-card').filter({ hasText: ana.address }).waitFor();
  await ben.at('person-identity').filter({ hasText: `Vouched for by ${A}` }).waitFor();
  await ben.judge('s8-person');
});

await runner.aside('who is blocked is not heard any more, and is not told so', async () => {
  await ben.press('person-block');
  await ben.page.locator('[data-testid="person-contact"][data-contact="blocked"]').waitFor();
  // The block is done when it can be undone no more.
  await ben.at('toast-undo').waitFor({ state: 'hidden' });
  await ben.judge('s8-blocked');
  await ana.write('Can you still hear me?');
  await ana.mine('Can you still hear me?', 'sent').waitFor();
  await ben.page.reload();
  await ben.online();
  await ben.press('nav-chats');
  await ben.at('chats-empty').waitFor();
  assert.equal(await ben.row(ana).count(), 0);
});

await runner.aside('a block taken back brings what was written meanwhile, and all that follows', async () => {
  await ben.press('nav-people');
  await ben.hands.press(ben.person(ana));
  await ben.press('person-unblock');
  await ben.page.locator('[data-testid="person-contact"][data-contact="accepted"]').waitFor();
  await ben.open(ana);
  await ben.message('Can you still hear me?').waitFor();
  await ana.write('And now?');
  await ben.message('And now?').waitFor();
  const heard = (await ben.at('message-text').allTextContents()).slice(-2);
  assert.ok(heard[0].includes('Can you still hear me?') && heard[1].includes('And now?'), heard.join(' | '));
  await ben.write('Now I do.');
  await ana.message('Now I do.').waitFor();
});

let tablet;

/** A device of somebody, among their devices. */
const deviceOf = (one, other) => one.page.locator(`[data-testid="device"][data-this="${other}"]`);
const textsOf = async (locator) => (await locator.allTextContents()).map((text) => text.trim());

await runner.scene('Ana links a tablet: both screens show the same six digits, and her history is there', async () => {
  tablet = await person('ana-tablet', 'Ana Adams', A, `http://${A}`, Mouse, 'ana');
  await tablet.protect();
  await tablet.at('welcome-screen').waitFor();
  await tablet.press('welcome-link');
  await tablet.judgeBoth('s2-join');
  await ana.settings('appearance');
  await ana.press('theme-system');
  await ana.settings('devices');
  await ana.press('device-link');
  const code = await ana.at('link-code').textContent();
  await ana.judgeBoth('s22-link');
  await tablet.fill('join-code', code);
  await tablet.press('join-do');
  await tablet.at('join-check').waitFor();
  await ana.at('link-check').waitFor();
  const digits = await ana.at('link-check').getAttribute('data-digits');
  assert.match(digits, /^\d{6}$/);
  assert.equal(await tablet.at('join-check').getAttribute('data-digits'), digits);
  await ana.judgeBoth('s22-asked');
  await tablet.judgeBoth('s2-join-waiting');
  await ana.press('link-admit');
  await ana.at('link-done').waitFor();
  await ana.judgeBoth('s22-done');
  await ana.press('link-finish');
  await deviceOf(ana, false).waitFor();
  await ana.judgeBoth('s21-devices');
  await tablet.online();
  await tablet.open(ben);
  for (const words of ['Hello Ben, this is Ana.', 'Hello Ana!', 'And now?']) await tablet.message(words).waitFor();
});

await runner.scene('what Ben writes reaches both of them, and what the tablet writes reaches Ben and her other device', async () => {
  await ben.open(ana);
  await ben.write('Hello to all your devices.');
  await tablet.message('Hello to all your devices.').waitFor();
  await ana.open(ben);
  await ana.message('Hello to all your devices.').waitFor();
  await tablet.write('Written on the tablet.');
  for (const one of [ben, ana]) await one.message('Written on the tablet.').waitFor();
  await tablet.judgeBoth('s4-second-device');
  // Who is in it is told by the sealed group, not by what Ana says of herself.
  await ben.press('conversation-info');
  const hers = ben.page.locator(`[data-testid="context-member"][data-user="${ana.address}"]`);
  await hers.nth(1).waitFor();
  assert.equal(await hers.count(), 2);
  await ben.judgeBoth('s6-members');
  await ben.press('context-close');
});

await runner.scene('Ana and Ben read twelve words to each other, and are marked as verified on every device', async () => {
  const codes = [];
  for (const one of [ana, ben]) {
    await one.press('conversation-info');
    await one.press('context-compare');
    await one.at('verify-words').waitFor();
    codes.push(await textsOf(one.at('verify-words').locator('li')));
    await one.judgeBoth('s9-words');
  }
  assert.equal(codes[0].length, 12);
  assert.deepEqual(codes[0], codes[1]);
  for (const one of [ana, ben]) {
    await one.press('verify-same');
    await one.at('verify-match').waitFor();
    await one.judgeBoth('s9-match');
    await one.press('verify-done');
    await one.press('context-close');
  }
  for (const one of [ana, ben, tablet]) await one.page.locator('[data-testid="conversation-identity"][data-state="verified"]').waitFor();
  await ben.write('Now I am sure.');
  for (const one of [ana, tablet]) {
    await one.page.locator('[data-testid="message"][data-mark="verified"]').filter({ hasText: 'Now I am sure.' }).waitFor();
    await one.judgeBoth('s4-verified');
  }
});

await runner.aside('a code that does not fit is said to be so before anybody acts on it', async () => {
  await ana.press('conversation-info');
  await ana.press('context-compare');
  await ana.press('verify-tab-qr');
  await ana.at('verify-qr').waitFor();
  await ana.judgeBoth('s9-qr');
  await ana.fill('verify-paste', 'no code at all');
  await ana.press('verify-check');
  await ana.at('verify-paste-fault').waitFor();
  await ana.page.keyboard.press('Escape');
  await ana.at('verify-dialog').waitFor({ state: 'hidden' });
  await ana.press('context-close');
});

await runner.scene('Ana locks her app, and only her passphrase opens it', async () => {
  await ana.page.keyboard.press('Control+l');
  await ana.at('unlock-screen').waitFor();
  assert.equal(await ana.at('app').count(), 0, 'nothing of the app is left in the page');
  await ana.judgeBoth('s2-locked');
  await ben.write('Are you locked?');
  await ana.unlock(ana.passphrase);
  await ana.online();
  await ana.open(ben);
  await ana.message('Are you locked?').waitFor();
});

await runner.scene('Ana keeps her recovery words: the sheet is written, and three words prove it', async () => {
  await ana.settings('security');
  await ana.press('recovery-sheet');
  const told = await ana.at('recovery-sheet-path').textContent();
  const path = /(\/\S+\.txt)/.exec(told)?.[1];
  assert.ok(path, told);
  assert.equal(statSync(path).mode & 0o777, 0o600, 'nobody else may read the sheet');
  const words = new Map([...readFileSync(path, 'utf8').matchAll(/^\s*(\d+)\. (\w+)$/gm)].map(([, place, word]) => [place, word]));
  assert.equal(words.size, 24);
  await ana.judgeBoth('s21-recovery');
  const asked = await ana.page.locator('input[data-testid^="recovery-word-"]').all();
  assert.ok(asked.length >= 3, 'some words are asked for');
  for (const field of asked) await ana.hands.write(field, words.get((await field.getAttribute('data-testid')).split('-').at(-1)));
  await ana.press('recovery-confirm-do');
  await ana.at('recovery-kept').waitFor();
  await ana.judgeBoth('s21-recovery-kept');
});

await runner.scene('Ana takes the tablet out: it reads nothing that is written from then on', async () => {
  await ana.settings('devices');
  await ana.hands.press(deviceOf(ana, false).getByTestId('device-revoke'));
  await ana.at('device-revoke-dialog').waitFor();
  await ana.judgeBoth('s21-revoke');
  await ana.press('device-revoke-dialog-do');
  await ana.page.locator('[data-testid="device"][data-state="revoked"]').waitFor();
  await ana.judgeBoth('s21-revoked');
  await ben.page.locator('[data-testid="system-line"][data-code="device-revoked"]').waitFor();
  await ben.write('Only for the device that is left.');
  await ana.open(ben);
  await ana.message('Only for the device that is left.').waitFor();
  await ben.judgeBoth('s4-device-revoked');
  assert.equal(await tablet.message('Only for the device that is left.').count(), 0, 'the tablet read on');
});

await runner.scene('the tablet says that it was taken out, and erases itself', async () => {
  await tablet.at('taken-out-screen').waitFor();
  await tablet.judgeBoth('s1-taken-out');
  await tablet.fill('taken-out-address', tablet.address);
  await tablet.press('taken-out-erase');
  await tablet.at('protect-screen').waitFor();
});

await runner.scene('somebody with her password begins anew as Ana: her device asks her, and she says no', async () => {
  const stranger = await person('ana-stranger', 'Ana Adams', A, `http://${A}`, Keyboard, 'ana');
  await stranger.protect();
  await stranger.at('welcome-screen').waitFor();
  await stranger.press('welcome-restore');
  await stranger.press('restore-anew');
  await stranger.judgeBoth('s2-anew');
  await stranger.fill('anew-user', stranger.address);
  await stranger.press('anew-next');
  await stranger.hands.choose(stranger.page.locator(`[data-testid="issuer-card"] input[value^="${stranger.issuer}"]`));
  await stranger.hands.check(stranger.at('anew-understood'));
  await stranger.press('anew-start');
  await stranger.at('anew-signin-copy').waitFor();
  await stranger.signInAs(browser, 'ana', ana.passphrase);
  await stranger.at('anew-left').waitFor();
  await stranger.judgeBoth('s2-anew-waiting');

  await ana.at('banner-reset').waitFor();
  await ana.judgeBoth('s3-reset-asked');
  await ana.press('banner-reset-veto');
  await ana.at('banner-reset').waitFor({ state: 'hidden' });
  await stranger.at('anew-ended-screen').waitFor();
  await stranger.judgeBoth('s2-anew-vetoed');
  await ana.open(ben);
  await ana.write('It was not me.');
  await ben.message('It was not me.').waitFor();
});

await runner.aside('no page had an error', async () => {
  for (const one of people) {
    // The refused token of the other page and the failed look-ups are no errors of these pages.
    assert.deepEqual(one.faults, [], `${one.name}'s page`);
  }
});

await browser.close();
await stopAll();
process.exit(runner.end() ? 0 : 1);
