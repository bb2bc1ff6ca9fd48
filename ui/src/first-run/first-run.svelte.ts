/** Leads a person from the welcome to an account: issuer, sign-in, name. */
import type { AppState, IssuerCard, Profile, Shell, SignInState } from '../shell/shell';
import { troubleOf } from '../shell/shell';
import { hostOf, isDomain, isIssuerUrl, isLocalName, readAddress } from '../shared/address';
import { Waiting } from '../shared/waiting.svelte';
import { say } from '../words/words.svelte';

export type Step = 'welcome' | 'issuer' | 'sign-in' | 'profile' | 'ready';
/** The steps that are counted; signing in belongs to the choice of the issuer. */
export const COUNTED: Step[] = ['welcome', 'issuer', 'profile', 'ready'];
export const CUSTOM = 'custom';
export const SHORTEST_PASSPHRASE = 8;

export class FirstRun {
  step = $state<Step>('welcome');
  domain = $state('');
  /** The domain the cards belong to. */
  asked = $state<string | null>(null);
  issuers = $state<IssuerCard[]>([]);
  /** The chosen card's issuer, `custom`, or nothing. */
  chosen = $state('');
  custom = $state('');
  domainFault = $state<string | null>(null);
  customFault = $state<string | null>(null);
  signIn = $state<SignInState>({ state: 'finding' });
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
    private readonly shell: Shell,
    private readonly onstate: (state: AppState) => void,
  ) {}

  /** The issuer's URL to sign in at. */
  issuer = $derived.by(() => (this.chosen === CUSTOM ? this.custom.trim() : this.chosen));

  /** How to call the issuer. */
  issuerName = $derived.by(() => {
    const card = this.issuers.find((one) => one.issuer === this.chosen);
    if (card) return card.name;
    return isIssuerUrl(this.issuer) ? hostOf(this.issuer) : '';
  });

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
    // What the provider offers was checked by the app; only what was typed here can be mistyped.
    const mistyped = this.chosen === CUSTOM && !isIssuerUrl(this.issuer);
    this.customFault = mistyped ? say('issuer.custom-wrong') : null;
    if (mistyped || this.asked === null) return;
    this.signIn = { state: 'finding' };
    this.step = 'sign-in';
    try {
      await this.shell.ask({ ask: 'signin.start', input: { domain: this.asked, issuer: this.issuer } });
    } catch (error) {
      this.signIn = { state: 'failed', trouble: troubleOf(error) };
    }
  }

  async openAgain(): Promise<void> {
    try {
      await this.shell.ask({ ask: 'signin.again' });
    } catch (error) {
      this.signIn = { state: 'failed', trouble: troubleOf(error) };
    }
  }

  async cancelSignIn(): Promise<void> {
    this.step = 'issuer';
    try {
      await this.shell.ask({ ask: 'signin.cancel' });
    } catch {
      // It was over already.
    }
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
