/** Takes a history along in a file, and brings one. */
import { SHORTEST_PASSPHRASE } from '../first-run/first-run.svelte';
import type { HistoryImported, HistoryState, Shell } from '../shell/shell';
import type { Toasts } from '../shared/toasts.svelte';
import { Waiting } from '../shared/waiting.svelte';
import { language, say } from '../words/words.svelte';

/** What the dialog is about: all conversations, one of them, or a file that is brought. */
export type Asking = { what: 'export'; chat: string | null; name: string } | { what: 'import' };

export type Strength = 'short' | 'weak' | 'fair' | 'good';

/** About how hard a passphrase is to guess: what counts is how long it is, then how many kinds of signs it has. */
export function strengthOf(passphrase: string): Strength {
  const signs = [...passphrase];
  if (signs.length < SHORTEST_PASSPHRASE) return 'short';
  const kinds = [/\p{Ll}|\p{Lo}/u, /\p{Lu}/u, /\p{N}/u, /[^\p{L}\p{N}]/u].filter((kind) => kind.test(passphrase)).length;
  const different = new Set(signs.map((sign) => sign.toLowerCase())).size;
  if (different < 5) return 'weak';
  const worth = signs.length + 2 * kinds;
  return worth >= 24 ? 'good' : worth >= 16 ? 'fair' : 'weak';
}

export class History {
  asking = $state<Asking | null>(null);
  progress = $state<HistoryState>({ state: 'idle' });
  /** Where the last export lies. */
  written = $state<string | null>(null);
  /** What the last import brought. */
  brought = $state<HistoryImported | null>(null);
  exporting = new Waiting();
  importing = new Waiting();
  forgetting = new Waiting();

  constructor(
    private readonly shell: Shell,
    private readonly toasts: Toasts,
  ) {}

  get busy(): boolean {
    return this.exporting.busy || this.importing.busy;
  }

  ask(asking: Asking): void {
    if (!this.busy) {
      this.exporting.reset();
      this.importing.reset();
      this.written = null;
      this.brought = null;
    }
    this.asking = asking;
  }

  close(): void {
    this.asking = null;
  }

  async export(chat: string | null, folder: string, passphrase: string | null): Promise<void> {
    const input = { chat, folder: folder.trim() || null, passphrase, language: language().tag };
    const file = await this.exporting.run(() => this.shell.ask({ ask: 'history.export', input }));
    this.#ended(file && (() => {
      this.written = file.path;
      // Who closed the dialog meanwhile is told all the same.
      if (this.asking === null) this.toasts.say(say('history.exported', { path: file.path }));
    }), this.exporting);
  }

  async import(path: string, passphrase: string): Promise<void> {
    const input = { path: path.trim(), passphrase: passphrase || null };
    const brought = await this.importing.run(() => this.shell.ask({ ask: 'history.import', input }));
    this.#ended(brought && (() => {
      this.brought = brought;
      if (this.asking === null) this.toasts.say(say('history.imported', { n: brought.messages }));
    }), this.importing);
  }

  #ended(done: (() => void) | null, waiting: Waiting): void {
    if (done) done();
    // Stopping is no trouble.
    else if (waiting.trouble?.code === 'cancelled') waiting.reset();
    else if (waiting.trouble && this.asking === null) this.toasts.say(say('history.failed'));
  }

  async stop(): Promise<void> {
    await this.shell.ask({ ask: 'history.stop' }).catch(() => undefined);
  }

  /** Deletes an imported conversation; whether it is gone. */
  async forget(chat: string): Promise<boolean> {
    await this.forgetting.run(() => this.shell.ask({ ask: 'history.forget', input: { chat } }));
    return this.forgetting.trouble === null;
  }

  take(progress: HistoryState): void {
    this.progress = progress;
  }

  clear(): void {
    this.asking = null;
    this.progress = { state: 'idle' };
    this.written = null;
    this.brought = null;
    for (const waiting of [this.exporting, this.importing, this.forgetting]) waiting.reset();
  }
}
