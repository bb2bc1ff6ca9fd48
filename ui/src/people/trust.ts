/** Says what is known of somebody's keys: how sure one can be, and why they changed. */
import type { IdentityLine, KeyChange, PersonCard, TrustMark, TrustState } from '../shell/shell';
import { date, say } from '../words/words.svelte';

/** How sure to look; never surer than the conversation as a whole. */
export function stateOf(identity: IdentityLine | null, mark?: TrustMark): TrustState | 'none' {
  // Of a file nobody is vouched for.
  if (mark === 'imported') return 'none';
  if (mark === 'changed') return 'changed';
  if (!identity) return 'none';
  return identity.state === 'verified' && mark === 'introduced' ? 'introduced' : identity.state;
}

/** A single message is never marked surer than its conversation is now. */
export const markOf = (message: TrustMark, conversation: TrustMark | undefined): TrustMark =>
  message === 'verified' && conversation !== 'verified' ? 'introduced' : message;

/** Why the keys are not what they were. */
export function changeText(change: KeyChange, name: string): string {
  const at = date(change.at);
  const { issuer, kind } = change;
  if (issuer === null && (kind === 'reset' || kind === 'unexplained')) return say(`change.${kind}-nowhere`, { name, at });
  return say(`change.${kind}`, { name, at, issuer: issuer ?? '' });
}

/** A change that is told quietly, in a line, and asks for nothing. */
export const isQuiet = (change: KeyChange): boolean => change.kind === 'rotated' && !change.stops;

export const isGrave = (change: KeyChange): boolean => change.kind === 'unexplained' || change.kind === 'mismatch';

/** What the state of a person's identity means, in a sentence. */
export function meaningOf(card: PersonCard): string {
  const { identity, name, user } = card;
  if (!identity) return say('identity.none-hint', { name });
  if (identity.state === 'changed' && card.change) return changeText(card.change, name);
  if (identity.state === 'verified' && card.comparedAt !== null) return say('identity.compared-at', { at: date(card.comparedAt) });
  return say(`identity.${identity.state}-hint`, { name, user, issuer: identity.vouchedBy });
}
