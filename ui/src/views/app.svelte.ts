/** Puts all controllers together and hands each its news. */
import { createContext } from 'svelte';
import { Calls } from '../calls/calls.svelte';
import { Chats } from '../chats/chats.svelte';
import { Consents } from '../consent/consents.svelte';
import { Conversation } from '../conversation/conversation.svelte';
import { FirstRun } from '../first-run/first-run.svelte';
import { Find } from '../people/find.svelte';
import { People } from '../people/people.svelte';
import { Modules } from '../settings/modules.svelte';
import { Settings } from '../settings/settings.svelte';
import { Announcer } from '../shared/announcer.svelte';
import { Toasts } from '../shared/toasts.svelte';
import { sentence } from '../shared/trouble';
import { Waiting } from '../shared/waiting.svelte';
import type { AppState, News, PersonCard, Shell } from '../shell/shell';
import { Route, type Place } from './route.svelte';

/** What lies above the screens, at most one at a time. */
export type Layer = 'palette' | 'shortcuts' | 'protect' | null;

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
  readonly people: People;
  readonly find: Find;
  readonly calls: Calls;

  constructor(readonly shell: Shell) {
    this.settings = new Settings(shell);
    this.modules = new Modules(shell, this.toasts);
    this.firstRun = new FirstRun(shell, (state) => this.#takeState(state));
    this.consents = new Consents(shell);
    this.chats = new Chats(shell);
    this.conversation = new Conversation(shell, this.chats, this.announcer, this.toasts);
    this.people = new People(shell, this.toasts, (card) => this.#takeContact(card));
    this.find = new Find(shell, this.consents, () => this.state?.profile?.user ?? null);
    this.calls = new Calls(shell, this.announcer, this.toasts);
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

  /** Whether there is room for one pane only. */
  narrow = $state(false);
  #beforeCall = $state<Place>({ section: 'chats', id: null });

  async call(user: string, name: string): Promise<void> {
    const started = this.calls.start(user, name);
    this.showCall();
    await started;
    // There is nothing to show when it could not even begin.
    if (!this.calls.active) this.leaveCall();
  }

  async accept(call: string): Promise<void> {
    const accepted = this.calls.accept(call);
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

  #takeState(state: AppState): void {
    const before = this.state?.stage;
    this.state = state;
    this.firstRun.follow(state);
    if (state.stage === 'ready' && before !== 'ready') this.#loadAll();
  }

  #loadAll(): void {
    void this.settings.load();
    void this.chats.load();
    void this.calls.load();
    void this.consents.load();
    void this.people.load();
  }

  #takeContact(card: PersonCard): void {
    const chat = this.chats.withUser(card.user);
    if (chat) chat.contact = card.contact;
    const open = this.route.place;
    const wasOpen = open.section === 'chats' && open.id !== null && open.id === chat?.chat;
    if (card.contact === 'blocked' && wasOpen) this.route.go('chats');
  }

  #take(news: News): void {
    switch (news.news) {
      case 'app':
        return this.#takeState(news.data);
      case 'signin':
        return this.firstRun.takeSignIn(news.data);
      case 'chat':
        this.chats.take(news.data);
        return this.conversation.takeSummary(news.data);
      case 'message':
        this.chats.takeMessage(news.data);
        return this.conversation.take(news.data);
      case 'message-gone':
        return this.conversation.gone(news.data.chat, news.data.id);
      case 'person':
        this.people.take(news.data);
        this.chats.takePerson(news.data);
        return this.conversation.takePerson(news.data);
      case 'consent':
        return this.consents.take(news.data);
      case 'consent-closed':
        return this.consents.closed(news.data.id);
      case 'call':
        return this.calls.take(news.data);
      case 'module':
        return this.modules.take(news.data);
      case 'trouble':
        return this.toasts.say(sentence(news.data));
    }
  }
}

const [getApp, setApp] = createContext<App>();
export { getApp, setApp };
