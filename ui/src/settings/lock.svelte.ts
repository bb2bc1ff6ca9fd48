/** Locks the app, says that the person is there, and changes or erases how their keys are kept. */
import type { AppState, Keep, Shell } from '../shell/shell';
import type { Toasts } from '../shared/toasts.svelte';
import { Waiting } from '../shared/waiting.svelte';
import { say } from '../words/words.svelte';
import { sentence } from '../shared/trouble';

/** The app is told at most this often that somebody is there. */
export const PRESENT_EVERY_MS = 60_000;

export class Lock {
  keeping = new Waiting();
  erasing = new Waiting();
  locking = new Waiting();
  #told = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly shell: Shell,
    private readonly toasts: Toasts,
    private readonly onstate: (state: AppState) => void,
    private readonly now: () => number = () => Date.now(),
  ) {}

  async lock(): Promise<void> {
    const state = await this.locking.run(() => this.shell.ask({ ask: 'app.lock' }));
    if (state) this.onstate(state);
    else if (this.locking.trouble) this.toasts.say(sentence(this.locking.trouble));
  }

  /** Something was typed or pointed at. */
  present(): void {
    const at = this.now();
    if (at - this.#told < PRESENT_EVERY_MS) return;
    this.#told = at;
    this.shell.ask({ ask: 'app.present' }).catch(() => {
      // The next touch says it again.
    });
  }

  /** Returns whether the keys are kept that way now. */
  async keep(keep: Keep): Promise<boolean> {
    const state = await this.keeping.run(() => this.shell.ask({ ask: 'app.keep', input: keep }));
    if (!state) return false;
    this.onstate(state);
    this.toasts.say(say('security.kept'));
    return true;
  }

  async erase(user: string): Promise<boolean> {
    const state = await this.erasing.run(() => this.shell.ask({ ask: 'app.erase', input: { user } }));
    if (state) this.onstate(state);
    return state !== null;
  }

  clear(): void {
    this.#told = Number.NEGATIVE_INFINITY;
    for (const waiting of [this.keeping, this.erasing, this.locking]) waiting.reset();
  }
}
