/** Keeps a search for words: what was asked, where, and what was found. */
import type { ChatMessage, SearchAnswer, Shell } from '../shell/shell';
import { Waiting } from '../shared/waiting.svelte';

const PAUSE_MS = 150;
/** While the app still reads old messages, it is asked again. */
const AGAIN_MS = 700;

export class Search {
  text = $state('');
  /** The conversation that is looked through; all without. */
  chat = $state<string | null>(null);
  found = $state<ChatMessage[]>([]);
  more = $state(false);
  complete = $state(true);
  /** Whether what is shown belongs to what is asked. */
  done = $state(false);
  waiting = new Waiting();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #round = 0;

  constructor(private readonly shell: Shell) {}

  /** Begins in a conversation, or in all. */
  open(chat: string | null): void {
    this.clear();
    this.chat = chat;
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#round += 1;
    this.text = '';
    this.chat = null;
    this.#forget();
    this.waiting.reset();
  }

  type(text: string): void {
    this.text = text;
    this.#later(PAUSE_MS);
  }

  within(chat: string | null): void {
    this.chat = chat;
    this.#later(0);
  }

  async run(): Promise<void> {
    clearTimeout(this.#timer);
    const round = (this.#round += 1);
    if (this.text.trim() === '') return this.#forget();
    const answer = await this.#ask(null);
    if (!answer || round !== this.#round) return;
    this.found = answer.found;
    this.more = answer.more;
    this.complete = answer.complete;
    this.done = true;
    if (!answer.complete) this.#timer = setTimeout(() => void this.run(), AGAIN_MS);
  }

  async showMore(): Promise<void> {
    const last = this.found.at(-1);
    const round = this.#round;
    if (!last || this.waiting.busy) return;
    const answer = await this.#ask(last.ordinal);
    if (!answer || round !== this.#round) return;
    this.found = [...this.found, ...answer.found];
    this.more = answer.more;
  }

  #ask(before: number | null): Promise<SearchAnswer | null> {
    const input = { text: this.text, chat: this.chat, before };
    return this.waiting.run(() => this.shell.ask({ ask: 'chat.search', input }));
  }

  #later(pause: number): void {
    clearTimeout(this.#timer);
    this.done = false;
    this.#timer = setTimeout(() => void this.run(), pause);
  }

  #forget(): void {
    this.found = [];
    this.more = false;
    this.complete = true;
    this.done = false;
  }
}
