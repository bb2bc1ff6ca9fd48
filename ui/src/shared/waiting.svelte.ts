/** Follows one question from asking to its answer: quiet first, a skeleton after 300 ms. */
import { troubleOf, type Trouble } from '../shell/shell';

export const QUIET_MS = 300;

export class Waiting {
  /** A question is on its way. */
  busy = $state(false);
  /** It takes long enough to say so. */
  slow = $state(false);
  trouble = $state<Trouble | null>(null);
  #turn = 0;

  /** Runs the question; `null` when it failed or a newer one overtook it. */
  async run<T>(question: () => Promise<T>): Promise<T | null> {
    const turn = ++this.#turn;
    this.busy = true;
    this.slow = false;
    this.trouble = null;
    const timer = setTimeout(() => {
      if (turn === this.#turn) this.slow = true;
    }, QUIET_MS);
    try {
      const answer = await question();
      return turn === this.#turn ? answer : null;
    } catch (error) {
      if (turn === this.#turn) this.trouble = troubleOf(error);
      return null;
    } finally {
      clearTimeout(timer);
      if (turn === this.#turn) this.busy = this.slow = false;
    }
  }

  /** Forgets what is on its way and what went wrong. */
  reset(): void {
    this.#turn++;
    this.busy = this.slow = false;
    this.trouble = null;
  }
}
