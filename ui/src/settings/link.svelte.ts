/** Keeps the own contact link. */
import type { Shell } from '../shell/shell';
import type { Toasts } from '../shared/toasts.svelte';
import { Waiting } from '../shared/waiting.svelte';
import { say } from '../words/words.svelte';

export class Link {
  text = $state<string | null>(null);
  waiting = new Waiting();

  constructor(
    private readonly shell: Shell,
    private readonly toasts: Toasts,
  ) {}

  /** The link, made at the first question. */
  async load(): Promise<string | null> {
    const answer = await this.waiting.run(() => this.shell.ask({ ask: 'contact.link' }));
    if (answer) this.text = answer.link;
    return answer?.link ?? null;
  }

  /** A new one; who has the old one is a stranger again. */
  async renew(): Promise<void> {
    const answer = await this.waiting.run(() => this.shell.ask({ ask: 'contact.link.renew' }));
    if (!answer) return;
    this.text = answer.link;
    this.toasts.say(say('contact-link.renewed'));
  }
}
