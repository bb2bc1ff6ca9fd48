/** Puts all controllers together and hands each its news. */
import { createContext } from 'svelte';
import { Book } from '../calls/book.svelte';
import { Calls, ECHO } from '../calls/calls.svelte';
import { Chats } from '../chats/chats.svelte';
import { Consents } from '../consent/consents.svelte';
import { Conversation } from '../conversation/conversation.svelte';
import { Anew } from '../first-run/anew.svelte';
import { Search } from '../conversation/search.svelte';
import { Invites } from '../groups/invites.svelte';
import { Groups } from '../groups/groups.svelte';
import { FirstRun } from '../first-run/first-run.svelte';
import { Joining } from '../first-run/joining.svelte';
import { Find } from '../people/find.svelte';
import { People } from '../people/people.svelte';
import { Verify } from '../people/verify.svelte';
import { Devices } from '../settings/devices.svelte';
import { Link } from '../settings/link.svelte';
import { Identities } from '../settings/identities.svelte';
import { Lock } from '../settings/lock.svelte';
import { Modules } from '../settings/modules.svelte';
import { Policies } from '../settings/policies.svelte';
import { History } from '../history/history.svelte';
import { Recovery } from '../settings/recovery.svelte';
import { Settings } from '../settings/settings.svelte';
import { Sound } from '../settings/sound.svelte';
import { Announcer } from '../shared/announcer.svelte';
import { Toasts } from '../shared/toasts.svelte';
import { sentence } from '../shared/trouble';
import { Waiting } from '../shared/waiting.svelte';
import type { AppState, ChatMessage, MuteTime, News, PersonCard, Shell } from '../shell/shell';
import { troubleOf } from '../shell/shell';
import { say } from '../words/words.svelte';
import { Route, type Place } from './route.svelte';

/** What lies above the screens, at most one at a time. */
export type Layer = 'palette' | 'shortcuts' | 'protect' | 'search' | null;

/** News that speak of people and conversations. */
const ONLY_WHEN_READY = new Set<News['news']>(['chat', 'chat-gone', 'history', 'message', 'message-gone', 'typing', 'group-invite', 'group-joining', 'person', 'consent', 'call', 'past-call', 'past-call-gone', 'calls-missed', 'module', 'mine']);

export class App {
  state = $state<AppState | null>(null);
  layer = $state<Layer>(null);
  /** Whether the context panel is open. */
  context = $state(false);
  starting = new Waiting();
  readonly route = new Route();
  readonly toasts = new Toasts();
  readonly announcer = new Announcer();
  readonly settings: Settings;
  readonly modules: Modules;
  readonly firstRun: FirstRun;
  readonly consents: Consents;
  readonly chats: Chats;
  readonly conversation: Conversation;
  readonly search: Search;
  readonly people: People;
  readonly groups: Groups;
  readonly invites: Invites;
  readonly find: Find;
  readonly calls: Calls;
  readonly book: Book;
  readonly joining: Joining;
  readonly anew: Anew;
  /** Somebody begins anew as the person: their word is on its way. */
  readonly answering = new Waiting();
  readonly verify: Verify;
  readonly link: Link;
  readonly devices: Devices;
  readonly identities: Identities;
  readonly policies: Policies;
  readonly recovery: Recovery;
  readonly history: History;
  readonly lock: Lock;
  readonly sound: Sound;

