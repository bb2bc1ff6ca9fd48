/** Names every screen and state, and how to get there; `brief` ones differ from another only in words. */
const demo = (page, script, value) => page.evaluate(`(${script})(window.parlanceDemo, window.parlanceSamples, ${JSON.stringify(value ?? null)})`);
const click = (page, testid) => page.getByTestId(testid).first().click();
const BEN = '#/chats/' + encodeURIComponent('comm://b.localhost/ben');
const chat = (at) => '#/chats/' + encodeURIComponent(`comm://${at}`);

async function toIssuers(page) {
  await click(page, 'welcome-start');
  await page.getByTestId('issuer-list').waitFor();
}
async function toSignIn(page) {
  await toIssuers(page);
  await click(page, 'issuer-sign-in');
  await page.getByTestId('signin-again').waitFor();
}
const failSignIn = (code) => async (page) => {
  await toSignIn(page);
  await demo(page, '(d, s, code) => d.signIn({ state: "failed", trouble: { code, detail: "as it is" } })', code);
};
async function toProfile(page) {
  await toSignIn(page);
  await demo(page, '(d) => d.signIn({ state: "done", name: "Ana Silva", suggested: "ana" })');
  await page.getByTestId('profile-create').waitFor();
}
const find = (address) => async (page) => {
  await click(page, 'new-chat');
  await page.getByTestId('find-address').fill(address);
  await click(page, 'find-submit');
};
const call = (part) => async (page) => {
  await page.getByTestId('app').waitFor();
  await demo(page, '(d, s, part) => { d.callGoes("demo-call", s.sampleCall({ call: "demo-call", ...part })); location.hash = "#/call"; }', part);
};
/** The calls that the scene has, once they are there. */
const calls = (then) => async (page) => {
  await page.getByTestId('app').waitFor();
  await demo(page, '(d) => { d.world.calls.slice().forEach((one) => d.callGoes(one.call, {})); location.hash = "#/call"; }', null);
  await then?.(page);
};
const ended = (reason, seconds = 0) => async (page) => {
  await call({ stage: { at: 'connecting' } })(page);
  await page.getByTestId('call-hangup').waitFor();
  await demo(page, '(d, s, end) => d.callGoes("demo-call", { stage: { at: "ended", ...end } })', { reason, seconds });
};
const ENDS = ['hung-up', 'declined', 'busy', 'no-answer', 'offline', 'not-permitted', 'fingerprint-mismatch', 'dropped', 'elsewhere', 'failed-finding', 'failed-ringing', 'failed-securing', 'failed-connecting'];

const DMITRI = chat('uni.example/dmitri');
const CHOIR = chat('a.localhost/choir');
const person = (user) => '#/people/' + encodeURIComponent(user);
/** Tells a step of the linking, as the app does. */
const linkGoes = (state) => (page) => demo(page, '(d, s, state) => d.link(state)', state);
const CHECK = '402917';
async function toLink(page, ...states) {
  await click(page, 'device-link');
  await page.getByTestId('link-qr').waitFor();
  for (const state of states) await linkGoes(state)(page);
}
async function toJoin(page, ...states) {
  await click(page, 'welcome-link');
  await page.getByTestId('join-code').fill('parlance-link:1:whatever');
  if (states.length === 0) return;
  await click(page, 'join-do');
  for (const state of states) await linkGoes(state)(page);
}
async function toAnewIssuer(page) {
  await click(page, 'welcome-restore');
  await click(page, 'restore-anew');
  await page.getByTestId('anew-user').fill('ana@a.localhost');
  await click(page, 'anew-next');
  await page.getByTestId('issuer-card').first().waitFor();
}
async function toAnewSignIn(page) {
  await toAnewIssuer(page);
  await page.getByTestId('anew-understood').check();
  await click(page, 'anew-start');
  await page.getByTestId('anew-signin-copy').waitFor();
}
const failed = (code) => ({ state: 'failed', trouble: { code, detail: 'as it is' } });
/** Scrolls down to a card that a picture would cut off. */
const see = (testid) => async (page) => {
  await page.getByTestId(testid).waitFor();
  await page.getByTestId(testid).evaluate((one) => one.scrollIntoView({ block: 'start' }));
};

/** Words with all signs, and what leads out of the app. */
const WORDS = 'It is **really** *quite* ~~simple~~ `plain`:\n- first [the tender](https://tenders.example/2026/a-very-long-name-of-a-page-that-does-not-fit-into-one-line)\n- then ask chiara.conti@studio.example\n> Each side keeps its own provider.\n```\nlet answer = 42;\n```\nSee https://example.org.';

/** A picture and a text are chosen. */
async function attach(page) {
  const picture = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==', 'base64');
  await page.getByTestId('attach-input').setInputFiles([
    { name: 'river.png', mimeType: 'image/png', buffer: picture },
    { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('about the tender') },
  ]);
}

async function receiveWords(page) {
  await page.getByTestId('message').first().waitFor();
  await demo(page, '(d, s, words) => d.receive("comm://b.localhost/ben", words)', WORDS);
}

