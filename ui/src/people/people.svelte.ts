/** Keeps everyone known and the person card that is open. */
import type { PersonCard, Shell } from '../shell/shell';
import { troubleOf } from '../shell/shell';
import { matching } from '../shared/matching';
import type { Toasts } from '../shared/toasts.svelte';
import { Waiting } from '../shared/waiting.svelte';
import { say } from '../words/words.svelte';

export class People {
  list = $state<PersonCard[]>([]);
  loaded = $state(false);
  filter = $state('');
  card = $state<PersonCard | null>(null);
  waiting = new Waiting();
  opening = new Waiting();
  answering = new Waiting();
  /** Whom we are about to introduce to somebody. */
  introducing = $state<PersonCard | null>(null);
  telling = new Waiting();
  /** Blocks that are not done yet, and what undoes them. */
  #undoing = new Map<string, () => void>();

  constructor(
    private readonly shell: Shell,
    private readonly toasts: Toasts,
    private readonly onchange: (card: PersonCard) => void,
  ) {}

  shown = $derived(this.list.filter(matching(this.filter)).toSorted((a, b) => a.name.localeCompare(b.name)));

  async load(): Promise<void> {
    const list = await this.waiting.run(() => this.shell.ask({ ask: 'person.list' }));
    if (!list) return;
    this.list = list;
    this.loaded = true;
  }

  find(user: string): PersonCard | undefined {
    return this.list.find((card) => card.user === user);
  }

  async open(user: string): Promise<void> {
    if (this.card?.user !== user) this.card = this.find(user) ?? null;
    const card = await this.opening.run(() => this.shell.ask({ ask: 'person.card', input: { user } }));
    if (card) this.card = card;
  }

  take(card: PersonCard): void {
    const at = this.list.findIndex((one) => one.user === card.user);
    // Who is only in a group with us is shown there.
    if (at < 0 && card.contact === 'met') {
      if (this.card?.user === card.user) this.card = card;
      return;
    }
    if (at < 0) this.list = [...this.list, card];
    else this.list[at] = card;
    if (this.card?.user === card.user) this.card = card;
  }

  /** Tells a contact whose keys another one has. */
  async introduce(card: PersonCard, to: string): Promise<void> {
    await this.telling.run(() => this.shell.ask({ ask: 'person.introduce', input: { user: card.user, to } }));
    if (this.telling.trouble) return;
    this.introducing = null;
    this.toasts.say(say('introduce.done', { name: card.name }));
  }

  async accept(user: string): Promise<void> {
    await this.answering.run(() => this.shell.ask({ ask: 'person.accept', input: { user } }));
    if (!this.answering.trouble) this.#mark(user, 'accepted');
  }

  /** Hides a person at once; blocks them when nobody took that back. */
  block(user: string, name: string, before: PersonCard['contact']): void {
    this.#mark(user, 'blocked');
    const commit = async () => {
      this.#undoing.delete(user);
      try {
        await this.shell.ask({ ask: 'person.block', input: { user } });
      } catch (error) {
        this.#mark(user, before);
        this.answering.trouble = troubleOf(error);
      }
    };
    const undo = () => {
      this.#undoing.delete(user);
      this.#mark(user, before);
    };
    this.#undoing.set(user, this.toasts.undoable(say('request.blocked', { name }), () => void commit(), undo));
  }

  /** Takes a block back, also one that is not done yet; the news say where they stand then. */
  async unblock(user: string, answering: Waiting = this.answering): Promise<void> {
    const undo = this.#undoing.get(user);
    if (undo) return undo();
    await answering.run(() => this.shell.ask({ ask: 'person.unblock', input: { user } }));
  }

  clear(): void {
    this.list = [];
    this.card = null;
    this.loaded = false;
    this.filter = '';
    this.#undoing.clear();
    for (const waiting of [this.waiting, this.opening, this.answering]) waiting.reset();
  }

  #mark(user: string, contact: PersonCard['contact']): void {
    const known = this.find(user) ?? (this.card?.user === user ? this.card : undefined);
    const blank: PersonCard = {
      user, name: user, contact, identity: null, issuers: [], devices: [], comparedAt: null, change: null, reachedBy: null, chat: null,
    };
    const card: PersonCard = known ? { ...known, contact } : blank;
    if (known) this.take(card);
    this.onchange(card);
  }
}
