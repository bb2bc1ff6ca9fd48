/** Holds the sample data the demo plays with. */
import { sampleSpokenCode, sampleTrust, type TrustWorld } from './demo-trust';
import { sampleBook } from './demo-book';
import { sampleNote, samplePaper, samplePicture } from './demo-files';
import { sampleScreens } from './demo-screens';
import type { AppState, CallDetails, CallView, ChatMessage, ChatSummary, Consent, FileState, GroupInvite, GroupJoining, GroupView, IdentityLine, ModuleView, PersonCard, Question, Settings, SoundView, Trouble, Upload, ScreenSource } from './shell';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

export const identity = (vouchedBy: string, at: number, state: IdentityLine['state'] = 'introduced'): IdentityLine => ({
  vouchedBy, issuer: `https://${vouchedBy}`, checkedAt: at, attestedAt: at - 3 * DAY, fresh: true, state,
});

/** A message that nobody said anything about yet. */
export const plainMessage = { reply: null, edited: false, forwarded: false, pinned: false, reactions: [], ends: null, reach: null, mentions: [], mentionsMe: false } satisfies Partial<ChatMessage>;

export interface DemoWorld {
  app: AppState;
  settings: Settings;
  chats: ChatSummary[];
  messages: Record<string, ChatMessage[]>;
  people: PersonCard[];
  modules: ModuleView[];
  consents: Consent[];
  calls: CallView[];
  /** What of the screens can be shown. */
  screens: ScreenSource[];
  /** Calls that are over. */
  book: CallDetails[];
  sound: SoundView;
  trust: TrustWorld;
  /** After how many seconds messages end, by conversation. */
  timers: Record<string, number>;
  /** Groups, by conversation. */
  groups: Record<string, GroupView>;
  invites: GroupInvite[];
  joining: GroupJoining[];
  /** How far files are, by message; and what is on its way out. */
  files: { states: Record<string, FileState>; uploads: Upload[] };
  /** Questions that are refused, by name. */
  refuse: Partial<Record<Question['ask'], Trouble>>;
  /** Questions that are never answered. */
  hang: Question['ask'][];
}

