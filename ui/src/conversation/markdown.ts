/**
 * Reads the few signs of Markdown that people write in chats: **strong**, *soft*, ~~struck~~, `code`, lists, quotes.
 *
 * What it gives is a tree of words, never HTML. It looks at each character a bounded number of times, so that no text
 * of a peer can keep the page busy: the libraries that were tried need seconds for 16,000 well chosen characters.
 */

export type Inline =
  | { kind: 'text'; text: string }
  | { kind: 'strong' | 'soft' | 'struck'; inside: Inline[] }
  | { kind: 'code'; text: string }
  | { kind: 'link'; text: string; url: string }
  /** Somebody who is named; by their address, or as they are called. */
  | { kind: 'mention'; user: string; text?: string };

export type Block =
  | { kind: 'paragraph'; inside: Inline[] }
  | { kind: 'quote'; inside: Inline[] }
  | { kind: 'code'; text: string }
  | { kind: 'list'; ordered: boolean; start: number; items: Inline[][] };

/** Signs inside of signs; deeper ones stay signs. */
const DEPTH = 6;
const LONGEST_LABEL = 200;
const LONGEST_URL = 2_000;

const BULLET = /^[-*•] +(.*)$/;
const NUMBERED = /^(\d{1,4})[.)] +(.*)$/;

export function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  const lines = text.split('\n');
  let plain: string[] = [];
  const endPlain = () => {
    if (plain.length > 0) blocks.push({ kind: 'paragraph', inside: inlinesOf(plain.join('\n')) });
    plain = [];
  };
  for (let at = 0; at < lines.length; ) {
    const line = lines[at]!;
    if (line.startsWith('```')) {
      const end = lines.indexOf('```', at + 1);
      if (end > at) {
        endPlain();
        blocks.push({ kind: 'code', text: lines.slice(at + 1, end).join('\n') });
        at = end + 1;
        continue;
      }
    }
    const take = (is: (line: string) => boolean): string[] => {
      const from = at;
      while (at < lines.length && is(lines[at]!)) at += 1;
      return lines.slice(from, at);
    };
    if (line.startsWith('> ')) {
      endPlain();
      blocks.push({ kind: 'quote', inside: inlinesOf(take((one) => one.startsWith('> ')).map((one) => one.slice(2)).join('\n')) });
    } else if (BULLET.test(line)) {
      endPlain();
      blocks.push({ kind: 'list', ordered: false, start: 1, items: take((one) => BULLET.test(one)).map((one) => inlinesOf(BULLET.exec(one)![1]!)) });
    } else if (NUMBERED.test(line)) {
      endPlain();
      const start = Number(NUMBERED.exec(line)![1]);
      blocks.push({ kind: 'list', ordered: true, start, items: take((one) => NUMBERED.test(one)).map((one) => inlinesOf(NUMBERED.exec(one)![2]!)) });
    } else {
      plain.push(line);
      at += 1;
    }
  }
  endPlain();
  return blocks;
}

interface Frame {
  /** The sign that opened it. */
  mark: string;
  inside: Inline[];
}

const KINDS = { '**': 'strong', '*': 'soft', _: 'soft', '~~': 'struck' } as const;
type Mark = keyof typeof KINDS;

const WORD = /[\p{L}\p{N}]/u;
const URL_HERE = new RegExp(`https?://[^\\s<>"'\`]{1,${LONGEST_URL}}`, 'iy');
const LINK_HERE = new RegExp(`\\[([^\\[\\]\\n]{1,${LONGEST_LABEL}})\\]\\((https?://[^\\s()<>]{1,${LONGEST_URL}})\\)`, 'iy');
const MENTION_HERE = /@?([a-z0-9][a-z0-9._+-]{0,63}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,4})/iy;

