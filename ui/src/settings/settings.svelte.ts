/** Keeps what a person set and tells the page how to look. */
import type { Settings as Values, Shell } from '../shell/shell';
import { Waiting } from '../shared/waiting.svelte';
import { speak } from '../words/words.svelte';

export type Theme = 'light' | 'dark' | 'contrast';
export const THEMES = ['system', 'light', 'dark', 'contrast'] as const;
export const TEXT_SIZES = { least: 100, most: 200, step: 10 } as const;

const DEFAULTS: Values = { theme: 'system', language: 'system', textPercent: 100, readReceipts: true, typing: true, linkPreviews: 'ask', smallWindow: true, notices: { on: true, detail: 'name-and-text', sound: true, requests: 'gentle', missedCalls: true } };

export class Settings {
  values = $state<Values>(DEFAULTS);
  waiting = new Waiting();
  #systemDark = $state(false);
  #systemContrast = $state(false);
  #systemStill = $state(false);

  constructor(private readonly shell: Shell) {}

  /** The theme to draw, the system's wishes counted in. */
  theme = $derived.by((): Theme => {
    const wish = this.values.theme;
    if (wish === 'light' || wish === 'dark' || wish === 'contrast') return wish;
    if (this.#systemContrast) return 'contrast';
    return this.#systemDark ? 'dark' : 'light';
  });

  still = $derived(this.#systemStill);

  async load(): Promise<void> {
    const values = await this.waiting.run(() => this.shell.ask({ ask: 'settings.get' }));
    if (values) this.values = values;
  }

  /** Another window changed something. */
  take(values: Values): void {
    this.values = values;
  }

  /** Shows the change at once; takes it back if it could not be kept. */
  async change(part: Partial<Values>): Promise<void> {
    const before = this.values;
    const wanted = { ...before, ...part };
    this.values = wanted;
    const kept = await this.waiting.run(() => this.shell.ask({ ask: 'settings.set', input: wanted }));
    if (kept) this.values = kept;
    else if (this.waiting.trouble) this.values = before;
  }

  /** Follows the system's wishes for colour, contrast and motion. */
  followSystem(): () => void {
    const stops = [
      follow('(prefers-color-scheme: dark)', (on) => (this.#systemDark = on)),
      follow('(prefers-contrast: more)', (on) => (this.#systemContrast = on)),
      follow('(prefers-reduced-motion: reduce)', (on) => (this.#systemStill = on)),
    ];
    return () => stops.forEach((stop) => stop());
  }

  /** Makes the page look and speak as set. */
  apply(root: HTMLElement): void {
    root.dataset.theme = this.theme;
    root.dataset.motion = this.still ? 'none' : 'some';
    root.style.fontSize = `${(16 * this.values.textPercent) / 100}px`;
    speak(this.values.language);
  }
}

function follow(query: string, tell: (on: boolean) => void): () => void {
  const list = window.matchMedia?.(query);
  if (!list) return () => {};
  const read = () => tell(list.matches);
  read();
  list.addEventListener('change', read);
  return () => list.removeEventListener('change', read);
}
