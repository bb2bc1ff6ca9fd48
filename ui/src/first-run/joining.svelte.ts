/** Brings a person back on a new device: by one they have, or by their recovery words. */
import type { AppState, BackupState, LinkState, Shell, SignInState } from '../shell/shell';
import { troubleOf } from '../shell/shell';
import { readAddress } from '../shared/address';
import { Waiting } from '../shared/waiting.svelte';
import { say } from '../words/words.svelte';

export class Joining {
  /** Which way is taken, if one is. */
  way = $state<'link' | 'restore' | null>(null);
  code = $state('');
  /** What this device is to be called; its own name if nothing is typed. */
  name = $state('');
  codeFault = $state<string | null>(null);
  link = $state<LinkState | null>(null);
  user = $state('');
  userFault = $state<string | null>(null);
  words = $state('');
  wordsFault = $state<string | null>(null);
  backup = $state('');
  progress = $state<BackupState | null>(null);
  /** Where the issuer is asked to vouch once more, while it is. */
  signInAt = $state<string | null>(null);
  restoring = new Waiting();
  #turn = 0;

  constructor(
    private readonly shell: Shell,
    private readonly onstate: (state: AppState) => void,
    private readonly ondone: () => void,
  ) {}

  /** Something is on its way that must be seen to its end, whatever the app says of itself. */
  showing = $derived.by(() => {
    if (this.way !== 'link' || this.link === null) return false;
    return this.link.state === 'transferring' || this.link.state === 'failed';
  });

  choose(way: 'link' | 'restore'): void {
    this.clear();
    this.way = way;
  }

  async join(): Promise<void> {
    const code = this.code.trim();
    this.codeFault = code === '' ? say('join.code-missing') : null;
    if (this.codeFault) return;
    this.link = { state: 'reaching' };
    const turn = ++this.#turn;
    try {
      await this.shell.ask({ ask: 'link.join', input: { code, name: this.name.trim() || null } });
    } catch (error) {
      if (turn === this.#turn) this.link = { state: 'failed', trouble: troubleOf(error) };
    }
  }

  take(link: LinkState): void {
    // After Cancel the last words of the old attempt are of no interest.
    if (this.link === null || this.way !== 'link') return;
    this.link = link;
    if (link.state !== 'done') return;
    this.clear();
    this.ondone();
  }

  async cancel(): Promise<void> {
    const going = this.link !== null && this.link.state !== 'failed';
    this.#turn++;
    this.link = null;
    if (!going) return;
    try {
      await this.shell.ask({ ask: 'link.cancel' });
    } catch {
      // It was over already.
    }
  }

  async restore(): Promise<void> {
    const user = readAddress(this.user);
    const words = this.words.trim();
    this.userFault = user === null ? say('profile.full-address-wrong') : null;
    this.wordsFault = words === '' ? say('restore.words-missing') : null;
    if (user === null || this.wordsFault) return;
    this.progress = this.signInAt = null;
    const input = { user, words, backup: this.backup.trim() || null };
    const state = await this.restoring.run(() => this.shell.ask({ ask: 'recovery.restore', input }));
    this.progress = this.signInAt = null;
    if (!state) return;
    this.clear();
    this.onstate(state);
  }

  takeBackup(backup: BackupState): void {
    if (this.way === 'restore' && this.restoring.busy) this.progress = backup;
  }

  takeSignIn(state: SignInState): void {
    if (this.way !== 'restore' || !this.restoring.busy) return;
    this.signInAt = state.state === 'waiting' ? state.url : null;
  }

  async openAgain(): Promise<void> {
    try {
      await this.shell.ask({ ask: 'signin.again' });
    } catch {
      // The address can still be copied.
    }
  }

  /** Leaves the sign-in: the restore ends with it. */
  async cancelSignIn(): Promise<void> {
    try {
      await this.shell.ask({ ask: 'signin.cancel' });
    } catch {
      // It was over already.
    }
  }

  /** Also forgets the recovery words that were typed. */
  clear(): void {
    this.#turn++;
    this.way = null;
    this.code = this.name = this.user = this.words = this.backup = '';
    this.codeFault = this.userFault = this.wordsFault = null;
    this.link = null;
    this.progress = this.signInAt = null;
    this.restoring.reset();
  }
}
