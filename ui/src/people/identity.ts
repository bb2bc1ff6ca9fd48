/** Says who vouches for a person. */
import type { IdentityLine } from '../shell/shell';
import { clock, say } from '../words/words.svelte';

export const identityText = (identity: IdentityLine | null): string =>
  identity
    ? say('identity.line', { issuer: identity.vouchedBy, time: clock(identity.checkedAt) })
    : say('identity.none');
