/** Makes a pseudo language that shows cut-off and untranslated text at a glance. */
import type { Catalogue, Entry } from './words.svelte';

const LOOKALIKES: Record<string, string> = {
  a: 'å', b: 'ƀ', c: 'ç', d: 'ð', e: 'é', f: 'ƒ', g: 'ğ', h: 'ĥ', i: 'î', k: 'ķ', l: 'ļ', n: 'ñ',
  o: 'ö', p: 'þ', r: 'ŕ', s: 'š', t: 'ţ', u: 'û', w: 'ŵ', y: 'ý', z: 'ž',
};

/** About 30 % longer, bracketed, accented; `{names}` stay. */
export function pseudoSentence(sentence: string): string {
  const dressed = sentence
    .split(/(\{\w+\})/)
    .map((part) => (part.startsWith('{') ? part : part.replace(/[a-z]/g, (letter) => LOOKALIKES[letter] ?? letter)))
    .join('');
  return `[${dressed}${'~'.repeat(Math.ceil(sentence.length * 0.3))}]`;
}

export function pseudo(catalogue: Catalogue): Catalogue {
  const dress = (entry: Entry): Entry =>
    typeof entry === 'string'
      ? pseudoSentence(entry)
      : Object.fromEntries(Object.entries(entry).map(([form, text]) => [form, pseudoSentence(text)]));
  return Object.fromEntries(Object.entries(catalogue).map(([key, entry]) => [key, dress(entry)]));
}
