/** Tells that everything that can go wrong has a sentence. */
import { expect, it } from 'vitest';
import { sentence } from './trouble';

const CODES = `issuer-unreachable issuer-refused clock-wrong signin-timeout signin-cancelled name-taken offline not-found
  domain-unreachable not-signed wrong-key tampered older-version too-large too-slow private-address expired beyond-grants
  stub-crashed denied key-change equivocation wrong-passphrase passphrase-too-short database-damaged profile-in-use newer-version
  mailbox-full microphone-missing microphone-in-use fingerprint-mismatch no-answer busy declined not-permitted not-checked-yet
  package-not-signed package-wrong-signature package-tampered catalogue-tampered package-older catalogue-expired
  package-too-large package-too-slow package-private-network package-beyond-grants package-malformed package-elsewhere
  package-not-found domain-not-secure guest-not-started guest-too-many bad-issuer no-listener refused wrong-state
  wrong-issuer timed-out cancelled bad-token bad-address already-in-a-call registration-refused foreign-audience
  too-soon wrong-words wrong-code link-expired link-refused version-mismatch disk-full locked-by-organisation key-change-stops
  not-full-device last-device renewal-refused backup-damaged backup-newer not-your-backup needs-decision proxy-misbehaved
  reset-pending`.split(/\s+/);

it.each(CODES)('%s is said in plain words', (code) => {
  expect(sentence({ code, detail: 'raw fact' })).not.toBe('raw fact');
});

it('a code nobody knows falls back to the fact', () => {
  expect(sentence({ code: 'never-heard-of', detail: 'raw fact' })).toBe('raw fact');
});
