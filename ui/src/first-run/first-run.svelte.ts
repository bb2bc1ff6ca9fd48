/** Leads a person from the welcome to an account: issuer, sign-in, name. */
import type { AppState, Profile, Shell, SignInState } from '../shell/shell';
import { isDomain, isLocalName, readAddress } from '../shared/address';
import { Waiting } from '../shared/waiting.svelte';
import { say } from '../words/words.svelte';
import { ChoosesIssuer, CUSTOM } from './chooses-issuer.svelte';

export type Step = 'welcome' | 'issuer' | 'sign-in' | 'profile' | 'ready';
/** The steps that are counted; signing in belongs to the choice of the issuer. */
export const COUNTED: Step[] = ['welcome', 'issuer', 'profile', 'ready'];
export const SHORTEST_PASSPHRASE = 8;

/** What is wrong with a passphrase that was typed twice. */
export interface PassphraseFaults { short: string | null; differ: string | null }
export const NO_FAULTS: PassphraseFaults = { short: null, differ: null };
export function passphraseFaults(passphrase: string, again: string): PassphraseFaults {
  return {
    short: [...passphrase].length < SHORTEST_PASSPHRASE ? say('protect.too-short') : null,
    differ: passphrase !== again ? say('protect.differ') : null,
  };
}

export class FirstRun extends ChoosesIssuer {
  step = $state<Step>('welcome');
  domain = $state('');
  /** The domain the cards belong to. */
  asked = $state<string | null>(null);
  domainFault = $state<string | null>(null);
  name = $state('');
  localPart = $state('');
  /** The whole address, asked for when the domain is not known any more. */
  fullAddress = $state('');
  nameFault = $state<string | null>(null);
  addressFault = $state<string | null>(null);
  profile = $state<Profile | null>(null);
  listing = new Waiting();
  creating = new Waiting();
  opening = new Waiting();

  constructor(
    shell: Shell,
    private readonly onstate: (state: AppState) => void,
  ) {
    super(shell);
  }

  /** Follows where the app stands. */
  follow(state: AppState): void {
    if (this.domain === '' && state.suggestedDomain) this.domain = state.suggestedDomain;
    if (state.stage === 'profile' && this.step !== 'ready') this.step = 'profile';
  }

  async protect(passphrase: string | null): Promise<boolean> {
    const input = passphrase === null ? { how: 'unprotected' as const } : { how: 'passphrase' as const, passphrase };
    const state = await this.opening.run(() => this.shell.ask({ ask: 'app.protect', input }));
    if (state) this.onstate(state);
    return state !== null;
  }

  async unlock(passphrase: string): Promise<boolean> {
    const state = await this.opening.run(() => this.shell.ask({ ask: 'app.unlock', input: { passphrase } }));
    if (state) this.onstate(state);
    return state !== null;
  }

  async begin(): Promise<void> {
    this.step = 'issuer';
    if (this.domain !== '' && this.asked === null) await this.listIssuers();
  }

  async listIssuers(): Promise<void> {
    const domain = this.domain.trim().toLowerCase();
    this.domainFault = isDomain(domain) ? null : say('issuer.domain-wrong');
    if (this.domainFault) return;
    this.domain = domain;
    this.asked = null;
    const found = await this.listing.run(() => this.shell.ask({ ask: 'issuer.list', input: { domain } }));
    if (!found) return;
    this.asked = domain;
    this.issuers = found;
    this.chosen = found[0]?.issuer ?? CUSTOM;
  }

  async startSignIn(): Promise<void> {
    const domain = this.asked;
    if (this.mistyped() || domain === null) return;
    this.signIn = { state: 'finding' };
    this.step = 'sign-in';
    await this.opens(() => this.shell.ask({ ask: 'signin.start', input: { domain, issuer: this.issuer } }));
  }

  async cancelSignIn(): Promise<void> {
    this.step = 'issuer';
    await this.ends();
  }

  takeSignIn(state: SignInState): void {
    // After Cancel the last words of the old sign-in are of no interest.
    if (this.step !== 'sign-in') return;
    this.signIn = state;
    if (state.state !== 'done') return;
    if (this.name === '' && state.name) this.name = state.name;
    if (this.localPart === '' && state.suggested) this.localPart = state.suggested.split('@')[0]!;
    this.step = 'profile';
  }

  /** The address that would be taken, or `null` while it is not one. */
  address = $derived.by(() => {
    const domain = this.asked ?? this.domain;
    if (domain === '') return readAddress(this.fullAddress);
    const local = this.localPart.trim().toLowerCase();
    return isLocalName(local) ? `${local}@${domain}` : null;
  });

  async create(): Promise<void> {
    const user = this.address;
    const name = this.name.trim();
    this.nameFault = name === '' ? say('profile.name-missing') : null;
    const wrong = this.domain === '' ? say('profile.full-address-wrong') : say('profile.address-wrong');
    this.addressFault = user === null ? wrong : null;
    if (this.nameFault || user === null) return;
    // The step changes before the stage can, so that the last screen is not skipped.
    const before = this.step;
    const profile = await this.creating.run(async () => {
      this.finishing = true;
      return this.shell.ask({ ask: 'profile.create', input: { name, user } });
    });
    this.finishing = false;
    if (!profile) {
      this.step = before;
      return;
    }
    this.profile = profile;
    this.step = 'ready';
  }

  /** The account is being made: the app may already be ready, the person is not. */
  finishing = $state(false);

  /** Whether the first run still has something to show. */
  showing = $derived.by(() => this.finishing || (this.step === 'ready' && this.profile !== null));

  finish(): void {
    this.profile = null;
    this.step = 'welcome';
  }
}
