/** Cuts a text where it has the words somebody looks for, and begins it near the first of them. */

export interface Part {
  text: string;
  hit: boolean;
}

/** Letters shown before the first word that was found. */
const BEFORE = 60;
const LONGEST = 400;

/** Without case and accents, letter by letter, so that places stay the same. */
const plain = (text: string): string =>
  [...text].map((letter) => (letter.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()[0] ?? letter).padEnd(letter.length, '\u0000')).join('');

export function markedParts(text: string, asked: string): Part[] {
  const words = [...new Set(plain(asked).split(/[\s\u0000]+/).filter(Boolean))];
  const folded = plain(text);
  const hits: [number, number][] = [];
  for (const word of words) {
    for (let at = folded.indexOf(word); at >= 0 && hits.length < 50; at = folded.indexOf(word, at + word.length)) {
      if (at === 0 || !/[\p{L}\p{N}]/u.test(folded[at - 1]!)) hits.push([at, at + word.length]);
    }
  }
  hits.sort(([a], [b]) => a - b);
  const from = Math.max(0, (hits[0]?.[0] ?? 0) - BEFORE);
  const parts: Part[] = from > 0 ? [{ text: '…', hit: false }] : [];
  let at = from;
  const end = Math.min(text.length, from + LONGEST);
  for (const [start, stop] of hits) {
    if (start < at || start >= end) continue;
    if (start > at) parts.push({ text: text.slice(at, start), hit: false });
    parts.push({ text: text.slice(start, Math.min(stop, end)), hit: true });
    at = Math.min(stop, end);
  }
  if (at < end) parts.push({ text: text.slice(at, end), hit: false });
  if (end < text.length) parts.push({ text: '…', hit: false });
  return parts;
}
