/** Finds the sentence of a trouble: the catalogue's, else the fact itself. */
import type { Trouble } from '../shell/shell';
import { say, sayIfKnown } from '../words/words.svelte';

/** Words that other rooms use for the same thing. */
const SAME: Record<string, string> = {
  'wrong-signer': 'wrong-key',
  older: 'older-version',
  'domain-unknown': 'domain-unreachable',
  unreachable: 'domain-unreachable',
  'consent-denied': 'denied',
  'package-expired': 'expired',
  'no-microphone': 'microphone-missing',
};

export function sentence(trouble: Trouble): string {
  const code = SAME[trouble.code] ?? trouble.code;
  return sayIfKnown(`trouble.${code}`) ?? (trouble.detail || say('trouble.title'));
}
