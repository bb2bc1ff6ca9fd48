/** Keeps the open conversation: its messages, its draft and what can be done with them. */
import type { ChatMessage, ChatSummary, ChatView, PersonCard, Shell } from '../shell/shell';
import { troubleOf } from '../shell/shell';
import type { Chats } from '../chats/chats.svelte';
import type { Announcer } from '../shared/announcer.svelte';
import type { Toasts } from '../shared/toasts.svelte';
import { Waiting } from '../shared/waiting.svelte';
import { say } from '../words/words.svelte';

/** The longest text one message may have. */
export const LONGEST_TEXT = 16_384;
const DRAFT_PAUSE_MS = 400;

export class Conversation {
  /** Which conversation is open. */
  chat = $state<string | null>(null);
  view = $state<ChatView | null>(null);
  messages = $state<ChatMessage[]>([]);
  draft = $state('');
  more = $state(false);
  waiting = new Waiting();
  older = new Waiting();
  sending = new Waiting();
  answering = new Waiting();
  #drafts = new Map<string, string>();
  #hidden = new Set<string>();
  #draftTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly shell: Shell,
    private readonly chats: Chats,
    private readonly announcer: Announcer,
    private readonly toasts: Toasts,
    private readonly inSight: () => boolean = () => document.hasFocus(),
    /** Words went to another conversation than the one that was open. */
    private readonly onmoved: (chat: string) => void = () => {},
  ) {}

  summary = $derived.by((): ChatSummary | null => {
    const listed = this.chat === null ? undefined : this.chats.find(this.chat);
    return listed ?? this.view?.summary ?? null;
  });

  /** Nothing is sent until the person decides about changed keys. */
  held = $derived.by(() => this.summary?.change?.stops ?? false);

  shown = $derived.by(() => this.messages.filter((message) => !this.#hidden.has(message.id)));

  async open(chat: string): Promise<void> {
    if (this.chat === chat && this.view) return;
    this.#keepDraft();
    this.chat = chat;
    this.view = null;
    this.messages = [];
    this.more = false;
    for (const waiting of [this.older, this.sending, this.answering]) waiting.reset();
    this.draft = this.#drafts.get(chat) ?? this.chats.find(chat)?.draft ?? '';
    await this.load();
  }

  async load(): Promise<void> {
    const chat = this.chat;
    if (chat === null) return;
    const view = await this.waiting.run(() => this.shell.ask({ ask: 'chat.open', input: { chat } }));
    if (!view || this.chat !== chat) return;
    this.view = view;
    const held = this.messages;
    this.messages = view.messages;
    for (const message of held) this.#place(message);
    this.more = view.more;
    if (this.draft === '') this.draft = this.#drafts.get(chat) ?? view.summary.draft;
    this.read();
  }

  close(): void {
    this.#keepDraft();
    this.chat = null;
    this.view = null;
    this.messages = [];
    this.draft = '';
    this.waiting.reset();
  }

  /** Forgets everything, drafts too: the app keeps those. */
  clear(): void {
    clearTimeout(this.#draftTimer);
    this.#drafts.clear();
    this.#hidden.clear();
    this.chat = null;
    this.view = null;
    this.messages = [];
    this.draft = '';
    this.more = false;
    for (const waiting of [this.waiting, this.older, this.sending, this.answering]) waiting.reset();
  }

  async showOlder(): Promise<void> {
    const first = this.messages[0];
    const chat = this.chat;
    if (!first || chat === null || this.older.busy) return;
    const input = { chat, before: first.ordinal };
    const found = await this.older.run(() => this.shell.ask({ ask: 'chat.older', input }));
    if (!found || this.chat !== chat) return;
    const known = new Set(this.messages.map((message) => message.id));
    this.messages = [...found.filter((message) => !known.has(message.id)), ...this.messages];
    this.more = found.length > 0;
  }

  type(text: string): void {
    this.draft = text;
    const chat = this.chat;
    if (chat === null) return;
    this.#drafts.set(chat, text);
    clearTimeout(this.#draftTimer);
    this.#draftTimer = setTimeout(() => this.#keepDraft(), DRAFT_PAUSE_MS);
  }

  /** Sends the draft; it comes back into the field if it could not even be kept. */
  async send(): Promise<void> {
    const chat = this.chat;
    const text = this.draft.trim();
    if (this.held || chat === null || text === '' || text.length > LONGEST_TEXT || this.sending.busy) return;
    clearTimeout(this.#draftTimer);
    this.draft = '';
    this.#drafts.set(chat, '');
    const listed = this.chats.find(chat);
    if (listed) listed.draft = '';
    const message = await this.sending.run(() => this.shell.ask({ ask: 'chat.send', input: { chat, text } }));
    if (message) {
      // News of the message may have come before the answer, and is newer than it.
      const known = this.messages.some((one) => one.id === message.id);
      if (this.chat === message.chat && !known) this.#place(message);
      if (!known) this.chats.takeMessage(message);
      // After a recovery, or keys that were accepted, the words go on in a new conversation.
      if (message.chat !== chat && this.chat === chat) this.onmoved(message.chat);
    } else if (this.sending.trouble) {
      this.#drafts.set(chat, text);
      if (this.chat === chat && this.draft === '') this.draft = text;
    }
  }

  async retry(message: ChatMessage): Promise<void> {
    await this.sending.run(() => this.shell.ask({ ask: 'chat.retry', input: { message: message.id } }));
  }

  /** Hides a failed message at once; removes it when nobody took that back. */
  discard(message: ChatMessage): void {
    this.#hide(message.id, true);
    const commit = async () => {
      try {
        await this.shell.ask({ ask: 'chat.discard', input: { message: message.id } });
        this.gone(message.chat, message.id);
      } catch (error) {
        this.#hide(message.id, false);
        this.sending.trouble = troubleOf(error);
      }
    };
    this.toasts.undoable(say('conversation.deleted'), () => void commit(), () => this.#hide(message.id, false));
  }

  async accept(): Promise<void> {
    const user = this.summary?.user;
    if (!user) return;
    const done = await this.answering.run(async () => {
      await this.shell.ask({ ask: 'person.accept', input: { user } });
      return true;
    });
    const chat = this.chats.withUser(user);
    if (done && chat) chat.contact = 'accepted';
  }

  read(): void {
    if (this.chat === null || !this.inSight()) return;
    const chat = this.chat;
    const listed = this.chats.find(chat);
    if (listed?.unread === 0) return;
    if (listed) listed.unread = 0;
    this.shell.ask({ ask: 'chat.read', input: { chat } }).catch(() => {
      // The number of unread comes back with the next news of this chat.
    });
  }

  take(message: ChatMessage): void {
    if (message.chat !== this.chat) return;
    const isNew = this.#place(message);
    if (!isNew || message.mine) return;
    if (message.content.type === 'text') {
      const name = this.summary?.name ?? message.author;
      this.announcer.say(say('conversation.announce', { name, text: message.content.text }));
    }
    this.read();
  }

  takeSummary(summary: ChatSummary): void {
    if (summary.chat !== this.chat || !this.view) return;
    const last = summary.last;
    const missing = last !== null && !this.messages.some((message) => message.id === last.id);
    if (missing && !this.waiting.busy) void this.load();
    // A message is told before the number of unread, so what is in sight is read here.
    if (summary.unread > 0) this.read();
  }

  takePerson(card: PersonCard): void {
    if (this.view?.summary.user !== card.user) return;
    this.view.identity = card.identity;
    this.view.summary.change = card.change;
    void this.#lookAgain();
  }

  /** Asks who is in it and what was refused; neither is told unasked. */
  async #lookAgain(): Promise<void> {
    const chat = this.chat;
    if (chat === null) return;
    try {
      const { devices, refusals } = await this.shell.ask({ ask: 'chat.open', input: { chat } });
      if (this.chat !== chat || !this.view) return;
      this.view.devices = devices;
      this.view.refusals = refusals;
    } catch {
      // What is shown stays until the conversation is opened again.
    }
  }

  gone(chat: string, id: string): void {
    if (chat === this.chat) this.messages = this.messages.filter((message) => message.id !== id);
  }

  /** Writes the draft down now: the window may be about to close. */
  settle(): void {
    this.#keepDraft();
  }

  #place(message: ChatMessage): boolean {
    const at = this.messages.findIndex((one) => one.id === message.id);
    if (at >= 0) {
      this.messages[at] = message;
      return false;
    }
    this.messages = [...this.messages, message].toSorted((a, b) => a.ordinal - b.ordinal);
    return true;
  }

  #hide(id: string, away: boolean): void {
    const hidden = new Set(this.#hidden);
    if (away) hidden.add(id);
    else hidden.delete(id);
    this.#hidden = hidden;
    this.messages = [...this.messages];
  }

  #keepDraft(): void {
    clearTimeout(this.#draftTimer);
    const chat = this.chat;
    const text = chat === null ? undefined : this.#drafts.get(chat);
    if (chat === null || text === undefined) return;
    const listed = this.chats.find(chat);
    if (listed?.draft === text) return;
    if (listed) listed.draft = text;
    this.shell.ask({ ask: 'chat.draft', input: { chat, text } }).catch(() => {
      // The draft stays here for as long as the window is open.
    });
  }
}
