/** Compares codes with a person, and decides about keys that changed. */
import type { PersonCard, SafetyCode, Shell } from '../shell/shell';
import type { Toasts } from '../shared/toasts.svelte';
import { sentence } from '../shared/trouble';
import { Waiting } from '../shared/waiting.svelte';
import { say } from '../words/words.svelte';

export type Outcome = 'match' | 'mismatch';

export class Verify {
  /** Whom codes are compared with while the dialog is open. */
  who = $state<{ user: string; name: string } | null>(null);
  code = $state<SafetyCode | null>(null);
  outcome = $state<Outcome | null>(null);
  /** The app saw two different codes; the person has not said yet that it is so. */
  doubted = $state(false);
  theirs = $state('');
  fault = $state<string | null>(null);
  loading = new Waiting();
  answering = new Waiting();
  deciding = new Waiting();

  constructor(
    private readonly shell: Shell,
    private readonly toasts: Toasts,
    private readonly oncard: (card: PersonCard) => void,
  ) {}

  async open(user: string, name: string): Promise<void> {
    this.close();
    this.who = { user, name };
    await this.load();
  }

  async load(): Promise<void> {
    const user = this.who?.user;
    if (!user) return;
    const code = await this.loading.run(() => this.shell.ask({ ask: 'verify.code', input: { user } }));
    if (code && this.who?.user === user) this.code = code;
  }

  /** Compares what was pasted. */
  async check(): Promise<void> {
    const user = this.who?.user;
    const text = this.theirs.trim();
    this.fault = text === '' ? say('verify.paste-missing') : null;
    if (!user || this.fault) return;
    const outcome = await this.answering.run(() => this.shell.ask({ ask: 'verify.scanned', input: { user, text } }));
    if (!outcome || this.who?.user !== user) return;
    if (outcome === 'no-code') this.fault = say('verify.no-code');
    else this.outcome = outcome;
    this.doubted = outcome === 'mismatch';
  }

  /** The person compared by eye or ear. */
  async compared(same: boolean): Promise<void> {
    const user = this.who?.user;
    if (!user) return;
    const card = await this.answering.run(() => this.shell.ask({ ask: 'verify.compared', input: { user, same } }));
    // Who saw two different codes is warned, whatever the app made of it.
    if (this.who?.user === user && (card || !same)) this.outcome = same ? 'match' : 'mismatch';
    if (!card) return;
    this.doubted = false;
    this.oncard(card);
  }

  /** Takes a comparison back. */
  async forget(user: string, name: string): Promise<void> {
    const card = await this.deciding.run(() => this.shell.ask({ ask: 'verify.forget', input: { user } }));
    if (card) {
      this.oncard(card);
      this.toasts.say(say('verify.forgotten', { name }));
    } else if (this.deciding.trouble) this.toasts.say(sentence(this.deciding.trouble));
  }

  /** Goes on with somebody whose keys changed, without comparing. */
  async goOn(user: string): Promise<void> {
    const card = await this.deciding.run(() => this.shell.ask({ ask: 'keychange.accept', input: { user } }));
    if (card) this.oncard(card);
  }

  close(): void {
    this.who = null;
    this.code = null;
    this.outcome = null;
    this.doubted = false;
    this.theirs = '';
    this.fault = null;
    for (const waiting of [this.loading, this.answering, this.deciding]) waiting.reset();
  }
}
