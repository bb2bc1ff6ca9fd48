/** Keeps the policies a person sets, those of their organisation, and the trail of verdicts. */
import type { PolicySettings, PolicyView, Shell, TrailLine } from '../shell/shell';
import { Waiting } from '../shared/waiting.svelte';

export class Policies {
  view = $state<PolicyView | null>(null);
  trail = $state<TrailLine[]>([]);
  trailLoaded = $state(false);
  /** Where the trail was written. */
  written = $state<string | null>(null);
  waiting = new Waiting();
  saving = new Waiting();
  reading = new Waiting();
  exporting = new Waiting();

  constructor(private readonly shell: Shell) {}

  async load(): Promise<void> {
    const view = await this.waiting.run(() => this.shell.ask({ ask: 'policy.get' }));
    if (view) this.view = view;
  }

  async loadTrail(): Promise<void> {
    const trail = await this.reading.run(() => this.shell.ask({ ask: 'trail.list' }));
    if (!trail) return;
    this.trail = trail;
    this.trailLoaded = true;
  }

  locked(name: keyof PolicySettings): boolean {
    return this.view?.locked.includes(name) ?? false;
  }

  /** Whether the rule in force asks for what this app cannot check. */
  unsupported(name: keyof PolicySettings): boolean {
    return this.view?.unsupported.includes(name) ?? false;
  }

  /** Shows the change at once; takes it back if it could not be kept. */
  async change(part: Partial<PolicySettings>): Promise<void> {
    const before = this.view;
    if (!before) return;
    const settings = { ...before.settings, ...part };
    this.view = { ...before, settings };
    const kept = await this.saving.run(() => this.shell.ask({ ask: 'policy.set', input: settings }));
    if (kept) this.view = kept;
    else if (this.saving.trouble) this.view = before;
  }

  async exportTrail(): Promise<void> {
    this.written = null;
    const file = await this.exporting.run(() => this.shell.ask({ ask: 'trail.export', input: { folder: null } }));
    if (file) this.written = file.path;
  }

  clear(): void {
    this.view = null;
    this.trail = [];
    this.trailLoaded = false;
    this.written = null;
    for (const waiting of [this.waiting, this.saving, this.reading, this.exporting]) waiting.reset();
  }
}
