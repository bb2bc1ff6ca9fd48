/** Plays the app in memory with sample data, so that every screen and state can be seen and tested. */
import { Listeners } from './listeners';
import { answerTrust, changed, sampleSpokenCode, sampleTrust, type TrustHost, type TrustWorld } from './demo-trust';
import type {
  Answers, AppState, CallView, ChatMessage, ChatSummary, Consent, IdentityLine, KeyChangeKind, LinkState, ModuleView, News, PersonCard,
  Protection, Question, Settings, Shell, SignInState, Trouble,
} from './shell';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

export const identity = (vouchedBy: string, at: number, state: IdentityLine['state'] = 'introduced'): IdentityLine => ({
  vouchedBy, issuer: `https://${vouchedBy}`, checkedAt: at, attestedAt: at - 3 * DAY, fresh: true, state,
});

export interface DemoWorld {
  app: AppState;
  settings: Settings;
  chats: ChatSummary[];
  messages: Record<string, ChatMessage[]>;
  people: PersonCard[];
  modules: ModuleView[];
  consents: Consent[];
  calls: CallView[];
  trust: TrustWorld;
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
    chats.push({ chat: card.chat!, user, name, domain, contact, last: null, unread: 0, draft: '', change: card.change, mark, at: now });
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
    };
    list.push(message);
    summary.last = message;
    summary.at = message.at;
  };
  const text = (words: string): ChatMessage['content'] => ({ type: 'text', text: words });
  const line = (code: string, detail = ''): ChatMessage['content'] => ({ type: 'system', code, detail });

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

  const chiara = person('chiara.conti', 'studio.example', 'Chiara Conti', 'accepted', 'verified');
  add(chiara, false, 60 * 24 * 2, line('identity-checked', 'accounts.example.org'));
  add(chiara, true, 60 * 24 * 2 - 5, line('compared'));
  marks[chiara] = 'verified';
  add(chiara, true, 50, text('How did they turn out?'));
  add(chiara, false, 45, text('The photos from Saturday are ready.'));
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
      stage: 'ready', protection: 'keyring', keyringTrouble: null, suggestedDomain: 'a.localhost', version: '0.1.0', online: true,
      profile: { user: 'ana@a.localhost', name: 'Ana Silva', vouchedBy: 'a.localhost' },
    },
    settings: { theme: 'system', language: 'system', textPercent: 100 },
    chats, messages, people,
    modules: [
      moduleOf('a.localhost', 'protocolstub', 'running'),
      moduleOf('b.localhost', 'protocolstub', 'running'),
      moduleOf('a.localhost', 'hyperty', 'running', 'chat'),
      { ...moduleOf('c.localhost', 'protocolstub', 'parked'), trouble: { code: 'stub-crashed', detail: 'crashed 5 times' } },
    ],
    consents: [], calls: [], trust: sampleTrust(now), refuse: {}, hang: [],
  };
}

function moduleOf(domain: string, kind: string, state: string, name = 'default'): ModuleView {
  const talks = kind === 'protocolstub' ? [domain] : [];
  return { module: `${domain}/${kind}/${name}`, domain, kind, name, version: '1.0.0', state, trouble: null, mayTalkTo: talks };
}

export const sampleConsent: Consent = {
  id: 'consent-1', forWhom: 'ben@b.localhost', domain: 'b.localhost', package: 'protocolstub/default', version: '2.1.0',
  mayTalkTo: ['b.localhost'], media: false, storage: 1_048_576,
};

export function sampleCall(part: Partial<CallView> = {}): CallView {
  return {
    call: 'connection://a.localhost/1', user: 'ben@b.localhost', name: 'Ben Okafor',
    identity: identity('b.localhost', Date.now() - 5 * MINUTE), code: part.stage?.at === 'connected' ? sampleSpokenCode : null, incoming: false, stage: { at: 'finding' },
    connectedAt: null, muted: false, inputLevel: 35, outputLevel: 60, microphone: 'Built-in microphone', ...part,
  };
}

export class DemoShell implements Shell {
  /** Everything that was asked, oldest first. */
  readonly asked: Question[] = [];
  #listeners = new Listeners();
  #beforeBlock = new Map<string, PersonCard['contact']>();
  #parked = new Map<string, (error: Trouble | null) => void>();

  constructor(readonly world: DemoWorld = sampleWorld()) {}

