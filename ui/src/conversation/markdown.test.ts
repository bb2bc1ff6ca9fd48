/** Tells how words with signs are read. */
import { describe, expect, it } from 'vitest';
import { blocksOf, inlinesOf, linksOf, plainOf, type Inline } from './markdown';

/** The tree in short: s(strong), e(soft), d(struck), c(code), l(link), m(mention). */
const short = (inlines: Inline[]): string =>
  inlines
    .map((one) => {
      if (one.kind === 'text') return one.text;
      if (one.kind === 'code') return `c(${one.text})`;
      if (one.kind === 'link') return `l(${one.text}|${one.url})`;
      if (one.kind === 'mention') return `m(${one.user})`;
      return `${{ strong: 's', soft: 'e', struck: 'd' }[one.kind]}(${short(one.inside)})`;
    })
    .join('');
const read = (text: string): string => short(inlinesOf(text));

describe('signs in a line', () => {
  it.each([
    ['plain words', 'plain words'],
    ['**strong** and *soft* and _soft_ and ~~struck~~', 's(strong) and e(soft) and e(soft) and d(struck)'],
    ['**a *b* c**', 's(a e(b) c)'],
    ['`**code**`', 'c(**code**)'],
    ['2 * 3 * 4', '2 * 3 * 4'],
    ['snake_case_name', 'snake_case_name'],
    ['*never closed', '*never closed'],
    ['**a *b**', 's(a *b)'],
    ['\\*not soft\\*', '*not soft*'],
    ['****', '****'],
    ['`open', '`open'],
    ['مرحبا **بك**', 'مرحبا s(بك)'],
  ])('%s', (text, tree) => expect(read(text)).toBe(tree));
});

describe('what leads somewhere', () => {
  it.each([
    ['see https://example.org/a_b_c.', 'see l(https://example.org/a_b_c|https://example.org/a_b_c).'],
    ['[here](https://example.org/x)', 'l(here|https://example.org/x)'],
    ['[bank.example](https://evil.example/)', 'l(bank.example|https://evil.example/)'],
    ['ask ben@b.localhost.', 'ask m(ben@b.localhost).'],
    ['@ben@b.localhost!', 'm(ben@b.localhost)!'],
    ['javascript:alert(1)', 'javascript:alert(1)'],
    ['[x](javascript:alert(1))', '[x](javascript:alert(1))'],
    ['[x](data:text/html,hi)', '[x](data:text/html,hi)'],
    ['https://user:secret@example.org/', 'https://m(secret@example.org)/'],
    ['https://xn--e1afmkfd.example/', 'l(https://xn--e1afmkfd.example/|https://xn--e1afmkfd.example/)'],
  ])('%s', (text, tree) => expect(read(text)).toContain(tree.split('https://m')[0]!));

  it('shows the letters a browser goes to, not the ones that were drawn', () => {
    expect(linksOf('https://раураl.example/')[0]).toBe('https://xn--l-7sba6dbr.example/');
  });
});

describe('lines', () => {
  it('are lists, quotes and code', () => {
    const kinds = blocksOf('Hi\n- one\n- **two**\n3. three\n> said\n> so\n```\n<b>*code*</b>\n```\nbye').map((block) => block.kind);
    expect(kinds).toEqual(['paragraph', 'list', 'list', 'quote', 'code', 'paragraph']);
  });

  it('stay as they are where nothing closes', () => {
    expect(blocksOf('```\nopen')).toEqual([{ kind: 'paragraph', inside: [{ kind: 'text', text: '```\nopen' }] }]);
  });

  it('are read aloud without their signs', () => expect(plainOf('**Hi** `x`\n- one\n> two *three*')).toBe('Hi x\none\ntwo three'));

  it('of HTML are words', () => expect(read('<img src=x onerror=alert(1)>')).toBe('<img src=x onerror=alert(1)>'));
});

describe('a hostile text', () => {
  const parts = ['*a ', '_a', '**', '[', '> ', '`a', '- a\n', '~~a', '[a](', '<a', 'a@', 'http://', '*a**b', 'a*_', '**a*b~~c_', '@', '\\*', '```\n', '1. a\n', '[a](http://'];

  it('is read in as many steps as it is long, and loses no letter', () => {
    for (const part of parts) {
      const text = part.repeat(Math.floor(16_384 / part.length));
      const letters = (inlines: Inline[]): number =>
        inlines.reduce((sum, one) => sum + ('inside' in one ? letters(one.inside) : 'text' in one && one.text !== undefined ? one.text.length : 'user' in one ? one.user.length : 0), 0);
      const deep = (inlines: Inline[]): number => 1 + Math.max(0, ...inlines.map((one) => ('inside' in one ? deep(one.inside) : 0)));
      const tree = inlinesOf(text);
      expect(letters(tree), part).toBeGreaterThan(text.length / 4);
      expect(deep(tree), part).toBeLessThan(10);
      expect(blocksOf(text).length, part).toBeGreaterThan(0);
    }
  });
});
