/** Says things in the person's language: sentences, plurals, times and dates. */
import ar from './ar.json';
import en from './en.json';
import { pseudo } from './pseudo';

export type Key = keyof typeof en;
/** A sentence, or one sentence for each plural form of the number `n`. */
export type Entry = string | Partial<Record<Intl.LDMLPluralRule, string>>;
export type Catalogue = Record<string, Entry>;
export type Params = Record<string, string | number>;

interface Language {
  tag: string;
  dir: 'ltr' | 'rtl';
  /** Its name in itself, so that it can always be found. */
  name: string;
  words: Catalogue;
}

export const languages: Language[] = [
  { tag: 'en', dir: 'ltr', name: 'English', words: en },
  { tag: 'ar', dir: 'rtl', name: 'العربية', words: ar },
];

if (import.meta.env.MODE !== 'production') {
  languages.push({ tag: 'en-XA', dir: 'ltr', name: '[Þšéûðö]', words: pseudo(en) });
}

const english = languages[0]!;
let current = $state.raw<Language>(english);

/** The language in use. */
export const language = (): Language => current;

/** Takes `system` or a tag; falls back to English. */
export function speak(wish: string, system: readonly string[] = navigator.languages): void {
  const wishes = wish === 'system' ? system : [wish];
  const found = wishes.map(byTag).find((one) => one !== undefined);
  current = found ?? english;
}

function byTag(tag: string): Language | undefined {
  const base = tag.split('-')[0];
  return languages.find((one) => one.tag === tag) ?? languages.find((one) => one.tag === base);
}

/** The sentence of `key` with `{name}` replaced; plural forms follow the parameter `n`. */
export function say(key: Key, params: Params = {}): string {
  const entry = current.words[key] ?? english.words[key] ?? key;
  return fill(formOf(entry, params.n), params);
}

/** As [`say`], for a key made at run time; `null` when the catalogue has no such key. */
export function sayIfKnown(key: string, params: Params = {}): string | null {
  return key in english.words ? say(key as Key, params) : null;
}

function formOf(entry: Entry, n: string | number | undefined): string {
  if (typeof entry === 'string') return entry;
  const form = new Intl.PluralRules(current.tag).select(Number(n ?? 0));
  return entry[form] ?? entry.other ?? '';
}

function fill(sentence: string, params: Params): string {
  return sentence.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = params[name];
    if (value === undefined) return whole;
    return typeof value === 'number' ? number(value) : isolate(value);
  });
}

// Written as numbers, since the characters themselves cannot be seen.
const ISOLATE = String.fromCodePoint(0x2068);
const END_OF_ISOLATE = String.fromCodePoint(0x2069);

/** Names and addresses keep their own direction inside a right-to-left sentence. */
function isolate(text: string): string {
  return current.dir === 'rtl' ? `${ISOLATE}${text}${END_OF_ISOLATE}` : text;
}

export const number = (value: number): string => new Intl.NumberFormat(current.tag).format(value);

export const percent = (value: number): string =>
  new Intl.NumberFormat(current.tag, { style: 'percent' }).format(value / 100);

export function bytes(value: number): string {
  const [amount, unit] =
    value >= 1 << 20 ? [value / (1 << 20), 'megabyte'] : [Math.max(1, value / (1 << 10)), 'kilobyte'];
  return new Intl.NumberFormat(current.tag, {
    style: 'unit',
    unit,
    unitDisplay: 'short',
    maximumFractionDigits: 0,
  }).format(amount);
}

/** The time of day: "14:02" or as the language has it. */
export const clock = (at: number): string =>
  new Intl.DateTimeFormat(current.tag, { hour: '2-digit', minute: '2-digit', hour12: false }).format(at);

/** The day alone, with its year. */
export const date = (at: number): string => new Intl.DateTimeFormat(current.tag, { dateStyle: 'long' }).format(at);

export const fullDate = (at: number): string =>
  new Intl.DateTimeFormat(current.tag, { dateStyle: 'long', timeStyle: 'short', hourCycle: 'h23' }).format(at);

/** Whole days between two moments, by the calendar. */
export function daysApart(at: number, now: number): number {
  const midnight = (moment: number) => new Date(moment).setHours(0, 0, 0, 0);
  return Math.round((midnight(now) - midnight(at)) / 86_400_000);
}

/** "Today", "Yesterday", a weekday, or a date. */
export function day(at: number, now: number): string {
  const apart = daysApart(at, now);
  if (apart === 0 || apart === 1) {
    const said = new Intl.RelativeTimeFormat(current.tag, { numeric: 'auto' }).format(-apart, 'day');
    return said.charAt(0).toLocaleUpperCase(current.tag) + said.slice(1);
  }
  const options: Intl.DateTimeFormatOptions =
    apart > 0 && apart < 7
      ? { weekday: 'long' }
      : apart > 300
        ? { day: 'numeric', month: 'long', year: 'numeric' }
        : { weekday: 'short', day: 'numeric', month: 'long' };
  return new Intl.DateTimeFormat(current.tag, options).format(at);
}

/** Short, for the end of a line in a list: the time today, else the day. */
export function briefly(at: number, now: number): string {
  const apart = daysApart(at, now);
  if (apart <= 0) return clock(at);
  if (apart === 1) return day(at, now);
  if (apart < 7) return new Intl.DateTimeFormat(current.tag, { weekday: 'short' }).format(at);
  return new Intl.DateTimeFormat(current.tag, { day: 'numeric', month: 'short' }).format(at);
}

/** "8 hours", "1 week": the largest whole unit. */
export function span(seconds: number): string {
  const units = [['week', 604_800], ['day', 86_400], ['hour', 3_600], ['minute', 60], ['second', 1]] as const;
  const [unit, length] = units.find(([, length]) => seconds >= length && seconds % length === 0) ?? units[4];
  return new Intl.NumberFormat(current.tag, { style: 'unit', unit, unitDisplay: 'long' }).format(seconds / length);
}

/** "2:07" or "1:02:07". */
export function stopwatch(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (value: number) =>
    new Intl.NumberFormat(current.tag, { minimumIntegerDigits: 2, useGrouping: false }).format(value);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const head = hours > 0 ? `${number(hours)}:${two(minutes)}` : number(minutes);
  return `${head}:${two(whole % 60)}`;
}
