/** Keeps the open conversation: its messages, its draft and what can be done with them. */
import type { ChatMessage, ChatPage, ChatSummary, ChatView, PersonCard, Question, Settings, Shell } from '../shell/shell';
import { troubleOf } from '../shell/shell';
import type { Chats } from '../chats/chats.svelte';
import type { Announcer } from '../shared/announcer.svelte';
import type { Toasts } from '../shared/toasts.svelte';
import { Files } from '../files/files.svelte';
import { Voice } from '../files/voice.svelte';
import { Waiting } from '../shared/waiting.svelte';
import { Polls } from './polls.svelte';
import { Previews } from './previews.svelte';
import { nameIn } from '../groups/names';
import { say } from '../words/words.svelte';

/** The longest text one message may have. */
export const LONGEST_TEXT = 16_384;
const DRAFT_PAUSE_MS = 400;
/** Messages that are shown at once; of more, the far end goes until one scrolls there. */
export const MOST_SHOWN = 240;
/** Typing is told and believed for so long. */
const TYPING_TOLD_MS = 4_000;
const TYPING_SEEN_MS = 7_000;

/** Whether an own message can still be said anew: it is there, and has words. */
export const mayEdit = (message: ChatMessage): boolean => message.mine && message.content.type === 'text' && message.state !== 'failed';

export class Conversation {
  /** Which conversation is open. */
  chat = $state<string | null>(null);
  view = $state<ChatView | null>(null);
  messages = $state<ChatMessage[]>([]);
  draft = $state('');
  more = $state(false);
  /** Whether there are newer ones than the last of these. */
  newer = $state(false);
  /** The message one jumped to. */
  found = $state<string | null>(null);
  /** The message that is answered, or said anew. */
  about = $state<{ kind: 'reply' | 'edit'; message: ChatMessage } | null>(null);
  /** Where a link leads that was clicked, until the person decides. */
  leaving = $state<string | null>(null);
  /** The message that is to be forwarded. */
  forwarding = $state<ChatMessage | null>(null);
  /** Whether the other side is typing. */
  typing = $state(false);
  /** Who of them types. */
  typist = $state('');
  /** The files of this conversation. */
  readonly files: Files;
  readonly voice: Voice;
  readonly polls: Polls;
  /** The card of the link that is being written. */
  readonly previews: Previews;
  waiting = new Waiting();
  older = new Waiting();
  sending = new Waiting();
  answering = new Waiting();
  /** Something that is done with a message. */
  acting = new Waiting();
  #drafts = new Map<string, string>();
  #hidden = new Set<string>();
  #draftTimer: ReturnType<typeof setTimeout> | undefined;
  #typingTimer: ReturnType<typeof setTimeout> | undefined;
  #typingTold = 0;
  /** What was typed before a message was to be said anew. */
  #beforeEdit = '';

