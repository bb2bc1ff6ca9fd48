/** Keeps the poll that is being written, and votes in those that are there. */
import { Waiting } from '../shared/waiting.svelte';
import type { ChatMessage, PollView, Shell } from '../shell/shell';

export const LONGEST_QUESTION = 300;
export const LONGEST_OPTION = 100;
export const MOST_OPTIONS = 12;

/** What one would have chosen after a click on an answer: one of a single choice, or one more or less of several. */
export function chosenAfter(poll: PollView, at: number): number[] {
  const chosen = poll.options.flatMap((option, n) => (option.mine ? [n] : []));
  if (chosen.includes(at)) return chosen.filter((n) => n !== at);
  return poll.several ? [...chosen, at].toSorted((a, b) => a - b) : [at];
}

export class Polls {
  /** Where a poll is being written; `null` while none is. */
  chat = $state<string | null>(null);
  question = $state('');
  options = $state<string[]>(['', '']);
  several = $state(false);
  hidden = $state(false);
  creating = new Waiting();
  voting = new Waiting();

  constructor(
    private readonly shell: Shell,
    private readonly take: (message: ChatMessage) => void,
  ) {}

  #written = $derived.by(() => this.options.map((option) => option.trim()).filter((option) => option !== ''));

  /** Whether two answers are the same. */
  twice = $derived.by(() => new Set(this.#written).size < this.#written.length);

  ready = $derived.by(() => this.question.trim() !== '' && this.#written.length >= 2 && !this.twice);

  open(chat: string): void {
    this.clear();
    this.chat = chat;
  }

  clear(): void {
    this.chat = null;
    this.question = '';
    this.options = ['', ''];
    this.several = false;
    this.hidden = false;
    this.creating.reset();
    this.voting.reset();
  }

  /** An empty line follows the last answer, as long as there is room. */
  write(at: number, text: string): void {
    this.options[at] = text;
    if (text !== '' && at === this.options.length - 1 && this.options.length < MOST_OPTIONS) this.options.push('');
  }

  async create(): Promise<boolean> {
    const { chat, several, hidden } = this;
    if (chat === null || !this.ready || this.creating.busy) return false;
    const input = { chat, question: this.question.trim(), options: [...this.#written], several, hidden };
    const message = await this.creating.run(() => this.shell.ask({ ask: 'poll.create', input }));
    if (!message) return false;
    this.take(message);
    this.clear();
    return true;
  }

  async vote(message: ChatMessage, at: number): Promise<void> {
    if (message.content.type !== 'poll' || this.voting.busy) return;
    const choices = chosenAfter(message.content.poll, at);
    const changed = await this.voting.run(() => this.shell.ask({ ask: 'poll.vote', input: { message: message.id, choices } }));
    if (changed) this.take(changed);
  }

  async close(message: ChatMessage): Promise<void> {
    const changed = await this.voting.run(() => this.shell.ask({ ask: 'poll.close', input: { message: message.id } }));
    if (changed) this.take(changed);
  }
}