export const scenes = [
  { name: 's1-start-failed', demo: 'fail:app.state', shows: 'start-trouble' },
  { name: 's1-damaged', demo: 'damaged', shows: 'damaged-screen' },
  { name: 's2-protect', demo: 'protect', shows: 'protect-screen' },
  { name: 's2-protect-faults', demo: 'protect', act: async (page) => {
    await page.getByTestId('protect-passphrase').fill('short');
    await click(page, 'protect-submit');
  }, shows: 'protect-passphrase-fault' },
  { name: 's2-unlock', demo: 'locked', shows: 'unlock-screen' },
  { name: 's2-unlock-wrong', demo: 'locked', act: async (page) => {
    await page.getByTestId('unlock-passphrase').fill('not this one');
    await click(page, 'unlock-submit');
  }, shows: 'unlock-passphrase-fault' },
  { name: 's2-unlock-too-soon', demo: 'locked,too-soon:27', act: async (page) => {
    await page.getByTestId('unlock-passphrase').fill('not this one');
    await click(page, 'unlock-submit');
  }, shows: 'unlock-wait' },
  { name: 's2-join', demo: 'welcome', act: (page) => toJoin(page), shows: 'join-do' },
  { name: 's2-join-reaching', demo: 'welcome', act: (page) => toJoin(page, { state: 'reaching' }), shows: 'join-cancel', brief: true },
  { name: 's2-join-waiting', demo: 'welcome', act: (page) => toJoin(page, { state: 'waiting', check: CHECK }), shows: 'join-check' },
  { name: 's2-join-transferring', demo: 'welcome', act: (page) => toJoin(page, { state: 'transferring', done: 1240, total: 3000 }), shows: 'join-progress' },
  ...['link-expired', 'wrong-code', 'link-refused', 'version-mismatch', 'disk-full'].map((code) => (
    { name: `s2-join-failed-${code}`, demo: 'welcome', act: (page) => toJoin(page, failed(code)), shows: 'join-trouble', brief: code !== 'link-expired' })),
  { name: 's2-restore', demo: 'welcome', act: (page) => click(page, 'welcome-restore'), shows: 'restore-screen' },
  { name: 's2-restore-wrong', demo: 'welcome', act: async (page) => {
    await click(page, 'welcome-restore');
    await page.getByTestId('restore-user').fill('ana@a.localhost');
    await page.getByTestId('restore-words').fill('wrong');
    await click(page, 'restore-do');
  }, shows: 'restore-trouble' },
  { name: 's2-restore-faults', demo: 'welcome', act: async (page) => { await click(page, 'welcome-restore'); await click(page, 'restore-do'); }, shows: 'restore-words-fault' },
  { name: 's2-anew', demo: 'welcome', act: async (page) => { await click(page, 'welcome-restore'); await click(page, 'restore-anew'); }, shows: 'anew-costs' },
  { name: 's2-anew-fault', demo: 'welcome', act: async (page) => { await click(page, 'welcome-link'); await click(page, 'join-anew'); await click(page, 'anew-next'); }, shows: 'anew-user-fault', brief: true },
  { name: 's2-anew-issuer', demo: 'welcome', act: (page) => toAnewIssuer(page), shows: 'issuer-card' },
  { name: 's2-anew-not-understood', demo: 'welcome', act: async (page) => { await toAnewIssuer(page); await click(page, 'anew-start'); }, shows: 'anew-understood-fault', brief: true },
  { name: 's2-anew-signin', demo: 'welcome', act: (page) => toAnewSignIn(page), shows: 'anew-signin-copy' },
  ...['other-issuer', 'wrong-account', 'reset-refused'].map((code) => ({ name: `s2-anew-failed-${code}`, demo: 'welcome', act: async (page) => {
    await toAnewSignIn(page);
    await demo(page, '(d, s, code) => d.signIn({ state: "failed", trouble: { code, detail: "as it is" } })', code);
  }, shows: 'anew-signin-trouble', brief: code !== 'other-issuer' })),
  { name: 's2-anew-waiting', demo: 'restart:71', shows: 'anew-left' },
  { name: 's2-anew-waiting-last', demo: 'restart:0.5', shows: 'anew-left', brief: true },
  { name: 's2-anew-give-up', demo: 'restart:71', act: (page) => click(page, 'anew-give-up'), shows: 'anew-give-up-dialog' },
  ...['reset-vetoed', 'reset-lost'].map((code) => ({ name: `s2-anew-${code}`, demo: 'restart:12', act: async (page) => {
    await page.getByTestId('anew-left').waitFor();
    await demo(page, '(d, s, code) => d.restartEnds(code)', code);
  }, shows: 'anew-ended-screen', brief: code !== 'reset-vetoed' })),
  { name: 's2-anew-back', demo: 'restart:1', act: async (page) => {
    await page.getByTestId('anew-left').waitFor();
    await demo(page, '(d) => d.restart(null)');
  }, shows: 'app', brief: true },
  ...['device-revoked', 'device-expired', 'device-replaced'].map((code) => ({ name: `s1-${code}`, demo: `taken-out:${code}`, shows: 'taken-out-screen', brief: code !== 'device-replaced' })),
  { name: 's2-passphrase-required', demo: 'passphrase-required:keyring', shows: 'protect-passphrase' },
  { name: 's2-welcome', demo: 'welcome', shows: 'welcome-screen' },
  { name: 's2-issuers', demo: 'welcome', act: toIssuers, shows: 'issuer-card' },
  { name: 's2-issuer-custom', demo: 'welcome', act: async (page) => {
    await toIssuers(page);
    await click(page, 'issuer-card-custom');
    await page.getByTestId('issuer-custom-url').fill('not a url');
    await click(page, 'issuer-sign-in');
  }, shows: 'issuer-custom-url-fault' },
  { name: 's2-issuer-unreachable-domain', demo: 'welcome', act: async (page) => {
    await toIssuers(page);
    await page.getByTestId('issuer-domain').fill('down.example');
    await click(page, 'issuer-look');
  }, shows: 'issuer-trouble' },
  { name: 's2-issuer-looking', demo: 'welcome,hang:issuer.list', act: (page) => click(page, 'welcome-start'), shows: 'issuer-looking' },
  { name: 's2-signin-waiting', demo: 'welcome', act: toSignIn, shows: 'signin-waiting' },
  ...['issuer-unreachable', 'issuer-refused', 'clock-wrong', 'signin-timeout', 'signin-cancelled'].map((code) => (
    { name: `s2-signin-failed-${code}`, demo: 'welcome', act: failSignIn(code), shows: 'signin-trouble', brief: code !== 'issuer-refused' })),
  { name: 's2-profile', demo: 'welcome', act: toProfile, shows: 'profile-screen' },
  { name: 's2-profile-taken', demo: 'welcome', act: async (page) => {
    await toProfile(page);
    await demo(page, '(d) => (d.world.refuse["profile.create"] = { code: "name-taken", detail: "taken" })');
    await click(page, 'profile-create');
  }, shows: 'profile-trouble' },
  { name: 's3-reset-asked', demo: 'reset-asked', shows: 'banner-reset-veto' },
  { name: 's3-reset-mine', demo: 'reset-asked', act: (page) => click(page, 'banner-reset-mine'), shows: 'reset-mine-dialog' },
  { name: 's3-reset-allowed', demo: 'reset-asked:mine', shows: 'banner-reset', brief: true },
  { name: 's21-privacy-unsupported', demo: 'org:escrow,unsupported', at: '#/settings/privacy', shows: 'policy-write-unsupported' },
  { name: 's2-profile-full-address', demo: 'profile', shows: 'profile-screen' },
  { name: 's2-ready', demo: 'welcome', act: async (page) => { await toProfile(page); await click(page, 'profile-create'); }, shows: 'ready-screen' },

  { name: 's3-chats', shows: 'chat-row' },
  { name: 's3-empty', demo: 'empty', shows: 'chats-empty' },
  { name: 's3-loading', demo: 'hang:chat.list', shows: 'chat-list-loading' },
  { name: 's3-trouble', demo: 'fail:chat.list', shows: 'chat-list-trouble' },
  { name: 's3-offline', demo: 'offline', shows: 'chat-row' },
  { name: 's3-unprotected', demo: 'unprotected', shows: 'chat-row' },
  { name: 's3-no-match', act: (page) => page.getByTestId('chat-filter').fill('zzz') },

  { name: 's3-muted', demo: 'muted:8', shows: 'chat-muted' },
  { name: 's6-mute', at: BEN, demo: 'muted:always', act: (page) => click(page, 'conversation-info'), shows: 'context-mute' },
  { name: 's19-calls', at: '#/calls', shows: 'past-call' },
  { name: 's19-missed', at: '#/calls', act: (page) => click(page, 'call-book-missed'), shows: 'past-call', brief: true },
  { name: 's19-empty', at: '#/calls', demo: 'empty', shows: 'call-book-empty' },
  { name: 's19-trouble', at: '#/calls', demo: 'fail:call.book', shows: 'call-book-trouble', brief: true },
  { name: 's18-details', at: '#/calls/past-2', shows: 'past-call-graph' },
  { name: 's18-details-table', at: '#/calls/past-3', act: async (page) => { await page.getByTestId('past-call-table').locator('summary').click(); await see('past-call-table')(page); }, shows: 'past-call-table' },
  { name: 's18-failed', at: '#/calls/past-4', shows: 'past-call-code' },
  { name: 's21-notices', at: '#/settings/notices', shows: 'notices-detail' },
  { name: 's4-conversation', at: BEN, shows: 'message' },
  { name: 's4-offline', at: BEN, demo: 'offline', shows: 'message' },
  { name: 's4-failed', at: chat('uni.example/dmitri'), shows: 'message-failed' },
  { name: 's4-verified', at: chat('studio.example/chiara.conti'), shows: 'message-mark' },
  ...['rotated', 'recovered', 'reset', 'unexplained', 'mismatch'].map((kind) => ({ name: `s4-change-${kind}`, at: DMITRI, demo: `change:${kind}`, shows: 'composer', brief: !['recovered', 'unexplained'].includes(kind) })),
  { name: 's4-change-stops', at: DMITRI, demo: 'change:unexplained!', shows: 'key-change-hold' },
  { name: 's4-change-stops-draft', at: chat('uni.example/dmitri'), act: async (page) => {
    await page.getByTestId('composer').fill('The code of the door is');
    await demo(page, '(d) => d.keysChange("dmitri@uni.example", "mismatch", true)');
  }, shows: 'key-change-draft', brief: true },
  { name: 's4-request', at: chat('c.localhost/eva'), shows: 'contact-request' },
  { name: 's4-asked', at: chat('farid.example/farid'), shows: 'conversation-asked' },
  { name: 's4-draft', at: chat('very-long-department.university.example/grace'), shows: 'composer' },
  { name: 's4-loading', at: BEN, demo: 'hang:chat.open', shows: 'conversation-loading' },
  { name: 's4-trouble', at: BEN, demo: 'fail:chat.open', shows: 'conversation-trouble' },
  { name: 's4-actions', at: BEN, act: async (page) => {
    await page.getByTestId('message').last().focus();
    await page.keyboard.press('Enter');
  }, shows: 'message-actions' },
  { name: 's4-emoji', at: BEN, act: async (page) => {
    await page.getByTestId('message').last().focus();
    await page.keyboard.press('+');
  }, shows: 'emoji-picker' },
  { name: 's4-quick', at: BEN, act: (page) => page.getByTestId('message').filter({ hasText: 'Perfect' }).hover(), shows: 'message-quick-reply' },
  { name: 's4-words', at: BEN, act: receiveWords, shows: 'message-link' },
  { name: 's4-words-mine', at: BEN, act: async (page) => {
    await page.getByTestId('composer').fill(WORDS);
    await click(page, 'composer-send');
  }, shows: 'message-link' },
  { name: 's4-leave', at: BEN, act: async (page) => {
    await receiveWords(page);
    await click(page, 'message-link');
  }, shows: 'leave-dialog' },
  { name: 's4-link-cards', demo: 'previews:ask', at: BEN, shows: 'link-card' },
  { name: 's5-preview-offered', at: BEN, act: (page) => page.getByTestId('composer').fill('Look at https://walks.example.org/river tonight'), shows: 'draft-preview-make' },
  { name: 's5-preview-loading', demo: 'hang:link.preview', at: BEN, act: async (page) => {
    await page.getByTestId('composer').fill('Look at https://walks.example.org/river tonight');
    await click(page, 'draft-preview-make');
  }, shows: 'draft-preview', brief: true },
  { name: 's5-preview', at: BEN, act: async (page) => {
    await page.getByTestId('composer').fill('Look at https://walks.example.org/river tonight');
    await click(page, 'draft-preview-make');
  }, shows: 'link-card' },
  { name: 's4-typing', at: BEN, act: async (page) => {
    await page.getByTestId('message').first().waitFor();
    await demo(page, '(d) => d.tell({ news: "typing", data: { chat: "comm://b.localhost/ben", user: "ben@b.localhost" } })');
  }, shows: 'conversation-typing' },
  { name: 's4-taken-back', at: BEN, act: async (page) => {
    await page.getByTestId('message').first().waitFor();
    await demo(page, '(d) => { for (const one of d.world.messages["comm://b.localhost/ben"].slice(-3)) d.tell({ news: "message", data: { ...one, content: { type: "deleted" }, reactions: [], pinned: false } }); }');
  }, shows: 'message' },
  { name: 's5-reply', at: BEN, act: async (page) => {
    await page.getByTestId('message').filter({ hasText: 'Perfect' }).focus();
    await page.keyboard.press('r');
  }, shows: 'composer-about' },
  { name: 's5-edit', at: BEN, act: async (page) => {
    await page.getByTestId('composer').focus();
    await page.keyboard.press('ArrowUp');
  }, shows: 'composer-about' },
  { name: 's5-emoji', at: BEN, act: (page) => click(page, 'composer-emoji'), shows: 'emoji-picker', brief: true },
  { name: 's4-forward', at: BEN, act: async (page) => {
    await page.getByTestId('message').filter({ hasText: 'Perfect' }).focus();
    await page.keyboard.press('Enter');
    await click(page, 'message-forward');
  }, shows: 'forward-to' },
  { name: 's24-search', at: BEN, act: async (page) => {
    await click(page, 'conversation-search');
    await page.getByTestId('search-field').fill('the');
    await page.getByTestId('search-found').first().waitFor();
  }, shows: 'search-dialog' },
  { name: 's24-search-none', at: BEN, act: async (page) => {
    await click(page, 'conversation-search');
    await page.getByTestId('search-field').fill('zebra');
  }, shows: 'search-status', brief: true },
  { name: 's4-deleted', at: chat('uni.example/dmitri'), act: (page) => click(page, 'message-delete'), shows: 'toast-undo' },
  { name: 's5-send-trouble', at: BEN, demo: 'fail:chat.send', act: async (page) => {
    await page.getByTestId('composer').fill('Hello\nthere, with quite a long second line that has to be broken somewhere in the middle of it all');
    await page.keyboard.press('Enter');
  }, shows: 'composer-trouble' },
  { name: 's5-too-long', at: BEN, act: (page) => page.getByTestId('composer').fill('word '.repeat(3400)), shows: 'composer-left' },
  { name: 's5-files', at: chat('studio.example/chiara.conti'), shows: 'picture' },
  { name: 's5-files-away', at: chat('studio.example/chiara.conti'), demo: 'file:picture!away,file:other!away,file:voice!coming', shows: 'file-get' },
  { name: 's5-files-directly', at: chat('studio.example/chiara.conti'), demo: 'file:other!directly', shows: 'file-way' },
  { name: 's5-files-waiting', at: chat('studio.example/chiara.conti'), demo: 'file:other!waiting', shows: 'file-waiting' },
  { name: 's5-files-tampered', at: chat('studio.example/chiara.conti'), demo: 'file:picture!file-tampered,file:other!coming', shows: 'file-failed' },
  { name: 's5-uploads', at: chat('studio.example/chiara.conti'), demo: 'upload,upload:file-quota', shows: 'upload-failed' },
  { name: 's5-attaching', at: chat('studio.example/chiara.conti'), act: attach, shows: 'attach-file' },
  { name: 's5-recording', at: chat('studio.example/chiara.conti'), act: (page) => click(page, 'voice-record'), shows: 'voice-recording' },
  { name: 's5-recording-no-microphone', at: chat('studio.example/chiara.conti'), demo: 'fail:voice.begin', act: (page) => click(page, 'voice-record'), shows: 'voice-trouble', brief: true },
  { name: 's5-viewer', at: chat('studio.example/chiara.conti'), act: async (page) => { await page.locator('[data-testid=picture][data-drawn=true]').click(); }, shows: 'viewer-picture' },
  { name: 's3-group-new', act: async (page) => {
    await click(page, 'new-group');
    await page.getByTestId('group-name').fill('Sunday choir');
    await page.getByTestId('group-candidate').first().click();
  }, shows: 'group-create' },
  { name: 's3-group-trouble', demo: 'fail:group.create', act: async (page) => {
    await click(page, 'new-group');
    await page.getByTestId('group-name').fill('Sunday choir');
    await page.getByTestId('group-candidate').first().click();
    await click(page, 'group-create');
  }, shows: 'group-trouble', brief: true },
  { name: 's4-group', demo: 'group', at: CHOIR, shows: 'message-author' },
  { name: 's4-group-polls', demo: 'group,polls', at: CHOIR, shows: 'poll' },
  { name: 's4-group-poll-new', demo: 'group', at: CHOIR, act: async (page) => {
    await click(page, 'composer-poll');
    await page.getByTestId('poll-question').fill('When do we rehearse?');
    await page.getByTestId('poll-answer').first().fill('Saturday');
    await page.getByTestId('poll-answer').nth(1).fill('Sunday');
    await click(page, 'poll-hidden');
  }, shows: 'poll-hidden-means' },
  { name: 's5-group-mention', demo: 'group', at: CHOIR, act: async (page) => {
    await page.getByTestId('composer').fill('');
    await page.getByTestId('composer').pressSequentially('Hello @');
    await page.getByTestId('composer').press('ArrowDown');
  }, shows: 'mention-list' },
  { name: 's4-group-asked', demo: 'group:member!asked', at: CHOIR, shows: 'group-request' },
  { name: 's4-group-removed', demo: 'group:member!group-removed', at: CHOIR, shows: 'conversation-over' },
  { name: 's6-group', demo: 'group', at: CHOIR, act: (page) => click(page, 'conversation-info'), shows: 'group-member' },
  { name: 's6-group-member', demo: 'group:member', at: CHOIR, act: (page) => click(page, 'conversation-info'), shows: 'group-leave', brief: true },
  { name: 's6-group-hand', demo: 'group', at: CHOIR, act: async (page) => {
    await click(page, 'conversation-info');
    await click(page, 'group-hand-over');
  }, shows: 'group-hand-to' },
  { name: 's6-group-invites', demo: 'group,invites', at: CHOIR, act: (page) => click(page, 'conversation-info'), shows: 'invite-yes' },
  { name: 's6-group-invite-new', demo: 'group', at: CHOIR, act: async (page) => {
    await click(page, 'conversation-info');
    await click(page, 'invite-new');
  }, shows: 'invite-make' },
  { name: 's6-group-invite-link', demo: 'group,invites', at: CHOIR, act: async (page) => {
    await click(page, 'conversation-info');
    await click(page, 'invite-show');
  }, shows: 'invite-qr' },
  { name: 's3-group-offer', act: async (page) => {
    await click(page, 'new-chat');
    await page.getByTestId('find-address').fill('parlance:ben@b.localhost?group=abc.def');
    await click(page, 'find-submit');
  }, shows: 'offer-ask' },
  { name: 's3-group-joining', demo: 'joining', shows: 'joining' },
  { name: 's6-group-rename', demo: 'group', at: CHOIR, act: async (page) => {
    await click(page, 'conversation-info');
    await click(page, 'group-rename');
  }, shows: 'group-rename-do' },
  { name: 's6-group-add', demo: 'group', at: CHOIR, act: async (page) => {
    await click(page, 'conversation-info');
    await click(page, 'group-add');
  }, shows: 'group-candidate', brief: true },
  { name: 's6-group-remove', demo: 'group', at: CHOIR, act: async (page) => {
    await click(page, 'conversation-info');
    await page.getByTestId('group-member-remove').last().click();
  }, shows: 'group-confirm' },
  { name: 's6-gallery', at: chat('studio.example/chiara.conti'), act: (page) => click(page, 'conversation-gallery'), shows: 'gallery-file' },
  { name: 's6-gallery-empty', at: BEN, act: (page) => click(page, 'conversation-gallery'), shows: 'gallery-empty', brief: true },
  { name: 's6-context', at: BEN, act: (page) => click(page, 'conversation-info'), shows: 'context' },

  { name: 's6-context-changed', at: DMITRI, act: (page) => click(page, 'conversation-info'), shows: 'refusals' },
  { name: 's6-context-verified', at: chat('studio.example/chiara.conti'), act: (page) => click(page, 'conversation-info'), shows: 'context-compare' },

  { name: 's7-find', act: (page) => click(page, 'new-chat'), shows: 'find-dialog' },
  { name: 's7-wrong', act: find('nonsense'), shows: 'find-address-fault' },
  { name: 's7-searching', act: find('slow@d.example'), shows: 'find-searching' },
  { name: 's7-not-found', act: find('nobody@b.localhost'), shows: 'find-trouble' },
  { name: 's7-unreachable', act: find('ben@down.example'), shows: 'find-trouble' },
  { name: 's7-found', act: find('hana@d.example'), shows: 'find-request' },
  { name: 's7-found-known', act: find('ben@b.localhost'), shows: 'find-open' },
  { name: 's8-people', at: '#/people', shows: 'person-row' },
  { name: 's8-people-empty', demo: 'empty', at: '#/people', shows: 'people-empty' },
  { name: 's8-person', at: '#/people/' + encodeURIComponent('ben@b.localhost'), shows: 'person-identity' },
  { name: 's8-person-verified', at: '#/people/' + encodeURIComponent('chiara.conti@studio.example'), shows: 'person-identity' },
  { name: 's8-person-changed', at: '#/people/' + encodeURIComponent('dmitri@uni.example'), shows: 'person-identity' },
  { name: 's8-person-request', at: '#/people/' + encodeURIComponent('eva@c.localhost'), shows: 'person-accept' },
  { name: 's8-person-missing', at: '#/people/' + encodeURIComponent('gone@c.localhost'), shows: 'person-load-trouble' },

  ...['words', 'digits', 'qr'].map((tab) => ({ name: `s9-${tab}`, at: person('ben@b.localhost'), act: async (page) => { await click(page, 'person-compare'); await click(page, `verify-tab-${tab}`); }, shows: 'verify-panel' })),
  { name: 's9-no-code', at: person('ben@b.localhost'), act: async (page) => {
    await click(page, 'person-compare');
    await click(page, 'verify-tab-qr');
    await page.getByTestId('verify-paste').fill('nonsense');
    await click(page, 'verify-check');
  }, shows: 'verify-paste-fault', brief: true },
  { name: 's9-match', at: person('ben@b.localhost'), act: async (page) => { await click(page, 'person-compare'); await click(page, 'verify-same'); }, shows: 'verify-match' },
  { name: 's9-mismatch', at: person('ben@b.localhost'), act: async (page) => { await click(page, 'person-compare'); await click(page, 'verify-differ'); }, shows: 'verify-mismatch' },
  { name: 's9-trouble', at: person('ben@b.localhost'), demo: 'fail:verify.code', act: (page) => click(page, 'person-compare'), shows: 'verify-load-trouble', brief: true },

  { name: 's10-consent', act: find('ask@b.localhost'), shows: 'consent-dialog' },
  { name: 's10-consent-denied', act: async (page) => {
    await find('ask@b.localhost')(page);
    await click(page, 'consent-deny');
  }, shows: 'find-trouble' },
  { name: 's10-consent-later', act: async (page) => {
    await page.getByTestId('app').waitFor();
    await demo(page, '(d, s) => d.tell({ news: "consent", data: { ...s.sampleConsent, media: true } })');
    await page.getByTestId('consent-dialog').waitFor();
    await page.keyboard.press('Escape');
  }, shows: 'banner-consents' },
  ...['not-signed', 'wrong-key', 'tampered', 'older-version', 'too-large', 'private-address', 'beyond-grants'].map((code) => ({
    name: `s10-refused-${code}`,
    act: async (page) => {
      await page.getByTestId('app').waitFor();
      await demo(page, '(d, s, code) => (d.world.refuse["person.find"] = { code, detail: "as it is" })', code);
      await find('ben@b.localhost')(page);
    },
    shows: 'find-trouble',
    brief: true,
  })),

  ...['finding', 'ringing', 'securing', 'connecting'].map((at) => ({ name: `s12-${at}`, act: call({ stage: { at } }), shows: 'call-stages', brief: at !== 'ringing' })),
  { name: 's12-start-failed', at: BEN, demo: 'fail:call.start', act: (page) => click(page, 'conversation-call'), shows: 'call-start-trouble' },
  { name: 's13-incoming', demo: 'ringing', at: BEN, shows: 'incoming-call' },
  { name: 's13-ring-window', demo: 'ringing', at: '#/ring/ring-1', act: async (page) => {
    await page.getByTestId('ring-window').waitFor();
  }, shows: 'incoming-call' },
  { name: 's13-ring-gone', at: '#/ring/nothing', shows: 'ring-window' },
  { name: 's14-small-window', demo: 'seen', at: '#/small', size: { width: 320, height: 216 }, shows: 'small-view' },
  { name: 's14-small-voice', demo: 'joint:4', at: '#/small', size: { width: 320, height: 216 }, shows: 'small-mute' },
  { name: 's14-small-lost', demo: 'seen', at: '#/small', size: { width: 320, height: 216 }, act: async (page) => {
    await page.getByTestId('small-view').waitFor();
    await demo(page, '(d) => d.callGoes("call-ben", { stage: { at: "ended", reason: "dropped", seconds: 95 } })', null);
  }, shows: 'small-back' },
  { name: 's14-small-gone', at: '#/small', size: { width: 320, height: 216 }, shows: 'small-return', brief: true },
  { name: 's14-in-call', act: call({ stage: { at: 'connected' }, connectedAt: Date.now() - 127000 }), shows: 'call-timer' },
  { name: 's14-muted', act: call({ stage: { at: 'connected' }, connectedAt: Date.now() - 4000000, muted: true }), shows: 'call-timer' },
  { name: 's14-reconnecting', act: call({ stage: { at: 'reconnecting' }, connectedAt: Date.now() - 127000 }), shows: 'call-reconnecting' },
  { name: 's14-no-microphone', act: call({ stage: { at: 'connected' }, connectedAt: Date.now() - 9000, microphone: null }), shows: 'call-no-microphone' },
  { name: 's14-seen', act: call({ stage: { at: 'connected' }, connectedAt: Date.now() - 127000, pictures: { camera: { at: 'on', name: 'Built-in camera' }, theirs: 'on', share: { at: 'off' }, screen: false } }), shows: 'call-view-theirs' },
  { name: 's14-camera-off', act: call({ stage: { at: 'connected' }, connectedAt: Date.now() - 127000, pictures: { camera: { at: 'on', name: 'Built-in camera' }, theirs: 'off', share: { at: 'off' }, screen: false } }), shows: 'call-view-off' },
  { name: 's14-no-camera', act: call({ stage: { at: 'connected' }, connectedAt: Date.now() - 127000, pictures: { camera: { at: 'failed', code: 'no-camera' }, theirs: 'frozen', share: { at: 'off' }, screen: false } }), shows: 'call-no-camera' },
  { name: 's13-second', demo: 'second', act: call({ stage: { at: 'connected' }, connectedAt: Date.now() - 127000 }), shows: 'incoming-second' },
  { name: 's14-their-screen', demo: 'sharing:theirs', act: calls(), shows: 'call-view-screen' },
  { name: 's14-sharing', demo: 'sharing:own', act: calls(), shows: 'sharing-bar' },
  { name: 's14-sharing-behind', demo: 'sharing:own', act: calls((page) => click(page, 'call-minimise')), shows: 'sharing-bar' },
  { name: 's14-share-ended', demo: 'sharing:gone', act: calls(), shows: 'call-share-ended', brief: true },
  { name: 's15-their-screen', demo: 'joint-sharing', act: calls(), shows: 'participant-screen' },
  { name: 's16-picker', demo: 'sharing', act: calls(async (page) => { await click(page, 'call-share'); await page.getByTestId('share-sources').waitFor(); await page.keyboard.press('Tab'); await page.keyboard.press('Tab'); await page.keyboard.press('ArrowDown'); }), shows: 'share-sources' },
  { name: 's16-loading', demo: 'sharing,hang:screen.sources', act: calls((page) => click(page, 'call-share')), shows: 'share-loading', brief: true },
  { name: 's16-empty', demo: 'sharing:none', act: calls((page) => click(page, 'call-share')), shows: 'share-empty' },
  { name: 's16-not-permitted', demo: 'sharing:screen-not-permitted', act: calls((page) => click(page, 'call-share')), shows: 'share-trouble' },
  { name: 's16-portal', demo: 'sharing:portal', act: calls((page) => click(page, 'call-share')), shows: 'share-portal' },
  { name: 's16-portal-asks', demo: 'sharing:portal,hang:call.share', act: calls(async (page) => { await click(page, 'call-share'); await page.getByTestId('share-portal').waitFor(); await click(page, 'share-start'); }), shows: 'share-portal' },
  { name: 's16-no-portal', demo: 'sharing:screen-no-portal', act: calls((page) => click(page, 'call-share')), shows: 'share-trouble', brief: true },
  { name: 's14-on-hold', act: call({ stage: { at: 'connected' }, connectedAt: Date.now() - 127000, hold: 'us' }), shows: 'call-held' },
  { name: 's14-held-by-them', act: call({ stage: { at: 'connected' }, connectedAt: Date.now() - 127000, hold: 'them' }), shows: 'call-held', brief: true },
  { name: 's14-one-rests', demo: 'holding', act: calls(), shows: 'call-resting' },
  { name: 's14-add', demo: 'holding', act: calls((page) => click(page, 'call-add')), shows: 'call-add-people' },
  { name: 's15-alone', demo: 'joint:2', act: calls((page) => demo(page, '(d) => d.world.calls.slice().forEach((one) => d.callGoes(one.call, { stage: { at: "ringing" } }))', null)), shows: 'group-call-alone', brief: true },
  { name: 's15-grid', demo: 'joint:5', act: calls(), shows: 'group-call' },
  { name: 's15-spotlight', demo: 'joint:5', act: calls((page) => click(page, 'call-layout')), shows: 'group-call' },
  { name: 's14-call-bar', act: async (page) => {
    await call({ stage: { at: 'connected' }, connectedAt: Date.now() - 127000 })(page);
    await page.getByTestId('call-minimise').waitFor();
    await page.evaluate((to) => (location.hash = to), BEN);
  }, shows: 'call-bar' },
  ...ENDS.map((reason) => ({ name: `s18-${reason}`, act: ended(reason, reason === 'hung-up' || reason === 'dropped' ? 754 : 0), shows: 'call-end', brief: !['hung-up', 'fingerprint-mismatch'].includes(reason) })),

  { name: 's21-list', at: '#/settings', shows: 'settings-list' },
  ...['you', 'identities', 'devices', 'privacy', 'security', 'history', 'sound', 'appearance', 'modules', 'shortcuts', 'about'].map((page) => ({ name: `s21-${page}`, at: `#/settings/${page}`, shows: 'settings-page' })),
  { name: 's21-export', at: '#/settings/history', act: async (page) => {
    await click(page, 'history-export');
    await page.getByTestId('export-passphrase').fill('four common words here');
  }, shows: 'export-strength' },
  { name: 's21-export-open', at: '#/settings/history', act: async (page) => {
    await click(page, 'history-export');
    await click(page, 'export-open');
  }, shows: 'export-warning' },
  { name: 's21-export-running', demo: 'hang:history.export', at: '#/settings/history', act: async (page) => {
    await click(page, 'history-export');
    await click(page, 'export-open');
    await click(page, 'export-do');
    await demo(page, '(d) => d.tell({ news: "history", data: { state: "exporting", done: 1200, total: 5000 } })', null);
  }, shows: 'history-stop' },
  { name: 's21-export-done', at: '#/settings/history', act: async (page) => {
    await click(page, 'history-export');
    await click(page, 'export-open');
    await click(page, 'export-do');
  }, shows: 'export-done', brief: true },
  { name: 's21-import', at: '#/settings/history', act: (page) => click(page, 'history-import'), shows: 'import-dialog' },
  { name: 's21-import-trouble', at: '#/settings/history', act: async (page) => {
    await click(page, 'history-import');
    await page.getByTestId('import-path').fill('/home/ana/old.age');
    await click(page, 'import-do');
  }, shows: 'import-trouble' },
  { name: 's21-import-done', at: '#/settings/history', act: async (page) => {
    await click(page, 'history-import');
    await page.getByTestId('import-path').fill('/home/ana/old.tar');
    await click(page, 'import-do');
  }, shows: 'import-done', brief: true },
  { name: 's5-imported', demo: 'imported', at: '#/chats/' + encodeURIComponent('archive://a.localhost/mfrggzdfmztwq2lkmfrggzdfmz'), shows: 'conversation-imported-banner' },
  { name: 's5-imported-panel', demo: 'imported', at: '#/chats/' + encodeURIComponent('archive://a.localhost/mfrggzdfmztwq2lkmfrggzdfmz'), act: (page) => click(page, 'conversation-info'), shows: 'imported-panel' },
  { name: 's5-imported-forget', demo: 'imported', at: '#/chats/' + encodeURIComponent('archive://a.localhost/mfrggzdfmztwq2lkmfrggzdfmz'), act: async (page) => {
    await click(page, 'conversation-info');
    await click(page, 'imported-forget');
  }, shows: 'imported-forget-dialog' },
  { name: 's21-you-link', at: '#/settings/you', shows: 'contact-link-qr' },
  { name: 's8-introduce', at: person('ben@b.localhost'), act: (page) => click(page, 'person-introduce'), shows: 'introduce-dialog' },
  { name: 's21-you-unprotected', demo: 'unprotected', at: '#/settings/you', shows: 'you-protect' },
  { name: 's21-protect-dialog', demo: 'unprotected', at: '#/settings/you', act: (page) => click(page, 'you-protect'), shows: 'protect-dialog' },
  { name: 's21-identities-remove', at: '#/settings/identities', act: (page) => click(page, 'my-issuer-remove'), shows: 'issuer-remove-dialog' },
  { name: 's21-identities-link', at: '#/settings/identities', act: async (page) => {
    await click(page, 'issuer-link');
    await page.getByTestId('issuer-link-url').fill('https://id.example.org');
    await click(page, 'issuer-link-do');
    await demo(page, '(d) => d.signIn({ state: "waiting", url: "https://id.example.org/authorize" })');
  }, shows: 'issuer-link-copy' },
  { name: 's21-identities-trouble', at: '#/settings/identities', demo: 'fail:identity.issuers', shows: 'identities-trouble', brief: true },
  { name: 's21-identities-loading', at: '#/settings/identities', demo: 'hang:identity.issuers', shows: 'identities-loading', brief: true },
  { name: 's21-sound-try', at: '#/settings/sound', act: async (page) => {
    await click(page, 'sound-try-microphone');
    await click(page, 'sound-try-speaker');
  }, shows: 'sound-level' },
  { name: 's21-sound-trouble', at: '#/settings/sound', demo: 'fail:sound.get', shows: 'sound-trouble', brief: true },
  { name: 's14-echo', at: '#/settings/sound', act: (page) => click(page, 'sound-call-echo'), shows: 'figure-delay' },
  { name: 's14-devices', act: async (page) => {
    await call({ stage: { at: 'connected' }, connectedAt: Date.now() - 61_000 })(page);
    await click(page, 'call-devices');
  }, shows: 'sound-dialog' },
  { name: 's21-devices-revoke', at: '#/settings/devices', act: (page) => click(page, 'device-revoke'), shows: 'device-revoke-dialog' },
  { name: 's21-devices-trouble', at: '#/settings/devices', demo: 'fail:device.list', shows: 'devices-trouble', brief: true },
  { name: 's22-link', at: '#/settings/devices', act: (page) => toLink(page), shows: 'link-left' },
  { name: 's22-asked', at: '#/settings/devices', act: (page) => toLink(page, { state: 'asked', name: 'Living room PC', check: CHECK }), shows: 'link-check' },
  { name: 's22-transferring', at: '#/settings/devices', act: (page) => toLink(page, { state: 'transferring', done: 1240, total: 3000 }), shows: 'link-progress' },
  { name: 's22-done', at: '#/settings/devices', act: (page) => toLink(page, { state: 'done' }), shows: 'link-done', brief: true },
  { name: 's22-failed', at: '#/settings/devices', act: (page) => toLink(page, failed('version-mismatch')), shows: 'link-trouble' },
  { name: 's22-trouble', at: '#/settings/devices', demo: 'fail:device.offer', act: (page) => click(page, 'device-link'), shows: 'link-trouble', brief: true },
  { name: 's21-privacy-org', at: '#/settings/privacy', demo: 'org:escrow', shows: 'organisation' },
  { name: 's21-privacy-org-trouble', at: '#/settings/privacy', demo: 'org:trouble', shows: 'organisation-trouble', brief: true },
  { name: 's21-privacy-sure', at: '#/settings/privacy', demo: 'org', act: see('policy-sure'), shows: 'policy-stop-locked' },
  { name: 's21-privacy-domains', at: '#/settings/privacy', act: async (page) => {
    await page.getByTestId('policy-write').selectOption('domains');
    await page.getByTestId('policy-write-which').fill('acme.example\nnot a domain!');
    await click(page, 'policy-write-keep');
  }, shows: 'policy-write-fault' },
  { name: 's21-privacy-trail', at: '#/settings/privacy', act: async (page) => { await click(page, 'trail-export'); await see('trail-card')(page); }, shows: 'trail-written' },
  { name: 's21-privacy-trouble', at: '#/settings/privacy', demo: 'fail:policy.get', shows: 'policy-trouble', brief: true },
  { name: 's21-security-lockable', at: '#/settings/security', demo: 'protection:keyring-and-passphrase,recovery:kept,org', act: see('security-lock-card'), shows: 'auto-lock-locked' },
  { name: 's21-security-sheet', at: '#/settings/security', demo: 'recovery:sheet', act: see('recovery-card'), shows: 'recovery-confirm' },
  { name: 's21-security-wrong-words', at: '#/settings/security', demo: 'recovery:sheet', act: async (page) => {
    for (const place of [3, 11, 20]) await page.getByTestId(`recovery-word-${place}`).fill('pear');
    await click(page, 'recovery-confirm-do');
    await page.getByTestId('recovery-confirm-trouble').waitFor();
    await see('recovery-card')(page);
  }, shows: 'recovery-confirm-trouble', brief: true },
  { name: 's21-security-kept', at: '#/settings/security', demo: 'recovery:kept', act: async (page) => {
    await page.getByTestId('backup-write').waitFor();
    await demo(page, '(d) => d.world.hang.push("backup.write")');
    await click(page, 'backup-write');
    await demo(page, '(d) => d.tell({ news: "backup", data: { state: "running", done: 1240, total: 3000 } })');
    await see('recovery-card')(page);
  }, shows: 'backup-progress' },
  { name: 's21-keep', at: '#/settings/security', act: async (page) => { await click(page, 'security-keep'); await click(page, 'keep-way-keyring-and-passphrase'); }, shows: 'keep-passphrase' },
  { name: 's21-rotate', at: '#/settings/security', act: (page) => click(page, 'security-rotate'), shows: 'rotate-dialog' },
  { name: 's21-erase', at: '#/settings/security', act: (page) => click(page, 'security-erase'), shows: 'erase-dialog' },
  { name: 's1-locked-again', demo: 'protection:passphrase', at: BEN, act: async (page) => { await page.getByTestId('message').first().waitFor(); await page.keyboard.press('Control+l'); }, shows: 'unlock-screen' },
  { name: 's21-modules-empty', demo: 'empty', at: '#/settings/modules', shows: 'modules-empty' },
  { name: 's24-palette', act: (page) => click(page, 'nav-search'), shows: 'palette' },
  { name: 's24-no-match', act: async (page) => { await click(page, 'nav-search'); await page.getByTestId('palette-input').fill('zzz'); }, shows: 'palette' },
  { name: 'shortcuts', act: async (page) => { await page.getByTestId('app').waitFor(); await page.keyboard.press('Control+/'); }, shows: 'shortcuts-dialog' },
];