/** Small enough for a test to change, real enough to look at. */
export function sampleWorld(now: number = Date.now()): DemoWorld {
  const chats: ChatSummary[] = [];
  const messages: DemoWorld['messages'] = {};
  const people: PersonCard[] = [];

  const person = (local: string, domain: string, name: string, contact: PersonCard['contact'], state?: IdentityLine['state']) => {
    const user = `${local}@${domain}`;
    const known = contact === 'accepted' || contact === 'request';
    const card: PersonCard = {
      user, name, contact, chat: `comm://${domain}/${local}`,
      identity: known ? identity(domain, now - 20 * MINUTE, state) : null,
      issuers: known ? [identity(domain, now - 20 * MINUTE, state)] : [],
      devices: known ? [
        { name: 'Laptop', addedAt: now - 300 * DAY, state: 'active' },
        { name: 'Office desktop', addedAt: now - 12 * DAY, state: 'active' },
      ] : [],
      comparedAt: state === 'verified' ? now - 30 * DAY : null,
      change: state === 'changed' ? { kind: 'unexplained', at: now - 29 * 60 * MINUTE, issuer: 'accounts.example.org', stops: false } : null,
      reachedBy: known ? `${domain} 1.0.0` : null,
    };
    people.push(card);
    messages[card.chat!] = [];
    const mark = state ?? 'introduced';
    chats.push({ chat: card.chat!, user, name, domain, contact, last: null, unread: 0, draft: '', change: card.change, mark, at: now, mutedUntil: null, group: null, mentionsMe: false });
    return card.chat!;
  };

  /** How sure one could be of what is added now. */
  const marks: Record<string, ChatMessage['mark']> = {};
  const add = (chat: string, mine: boolean, minutesAgo: number, content: ChatMessage['content'], state?: ChatMessage['state']) => {
    const list = messages[chat]!;
    const summary = chats.find((one) => one.chat === chat)!;
    const message: ChatMessage = {
      id: `${chat}#${list.length + 1}`, chat, ordinal: list.length + 1, mine, author: mine ? 'ana@a.localhost' : summary.user,
      content, at: now - minutesAgo * MINUTE, state: state ?? (mine ? 'delivered' : 'received'), mark: marks[chat] ?? 'introduced',
      ...plainMessage,
    };
    list.push(message);
    summary.last = message;
    summary.at = message.at;
  };
  const text = (words: string): ChatMessage['content'] => ({ type: 'text', text: words });
  const line = (code: string, detail = ''): ChatMessage['content'] => ({ type: 'system', code, detail, by: null });

  const ben = person('ben', 'b.localhost', 'Ben Okafor', 'accepted');
  add(ben, true, 26 * 60, line('contact-asked'));
  add(ben, false, 26 * 60 - 2, line('identity-checked', 'b.localhost'));
  add(ben, true, 26 * 60 - 4, text('Hi Ben! Found you by your new address.'));
  add(ben, false, 26 * 60 - 6, text('Ana! Good to see this works across our two providers.'));
  add(ben, false, 26 * 60 - 7, text('I kept my account at b.localhost, nothing to install on my side.'));
  add(ben, false, 190, line('device-added', 'Office desktop'));
  add(ben, false, 180, text('Shall we go through the tender today? I have the draft open, and two remarks on chapter three that are easier to say than to write.'));
  add(ben, true, 176, text('Yes, after lunch.'));
  add(ben, false, 60, line('call-ended', '754'));
  add(ben, true, 22, text('Thanks, that was quick. I changed the second paragraph the way you said:\n“Each side keeps its own provider.”'));
  add(ben, false, 12, text('Perfect 👍'));
  add(ben, true, 3, text('Sending it now.'), 'sent');
  talkAbout(messages[ben]!);

  const chiara = person('chiara.conti', 'studio.example', 'Chiara Conti', 'accepted', 'verified');
  add(chiara, false, 60 * 24 * 2, line('identity-checked', 'accounts.example.org'));
  add(chiara, true, 60 * 24 * 2 - 5, line('compared'));
  marks[chiara] = 'verified';
  add(chiara, true, 50, text('How did they turn out?'));
  add(chiara, false, 45, text('The photos from Saturday are ready.'));
  add(chiara, false, 44.5, { type: 'file', file: samplePicture, text: 'My favourite.' });
  add(chiara, false, 44.4, { type: 'file', file: samplePaper, text: '' });
  add(chiara, true, 44.2, { type: 'file', file: sampleNote, text: '' });
  add(chiara, false, 44, text('Which ones do you want printed?'));
  chats.find((one) => one.chat === chiara)!.unread = 2;

  const dmitri = person('dmitri', 'uni.example', 'Dmitri Aalto', 'accepted', 'changed');
  add(dmitri, false, 60 * 30, text('See you at the seminar.'));
  add(dmitri, false, 60 * 29, line('key-unexplained', 'accounts.example.org'));
  marks[dmitri] = 'changed';
  add(dmitri, false, 60 * 28 + 20, text('I am at a new computer, can you send me the slides again?'));
  add(dmitri, true, 60 * 28, text('Did you get a new laptop?'), 'failed');

  const eva = person('eva', 'c.localhost', 'eva@c.localhost', 'request');
  add(eva, false, 6, line('contact-asked-by', 'eva@c.localhost'));
  chats.find((one) => one.chat === eva)!.unread = 1;

  const farid = person('farid', 'farid.example', 'farid@farid.example', 'asked');
  add(farid, true, 60 * 50, line('contact-asked'));
  add(farid, true, 60 * 50 - 1, text('Hello Farid, Chiara gave me your address.'), 'queued');

  const grace = person('grace', 'very-long-department.university.example', 'Grace Hopper-Featherstonehaugh', 'accepted');
  add(grace, false, 60 * 24 * 9, line('call-missed'));
  chats.find((one) => one.chat === grace)!.draft = 'Sorry I missed you, shall we';

  return {
    app: {
      turn: 0, stage: 'ready', protection: 'keyring', keyringTrouble: null, suggestedDomain: 'a.localhost', version: '0.1.0', online: true, passphraseRequired: false,
      profile: { user: 'ana@a.localhost', name: 'Ana Silva', vouchedBy: 'a.localhost' },
    },
    settings: { theme: 'system', language: 'system', textPercent: 100, readReceipts: true, typing: true, linkPreviews: 'ask', smallWindow: true, notices: { on: true, detail: 'name-and-text', sound: true, requests: 'gentle', missedCalls: true } },
    chats, messages, people,
    modules: [
      moduleOf('a.localhost', 'protocolstub', 'running'),
      moduleOf('b.localhost', 'protocolstub', 'running'),
      moduleOf('a.localhost', 'hyperty', 'running', 'chat'),
      { ...moduleOf('c.localhost', 'protocolstub', 'parked'), trouble: { code: 'stub-crashed', detail: 'crashed 5 times' } },
    ],
    consents: [], calls: [], screens: sampleScreens(), book: sampleBook(now), sound: sampleSound(), trust: sampleTrust(now), timers: {}, groups: {}, invites: [], joining: [], files: { states: {}, uploads: [] }, refuse: {}, hang: [],
  };
}