  /** The shell of a page opened with `?demo=<scene>`. */
  static forPage(scene: string): DemoShell {
    const shell = new DemoShell(sceneOf(scene));
    Object.assign(window, { parlanceDemo: shell, parlanceSamples: { sampleCall, sampleConsent, sampleSpokenCode } });
    return shell;
  }

  async ask<Q extends Question>(question: Q): Promise<Answers[Q['ask']]> {
    const plain = JSON.parse(JSON.stringify(question)) as Q;
    this.asked.push(plain);
    await Promise.resolve();
    const refusal = this.world.refuse[plain.ask];
    if (refusal) throw refusal;
    if (this.world.hang.includes(plain.ask)) return new Promise(() => {});
    const answer = await this.#answer(plain);
    return JSON.parse(JSON.stringify(answer)) as Answers[Q['ask']];
  }

  hear(listener: (news: News) => void): () => void {
    return this.#listeners.add(listener);
  }

  tell(news: News): void {
    this.#listeners.tell(JSON.parse(JSON.stringify(news)) as News);
  }

  /** A sign-in goes on. */
  signIn(data: SignInState): void {
    this.tell({ news: 'signin', data });
  }

  /** The linking of a device goes on. */
  link(data: LinkState): void {
    this.tell({ news: 'link', data });
  }

