/** Plays the app in memory with sample data, so that every screen and state can be seen and tested. */
import { sceneOf } from './demo-scenes';
import { answerTrust, changed, sampleSpokenCode, type TrustHost } from './demo-trust';
import { answerBook } from './demo-book';
import { answerChat, type ChatHost } from './demo-chat';
import { answerGroups } from './demo-groups';
import { answerHistory } from './demo-history';
import { answerFiles, type FilesHost } from './demo-files';
import { samplePicture } from './demo-picture';
import { plainMessage, sampleCall, sampleConsent, sampleWorld, type DemoWorld } from './demo-world';
import { Listeners } from './listeners';
import { ECHO, talkOf } from '../calls/calls.svelte';
import type {
  Answers, AppState, CallView, ChatDevice, ChatMessage, ChatSummary, JointPerson, KeyChangeKind, LinkState, News, PersonCard, PictureWish, Question, Shell, SignInState, Trouble,
} from './shell';

export { sceneOf } from './demo-scenes';
export { sampleCall, sampleConsent, sampleWorld, type DemoWorld } from './demo-world';

const MINUTE = 60_000;

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

  /** A picture like those of a camera: a sky at dusk that wanders. */
  async picture({ whose, after }: PictureWish): Promise<ArrayBuffer> {
    await new Promise((done) => setTimeout(done, 100));
    return samplePicture(whose, after + 1);
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

  /** The days of a new beginning run, or are over. */
  restart(until: number | null): void {
    const { app } = this.world;
    if (until !== null) this.world.app = { ...app, restart: { user: 'ana@a.localhost', until } };
    else this.world.app = { ...app, restart: undefined, stage: 'ready', profile: { user: 'ana@a.localhost', name: 'Ana Silva', vouchedBy: 'a.localhost' } };
    this.tell({ news: 'app', data: this.world.app });
  }

  /** A device of before says no to it. */
  restartEnds(code: string): void {
    this.world.app = { ...this.world.app, restart: undefined };
    this.tell({ news: 'app', data: this.world.app });
    this.tell({ news: 'trouble', data: { code, detail: 'as it is' } });
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

  /** What answers about messages may touch. */
  readonly #chatHost: ChatHost = ((shell: DemoShell) => ({
    get world() {
      return shell.world;
    },
    append: (chat: string, words: string) => shell.#append(chat, words, true),
    tell: (news: News) => shell.tell(news),
  }) satisfies ChatHost)(this);

  /** What answers about files may touch. */
  readonly #filesHost: FilesHost = ((shell: DemoShell) => ({
    messages: () => Object.values(shell.world.messages).flat(),
    get states() {
      return shell.world.files.states;
    },
    get uploads() {
      return shell.world.files.uploads;
    },
    tell: (news: News) => shell.tell(news),
  }) satisfies FilesHost)(this);

  async #answer(question: Question): Promise<unknown> {
    const { world } = this;
    const aboutTrust = answerTrust(this.#host, question);
    if (aboutTrust !== undefined) return aboutTrust;
    const aboutFiles = answerFiles(this.#filesHost, question);
    if (aboutFiles !== undefined) return aboutFiles;
    const aboutGroups = answerGroups({ world, tell: (news) => this.tell(news) }, question);
    if (aboutGroups !== undefined) return aboutGroups;
    const aboutHistory = answerHistory({ world, tell: (news) => this.tell(news) }, question);
    if (aboutHistory !== undefined) return aboutHistory;
    const aboutBook = answerBook({ world, tell: (news) => this.tell(news) }, question);
    if (aboutBook !== undefined) return aboutBook;
    const aboutChat = answerChat(this.#chatHost, question);
    if (aboutChat !== undefined) return aboutChat;
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
        if (!world.app.passphraseRequired) return world.app;
        world.app.passphraseRequired = false;
        return this.#stage('ready');
      case 'app.erase':
        if (question.input.user !== world.app.profile?.user) throw { code: 'invalid-address', detail: 'not the own address' };
        Object.assign(world, { chats: [], messages: {}, people: [] });
        world.app.profile = null;
        return this.#stage('welcome');
      case 'recovery.restore':
        if (question.input.words === 'wrong') throw { code: 'wrong-words', detail: 'the checksum does not fit' };
        world.app.profile = { user: question.input.user, name: 'Ana Silva', vouchedBy: 'a.localhost' };
        return this.#stage('ready');
      case 'identity.restart':
        this.signIn({ state: 'finding' });
        this.signIn({ state: 'waiting', url: `${question.input.issuer}/authorize?client_id=parlance` });
        return null;
      case 'identity.answer':
        if (question.input.mine && world.app.resetAsked) world.app.resetAsked.refusedAt = null;
        else delete world.app.resetAsked;
        return world.app;
      case 'identity.give-up':
        delete world.app.restart;
        return world.app;
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
        return { summary, identity: person?.identity ?? null, devices: membersOf(person), refusals, messages: world.messages[summary.chat], more: false, pinned: world.messages[summary.chat]!.filter((one) => one.pinned), timer: world.timers[summary.chat] ?? 0, group: world.groups[summary.chat] ?? null };
      }
      case 'chat.older':
        return [];
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
        return this.#find(question.input.address.replace(/^parlance:|\?code=.*$/g, ''));
      case 'person.introduce':
        return null;
      case 'contact.link':
      case 'contact.link.renew':
        return { link: `parlance:${world.app.profile?.user ?? ''}?code=${question.ask === 'contact.link' ? 'nYkW3xV1qT8bZ5LrC0aGdg' : 'Hh2oJ7uP4sE9fRi6tMvQwA'}`, madeAt: Date.now() };
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
      case 'call.camera': {
        const { call, on } = question.input;
        const { pictures } = world.calls.find((one) => one.call === call)!;
        return this.callGoes(call, { pictures: { ...pictures, camera: on ? { at: 'on', name: 'Built-in camera' } : { at: 'off' } } }), null;
      }
      case 'screen.sources':
        return world.screens;
      case 'call.share': {
        const { call, source } = question.input;
        const { kind, name } = world.screens.find((one) => one.id === source) ?? refuse('screen-not-listed');
        // The desktop says what was chosen, and no name.
        return this.#share(call, { at: 'on', kind: kind === 'portal' ? 'window' : kind, name }), null;
      }
      case 'call.unshare':
        return this.#share(question.input.call, { at: 'off' }), null;
      case 'call.hold': {
        const { call, on } = question.input;
        const talk = talkOf(world.calls.find((one) => one.call === call)!);
        for (const one of world.calls) {
          if (one.stage.at !== 'connected') continue;
          if (talkOf(one) === talk) this.callGoes(one.call, { hold: on ? 'us' : 'no' });
          else if (!on) this.callGoes(one.call, { hold: 'us' });
        }
        return null;
      }
      case 'call.add':
        return this.#add(question.input.call, question.input.user);
      case 'call.group':
        return this.#add(this.#call('ben@b.localhost').call, 'chiara.conti@studio.example');
      case 'call.echo':
        return this.#echo();
      case 'call.figures':
        return { delayMs: 41.6, jitterMs: 2.4, roundTripMs: 0.9, lossPercent: 0, firstAudioMs: 312 };
      case 'sound.get':
        return world.sound;
      case 'sound.choose':
        world.sound = { ...world.sound, choice: question.input };
        return world.sound;
      case 'sound.switch':
        world.sound = { ...world.sound, switches: question.input };
        return world.sound;
      case 'sound.test': {
        const { microphone, speaker } = question.input;
        const works = { state: 'working', name: null };
        this.tell({ news: 'sound', data: { microphone: microphone ? works : null, speaker: speaker ? works : null, level: microphone ? 58 : 0 } });
        return null;
      }
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

  #share(call: string, share: CallView['pictures']['share']): void {
    const talk = talkOf(this.world.calls.find((one) => one.call === call)!);
    for (const one of this.world.calls) {
      if (talkOf(one) === talk) this.callGoes(one.call, { pictures: { ...one.pictures, share } });
    }
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
    const summary: ChatSummary = { chat, user, name: user, domain, contact: 'asked', last: null, unread: 0, draft: '', change: null, mark: 'introduced', at: Date.now(), mutedUntil: null, group: null, mentionsMe: false };
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

  /** The call becomes a joint one, and it rings at one more. */
  #add(call: string, user: string): CallView {
    const first = this.world.calls.find((one) => one.call === call)!;
    const person = (one: { user: string; name: string }, place: JointPerson['place']): JointPerson => ({ user: one.user, name: one.name, place, blocked: false, known: true });
    const leg = this.#call(user);
    const joint = { id: 'joint-1', people: [...(first.joint?.people ?? [person(first, 'here')]), person(leg, 'asked')] };
    for (const one of this.world.calls.filter((one) => one.call === call || one.call === leg.call || one.joint?.id === joint.id)) this.callGoes(one.call, { joint });
    this.callGoes(leg.call, { stage: { at: 'ringing' } });
    return { ...leg, joint, stage: { at: 'ringing' } };
  }

  #echo(): CallView {
    const call = sampleCall({ call: 'echo-call', user: ECHO, name: '', identity: null, stage: { at: 'connected' }, code: null, connectedAt: Date.now() });
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
      ...plainMessage,
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

/** In the demo every device that counts is in every conversation. */
const membersOf = (person: PersonCard | undefined): ChatDevice[] =>
  (person?.devices ?? []).filter(({ state }) => state === 'active').map(({ name }) => ({ user: person!.user, name }));

function refuse(code: string): never {
  throw { code, detail: `the demo says ${code}` };
}
