/** Keeps the own devices, and leads a new one in. */
import type { DeviceView, LinkCode, LinkState, Shell } from '../shell/shell';
import type { Toasts } from '../shared/toasts.svelte';
import { Waiting } from '../shared/waiting.svelte';
import { say } from '../words/words.svelte';

export class Devices {
  list = $state<DeviceView[]>([]);
  loaded = $state(false);
  /** Whether the dialog that links a device is open. */
  linking = $state(false);
  code = $state<LinkCode | null>(null);
  link = $state<LinkState | null>(null);
  waiting = new Waiting();
  offering = new Waiting();
  revoking = new Waiting();

  constructor(
    private readonly shell: Shell,
    private readonly toasts: Toasts,
  ) {}

  async load(): Promise<void> {
    const list = await this.waiting.run(() => this.shell.ask({ ask: 'device.list' }));
    if (!list) return;
    this.list = list;
    this.loaded = true;
  }

  /** Opens the dialog and shows a code that works once. */
  async offer(): Promise<void> {
    this.linking = true;
    this.link = null;
    this.code = null;
    const code = await this.offering.run(() => this.shell.ask({ ask: 'device.offer' }));
    if (!code || !this.linking) return;
    this.code = code;
    this.link ??= { state: 'offered' };
  }

  take(link: LinkState): void {
    // Somebody who asks is answered, also when the page was loaded anew meanwhile.
    if (link.state === 'asked') this.linking = true;
    if (!this.linking) return;
    this.link = link;
    if (link.state === 'done') void this.load();
  }

  async admit(full: boolean): Promise<void> {
    await this.offering.run(() => this.shell.ask({ ask: 'device.admit', input: { full } }));
    if (this.offering.trouble) this.link = { state: 'failed', trouble: this.offering.trouble };
  }

  /** Says no; the code is worth nothing any more. */
  async refuse(): Promise<void> {
    await this.close();
    this.toasts.say(say('link.refused'));
  }

  /** Closes the dialog; an offer that is still open is taken back. */
  async close(): Promise<void> {
    const open = this.code !== null || this.link?.state === 'asked';
    const over = this.link?.state === 'done' || this.link?.state === 'failed' || this.link?.state === 'transferring';
    this.linking = false;
    this.code = null;
    this.link = null;
    this.offering.reset();
    if (!open || over) return;
    try {
      await this.shell.ask({ ask: 'device.withdraw' });
    } catch {
      // The code ends by itself.
    }
  }

  /** Returns whether it is done. */
  async revoke(device: DeviceView): Promise<boolean> {
    await this.revoking.run(() => this.shell.ask({ ask: 'device.revoke', input: { device: device.device } }));
    if (this.revoking.trouble) return false;
    this.toasts.say(say('devices.revoked', { name: device.name }));
    await this.load();
    return true;
  }

  clear(): void {
    this.list = [];
    this.loaded = this.linking = false;
    this.code = this.link = null;
    for (const waiting of [this.waiting, this.offering, this.revoking]) waiting.reset();
  }
}