  /** Somebody's keys change. */
  keysChange(user: string, kind: KeyChangeKind, stops: boolean): void {
    changed(this.#host, user, kind, stops);
  }

  /** The other side writes. */
  receive(chat: string, words: string): void {
    const message = this.#append(chat, words, false);
    const summary = this.#chat(chat);
    summary.unread += 1;
    this.tell({ news: 'message', data: message });
    this.tell({ news: 'chat', data: summary });
  }

  /** How many questions of this name were asked. */
  times(ask: Question['ask']): number {
    return this.asked.filter((question) => question.ask === ask).length;
  }

  /** What answers about trust may touch. */
  readonly #host: TrustHost = ((shell: DemoShell) => ({
    get trust() {
      return shell.world.trust;
    },
    card: (user: string) => shell.#card(user),
    person: (user: string, part: Partial<PersonCard>) => shell.#person(user, part),
    tellBackup: (data) => shell.tell({ news: 'backup', data }),
  }) satisfies TrustHost)(this);

  async #answer(question: Question): Promise<unknown> {
    const { world } = this;
    const aboutTrust = answerTrust(this.#host, question);
    if (aboutTrust !== undefined) return aboutTrust;
    switch (question.ask) {
      case 'app.state':
        return world.app;
      case 'app.unlock':
        if (question.input.passphrase !== 'correct horse') throw { code: 'wrong-passphrase', detail: 'does not open the store' };
        return (world.app.stage = 'ready'), world.app;
      case 'app.protect':
        world.app.protection = question.input.how;
        if (world.app.stage === 'protect') world.app.stage = 'welcome';
        return world.app;
      case 'app.lock':
        return this.#stage('locked');
      case 'app.keep':
        world.app.protection = question.input.how;
        return world.app;
      case 'app.erase':
        if (question.input.user !== world.app.profile?.user) throw { code: 'invalid-address', detail: 'not the own address' };
        Object.assign(world, { chats: [], messages: {}, people: [] });
        world.app.profile = null;
        return this.#stage('welcome');
      case 'recovery.restore':
        if (question.input.words === 'wrong') throw { code: 'wrong-words', detail: 'the checksum does not fit' };
        world.app.profile = { user: question.input.user, name: 'Ana Silva', vouchedBy: 'a.localhost' };
        return this.#stage('ready');
      case 'issuer.list':
        return this.#issuers(question.input.domain);
      case 'signin.start':
        this.signIn({ state: 'finding' });
        this.signIn({ state: 'waiting', url: `${question.input.issuer}/authorize?client_id=parlance` });
        return null;
      case 'profile.create':
        world.app.stage = 'ready';
        world.app.profile = { name: question.input.name, user: question.input.user, vouchedBy: question.input.user.split('@')[1]! };
        this.tell({ news: 'app', data: world.app });
        return world.app.profile;
      case 'chat.list':
        return world.chats;
      case 'chat.open': {
        const summary = this.#chat(question.input.chat);
        const person = world.people.find((one) => one.user === summary.user);
        const refusals = summary.mark === 'changed' ? [{ code: 'wrong-author', count: 3, lastAt: Date.now() - 40 * MINUTE }] : [];
        return { summary, identity: person?.identity ?? null, refusals, messages: world.messages[summary.chat], more: false };
      }
      case 'chat.older':
        return [];
      case 'chat.send':
        return this.#append(question.input.chat, question.input.text, true);
      case 'chat.retry':
        return this.#change(question.input.message, 'sent'), null;
      case 'chat.discard': {
        const chat = question.input.message.split('#')[0]!;
        world.messages[chat] = world.messages[chat]!.filter((one) => one.id !== question.input.message);
        this.tell({ news: 'message-gone', data: { chat, id: question.input.message } });
        return null;
      }
      case 'chat.read':
        return (this.#chat(question.input.chat).unread = 0), null;
      case 'chat.draft':
        return (this.#chat(question.input.chat).draft = question.input.text), null;
      case 'person.find':
        return this.#find(question.input.address);
      case 'person.request':
        return this.#request(question.input.user);
      case 'person.accept':
        return this.#contact(question.input.user, 'accepted'), null;
      case 'person.block':
        return this.#block(question.input.user), null;
      case 'person.unblock':
        return this.#contact(question.input.user, this.#beforeBlock.get(question.input.user) ?? 'accepted'), null;
      case 'person.card':
        return this.#card(question.input.user);
      case 'person.list':
        return world.people;
      case 'consent.list':
        return world.consents;
      case 'consent.answer':
        this.#parked.get(question.input.id)?.(question.input.answer === 'deny' ? { code: 'denied', detail: 'the person said no' } : null);
        this.tell({ news: 'consent-closed', data: { id: question.input.id } });
        return null;
      case 'call.list':
        return world.calls;
      case 'call.start':
        return this.#call(question.input.user);
      case 'call.accept':
        return this.callGoes(question.input.call, { stage: { at: 'connected' }, connectedAt: Date.now() }), null;
      case 'call.decline':
        return this.callGoes(question.input.call, { stage: { at: 'ended', reason: 'declined', seconds: 0 } }), null;
      case 'call.hangup':
        return this.callGoes(question.input.call, { stage: { at: 'ended', reason: 'hung-up', seconds: 127 } }), null;
      case 'call.mute':
        return this.callGoes(question.input.call, { muted: question.input.muted }), null;
      case 'module.list':
        return world.modules;
      case 'module.revoke':
        world.modules = world.modules.filter((one) => one.module !== question.input.module);
        return null;
      case 'settings.get':
        return world.settings;
      case 'settings.set':
        return (world.settings = question.input);
      case 'signin.again':
      case 'signin.cancel':
        return null;
    }
  }

  /** A call changes. */
  callGoes(call: string, part: Partial<CallView>): void {
    const at = this.world.calls.findIndex((one) => one.call === call);
    const changed = { ...(this.world.calls[at] ?? sampleCall({ call })), ...part };
    if (at < 0) this.world.calls.push(changed);
    else this.world.calls[at] = changed;
    this.tell({ news: 'call', data: changed });
  }

  #issuers(domain: string) {
    if (domain.startsWith('down')) return refuse('domain-unreachable');
    return [
      { issuer: 'https://login.acme.example', name: 'Acme', kind: 'managed' },
      { issuer: `http://${domain}:7101`, name: domain, kind: 'domain' },
      { issuer: 'https://accounts.example.org', name: 'Example Accounts', kind: 'listed' },
      { issuer: 'https://saml.uni.example', name: 'University sign-in', kind: 'proxy' },
    ];
  }

  async #find(address: string) {
    const [local, domain] = address.split('@');
    if (local === 'nobody') return refuse('not-found');
    if (domain?.startsWith('down')) return refuse('domain-unreachable');
    if (local === 'slow') return new Promise(() => {});
    if (local === 'ask') {
      const trouble = await new Promise<Trouble | null>((resolve) => {
        this.#parked.set(sampleConsent.id, resolve);
        this.tell({ news: 'consent', data: { ...sampleConsent, forWhom: address, domain: domain!, mayTalkTo: [domain!] } });
      });
      if (trouble) throw trouble;
    }
    const known = this.world.chats.find((one) => one.user === address);
    return { user: address, reachedBy: `${domain} 1.0.0`, chat: known?.chat ?? null };
  }

  #request(user: string): ChatSummary {
    const domain = user.split('@')[1]!;
    const chat = `comm://${domain}/${user.split('@')[0]}`;
    const summary: ChatSummary = { chat, user, name: user, domain, contact: 'asked', last: null, unread: 0, draft: '', change: null, mark: 'introduced', at: Date.now() };
    this.world.chats.push(summary);
    this.world.messages[chat] = [];
    this.tell({ news: 'chat', data: summary });
    return summary;
  }

  #card(user: string): PersonCard {
    return this.world.people.find((one) => one.user === user) ?? refuse('not-found');
  }

  #person(user: string, part: Partial<PersonCard>): PersonCard {
    const card = Object.assign(this.#card(user), part);
    card.issuers = card.issuers.map((one) => ({ ...one, state: card.identity?.state ?? one.state }));
    const chat = this.world.chats.find((one) => one.user === user);
    if (chat) {
      Object.assign(chat, { change: card.change, mark: card.identity?.state ?? 'introduced' });
      this.tell({ news: 'chat', data: chat });
    }
    this.tell({ news: 'person', data: card });
    return card;
  }

  #stage(stage: AppState['stage']): AppState {
    this.world.app.stage = stage;
    this.tell({ news: 'app', data: this.world.app });
    return this.world.app;
  }

  #block(user: string): void {
    const before = this.world.people.find((one) => one.user === user)?.contact;
    if (before && before !== 'blocked') this.#beforeBlock.set(user, before);
    this.#contact(user, 'blocked');
  }

  #contact(user: string, contact: PersonCard['contact']): void {
    const card = this.world.people.find((one) => one.user === user);
    const chat = this.world.chats.find((one) => one.user === user);
    if (chat) this.tell({ news: 'chat', data: Object.assign(chat, { contact }) });
    if (card) this.tell({ news: 'person', data: Object.assign(card, { contact }) });
  }

  #call(user: string): CallView {
    const card = this.world.people.find((one) => one.user === user);
    const call = sampleCall({ call: `connection://a.localhost/${this.world.calls.length + 1}`, user, name: card?.name ?? user, stage: { at: 'finding' } });
    this.world.calls.push(call);
    return call;
  }

  #chat(chat: string): ChatSummary {
    return this.world.chats.find((one) => one.chat === chat) ?? refuse('not-found');
  }

  #append(chat: string, words: string, mine: boolean): ChatMessage {
    const list = (this.world.messages[chat] ??= []);
    const summary = this.#chat(chat);
    const ordinal = (list.at(-1)?.ordinal ?? 0) + 1;
    const message: ChatMessage = {
      id: `${chat}#${ordinal}`, chat, ordinal, mine, author: mine ? 'ana@a.localhost' : summary.user,
      content: { type: 'text', text: words }, at: Date.now(),
      state: mine ? (this.world.app.online && summary.contact === 'accepted' ? 'sent' : 'queued') : 'received', mark: summary.mark,
    };
    list.push(message);
    summary.last = message;
    summary.at = message.at;
    return message;
  }

  #change(id: string, state: ChatMessage['state']): void {
    for (const message of Object.values(this.world.messages).flat()) {
      if (message.id === id) this.tell({ news: 'message', data: Object.assign(message, { state }) });
    }
  }
}

function refuse(code: string): never {
  throw { code, detail: `the demo says ${code}` };
}

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
    if (name === 'empty') Object.assign(world, { chats: [], people: [], messages: {}, modules: [] });
    if (name === 'offline') {
      world.app.online = false;
      const ben = world.chats[0]!;
      ben.last!.state = 'queued';
    }
    if (name === 'unprotected') world.app.protection = 'unprotected';
    if (name === 'hang') world.hang.push(value as Question['ask']);
    if (name === 'fail') world.refuse[value as Question['ask']] = { code: 'shell-lost', detail: 'the connection to the app was lost' };
    if (name === 'ringing') world.calls.push(sampleCall({ call: 'ring-1', incoming: true, stage: { at: 'ringing' } }));
    if (name === 'protection') world.app.protection = value as Protection;
    if (name === 'too-soon') world.refuse['app.unlock'] = { code: 'too-soon', detail: value };
    if (name === 'change') {
      const [kind, stops] = value.split('!') as [KeyChangeKind, string | undefined];
      new DemoShell(world).keysChange('dmitri@uni.example', kind, stops !== undefined);
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
