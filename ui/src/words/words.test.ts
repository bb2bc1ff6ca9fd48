/** Tells what the catalogues promise. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, type AST } from 'svelte/compiler';
import { afterEach, describe, expect, it } from 'vitest';
import ar from './ar.json';
import en from './en.json';
import { pseudoSentence } from './pseudo';
import { briefly, day, language, say, sayIfKnown, speak, stopwatch, type Entry } from './words.svelte';

afterEach(() => speak('en'));

const catalogues: Record<string, Record<string, Entry>> = { en, ar };
const placeholders = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1]!).sort();
const source = join(process.cwd(), 'src');
const filesEnding = (end: string) =>
  readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith(end) && !file.includes('generated'));

describe('the catalogues', () => {
  it('have the same keys', () => {
    expect(Object.keys(ar).sort()).toEqual(Object.keys(en).sort());
  });

  it('leave nothing unsaid', () => {
    for (const catalogue of Object.values(catalogues)) {
      for (const [key, entry] of Object.entries(catalogue)) {
        const forms = typeof entry === 'string' ? [entry] : Object.values(entry);
        for (const form of forms) expect(form.trim(), key).not.toBe('');
      }
    }
  });

  it('have every plural form their language needs', () => {
    for (const [tag, catalogue] of Object.entries(catalogues)) {
      const needed = new Intl.PluralRules(tag).resolvedOptions().pluralCategories.toSorted();
      for (const [key, entry] of Object.entries(catalogue)) {
        if (typeof entry !== 'string') expect(Object.keys(entry).sort(), `${tag} ${key}`).toEqual(needed);
      }
    }
  });

  it('use the same names in their sentences', () => {
    for (const [key, entry] of Object.entries(en)) {
      const other = (ar as Record<string, Entry>)[key];
      if (typeof entry === 'string') expect(placeholders(String(other)), key).toEqual(placeholders(entry));
      else expect(placeholders((other as { other: string }).other), key).toEqual(placeholders(entry.other));
    }
  });

  it('hold every key that is said by name', () => {
    for (const file of [...filesEnding('.svelte'), ...filesEnding('.ts')]) {
      const code = readFileSync(join(source, file), 'utf8');
      for (const [, key] of code.matchAll(/\bsay\('([\w.-]+)'/g)) expect(en, `${key} in ${file}`).toHaveProperty([key!]);
    }
  });

  it('hold no key that nobody says', () => {
    const code = [...filesEnding('.svelte'), ...filesEnding('.ts')].map((file) => readFileSync(join(source, file), 'utf8')).join('\n');
    const built = [...code.matchAll(/`([a-z]+\.[a-z-]*)\$\{/g)].map((found) => found[1]!);
    const silent = Object.keys(en).filter((key) => !code.includes(`'${key}'`) && !built.some((start) => key.startsWith(start)));
    expect(silent).toEqual([]);
  });
});

describe('components', () => {
  const SEEN = new Set(['aria-label', 'title', 'placeholder', 'alt', 'label', 'lead', 'hint', 'text']);

  it('hold no text of their own', () => {
    const found: string[] = [];
    for (const file of filesEnding('.svelte')) {
      const { fragment } = parse(readFileSync(join(source, file), 'utf8'), { modern: true });
      walk(fragment, (node) => {
        if (node.type === 'Text' && /\p{L}{2,}/u.test(node.data)) found.push(`${file}: ${node.data.trim()}`);
        if (node.type === 'Attribute' && SEEN.has(node.name)) {
          const parts = Array.isArray(node.value) ? node.value : [];
          for (const part of parts) if (part.type === 'Text' && /\p{L}{2,}/u.test(part.data)) found.push(`${file}: ${node.name}=${part.data}`);
        }
      });
    }
    expect(found).toEqual([]);
  });

  /** Visits what stands between tags and in attributes that are seen, not the code. */
  function walk(node: unknown, visit: (node: AST.Text | AST.Attribute) => void): void {
    if (Array.isArray(node)) return node.forEach((one) => walk(one, visit));
    if (typeof node !== 'object' || node === null || !('type' in node)) return;
    if (node.type === 'Text') visit(node as AST.Text);
    if (node.type === 'Attribute') return visit(node as AST.Attribute);
    for (const [name, part] of Object.entries(node)) if (name !== 'expression') walk(part, visit);
  }

  it('use logical sides, so that they turn round with the writing', () => {
    const found = [...filesEnding('.svelte'), ...filesEnding('.css')].flatMap((file) => {
      const code = readFileSync(join(source, file), 'utf8');
      const sides = [...code.matchAll(/(?:^|[\s;{])((?:margin|padding|border)-(?:left|right)|(?:left|right|float|text-align):\s*(?:left|right)?[^;]*)/gm)];
      return sides.filter(([, rule]) => /(left|right)/.test(rule!)).map(([, rule]) => `${file}: ${rule}`);
    });
    expect(found).toEqual([]);
  });
});

describe('a language', () => {
  it('follows the system, and falls back to English', () => {
    speak('system', ['fi-FI', 'ar-EG']);
    expect(language().dir).toBe('rtl');
    speak('system', ['fi-FI']);
    expect(language().tag).toBe('en');
  });

  it('counts the way its people count', () => {
    expect(say('chats.unread', { n: 1 })).toBe('1 unread message');
    expect(say('chats.unread', { n: 3 })).toBe('3 unread messages');
    speak('ar');
    expect(say('chats.unread', { n: 2 })).toBe('رسالتان غير مقروءتين');
    expect(say('chats.unread', { n: 4 })).toMatch(/رسائل/);
  });

  it('keeps an address whole inside right-to-left words', () => {
    speak('ar');
    expect(say('nav.online', { domain: 'a.localhost' })).toContain('\u2068a.localhost\u2069');
    speak('en');
    expect(say('nav.online', { domain: 'a.localhost' })).toBe('Connected to a.localhost');
  });

  it('says days and times', () => {
    const now = new Date(2026, 10, 22, 16, 0).getTime();
    const yesterday = new Date(2026, 10, 21, 23, 50).getTime();
    expect(day(now, now)).toBe('Today');
    expect(day(yesterday, now)).toBe('Yesterday');
    expect(briefly(new Date(2026, 10, 22, 14, 2).getTime(), now)).toBe('14:02');
    expect(stopwatch(127)).toBe('2:07');
    expect(stopwatch(3_727)).toBe('1:02:07');
  });

  it('does not know what is not in the catalogue', () => {
    expect(sayIfKnown('trouble.never-heard-of')).toBeNull();
  });

  it('can be played by a longer one that keeps the names', () => {
    expect(pseudoSentence('Call {name}')).toMatch(/^\[.*\{name\}.*~+\]$/);
  });
});
