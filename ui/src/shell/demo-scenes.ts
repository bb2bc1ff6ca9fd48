/** Sets the demo's data to what a scene asks for. */
import { changeOf } from './demo-trust';
import { samplePaper } from './demo-files';
import { addPreviews } from './demo-preview';
import { addImported } from './demo-history';
import { addChoir, addCrowd, addInvites, addPolls } from './demo-groups';
import { sampleCall, sampleWorld, type DemoWorld } from './demo-world';
import type { AppState, GroupMember, KeyChangeKind, Protection, Question, Settings } from './shell';

/** One call goes on, and Chiara waits. */
function addHolding(world: DemoWorld): void {
  const minutes = (count: number) => Date.now() - count * 60_000;
  world.calls.push(sampleCall({ call: 'call-ben', stage: { at: 'connected' }, connectedAt: minutes(3) }));
  world.calls.push(sampleCall({ call: 'call-chiara', user: 'chiara.conti@studio.example', name: 'Chiara Conti', stage: { at: 'connected' }, connectedAt: minutes(12), hold: 'us' }));
}

/** A call of so many, in which each is in another way. */
function addJoint(world: DemoWorld, count: number): void {
  const others = [
    { user: 'ben@b.localhost', name: 'Ben Okafor', outputLevel: 72 },
    { user: 'chiara.conti@studio.example', name: 'Chiara Conti', outputLevel: 3, theirMuted: true },
    { user: 'dan@c.localhost', name: 'Dan Weiss', outputLevel: 0, stage: { at: 'ringing' as const } },
    { user: 'eve@c.localhost', name: 'Eve Lang', outputLevel: 0, stage: { at: 'ended' as const, reason: 'dropped', seconds: 40 } },
    { user: 'mallory@c.localhost', name: 'mallory@c.localhost', outputLevel: 0, blocked: true },
  ].slice(0, count);
  const people = others.map(({ user, name, stage, blocked }) => ({ user, name, place: stage?.at === 'ringing' ? ('asked' as const) : ('here' as const), blocked: blocked ?? false, known: !user.endsWith('@c.localhost') }));
  for (const { blocked, ...leg } of others) {
    if (!blocked) world.calls.push(sampleCall({ stage: { at: 'connected' }, connectedAt: Date.now() - 260_000, ...leg, call: `leg-${leg.user}`, code: null, joint: { id: 'joint-1', people } }));
  }
}

/** A call with Ben, in which something is shown: `own` by us, `theirs` by him, `gone` no more. */
function addSharing(world: DemoWorld, what: string): void {
  const call = sampleCall({ call: 'call-ben', stage: { at: 'connected' }, connectedAt: Date.now() - 95_000 });
  if (what === 'theirs') call.pictures = { ...call.pictures, camera: { at: 'on', name: 'Built-in camera' }, theirs: 'on', screen: true };
  if (what === 'own') call.pictures = { ...call.pictures, theirs: 'on', share: { at: 'on', kind: 'window', name: 'Budget 2027 – Sheets' } };
  if (what === 'gone') call.pictures = { ...call.pictures, share: { at: 'ended', code: 'screen-gone' } };
  if (what === 'none') world.screens = [];
  if (what === 'portal') world.screens = [{ id: 'portal', kind: 'portal', name: '', width: 0, height: 0, preview: null }];
  if (what.startsWith('screen-')) world.refuse['screen.sources'] = { code: what, detail: 'as it is' };
  world.calls.push(call);
}

const DAY = 24 * 60 * 60_000;