  constructor(readonly shell: Shell) {
    this.settings = new Settings(shell);
    this.modules = new Modules(shell, this.toasts);
    this.firstRun = new FirstRun(shell, (state) => this.#takeState(state));
    this.consents = new Consents(shell);
    this.chats = new Chats(shell);
    this.conversation = new Conversation(shell, this.chats, this.announcer, this.toasts, () => document.hasFocus(), (chat) => this.openChat(chat), () => this.settings.values.linkPreviews);
    this.search = new Search(shell);
    this.people = new People(shell, this.toasts, (card) => this.#takeContact(card));
    this.groups = new Groups(shell, this.toasts, this.announcer, () => this.people.list);
    this.invites = new Invites(shell, this.toasts, this.announcer);
    this.find = new Find(shell, this.consents, () => this.state?.profile?.user ?? null);
    this.calls = new Calls(shell, this.announcer, this.toasts);
    this.book = new Book(shell, this.toasts);
    this.joining = new Joining(shell, (state) => this.#takeState(state), () => this.#joined());
    this.anew = new Anew(shell, (state) => this.#takeState(state), (user) => this.toasts.say(say('anew.back', { user })));
    this.verify = new Verify(shell, this.toasts, (card) => this.#takePerson(card));
    this.link = new Link(shell, this.toasts);
    this.devices = new Devices(shell, this.toasts);
    this.identities = new Identities(shell, this.toasts);
    this.policies = new Policies(shell);
    this.recovery = new Recovery(shell, this.toasts);
    this.history = new History(shell, this.toasts);
    this.sound = new Sound(shell);
    this.lock = new Lock(shell, this.toasts, (state) => this.#takeState(state));
  }

  /** Hears the news and asks where things stand; returns how to stop. */
  start(): () => void {
    const stops = [
      this.shell.hear((news) => this.#take(news)),
      this.route.follow(),
      this.settings.followSystem(),
    ];
    void this.settings.load();
    void this.load();
    return () => stops.forEach((stop) => stop());
  }

  async load(): Promise<void> {
    const state = await this.starting.run(() => this.shell.ask({ ask: 'app.state' }));
    if (state) this.#takeState(state);
  }

  /** The domain of the own account. */
  domain = $derived.by(() => this.state?.profile?.user.split('@')[1] ?? '');

  openChat(chat: string): void {
    this.route.go('chats', chat);
  }

  /** Makes a conversation quiet for a while. */
  async mute(chat: string, time: MuteTime): Promise<void> {
    try {
      await this.chats.mute(chat, time);
      this.toasts.say(say(time === 'off' ? 'mute.ended' : 'mute.begun'));
    } catch (error) {
      this.toasts.say(sentence(troubleOf(error)));
    }
  }

  /** Opens the search for messages, in the open conversation or in all. */
  openSearch(): void {
    this.search.open(this.conversation.chat);
    this.layer = 'search';
  }

  /** Leads to a message that was found, wherever it stands. */
  async showFound(message: ChatMessage): Promise<void> {
    this.layer = null;
    this.openChat(message.chat);
    await this.conversation.open(message.chat);
    await this.conversation.jump(message.id);
  }

  /** Whether there is room for one pane only. */
  narrow = $state(false);
  #beforeCall = $state<Place>({ section: 'chats', id: null });

  async call(user: string, name: string, seen = false): Promise<void> {
    const started = this.calls.start(user, name, seen);
    this.showCall();
    await started;
    // There is nothing to show when it could not even begin.
    if (!this.calls.active) this.leaveCall();
  }

  /** Calls everybody of a group. */
  async callGroup(chat: string, name: string): Promise<void> {
    await this.calls.startGroup(chat, name);
    if (this.calls.going?.joint) this.showCall();
  }

  /** Calls the echo, to hear oneself as others do. */
  async callEcho(): Promise<void> {
    if (!this.calls.going) await this.call(ECHO, say('echo.name'));
  }

  async accept(call: string, seen = false, ending = false): Promise<void> {
    const accepted = this.calls.accept(call, seen, ending);
    this.showCall();
    await accepted;
  }

  showCall(): void {
    if (this.route.place.section !== 'call') this.#beforeCall = this.route.place;
    this.route.go('call');
  }

  /** Back to where the person was; the call goes on. */
  leaveCall(): void {
    const { section, id } = this.#beforeCall;
    this.route.go(section === 'call' ? 'chats' : section, id);
  }

  /** Everything that waits is done now: the window is about to close. */
  settle(): void {
    this.toasts.settle();
    this.conversation.settle();
  }

  /** Whether a passphrase would open the app again. */
  lockable = $derived.by(() => this.state?.protection === 'passphrase' || this.state?.protection === 'keyring-and-passphrase');

  /** Locks the app; what waits for an undo is done before. */
  async lockNow(): Promise<void> {
    if (!this.lockable) return this.toasts.say(say('security.lock-none'));
    this.settle();
    await this.lock.lock();
  }

  /** Somebody is there. */
  present(): void {
    if (this.state?.stage === 'ready') this.lock.present();
  }

  /** Blocks the person whose codes did not match. */
  blockCompared(): void {
    const { who } = this.verify;
    if (!who) return;
    this.verify.close();
    this.people.block(who.user, who.name, this.people.find(who.user)?.contact ?? 'accepted');
  }

  /** Says whether it is the person who begins anew as them. */
  async answerReset(mine: boolean): Promise<boolean> {
    const state = await this.answering.run(() => this.shell.ask({ ask: 'identity.answer', input: { mine } }));
    if (state) this.#takeState(state);
    else if (this.answering.trouble) this.toasts.say(sentence(this.answering.trouble));
    return state !== null;
  }

  /** What the two read to each other in a call differs: the call ends, and the keys count as not theirs. */
  async differ(call: string, user: string): Promise<void> {
    await this.calls.hangup(call);
    this.calls.dismiss(call);
    try {
      this.#takePerson(await this.shell.ask({ ask: 'verify.compared', input: { user, same: false } }));
    } catch (error) {
      this.toasts.say(sentence(troubleOf(error)));
    }
    this.toasts.say(say('call.differed'));
    const chat = this.chats.withUser(user);
    if (chat) this.openChat(chat.chat);
    else this.leaveCall();
  }

  #takeState(state: AppState): void {
    // An answer can come after news that is younger than it is.
    if (this.state && state.turn < this.state.turn) return;
    const before = this.state?.stage;
    this.state = state;
    this.firstRun.follow(state);
    this.anew.follow(state);
    if (state.stage === 'ready' && before !== 'ready') this.#loadAll();
    if (state.stage !== 'ready') this.#forget();
  }

  /** This device was linked: everything is here. */
  #joined(): void {
    this.toasts.say(say('join.done'));
    void this.load();
  }

  /** Nothing of people and conversations stays in the page while it is locked. */
  #forget(): void {
    this.toasts.clear();
    this.announcer.clear();
    this.layer = null;
    this.context = false;
    const kept = [this.conversation, this.search, this.chats, this.people, this.groups, this.invites, this.calls, this.book, this.consents, this.modules];
    const mine = [this.devices, this.identities, this.policies, this.recovery, this.history, this.lock];
    for (const one of [...kept, ...mine]) one.clear();
    this.verify.close();
    this.find.close();
    this.#beforeCall = { section: 'chats', id: null };
    this.route.forget();
  }

  /** Own devices, issuers or policies changed: what is shown of them is asked for again. */
  #loadMine(): void {
    if (this.devices.loaded) void this.devices.load();
    if (this.identities.loaded) void this.identities.load();
    if (this.policies.view) void this.policies.load();
    if (this.policies.trailLoaded) void this.policies.loadTrail();
    if (this.recovery.state) void this.recovery.load();
  }

  #loadAll(): void {
    void this.settings.load();
    void this.chats.load();
    void this.calls.load();
    void this.book.load();
    void this.consents.load();
    void this.people.load();
    void this.invites.loadJoining();
  }

  #chatGone(chat: string): void {
    this.chats.gone(chat);
    const { section, id } = this.route.place;
    if (section === 'chats' && id === chat) this.route.go('chats');
  }

  #takePerson(card: PersonCard): void {
    this.people.take(card);
    this.chats.takePerson(card);
    this.conversation.takePerson(card);
  }

