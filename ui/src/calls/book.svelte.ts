/** Keeps the book of calls that are over. */
import type { CallDetails, CallOutcome, CallVerdict, PastCall, Shell } from '../shell/shell';
import type { Toasts } from '../shared/toasts.svelte';
import { sentence } from '../shared/trouble';
import { Waiting } from '../shared/waiting.svelte';
import { say, stopwatch } from '../words/words.svelte';

export class Book {
  list = $state<PastCall[]>([]);
  loaded = $state(false);
  more = $state(false);
  /** Missed calls that nobody looked at. */
  missed = $state(0);
  /** Whether only missed ones are listed. */
  onlyMissed = $state(false);
  details = $state<CallDetails | null>(null);
  readonly waiting = new Waiting();
  readonly looking = new Waiting();
  #asked = 0;
  #seeing = false;
  /** A page that is under way was counted before anything was seen. */
  #loading = $state(false);

  constructor(
    private readonly shell: Shell,
    private readonly toasts: Toasts,
  ) {}

  async load(): Promise<void> {
    const turn = ++this.#asked;
    this.#loading = true;
    const page = await this.waiting.run(() => this.shell.ask({ ask: 'call.book', input: { missed: this.onlyMissed, before: null } }));
    if (turn !== this.#asked) return;
    this.#loading = false;
    if (!page) return;
    this.list = page.calls;
    this.more = page.more;
    this.missed = page.missed;
    this.loaded = true;
  }

  async older(): Promise<void> {
    const before = this.list.at(-1)?.id ?? null;
    const turn = this.#asked;
    const page = await this.waiting.run(() => this.shell.ask({ ask: 'call.book', input: { missed: this.onlyMissed, before } }));
    if (!page || turn !== this.#asked) return;
    this.list = [...this.list, ...page.calls];
    this.more = page.more;
  }

  async choose(onlyMissed: boolean): Promise<void> {
    if (this.onlyMissed === onlyMissed) return;
    this.onlyMissed = onlyMissed;
    await this.load();
  }

  async open(id: string): Promise<void> {
    if (this.details?.call.id !== id) this.details = null;
    const details = await this.looking.run(() => this.shell.ask({ ask: 'call.look', input: { id } }));
    if (details) this.details = details;
  }

  /** Takes a call out of the book. */
  async forget(id: string): Promise<boolean> {
    const done = await this.looking.run(async () => (await this.shell.ask({ ask: 'call.forget', input: { id } }), true));
    if (done) this.gone(id);
    else if (this.looking.trouble) this.toasts.say(sentence(this.looking.trouble));
    return done === true;
  }

  /** All missed calls were looked at. */
  async see(): Promise<void> {
    if (this.missed === 0 || this.#seeing || this.#loading) return;
    this.#seeing = true;
    try {
      await this.shell.ask({ ask: 'call.seen' });
    } catch {
      // The number stays, and is tried again with the next look.
    } finally {
      this.#seeing = false;
    }
  }

  take(call: PastCall): void {
    const at = this.list.findIndex((one) => one.id === call.id);
    if (at >= 0) this.list[at] = call;
    else if (this.loaded && (!this.onlyMissed || call.outcome === 'missed')) this.list = [call, ...this.list];
    if (this.details?.call.id === call.id) this.details.call = call;
  }

  gone(id: string): void {
    this.list = this.list.filter((one) => one.id !== id);
    if (this.details?.call.id === id) this.details = null;
  }

  clear(): void {
    this.#asked += 1;
    this.list = [];
    this.loaded = false;
    this.more = false;
    this.missed = 0;
    this.onlyMissed = false;
    this.details = null;
    this.waiting.reset();
    this.looking.reset();
  }
}

/** What became of a call, in words. */
export const outcomeOf = ({ outcome, incoming, seconds }: { outcome: CallOutcome; incoming: boolean; seconds: number }): string => {
  if (outcome === 'answered') return say(incoming ? 'book.answered-in' : 'book.answered-out', { time: stopwatch(seconds) });
  if (outcome === 'declined') return say(incoming ? 'book.declined-in' : 'book.declined-out');
  return say(`book.is-${outcome}`);
};

/** "Poor for 40 s: voice was lost on its way to you". */
export function verdictOf({ grade, seconds, cause }: CallVerdict): string {
  if (grade === 'unknown' || grade === 'good') return say(`verdict.${grade}`);
  const lead = say(`verdict.${grade}`, { time: stopwatch(seconds) });
  return cause === null ? lead : say('verdict.because', { lead, cause: say(`verdict.cause-${cause}`) });
}
