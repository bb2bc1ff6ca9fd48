/** What a call is called: by the other person, or by all who are in it. */
import type { CallView } from '../shell/shell';
import { language } from '../words/words.svelte';
import { cellsOf } from './joint';

/** Names in one line, as the language joins them. */
export const listed = (names: string[]): string => new Intl.ListFormat(language().tag, { style: 'long', type: 'conjunction' }).format(names);

/** Names of those in a call. */
export function titleOf(legs: CallView[]): string {
  const cells = cellsOf(legs).filter(({ standing }) => standing !== 'blocked');
  return listed((cells.length > 0 ? cells : legs).map(({ name, user }) => name || user));
}
