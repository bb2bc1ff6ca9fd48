/** Finds the sentence of a trouble: the catalogue's, else the fact itself. */
import type { Trouble } from '../shell/shell';
import { say, sayIfKnown } from '../words/words.svelte';

/** Words that other rooms use for the same thing. */
const SAME: Record<string, string> = {
  // Packages and where they come from.
  'package-not-signed': 'not-signed',
  'package-wrong-signature': 'wrong-key',
  'package-tampered': 'tampered',
  'catalogue-tampered': 'tampered',
  'package-older': 'older-version',
  'catalogue-expired': 'expired',
  'package-too-large': 'too-large',
  'package-too-slow': 'too-slow',
  'package-private-network': 'private-address',
  'package-beyond-grants': 'beyond-grants',
  'guest-not-started': 'stub-crashed',
  // Signing in.
  refused: 'issuer-refused',
  'timed-out': 'signin-timeout',
  cancelled: 'signin-cancelled',
  'wrong-state': 'signin-mixed-up',
  'wrong-issuer': 'signin-mixed-up',
  'enrol-failed': 'bad-token',
  // The rest.
  'bad-address': 'invalid-address',
  'no-name': 'invalid-address',
  'too-many-questions': 'too-many',
  'searching-too-often': 'too-many',
  'no-network': 'offline',
  yourself: 'own-address',
  unknown: 'gone',
  'unknown-object': 'gone',
  'not-failed': 'gone',
  empty: 'gone',
  'bad-request': 'not-understood',
  'bad-question': 'not-understood',
  'bad-object': 'not-understood',
  'bad-change': 'not-understood',
  malformed: 'not-understood',
  'not-sealed': 'not-understood',
  'other-certificate': 'not-understood',
  'bad-description': 'not-understood',
  'not-granted': 'beyond-grants',
  'not-reporter': 'beyond-grants',
  'one-person': 'beyond-grants',
  'wrong-backup': 'not-your-backup',
};

/** Each way in which an identity can fail its check; to a person they mean the same. */
const NOT_VERIFIED = new Set(
  `no-issuer unknown-issuer cic-claims cic-signature algorithm-not-allowed missing-kid needs-jwks unfit-key
   issuer-signature wrong-tenant no-audience foreign-audience ambiguous-audience foreign-party wrong-token-type
   foreign-bound-key no-nonce foreign-nonce bad-time from-the-future expires-before-issue lives-too-long
   not-yet-valid too-old authentication-too-old wrong-acr wrong-amr bad-subject not-their-name
   bad-display-claim chain-from-the-future foreign-chain foreign-root-key device-unknown device-revoked
   not-the-leaf rolled-back too-few-issuers wrong-author wrong-domain bad-chain token-too-large token-too-deep
   token-duplicate-member token-not-json token-malformed token-forbidden-algorithm
   token-unsupported-algorithm token-forbidden-header chain attestation-over attestation-stale before-reset
   device-before-reset not-attested withdrawn reset-unfounded unverified-leaf renewal-malformed renewal-token
   renewal-orphan renewal-differs renewal-not-later renewal-signature`.split(/\s+/),
);

const known = (code: string): string => SAME[code] ?? group(code);

function group(code: string): string {
  if (NOT_VERIFIED.has(code)) return 'identity-not-verified';
  return code.startsWith('org-policy-') ? 'org-policy' : code;
}

/** Whether a failed check of an identity is what the code means. */
export const isNotVerified = (code: string): boolean => NOT_VERIFIED.has(code);

export function sentence(trouble: Trouble): string {
  const code = known(trouble.code);
  return sayIfKnown(`trouble.${code}`) ?? (trouble.detail || say('trouble.title'));
}
