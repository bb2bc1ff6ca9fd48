/** Looks a person up by address and asks them for contact. */
import type { ChatSummary, FoundPerson, Shell } from '../shell/shell';
import type { Consents } from '../consent/consents.svelte';
import { domainOf, isLink, localPartOf, readContact } from '../shared/address';
import { Waiting } from '../shared/waiting.svelte';
import { say } from '../words/words.svelte';

export type Intent = 'chat' | 'call';

export class Find {
  /** What the dialog is open for; `null` when it is closed. */
  intent = $state<Intent | null>(null);
  address = $state('');
  fault = $state<string | null>(null);
  /** Whom we look for. */
  sought = $state<string | null>(null);
  found = $state<FoundPerson | null>(null);
  searching = new Waiting();
  requesting = new Waiting();

  constructor(
    private readonly shell: Shell,
    private readonly consents: Consents,
    private readonly own: () => string | null,
  ) {}

  domain = $derived(this.sought === null ? '' : domainOf(this.sought));
  name = $derived(this.sought === null ? '' : localPartOf(this.sought));

  /** A permission has to be given before the search can go on. */
  needsConsent = $derived.by(
    () => this.searching.busy && this.consents.queue.some((one) => one.forWhom === this.sought || one.domain === this.domain),
  );

  open(intent: Intent, address = ''): void {
    this.reset();
    this.address = address;
    this.intent = intent;
  }

  close(): void {
    this.reset();
    this.address = '';
    this.intent = null;
  }

  /** Back to typing, with the address kept. */
  reset(): void {
    this.searching.reset();
    this.requesting.reset();
    this.sought = null;
    this.found = null;
    this.fault = null;
  }

  async search(): Promise<void> {
    const user = readContact(this.address);
    this.found = null;
    this.fault = user === null ? say('find.wrong') : user === this.own() ? say('find.own') : null;
    if (this.fault !== null || user === null) return;
    this.sought = user;
    this.found = await this.searching.run(() => this.shell.ask({ ask: 'person.find', input: { address: isLink(this.address) ? this.address.trim() : user } }));
  }

  /** Asks for contact; the chat exists at once. */
  async request(): Promise<ChatSummary | null> {
    const user = this.found?.user;
    if (!user) return null;
    return this.requesting.run(() => this.shell.ask({ ask: 'person.request', input: { user } }));
  }
}
