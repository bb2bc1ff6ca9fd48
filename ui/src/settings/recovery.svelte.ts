/** Leads a person to recovery words they kept and to a backup. */
import type { BackupState, RecoveryState, Shell, SheetWord } from '../shell/shell';
import type { Toasts } from '../shared/toasts.svelte';
import { Waiting } from '../shared/waiting.svelte';
import { say } from '../words/words.svelte';

export class Recovery {
  state = $state<RecoveryState | null>(null);
  backup = $state<BackupState | null>(null);
  waiting = new Waiting();
  writing = new Waiting();
  confirming = new Waiting();
  backingUp = new Waiting();
  rotating = new Waiting();

  constructor(
    private readonly shell: Shell,
    private readonly toasts: Toasts,
  ) {}

  async load(): Promise<void> {
    const state = await this.waiting.run(() => this.shell.ask({ ask: 'recovery.state' }));
    if (state) this.state = state;
  }

  async writeSheet(): Promise<void> {
    const file = await this.writing.run(() => this.shell.ask({ ask: 'recovery.sheet', input: { folder: null } }));
    if (file) await this.load();
  }

  /** Returns whether the words were the right ones. */
  async confirm(words: SheetWord[]): Promise<boolean> {
    const state = await this.confirming.run(() => this.shell.ask({ ask: 'recovery.confirm', input: { words } }));
    if (!state) return false;
    this.state = state;
    if (state.kept) this.toasts.say(say('recovery.confirmed'));
    return state.kept;
  }

  async writeBackup(): Promise<void> {
    this.backup = { state: 'running', done: 0, total: 0 };
    const file = await this.backingUp.run(() => this.shell.ask({ ask: 'backup.write', input: { folder: null } }));
    const { trouble } = this.backingUp;
    if (trouble) this.backup = { state: 'failed', trouble };
    if (!file) return;
    this.backup = { state: 'done', path: file.path };
    await this.load();
  }

  take(backup: BackupState): void {
    // The answer may have come before the last news.
    if (backup.state === 'running' && this.backup?.state !== 'running') return;
    this.backup = backup;
  }

  /** Replaces the root key; returns whether it is done. */
  async rotate(): Promise<boolean> {
    await this.rotating.run(() => this.shell.ask({ ask: 'identity.rotate' }));
    if (this.rotating.trouble) return false;
    this.toasts.say(say('security.rotated'));
    return true;
  }

  clear(): void {
    this.state = null;
    this.backup = null;
    for (const waiting of [this.waiting, this.writing, this.confirming, this.backingUp, this.rotating]) waiting.reset();
  }
}
