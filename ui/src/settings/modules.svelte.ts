/** Keeps the list of modules and takes their rights back. */
import type { ModuleView, Shell } from '../shell/shell';
import type { Toasts } from '../shared/toasts.svelte';
import { Waiting } from '../shared/waiting.svelte';
import { say } from '../words/words.svelte';

export class Modules {
  list = $state<ModuleView[]>([]);
  waiting = new Waiting();

  constructor(
    private readonly shell: Shell,
    private readonly toasts: Toasts,
  ) {}

  async load(): Promise<void> {
    const list = await this.waiting.run(() => this.shell.ask({ ask: 'module.list' }));
    if (list) this.list = list;
  }

  take(module: ModuleView): void {
    const at = this.list.findIndex((one) => one.module === module.module);
    if (at < 0) this.list = [...this.list, module];
    else this.list[at] = module;
  }

  clear(): void {
    this.list = [];
    this.waiting.reset();
  }

  async revoke(module: ModuleView): Promise<void> {
    await this.waiting.run(() => this.shell.ask({ ask: 'module.revoke', input: { module: module.module } }));
    if (this.waiting.trouble) return;
    this.toasts.say(say('modules.revoked', { domain: module.domain }));
    await this.load();
  }
}