/** Sets the world of a scene by its name; `name:value` gives details. */
export function sceneOf(scene: string): DemoWorld {
  const world = sampleWorld();
  for (const part of scene.split(',')) {
    const [name = '', value = ''] = part.split(':');
    if (['welcome', 'protect', 'locked', 'damaged', 'profile'].includes(name)) {
      world.app = { ...world.app, stage: name as AppState['stage'], profile: null };
      if (name === 'protect') world.app.keyringTrouble = 'no secret service answers on the session bus';
      if (name === 'protect' || name === 'welcome') world.app.protection = null;
    }
    if (name === 'restart') world.app = { ...world.app, stage: 'welcome', profile: null, restart: { user: 'ana@a.localhost', until: Date.now() + Number(value) * 60 * 60_000 } };
    if (name === 'reset-asked') world.app.resetAsked = { until: Date.now() + 3 * DAY, refusedAt: value === 'mine' ? null : Date.now() + 10 * 60_000 };
    if (name === 'taken-out') world.app = { ...world.app, stage: 'damaged', openTrouble: { code: value, detail: 'as it is' } };
    if (name === 'passphrase-required') world.app = { ...world.app, stage: 'protect', protection: value as Protection, passphraseRequired: true };
    if (name === 'unsupported') {
      world.trust.policy.unsupported = ['whoMayWrite'];
      world.trust.policy.settings.whoMayWrite = { who: 'contacts-of-verified' };
    }
    if (name === 'crowd') addCrowd(world);
    if (name === 'group') {
      const [role = 'owner', standing] = value.split('!') as [GroupMember['role'] | undefined, string | undefined];
      addChoir(world, role || 'owner', standing === 'asked' ? { is: 'asked' } : standing ? { is: 'over', reason: standing } : { is: 'open' });
    }
    if (name === 'imported') addImported(world);
    if (name === 'polls') addPolls(world);
    if (name === 'invites') addInvites(world);
    if (name === 'joining') world.joining = [
      { chat: 'comm://b.localhost/walkers', name: 'Sunday walkers', by: 'ben@b.localhost', at: Date.now(), state: 'waits', code: null },
      { chat: 'comm://c.localhost/board', name: 'Garden board', by: 'cleo@c.localhost', at: Date.now() - DAY, state: 'refused', code: 'invite-used-up' },
    ];
    if (name === 'previews') {
      world.settings.linkPreviews = value as Settings['linkPreviews'];
      addPreviews(world);
    }
    if (name === 'empty') Object.assign(world, { chats: [], people: [], messages: {}, modules: [], book: [] });
    if (name === 'muted') world.chats[0]!.mutedUntil = value === 'always' ? 8_640_000_000_000_000 : Date.now() + 8 * 60 * 60_000;
    if (name === 'offline') {
      world.app.online = false;
      const ben = world.chats[0]!;
      ben.last!.state = 'queued';
    }
    if (name === 'file') {
      const chat = 'comm://studio.example/chiara.conti';
      const [which, stage] = value.split('!') as [string, string];
      const message = world.messages[chat]!.find((one) => one.content.type === 'file' && one.content.file.kind === which)!;
      world.files.states[message.id] = stage === 'coming' || stage === 'directly' ? { stage: 'coming', done: message.content.type === 'file' ? message.content.file.size * 0.4 : 0, directly: stage === 'directly' } : stage === 'waiting' ? { stage, done: 0 } : stage === 'away' ? { stage } : { stage: 'failed', code: stage };
    }
    if (name === 'upload') {
      const chat = 'comm://studio.example/chiara.conti';
      world.files.uploads.push({ file: `upload-${value}`, chat, view: samplePaper, text: '', done: 2_200_000, trouble: value || null, at: Date.now() });
    }
    if (name === 'unprotected') world.app.protection = 'unprotected';
    if (name === 'hang') world.hang.push(value as Question['ask']);
    if (name === 'fail') world.refuse[value as Question['ask']] = { code: 'shell-lost', detail: 'the connection to the app was lost' };
    if (name === 'holding') addHolding(world);
    if (name === 'sharing') addSharing(world, value);
    if (name === 'joint-sharing') {
      addJoint(world, 3);
      world.calls[1]!.pictures = { ...world.calls[1]!.pictures, screen: true };
    }
    if (name === 'joint') addJoint(world, Number(value || '5'));
    if (name === 'seen') world.calls.push(sampleCall({ call: 'call-ben', stage: { at: 'connected' }, connectedAt: Date.now() - 180_000, pictures: { camera: { at: 'off' }, theirs: 'on', share: { at: 'off' }, screen: false } }));
    if (name === 'second') world.calls.push(sampleCall({ call: 'ring-2', user: 'chiara.conti@studio.example', name: 'Chiara Conti', incoming: true, stage: { at: 'ringing' } }));
    if (name === 'ringing') world.calls.push(sampleCall({ call: 'ring-1', incoming: true, stage: { at: 'ringing' } }));
    if (name === 'protection') world.app.protection = value as Protection;
    if (name === 'too-soon') world.refuse['app.unlock'] = { code: 'too-soon', detail: value };
    if (name === 'change') {
      const [kind, stops] = value.split('!') as [KeyChangeKind, string | undefined];
      changeKeys(world, kind, stops !== undefined);
    }
    if (name === 'recovery') {
      const sheet = value === 'sheet' ? '/home/ana/Documents/parlance-recovery.html' : null;
      world.trust.recovery = { kept: value === 'kept', sheet, asked: sheet ? [3, 11, 20] : [], backupAt: value === 'kept' ? Date.now() - 2 * DAY : null };
    }
    if (name === 'org') {
      world.trust.policy.locked = ['whoMayCall', 'whoMayWrite', 'stopOnKeyChange', 'autoLockMinutes', 'freshDays'];
      world.trust.policy.settings.whoMayWrite = { who: 'domains', which: ['acme.example', 'partner.example'] };
      world.trust.policy.organisation = {
        name: 'Acme', version: 7, expiresAt: Date.now() + 60 * DAY,
        retentionDays: value === 'escrow' ? 365 : null,
        escrow: value === 'escrow' ? 'Messages on company devices are archived for seven years.' : null,
        trouble: value === 'trouble' ? { code: 'expired', detail: 'expired yesterday' } : null,
      };
    }
    if (['light', 'dark', 'contrast'].includes(name)) world.settings.theme = name;
    if (name === 'lang') world.settings.language = value;
    if (name === 'text') world.settings.textPercent = Number(value);
  }
  return world;
}

/** Dmitri's keys changed before the app was opened. */
function changeKeys(world: DemoWorld, kind: KeyChangeKind, stops: boolean): void {
  const card = world.people.find((one) => one.user === 'dmitri@uni.example')!;
  const chat = world.chats.find((one) => one.user === card.user)!;
  const state = kind === 'rotated' ? 'introduced' : 'changed';
  const change = changeOf(kind, stops);
  Object.assign(card, { change, identity: { ...card.identity!, state }, issuers: card.issuers.map((one) => ({ ...one, state })) });
  Object.assign(chat, { change, mark: state });
  for (const message of world.messages[chat.chat]!) {
    message.mark = state;
    if (message.content.type === 'system') message.content = { type: 'system', code: `key-${kind}`, detail: change.issuer ?? '', by: null };
  }
}
