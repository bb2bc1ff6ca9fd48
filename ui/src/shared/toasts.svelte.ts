/** Holds short notices, and acts that can be undone until their notice goes. */

export interface Toast {
  id: number;
  text: string;
  undo?: () => void;
}

const SHOWN_MS = 4_000;
/** How long an act can be undone. */
export const UNDO_MS = 5_000;
const MOST = 3;

export class Toasts {
  shown = $state<Toast[]>([]);
  #next = 1;
  #timers = new Map<number, ReturnType<typeof setTimeout>>();
  #commits = new Map<number, () => void>();

  say(text: string): void {
    this.#show({ id: this.#next++, text }, SHOWN_MS);
  }

  /** Shows the act as done; does it for good when nobody undid it. Gives what undoes it. */
  undoable(text: string, commit: () => void, undo: () => void): () => void {
    const id = this.#next++;
    this.#commits.set(id, commit);
    const takeBack = () => {
      this.#commits.delete(id);
      undo();
      this.close(id);
    };
    this.#show({ id, text, undo: takeBack }, UNDO_MS);
    return takeBack;
  }

  close(id: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.shown = this.shown.filter((toast) => toast.id !== id);
    const commit = this.#commits.get(id);
    this.#commits.delete(id);
    commit?.();
  }

  /** Does everything that waits for an undo: the window is about to close. */
  settle(): void {
    for (const toast of [...this.shown]) this.close(toast.id);
  }

  /** Forgets everything, also what waits for an undo: it can no longer be done. */
  clear(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#commits.clear();
    this.shown = [];
  }

  #show(toast: Toast, forMs: number): void {
    this.shown = [...this.shown, toast];
    this.#timers.set(toast.id, setTimeout(() => this.close(toast.id), forMs));
    if (this.shown.length > MOST) this.close(this.shown[0]!.id);
  }
}
