/** Keeps the questions that only the person can answer, one after the other. */
import type { Consent, ConsentChoice, Shell } from '../shell/shell';
import { Waiting } from '../shared/waiting.svelte';

export class Consents {
  queue = $state<Consent[]>([]);
  waiting = new Waiting();
  #later = $state<string[]>([]);

  constructor(private readonly shell: Shell) {}

  /** The question to show now. */
  current = $derived.by(() => this.queue.find((one) => !this.#later.includes(one.id)) ?? null);

  /** How many were put off. */
  putOff = $derived.by(() => this.queue.filter((one) => this.#later.includes(one.id)).length);

  async load(): Promise<void> {
    try {
      for (const consent of await this.shell.ask({ ask: 'consent.list' })) this.take(consent);
    } catch {
      // Each question is also told as news when it comes up.
    }
  }

  take(consent: Consent): void {
    const at = this.queue.findIndex((one) => one.id === consent.id);
    if (at < 0) this.queue = [...this.queue, consent];
    else this.queue[at] = consent;
  }

  closed(id: string): void {
    this.queue = this.queue.filter((one) => one.id !== id);
    this.#later = this.#later.filter((one) => one !== id);
    this.waiting.reset();
  }

  async answer(id: string, answer: ConsentChoice): Promise<void> {
    const done = await this.waiting.run(async () => {
      await this.shell.ask({ ask: 'consent.answer', input: { id, answer } });
      return true;
    });
    if (done) this.closed(id);
  }

  clear(): void {
    this.queue = [];
    this.#later = [];
    this.waiting.reset();
  }

  /** Esc: the question waits in a banner, nothing is decided. */
  later(id: string): void {
    this.#later = [...this.#later, id];
  }

  review(): void {
    this.#later = [];
  }
}
