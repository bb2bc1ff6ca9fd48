/** Lets a person choose who vouches for them, from cards or by an address. */
import type { IssuerCard } from '../shell/shell';
import { hostOf, isIssuerUrl } from '../shared/address';
import { SignsIn } from '../shared/signs-in.svelte';
import { say } from '../words/words.svelte';

export const CUSTOM = 'custom';

export class ChoosesIssuer extends SignsIn {
  issuers = $state<IssuerCard[]>([]);
  /** The chosen card's issuer, `custom`, or nothing. */
  chosen = $state('');
  custom = $state('');
  customFault = $state<string | null>(null);

  /** The issuer's URL to sign in at. */
  issuer = $derived.by(() => (this.chosen === CUSTOM ? this.custom.trim() : this.chosen));

  /** How to call the issuer. */
  issuerName = $derived.by(() => {
    const card = this.issuers.find((one) => one.issuer === this.chosen);
    if (card) return card.name;
    return isIssuerUrl(this.issuer) ? hostOf(this.issuer) : '';
  });

  /** Whether the address is none, which is said then. Cards were checked by the app; only what is typed can be mistyped. */
  protected mistyped(): boolean {
    const mistyped = this.chosen === CUSTOM && !isIssuerUrl(this.issuer);
    this.customFault = mistyped ? say('issuer.custom-wrong') : null;
    return mistyped;
  }
}
