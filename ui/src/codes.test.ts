/** Tells that every stable word the Rust side can say has a sentence, by reading its sources. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { pictureName, pictureOf } from './calls/emoji';
import { refusalText } from './conversation/sentences';
import { trailText, trailWhy } from './settings/trail';
import { sentence } from './shared/trouble';
import type { TrailLine } from './shell/shell';
import ar from './words/ar.json';
import { say, sayIfKnown } from './words/words.svelte';

const CRATES = join(process.cwd(), '../crates');
const read = (path: string): string => readFileSync(join(CRATES, path), 'utf8');
const all = (text: string, pattern: RegExp): string[] => [...new Set([...text.matchAll(pattern)].map((found) => found[1]!))].sort();
const runtime = readdirSync(join(CRATES, 'runtime/src'), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.rs') && !file.endsWith('tests.rs')).map((file) => read(`runtime/src/${file}`).split('#[cfg(test)]')[0]!).join('\n');

const RAW = 'raw fact';
/** What the app says to itself only: a transaction that only looks, and why a file takes the other way or waits. */
const NEVER_SAID = new Set(['looked', 'author-away', 'direct-busy', 'direct-lost', 'direct-refused', 'direct-small', 'no-direct-way', 'not-theirs']);
const ARM = /=> "([a-z][a-z-]*)"/g;

describe('a trouble', () => {
  const codes = [
    ...all(runtime, /Failure::new\(\s*"([a-z-]+)"/g),
    ...['signin/src/error.rs', 'signin/src/proxy.rs', 'identity/src/error.rs', 'guests/src/error.rs', 'policy/src/organisation.rs', 'screen/src/error.rs', 'preview/src/error.rs', 'runtime/src/archives/mod.rs'].flatMap((file) => all(read(file), ARM)),
  ].filter((code) => !NEVER_SAID.has(code));

  it('is looked for where there are some', () => expect(codes.length).toBeGreaterThan(100));
  it.each([...new Set(codes)])('%s has a sentence', (code) => expect(sentence({ code, detail: RAW })).not.toBe(RAW));
});

describe('a refusal', () => {
  /** What a message that is opened, or a device that is let in, can be refused for. */
  const TOLD = 'commit-from-observer from-the-future tampered wrong-author equivocation unverified-leaf unverified replayed too-old not-a-member external-commit forbidden-change not-sealed malformed too-large lease-stale lease-ahead not-holder device-revoked device-unknown blocked group-forked'.split(' ');

  it.each(TOLD)('%s says why', (code) => {
    expect(refusalText(code)).not.toBe(say('refusal.other'));
  });

  it('nobody knows is told all the same', () => expect(refusalText('never-heard-of')).toBe(say('refusal.other')));
});

describe('a line of the trail', () => {
  const line = (what: string, because: string): TrailLine => ({ seq: 1, at: 0, what, subject: 'Ana', verdict: 'deny', because, layer: 'user', count: 1 });
  const kinds = all(read('runtime/src/trail_book.rs'), /Kind::\w+ => "([a-z-]+)"/g);

  it('says what was judged', () => {
    expect(kinds).toContain('flood');
    for (const kind of kinds) expect(trailText(line(kind, 'flood'))).not.toContain(`(${kind})`);
  });

  const reasons = [...all(read('policy/src/reasons.rs'), /^ {4}[A-Z_]+, "([a-z-]+)"/gm), ...all(runtime, /Word::\w+, "([a-z-]+)"/g), ...all(read('policy/src/error.rs'), ARM), ...all(read('policy/src/organisation.rs'), ARM)];
  it.each([...new Set(reasons)])('says %s in a sentence', (because) => {
    expect(reasons.length).toBeGreaterThan(30);
    expect(trailWhy(line('write', because))).not.toBe(say('trail.layer-user'));
  });
});

describe('a picture two people compare', () => {
  const names = all(read('identity/src/sas.rs'), /^ {4}\("\S+", "([A-Z][a-z ]+)"\)/gm);

  it('is known by the name the app gives it, in every language', () => {
    expect(names).toHaveLength(64);
    for (const name of names) {
      expect(pictureOf(name), name).not.toBeNull();
      expect(sayIfKnown(`emoji.${pictureName(name)}`), name).not.toBeNull();
      expect(ar).toHaveProperty([`emoji.${pictureName(name)}`]);
    }
  });
});
