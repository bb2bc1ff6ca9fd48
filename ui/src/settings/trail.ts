/** Says a verdict of the policy as a sentence. */
import type { TrailLine } from '../shell/shell';
import { isNotVerified } from '../shared/trouble';
import { say, sayIfKnown } from '../words/words.svelte';

export function trailText(line: TrailLine): string {
  const { subject } = line;
  const what = sayIfKnown(`trail.what-${line.what}`, { subject }) ?? say('trail.what-other', { subject, what: line.what });
  const verdict = sayIfKnown(`trail.verdict-${line.verdict}`) ?? line.verdict;
  return say('trail.line', { what, verdict });
}

/** Many ways to fail a check mean the same to a person. */
function becauseOf(code: string): string {
  if (code.startsWith('org-policy-')) return 'org-policy';
  return sayIfKnown(`trail.because-${code}`) === null && isNotVerified(code) ? 'not-verified' : code;
}

export function trailWhy(line: TrailLine): string {
  const layer = sayIfKnown(`trail.layer-${line.layer}`) ?? say('trail.layer-other');
  const why = sayIfKnown(`trail.because-${becauseOf(line.because)}`);
  return why ? say('trail.why', { why, layer }) : layer;
}