export function inlinesOf(text: string): Inline[] {
  const frames: Frame[] = [{ mark: '', inside: [] }];
  const top = () => frames.at(-1)!;
  /** Backticks that nothing closes: looked for once. */
  let openTicks = false;
  let words = '';
  const endWords = () => {
    if (words !== '') top().inside.push({ kind: 'text', text: words });
    words = '';
  };
  const put = (inline: Inline) => {
    endWords();
    top().inside.push(inline);
  };
  /** A sign that nothing closed is a sign again. */
  const flatten = () => {
    endWords();
    const { mark, inside } = frames.pop()!;
    top().inside.push({ kind: 'text', text: mark }, ...inside);
  };

  for (let at = 0; at < text.length; ) {
    const sign = text[at]!;
    if (sign === '\\' && /[*_~`[\\]/.test(text[at + 1] ?? '')) {
      words += text[at + 1];
      at += 2;
      continue;
    }
    if (sign === '`' && !openTicks) {
      const end = text.indexOf('`', at + 1);
      if (end > at + 1) {
        put({ kind: 'code', text: text.slice(at + 1, end) });
        at = end + 1;
        continue;
      }
      openTicks = end < 0;
    }
    const mark = markAt(text, at);
    if (mark) {
      const before = text[at - 1] ?? ' ';
      const after = text[at + mark.length] ?? ' ';
      const opens = /\S/.test(after) && !WORD.test(before);
      const closes = /\S/.test(before) && !WORD.test(after);
      if (closes && frames.some((frame) => frame.mark === mark)) {
        while (top().mark !== mark) flatten();
        endWords();
        const { inside } = frames.pop()!;
        if (inside.length > 0) top().inside.push({ kind: KINDS[mark], inside });
        else words += mark + mark;
        at += mark.length;
        continue;
      }
      if (opens && frames.length <= DEPTH) {
        endWords();
        frames.push({ mark, inside: [] });
        at += mark.length;
        continue;
      }
      words += mark;
      at += mark.length;
      continue;
    }
    const found = sign === '[' ? linkAt(text, at) : WORD.test(text[at - 1] ?? ' ') ? null : addressAt(text, at);
    if (found) {
      put(found.inline);
      at += found.length;
    } else {
      words += sign;
      at += 1;
    }
  }
  while (frames.length > 1) flatten();
  endWords();
  return joined(frames[0]!.inside);
}

function markAt(text: string, at: number): Mark | null {
  const two = text.slice(at, at + 2);
  if (two === '**' || two === '~~') return two;
  return text[at] === '*' || text[at] === '_' ? (text[at] as Mark) : null;
}

interface Found {
  inline: Inline;
  length: number;
}

function linkAt(text: string, at: number): Found | null {
  LINK_HERE.lastIndex = at;
  const found = LINK_HERE.exec(text);
  const url = found && safeUrl(found[2]!);
  return url ? { inline: { kind: 'link', text: found[1]!, url }, length: found[0].length } : null;
}

function addressAt(text: string, at: number): Found | null {
  if (/h/i.test(text[at]!)) {
    URL_HERE.lastIndex = at;
    const found = URL_HERE.exec(text)?.[0].replace(/[.,;:!?)\]}*_~]{1,20}$/, '');
    const url = found ? safeUrl(found) : null;
    if (found && url) return { inline: { kind: 'link', text: found, url }, length: found.length };
  }
  MENTION_HERE.lastIndex = at;
  const found = MENTION_HERE.exec(text);
  const user = found?.[1]!.replace(/[.-]+$/, '').toLowerCase();
  return found && user ? { inline: { kind: 'mention', user }, length: found[0].length - (found[1]!.length - user.length) } : null;
}

/** The whole address as a browser reads it, if it is one of the web and says no name or password. */
function safeUrl(text: string): string | null {
  try {
    const url = new URL(text);
    return /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' ? url.href : null;
  } catch {
    return null;
  }
}

function joined(inlines: Inline[]): Inline[] {
  const all: Inline[] = [];
  for (const one of inlines) {
    const last = all.at(-1);
    if (one.kind === 'text' && last?.kind === 'text') last.text += one.text;
    else if (one.kind === 'strong' || one.kind === 'soft' || one.kind === 'struck') all.push({ ...one, inside: joined(one.inside) });
    else all.push(one.kind === 'text' ? { ...one } : one);
  }
  return all;
}

const SIGNS = /[*_~`[>\\]/;

/** The words of a text without its signs: for a line of a list, and for reading aloud. */
export function plainOf(text: string): string {
  if (!SIGNS.test(text)) return text;
  const words = (inlines: Inline[]): string =>
    inlines.map((one) => ('inside' in one ? words(one.inside) : one.kind === 'mention' ? (one.text ?? one.user) : one.text)).join('');
  const lines = (block: Block): string =>
    block.kind === 'list' ? block.items.map(words).join('\n') : block.kind === 'code' ? block.text : words(block.inside);
  return blocksOf(text).map(lines).join('\n');
}

/** The links of a text, in their order. */
export function linksOf(text: string): string[] {
  const inside = (inlines: Inline[]): string[] =>
    inlines.flatMap((one) => (one.kind === 'link' ? [one.url] : 'inside' in one ? inside(one.inside) : []));
  return [...new Set(blocksOf(text).flatMap((block) => (block.kind === 'list' ? block.items.flatMap(inside) : block.kind === 'code' ? [] : inside(block.inside))))];
}
