/** Records a voice note: the app has the microphone, the window only sees how loud it is. */
import type { Shell, Upload } from '../shell/shell';
import { Waiting } from '../shared/waiting.svelte';

const LOOK_MS = 100;
/** Bars of what was just said. */
const SHOWN = 40;

export class Voice {
  /** Whether a note is being recorded. */
  on = $state(false);
  ms = $state(0);
  levels = $state<number[]>([]);
  full = $state(false);
  work = new Waiting();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly shell: Shell) {}

  async begin(chat: string): Promise<void> {
    const state = await this.work.run(() => this.shell.ask({ ask: 'voice.begin', input: { chat } }));
    if (!state) return;
    this.on = true;
    this.ms = 0;
    this.levels = [];
    this.full = false;
    this.#timer = setInterval(() => void this.#look(), LOOK_MS);
  }

  async #look(): Promise<void> {
    try {
      const { durationMs, level, full } = await this.shell.ask({ ask: 'voice.look' });
      if (!this.on) return;
      this.ms = durationMs;
      this.full = full;
      this.levels = [...this.levels, level].slice(-SHOWN);
    } catch {
      // It ended meanwhile: locked, or given up in another window.
      this.#stop();
    }
  }

  async end(send: boolean, reply: string | null): Promise<Upload | null> {
    if (!this.on) return null;
    this.#stop();
    return this.work.run(() => this.shell.ask({ ask: 'voice.end', input: { send, reply } }));
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.on = false;
  }
}
