/** Keeps the list of conversations in order. */
import type { ChatMessage, ChatSummary, MuteTime, PersonCard, Shell } from '../shell/shell';
import { now } from '../shared/clock.svelte';
import { matching } from '../shared/matching';
import { Waiting } from '../shared/waiting.svelte';

/** The end of a mute that has none; the Rust side has the same number. */
export const MUTED_FOR_EVER = 8_640_000_000_000_000;

export const isMuted = ({ mutedUntil }: ChatSummary, now: number): boolean => mutedUntil !== null && mutedUntil > now;

export class Chats {
  list = $state<ChatSummary[]>([]);
  loaded = $state(false);
  filter = $state('');
  waiting = new Waiting();
  /** What was told since the list was last asked for. */
  #news = new Map<string, ChatSummary>();

  constructor(private readonly shell: Shell) {}

  /** What the list shows: not the blocked, only what matches, newest first. */
  shown = $derived(
    this.list.filter((chat) => chat.contact !== 'blocked').filter(matching(this.filter)).toSorted((a, b) => b.at - a.at),
  );

  unread = $derived(
    this.list.reduce((sum, chat) => (chat.contact === 'blocked' || isMuted(chat, now()) ? sum : sum + chat.unread), 0),
  );

  async load(): Promise<void> {
    this.#news.clear();
    const list = await this.waiting.run(() => this.shell.ask({ ask: 'chat.list' }));
    if (!list) return;
    this.list = list;
    this.loaded = true;
    // What was told while the answer was on its way is younger than the answer.
    for (const summary of this.#news.values()) this.take(summary);
  }

  find(chat: string): ChatSummary | undefined {
    return this.list.find((one) => one.chat === chat);
  }

  withUser(user: string): ChatSummary | undefined {
    return this.list.find((one) => one.group === null && !one.imported && one.user === user);
  }

  take(summary: ChatSummary): void {
    this.#news.set(summary.chat, summary);
    const at = this.list.findIndex((one) => one.chat === summary.chat);
    if (at < 0) this.list = [...this.list, summary];
    else this.list[at] = summary;
  }

  gone(chat: string): void {
    this.#news.delete(chat);
    this.list = this.list.filter((one) => one.chat !== chat);
  }

  takeMessage(message: ChatMessage): void {
    const chat = this.find(message.chat);
    if (!chat || (chat.last && chat.last.ordinal > message.ordinal)) return;
    chat.last = message;
    chat.at = Math.max(chat.at, message.at);
  }

  /** Makes a conversation quiet; throws what the app refuses. */
  async mute(chat: string, time: MuteTime): Promise<void> {
    this.take(await this.shell.ask({ ask: 'chat.mute', input: { chat, time } }));
  }

  takePerson(card: PersonCard): void {
    for (const chat of this.list) {
      if (chat.group !== null) {
        if (card.user in chat.group.names) chat.group.names[card.user] = card.name;
        continue;
      }
      if (chat.user !== card.user || chat.imported) continue;
      chat.name = card.name;
      chat.contact = card.contact;
      chat.change = card.change;
    }
  }

  clear(): void {
    this.list = [];
    this.loaded = false;
    this.filter = '';
    this.#news.clear();
    this.waiting.reset();
  }

  /** The chat `step` places away from the open one, only unread ones if wanted. */
  neighbour(open: string | null, step: 1 | -1, unreadOnly = false): string | null {
    const all = this.shown.filter((chat) => !unreadOnly || chat.unread > 0 || chat.chat === open);
    if (all.length === 0) return null;
    const at = all.findIndex((chat) => chat.chat === open);
    const next = at < 0 ? (step === 1 ? 0 : all.length - 1) : at + step;
    return all[Math.min(Math.max(next, 0), all.length - 1)]!.chat;
  }
}