  constructor(
    private readonly shell: Shell,
    private readonly chats: Chats,
    private readonly announcer: Announcer,
    private readonly toasts: Toasts,
    private readonly inSight: () => boolean = () => document.hasFocus(),
    /** Words went to another conversation than the one that was open. */
    private readonly onmoved: (chat: string) => void = () => {},
    linkPreviews: () => Settings['linkPreviews'] = () => 'ask',
  ) {
    this.files = new Files(shell);
    this.voice = new Voice(shell);
    this.polls = new Polls(shell, (message) => this.take(message));
    this.previews = new Previews(shell, linkPreviews);
  }

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
    this.#away();
    for (const waiting of [this.older, this.sending, this.answering, this.acting]) waiting.reset();
    this.draft = this.#drafts.get(chat) ?? this.chats.find(chat)?.draft ?? '';
    void this.files.open(chat);
    await this.load();
  }

  async load(): Promise<void> {
    const chat = this.chat;
    if (chat === null) return;
    const view = await this.waiting.run(() => this.shell.ask({ ask: 'chat.open', input: { chat } }));
    if (!view || this.chat !== chat) return;
    this.view = view;
    const held = this.newer ? [] : this.messages;
    this.messages = view.messages;
    for (const message of held) this.#place(message);
    this.more = view.more;
    this.newer = false;
    if (this.draft === '') this.draft = this.#drafts.get(chat) ?? view.summary.draft;
    if (this.about?.kind !== 'edit') this.previews.look(this.draft);
    this.read();
  }

  close(): void {
    this.#keepDraft();
    this.chat = null;
    this.view = null;
    this.messages = [];
    this.draft = '';
    this.#away();
    this.waiting.reset();
  }

  /** Nothing of the conversation that was open holds for the next one. */
  #away(): void {
    this.more = false;
    this.newer = false;
    this.found = null;
    this.about = null;
    this.leaving = null;
    this.forwarding = null;
    this.typing = false;
    this.#typingTold = 0;
    this.files.clear();
    this.polls.clear();
    this.previews.clear();
    if (this.voice.on) void this.voice.end(false, null);
    clearTimeout(this.#typingTimer);
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
    this.#beforeEdit = '';
    this.#away();
    for (const waiting of [this.waiting, this.older, this.sending, this.answering, this.acting]) waiting.reset();
  }

  async showOlder(): Promise<void> {
    const first = this.messages[0];
    const chat = this.chat;
    if (!first || chat === null || this.older.busy) return;
    const input = { chat, before: first.ordinal };
    const found = await this.older.run(() => this.shell.ask({ ask: 'chat.older', input }));
    if (!found || this.chat !== chat) return;
    const known = new Set(this.messages.map((message) => message.id));
    const messages = [...found.filter((message) => !known.has(message.id)), ...this.messages];
    this.newer ||= messages.length > MOST_SHOWN;
    this.messages = messages.slice(0, MOST_SHOWN);
    this.more = found.length > 0;
  }

  async showNewer(): Promise<void> {
    const last = this.messages.at(-1);
    const chat = this.chat;
    if (!last || chat === null || !this.newer || this.older.busy) return;
    const found = await this.older.run(() => this.shell.ask({ ask: 'chat.newer', input: { chat, after: last.ordinal } }));
    if (!found || this.chat !== chat) return;
    const known = new Set(this.messages.map((message) => message.id));
    const messages = [...this.messages, ...found.filter((message) => !known.has(message.id))];
    this.more ||= messages.length > MOST_SHOWN;
    this.messages = messages.slice(-MOST_SHOWN);
    this.newer = found.length > 0;
  }

  /** Shows a message, wherever it stands. */
  async jump(message: string): Promise<void> {
    const chat = this.chat;
    if (chat === null) return;
    this.found = null;
    if (!this.messages.some(({ id }) => id === message)) await this.#show({ ask: 'chat.around', input: { chat, message } });
    else this.found = message;
  }

  /** Shows the first message of a day. */
  async jumpToDate(at: number): Promise<void> {
    const chat = this.chat;
    if (chat !== null) await this.#show({ ask: 'chat.date', input: { chat, at } });
  }

  async #show(question: Extract<Question, { ask: 'chat.around' | 'chat.date' }>): Promise<void> {
    const page = (await this.acting.run(() => this.shell.ask(question))) as ChatPage | null;
    if (!page || this.chat !== question.input.chat) return;
    this.messages = page.messages;
    this.more = page.older;
    this.newer = page.newer;
    this.found = page.found;
  }

  /** Back to the newest messages. */
  async toNewest(): Promise<void> {
    this.found = null;
    if (this.newer) await this.load();
  }

  type(text: string): void {
    this.draft = text;
    const chat = this.chat;
    if (chat === null) return;
    if (text.trim() !== '') this.#tellTyping(chat);
    if (this.about?.kind === 'edit') return;
    this.previews.look(text);
    this.#drafts.set(chat, text);
    clearTimeout(this.#draftTimer);
    this.#draftTimer = setTimeout(() => this.#keepDraft(), DRAFT_PAUSE_MS);
  }

  /** Sends the draft; it comes back into the field if it could not even be kept. */
  async send(): Promise<void> {
    const chat = this.chat;
    const text = this.draft.trim();
    if (this.held || chat === null || text === '' || text.length > LONGEST_TEXT || this.sending.busy) return;
    const about = this.about;
    if (about?.kind === 'edit') return this.#sayAnew(about.message, text);
    clearTimeout(this.#draftTimer);
    const along = this.previews.along(text);
    this.previews.clear();
    this.draft = '';
    this.about = null;
    this.#typingTold = 0;
    this.#drafts.set(chat, '');
    const listed = this.chats.find(chat);
    if (listed) listed.draft = '';
    const message = await this.sending.run(() => (about === null
      ? this.shell.ask({ ask: 'chat.send', input: { chat, text, ...(along !== null && { preview: along }) } })
      : this.shell.ask({ ask: 'chat.reply', input: { chat, message: about.message.id, text, ...(along !== null && { preview: along }) } })));
    // What was written is at the end, wherever one was reading.
    if (message && this.chat === chat && this.newer) await this.toNewest();
    if (message) {
      // News of the message may have come before the answer, and is newer than it.
      const known = this.messages.some((one) => one.id === message.id);
      if (this.chat === message.chat && !known) this.#place(message);
      if (!known) this.chats.takeMessage(message);
      // After a recovery, or keys that were accepted, the words go on in a new conversation.
      if (message.chat !== chat && this.chat === chat) this.onmoved(message.chat);
    } else if (this.sending.trouble) {
      this.#drafts.set(chat, text);
      if (this.chat === chat && this.draft === '') {
        this.draft = text;
        this.previews.look(text);
        this.about ??= about;
      }
    }
  }

  /** Sends what was picked, with words; what is answered is answered by it. */
  async sendFiles(text: string): Promise<boolean> {
    const chat = this.chat;
    if (chat === null || this.held) return false;
    const sent = await this.files.send(chat, text, this.#answered());
    if (sent) this.about = null;
    return sent;
  }

  async beginVoice(): Promise<void> {
    if (this.chat !== null && !this.held) await this.voice.begin(this.chat);
  }

  async endVoice(send: boolean): Promise<void> {
    const upload = await this.voice.end(send, this.#answered());
    if (!upload) return;
    this.about = null;
    this.files.takeUpload(upload);
  }

  #answered(): string | null {
    return this.about?.kind === 'reply' ? this.about.message.id : null;
  }

  async #sayAnew(message: ChatMessage, text: string): Promise<void> {
    if (text !== (message.content.type === 'text' ? message.content.text : '')) {
      const changed = await this.sending.run(() => this.shell.ask({ ask: 'chat.edit', input: { message: message.id, text } }));
      if (!changed) return;
      this.#changed(changed);
    }
    this.leaveAbout();
  }

  reply(message: ChatMessage): void {
    this.leaveAbout();
    this.about = { kind: 'reply', message };
  }

  edit(message: ChatMessage): void {
    if (!mayEdit(message) || message.content.type !== 'text') return;
    this.leaveAbout();
    this.#beforeEdit = this.draft;
    this.previews.clear();
    this.about = { kind: 'edit', message };
    this.draft = message.content.text;
  }

  /** The arrow up in an empty field: the last own message is said anew. */
  editLast(): boolean {
    const last = this.newer ? undefined : this.messages.findLast((message) => message.mine && message.content.type !== 'system');
    if (!last || !mayEdit(last)) return false;
    this.edit(last);
    return true;
  }

  /** Neither answers nor edits any more; what was typed before comes back. */
  leaveAbout(): void {
    if (this.about?.kind === 'edit') {
      this.draft = this.#beforeEdit;
      this.previews.look(this.draft);
    }
    this.#beforeEdit = '';
    this.about = null;
  }

  /** Reacts, or takes the reaction back. */
  async react(message: ChatMessage, emoji: string): Promise<void> {
    const on = !message.reactions.some((one) => one.emoji === emoji && one.mine);
    await this.#act(() => this.shell.ask({ ask: 'chat.react', input: { message: message.id, emoji, on } }));
  }

  async pin(message: ChatMessage, on: boolean): Promise<void> {
    await this.#act(() => this.shell.ask({ ask: 'chat.pin', input: { message: message.id, on } }));
  }

  /** Takes an own message back at everybody's, unless that is undone at once. */
  takeBack(message: ChatMessage): void {
    this.#hide(message.id, true);
    if (this.about?.message.id === message.id) this.leaveAbout();
    const commit = async () => {
      await this.#act(() => this.shell.ask({ ask: 'chat.delete', input: { message: message.id } }));
      this.#hide(message.id, false);
    };
    this.toasts.undoable(say('conversation.taken-back'), () => void commit(), () => this.#hide(message.id, false));
  }

  async forward(message: ChatMessage, to: string, name: string): Promise<void> {
    this.forwarding = null;
    const sent = await this.acting.run(() => this.shell.ask({ ask: 'chat.forward', input: { message: message.id, to } }));
    if (!sent) return;
    this.chats.takeMessage(sent);
    if (sent.chat === this.chat && !this.newer) this.#place(sent);
    this.toasts.say(say('conversation.forwarded', { name }));
  }

  async setTimer(seconds: number): Promise<void> {
    const chat = this.chat;
    if (chat === null) return;
    await this.acting.run(() => this.shell.ask({ ask: 'chat.timer', input: { chat, seconds } }));
    await this.#lookAgain();
  }

  /** Opens what a link leads to, outside of the app. */
  async leave(url: string): Promise<void> {
    this.leaving = null;
    await this.acting.run(() => this.shell.ask({ ask: 'link.open', input: { url } }));
  }

  async #act(ask: () => Promise<ChatMessage>): Promise<void> {
    const changed = await this.acting.run(ask);
    if (changed) this.#changed(changed);
  }

  #changed(message: ChatMessage): void {
    if (message.chat !== this.chat) return;
    if (this.messages.some((one) => one.id === message.id)) this.#place(message);
    if (this.view) {
      const others = this.view.pinned.filter((one) => one.id !== message.id);
      this.view.pinned = message.pinned ? [message, ...others] : others;
    }
    for (const one of this.messages) {
      if (one.reply?.id === message.id) one.reply.text = message.content.type === 'text' ? message.content.text : null;
    }
  }

  #tellTyping(chat: string): void {
    const now = Date.now();
    if (now - this.#typingTold < TYPING_TOLD_MS || this.summary?.contact !== 'accepted') return;
    this.#typingTold = now;
    this.shell.ask({ ask: 'chat.typing', input: { chat } }).catch(() => {
      // It is told now or not at all.
    });
  }

  takeTyping(chat: string, user: string): void {
    if (chat !== this.chat) return;
    this.typing = true;
    this.typist = user;
    clearTimeout(this.#typingTimer);
    this.#typingTimer = setTimeout(() => (this.typing = false), TYPING_SEEN_MS);
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
    const known = this.messages.some((one) => one.id === message.id);
    // Who reads further up sees what is new when they come back to the end.
    if (!known && this.newer) return;
    const isNew = !known && message.ordinal > (this.messages.at(-1)?.ordinal ?? 0);
    if (known || !isNew) this.#changed(message);
    if (!known) this.#place(message);
    if (!isNew || message.mine) return;
    this.typing = false;
    if (message.content.type === 'text') {
      const name = nameIn(this.summary, message.author);
      this.announcer.say(say('conversation.announce', { name, text: message.content.text }));
    }
    this.read();
  }

  takeSummary(summary: ChatSummary): void {
    if (summary.chat !== this.chat || !this.view) return;
    const last = summary.last;
    const missing = last !== null && !this.newer && !this.messages.some((message) => message.id === last.id);
    if (missing && !this.waiting.busy) void this.load();
    // A message is told before the number of unread, so what is in sight is read here.
    if (summary.unread > 0) this.read();
  }

  takePerson(card: PersonCard): void {
    if (this.view?.group) return void this.#lookAgain();
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
      const { devices, refusals, pinned, timer } = await this.shell.ask({ ask: 'chat.open', input: { chat } });
      if (this.chat !== chat || !this.view) return;
      this.view.devices = devices;
      this.view.refusals = refusals;
      this.view.pinned = pinned;
      this.view.timer = timer;
    } catch {
      // What is shown stays until the conversation is opened again.
    }
  }

  gone(chat: string, id: string): void {
    if (chat !== this.chat) return;
    this.messages = this.messages.filter((message) => message.id !== id);
    if (this.view) this.view.pinned = this.view.pinned.filter((message) => message.id !== id);
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
