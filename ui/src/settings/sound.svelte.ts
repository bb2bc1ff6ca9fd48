/** Keeps which sound devices are used, and what comes of trying them. */
import type { Shell, SoundChoice, SoundTest, SoundView, VoiceSwitches } from '../shell/shell';
import { Waiting } from '../shared/waiting.svelte';

/** Devices come and go; so often it is looked, while somebody looks. */
const LOOK_EVERY_MS = 2_000;
const SILENT: SoundTest = { microphone: null, speaker: null, level: 0 };

export type TestPart = 'microphone' | 'speaker';

export class Sound {
  view = $state<SoundView | null>(null);
  test = $state<SoundTest>(SILENT);
  waiting = new Waiting();
  changing = new Waiting();

  constructor(private readonly shell: Shell) {}

  async load(): Promise<void> {
    const view = await this.waiting.run(() => this.shell.ask({ ask: 'sound.get' }));
    if (view) this.view = view;
  }

  /** Looks at the devices as long as they are shown; returns how to stop, which also ends what is tried. */
  watch(): () => void {
    void this.load();
    const timer = setInterval(() => {
      if (!this.waiting.busy && !this.changing.busy) void this.#look();
    }, LOOK_EVERY_MS);
    return () => {
      clearInterval(timer);
      if (this.test.microphone || this.test.speaker) void this.#try(false, false);
    };
  }

  async choose(part: Partial<SoundChoice>): Promise<void> {
    if (!this.view) return;
    const before = this.view;
    const choice = { ...before.choice, ...part };
    this.view = { ...before, choice };
    await this.#change(before, () => this.shell.ask({ ask: 'sound.choose', input: choice }));
  }

  async switch(part: Partial<VoiceSwitches>): Promise<void> {
    if (!this.view) return;
    const before = this.view;
    const switches = { ...before.switches, ...part };
    this.view = { ...before, switches };
    await this.#change(before, () => this.shell.ask({ ask: 'sound.switch', input: switches }));
  }

  /** Begins or ends trying a device. */
  async toggle(part: TestPart): Promise<void> {
    const on = { microphone: this.test.microphone !== null, speaker: this.test.speaker !== null };
    on[part] = !on[part];
    await this.#try(on.microphone, on.speaker);
  }

  take(test: SoundTest): void {
    this.test = test;
  }

  async #look(): Promise<void> {
    try {
      const view = await this.shell.ask({ ask: 'sound.get' });
      // What is being changed knows better.
      if (!this.changing.busy) this.view = view;
    } catch {
      // The list stays as it was; the next look may do better.
    }
  }

  async #change(before: SoundView, question: () => Promise<SoundView>): Promise<void> {
    const kept = await this.changing.run(question);
    if (kept) this.view = kept;
    else if (this.changing.trouble) this.view = before;
  }

  async #try(microphone: boolean, speaker: boolean): Promise<void> {
    const opening = { state: 'opening', name: null };
    this.test = { level: 0, microphone: microphone ? opening : null, speaker: speaker ? opening : null };
    const done = await this.changing.run(() => this.shell.ask({ ask: 'sound.test', input: { microphone, speaker } }));
    if (this.changing.trouble && done === null) this.test = SILENT;
  }
}
