/** Finds names after the sign: in words that were said, and in words that are being written. */
import type { MentionView } from '../shell/shell';
import type { Inline } from './markdown';

/** Somebody who can be named. */
export interface Nameable {
  user: string;
  name: string;
}

const WORD = /[\p{L}\p{N}]/u;
/** Names offered at once. */
const MOST_OFFERED = 6;
/** Letters of a name that are looked back for. */
const LONGEST_BEGUN = 64;

/** Draws the names of people as what they are; other words stay words. */
export function withNames(inlines: readonly Inline[], mentions: readonly MentionView[]): Inline[] {
  if (mentions.length === 0) return [...inlines];
  return inlines.flatMap((one) => (one.kind === 'text' ? split(one.text, mentions) : [one]));
}

function split(text: string, mentions: readonly MentionView[]): Inline[] {
  const parts: Inline[] = [];
  let words = '';
  for (let at = 0; at < text.length; ) {
    const found = text[at] === '@' && !WORD.test(text[at - 1] ?? ' ') ? nameAt(text, at + 1, mentions) : null;
    if (!found) {
      words += text[at];
      at += 1;
      continue;
    }
    if (words !== '') parts.push({ kind: 'text', text: words });
    words = '';
    parts.push({ kind: 'mention', user: found.user, text: `@${found.name}` });
    at += 1 + found.name.length;
  }
  if (words !== '') parts.push({ kind: 'text', text: words });
  return parts;
}

function nameAt(text: string, at: number, mentions: readonly MentionView[]): MentionView | null {
  const here = mentions.filter(({ name }) => text.startsWith(name, at) && !WORD.test(text[at + name.length] ?? ' '));
  return here.toSorted((a, b) => b.name.length - a.name.length)[0] ?? null;
}

/** A name that is being written before the caret: where its sign stands, and who may be meant. */
export function begunAt(text: string, caret: number, people: readonly Nameable[]): { from: number; offered: Nameable[] } | null {
  const before = text.slice(Math.max(0, caret - LONGEST_BEGUN), caret);
  const sign = before.lastIndexOf('@');
  if (sign < 0 || WORD.test(before[sign - 1] ?? ' ')) return null;
  const begun = before.slice(sign + 1);
  if (begun.includes('\n') || /^\s/.test(begun)) return null;
  const wanted = begun.toLocaleLowerCase();
  const fits = ({ user, name }: Nameable) => name.toLocaleLowerCase().startsWith(wanted) || user.startsWith(wanted) || name.toLocaleLowerCase().split(/\s+/).some((part) => part.startsWith(wanted));
  const offered = people.filter(fits).slice(0, MOST_OFFERED);
  // A whole name is written: nothing more is offered.
  if (offered.length === 0 || offered.some(({ name, user }) => name === begun || user === begun)) return null;
  return { from: caret - begun.length - 1, offered };
}

/** How somebody is written so that nobody else is meant. */
export function writtenAs(one: Nameable, people: readonly Nameable[]): string {
  return people.filter(({ name }) => name === one.name).length > 1 ? one.user : one.name;
}
