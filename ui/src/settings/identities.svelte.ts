/** Keeps who vouches for the person, and their identities on this computer. */
import type { MyIssuer, PersonaView, Shell, SignInState } from '../shell/shell';
import { isIssuerUrl } from '../shared/address';
import { SignsIn } from '../shared/signs-in.svelte';
import type { Toasts } from '../shared/toasts.svelte';
import { Waiting } from '../shared/waiting.svelte';
import { say } from '../words/words.svelte';

export class Identities extends SignsIn {
  issuers = $state<MyIssuer[]>([]);
  personas = $state<PersonaView[]>([]);
  loaded = $state(false);
  /** The issuer that is being asked, as URL. */
  asking = $state<string | null>(null);
  url = $state('');
  fault = $state<string | null>(null);
  waiting = new Waiting();
  removing = new Waiting();

  constructor(
    shell: Shell,
    private readonly toasts: Toasts,
  ) {
    super(shell);
  }

  async load(): Promise<void> {
    const found = await this.waiting.run(async () => ({
      issuers: await this.shell.ask({ ask: 'identity.issuers' }),
      personas: await this.shell.ask({ ask: 'persona.list' }),
    }));
    if (!found) return;
    this.issuers = found.issuers;
    this.personas = found.personas;
    this.loaded = true;
  }

  /** Links what was typed. */
  async linkTyped(): Promise<void> {
    const url = this.url.trim();
    this.fault = isIssuerUrl(url) ? null : say('issuer.custom-wrong');
    if (!this.fault) await this.link(url);
  }

  /** Signs in with one more issuer, or with a known one again. */
  async link(issuer: string): Promise<void> {
    this.asking = issuer;
    this.signIn = { state: 'finding' };
    await this.opens(() => this.shell.ask({ ask: 'identity.link', input: { issuer } }));
  }

  takeSignIn(state: SignInState): void {
    if (this.asking === null) return;
    this.signIn = state;
    if (state.state !== 'done') return;
    this.asking = null;
    this.url = '';
    this.toasts.say(say('identities.linked'));
    void this.load();
  }

  async cancel(): Promise<void> {
    const going = this.signIn.state !== 'failed';
    this.asking = null;
    if (!going) return;
    await this.ends();
  }

  /** Returns whether it is done. */
  async unlink(issuer: MyIssuer): Promise<boolean> {
    const left = await this.removing.run(() => this.shell.ask({ ask: 'identity.unlink', input: { issuer: issuer.issuer } }));
    if (!left) return false;
    this.issuers = left;
    this.toasts.say(say('identities.removed', { issuer: issuer.vouchedBy }));
    return true;
  }

  clear(): void {
    this.issuers = [];
    this.personas = [];
    this.loaded = false;
    this.asking = null;
    this.signIn = { state: 'finding' };
    this.url = '';
    this.fault = null;
    for (const waiting of [this.waiting, this.removing]) waiting.reset();
  }
}
