/** Begins an identity anew when every device and the recovery words are lost, and waits for its days. */
import type { AppState, Shell, SignInState, Trouble } from '../shell/shell';
import { readAddress } from '../shared/address';
import { Waiting } from '../shared/waiting.svelte';
import { say } from '../words/words.svelte';
import { ChoosesIssuer, CUSTOM } from './chooses-issuer.svelte';

/** How the waiting can end without the identity. */
const ENDS = ['reset-vetoed', 'reset-refused', 'reset-lost'];

/** How long a new beginning waits, in milliseconds. */
export const DELAY_MS = 72 * 60 * 60_000;

export class Anew extends ChoosesIssuer {
  /** What is shown, if anything is. */
  step = $state<'explain' | 'issuer' | 'sign-in' | 'ended' | null>(null);
  user = $state('');
  userFault = $state<string | null>(null);
  /** The person read what is lost and wants it all the same. */
  understood = $state(false);
  understoodFault = $state<string | null>(null);
  /** Why the waiting ended. */
  ended = $state<Trouble | null>(null);
  listing = new Waiting();
  givingUp = new Waiting();
  /** Who comes back on this device. */
  #waits: string | null = null;

  constructor(
    shell: Shell,
    private readonly onstate: (state: AppState) => void,
    private readonly onback: (user: string) => void,
  ) {
    super(shell);
  }

  begin(user = ''): void {
    this.clear();
    this.user = user;
    this.step = 'explain';
  }

  /** From the address to those who may have vouched for it. */
  async next(): Promise<void> {
    const user = readAddress(this.user);
    this.userFault = user === null ? say('profile.full-address-wrong') : null;
    if (user === null) return;
    this.user = user;
    const domain = user.split('@')[1]!;
    const found = await this.listing.run(() => this.shell.ask({ ask: 'issuer.list', input: { domain } }));
    if (!found || this.step !== 'explain') return;
    this.issuers = found;
    this.chosen = found.find((card) => card.kind === 'domain')?.issuer ?? found[0]?.issuer ?? CUSTOM;
    this.step = 'issuer';
  }

  async start(): Promise<void> {
    const mistyped = this.mistyped();
    this.understoodFault = this.understood ? null : say('anew.understood-missing');
    if (mistyped || !this.understood) return;
    this.signIn = { state: 'finding' };
    this.step = 'sign-in';
    await this.opens(() => this.shell.ask({ ask: 'identity.restart', input: { user: this.user, issuer: this.issuer } }));
  }

  takeSignIn(state: SignInState): void {
    // After Cancel the last words of the old sign-in are of no interest.
    if (this.step === 'sign-in') this.signIn = state;
  }

  async cancelSignIn(): Promise<void> {
    this.step = 'issuer';
    await this.ends();
  }

  /** Follows where the app stands. */
  follow(state: AppState): void {
    if (state.restart) {
      this.#waits = state.restart.user;
      this.step = null;
      this.ended = null;
      return;
    }
    const waited = this.#waits;
    if (waited === null) return;
    if (state.stage === 'ready') {
      this.#waits = null;
      this.onback(waited);
    }
  }

  /** Something went wrong that nobody asked for: perhaps the waiting is over. */
  takeTrouble(trouble: Trouble): boolean {
    if (this.#waits === null || !ENDS.includes(trouble.code)) return false;
    this.user = this.#waits;
    this.#waits = null;
    this.ended = trouble;
    this.step = 'ended';
    return true;
  }

  /** Waits no longer on this device. */
  async giveUp(): Promise<boolean> {
    const state = await this.givingUp.run(() => this.shell.ask({ ask: 'identity.give-up' }));
    if (!state) return false;
    this.#waits = null;
    this.clear();
    this.onstate(state);
    return true;
  }

  clear(): void {
    this.step = null;
    this.user = this.chosen = this.custom = '';
    this.userFault = this.customFault = this.understoodFault = null;
    this.understood = false;
    this.issuers = [];
    this.ended = null;
    this.listing.reset();
    this.givingUp.reset();
  }
}