  #takeContact(card: PersonCard): void {
    const chat = this.chats.withUser(card.user);
    if (chat) chat.contact = card.contact;
    const open = this.route.place;
    const wasOpen = open.section === 'chats' && open.id !== null && open.id === chat?.chat;
    if (card.contact === 'blocked' && wasOpen) this.route.go('chats');
  }

  #take(news: News): void {
    // What is told while the app is locked must not come back into the page.
    if (this.state && this.state.stage !== 'ready' && ONLY_WHEN_READY.has(news.news)) return;
    switch (news.news) {
      case 'app':
        return this.#takeState(news.data);
      case 'signin':
        this.identities.takeSignIn(news.data);
        this.joining.takeSignIn(news.data);
        this.anew.takeSignIn(news.data);
        return this.firstRun.takeSignIn(news.data);
      case 'chat':
        this.chats.take(news.data);
        this.groups.take(news.data, this.conversation.chat);
        return this.conversation.takeSummary(news.data);
      case 'message':
        this.chats.takeMessage(news.data);
        return this.conversation.take(news.data);
      case 'chat-gone':
        return this.#chatGone(news.data.chat);
      case 'history':
        return this.history.take(news.data);
      case 'message-gone':
        return this.conversation.gone(news.data.chat, news.data.id);
      case 'file':
        return this.conversation.files.take(news.data);
      case 'upload':
        return this.conversation.files.takeUpload(news.data);
      case 'upload-gone':
        return this.conversation.files.uploadGone(news.data.chat, news.data.file);
      case 'typing':
        return this.conversation.takeTyping(news.data.chat, news.data.user);
      case 'group-invite':
        return this.invites.take(news.data);
      case 'group-joining':
        return this.invites.takeJoining(news.data);
      case 'person':
        return this.#takePerson(news.data);
      case 'consent':
        return this.consents.take(news.data);
      case 'consent-closed':
        return this.consents.closed(news.data.id);
      case 'call':
        return this.calls.take(news.data);
      case 'past-call':
        return this.book.take(news.data);
      case 'past-call-gone':
        return this.book.gone(news.data.id);
      case 'calls-missed':
        this.book.missed = news.data.count;
        return;
      case 'settings':
        return this.settings.take(news.data);
      case 'sound':
        return this.sound.take(news.data);
      case 'module':
        return this.modules.take(news.data);
      case 'link':
        this.joining.take(news.data);
        return this.state?.stage === 'ready' ? this.devices.take(news.data) : undefined;
      case 'backup':
        this.joining.takeBackup(news.data);
        return this.recovery.take(news.data);
      case 'mine':
        return this.#loadMine();
      case 'trouble':
        return this.anew.takeTrouble(news.data) ? undefined : this.toasts.say(sentence(news.data));
    }
  }
}

const [getApp, setApp] = createContext<App>();
export { getApp, setApp };