/** What people do with messages beyond writing them. */
function talkAbout(list: ChatMessage[]): void {
  const words = (part: string) => list.find((one) => one.content.type === 'text' && one.content.text.startsWith(part))!;
  const [asked, answered, changed, perfect] = ['Shall we go', 'Yes, after', 'Thanks, that', 'Perfect'].map(words) as [ChatMessage, ChatMessage, ChatMessage, ChatMessage];
  answered.reply = { id: asked.id, author: asked.author, mine: false, text: asked.content.type === 'text' ? asked.content.text : null };
  answered.state = changed.state = 'read';
  changed.edited = true;
  changed.reactions = [{ emoji: '❤️', who: ['ben@b.localhost'], mine: false }, { emoji: '🎉', who: ['ben@b.localhost', 'ana@a.localhost'], mine: true }];
  perfect.pinned = true;
}

function moduleOf(domain: string, kind: string, state: string, name = 'default'): ModuleView {
  const talks = kind === 'protocolstub' ? [domain] : [];
  return { module: `${domain}/${kind}/${name}`, domain, kind, name, version: '1.0.0', state, trouble: null, mayTalkTo: talks };
}

function sampleSound(): SoundView {
  return {
    microphones: [{ id: 'mic', name: 'Built-in microphone', default: true }, { id: 'usb-mic', name: 'USB headset', default: false }],
    speakers: [{ id: 'laptop', name: 'Built-in speakers', default: true }, { id: 'usb', name: 'USB headset', default: false }],
    cameras: [{ id: 'cam', name: 'Built-in camera', default: true }],
    choice: { microphone: 'usb-mic', speaker: 'usb', ring: null, camera: null },
    switches: { echoCancellation: true, noiseSuppression: true, gainControl: true }, fixed: false, cameraFixed: false,
  };
}

export const sampleConsent: Consent = {
  id: 'consent-1', forWhom: 'ben@b.localhost', domain: 'b.localhost', package: 'protocolstub/default', version: '2.1.0',
  mayTalkTo: ['b.localhost'], media: false, storage: 1_048_576,
};

export function sampleCall(part: Partial<CallView> = {}): CallView {
  return {
    call: 'connection://a.localhost/1', user: 'ben@b.localhost', name: 'Ben Okafor',
    identity: identity('b.localhost', Date.now() - 5 * MINUTE), code: part.stage?.at === 'connected' ? sampleSpokenCode : null, incoming: false, stage: { at: 'finding' },
    connectedAt: null, muted: false, theirMuted: false, inputLevel: 35, outputLevel: 60, microphone: 'Built-in microphone', pictures: { camera: { at: 'off' }, theirs: 'off', share: { at: 'off' }, screen: false }, hold: 'no', joint: null, ...part,
  };
}
