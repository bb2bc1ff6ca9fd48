/** Keeps the links into groups: those one made, and what one wants to be let into by a link of somebody else. */
import { isGroupLink } from '../shared/address';
import type { Announcer } from '../shared/announcer.svelte';
import type { Toasts } from '../shared/toasts.svelte';
import { Waiting } from '../shared/waiting.svelte';
import type { GroupGuest, GroupInvite, GroupJoining, GroupOffer, Shell } from '../shell/shell';
import { say } from '../words/words.svelte';

/** How long a link may hold, in hours. */
export const HOURS = [1, 24, 168, 720];

/** For how many people it may be; 0 for as many as there is room for. */
export const USES = [0, 1, 5, 25, 100];

export class Invites {
  /** Of the group that is open, the newest first. */
  list = $state<GroupInvite[]>([]);
  chat = $state<string | null>(null);
  /** What a new link is to be like; `null` while none is made. */
  wish = $state<{ hours: number; uses: number; approval: boolean } | null>(null);
  /** The link that is shown as text and picture. */
  shown = $state<string | null>(null);
  /** What a link of somebody else says. */
  offer = $state<GroupOffer | null>(null);
  /** The link itself. */
  pasted = $state('');
  joining = $state<GroupJoining[]>([]);
  loading = new Waiting();
  making = new Waiting();
  acting = new Waiting();
  reading = new Waiting();
  asking = new Waiting();

  constructor(
    private readonly shell: Shell,
    private readonly toasts: Toasts,
    private readonly announcer: Announcer,
  ) {}

  /** Links that hold, or by which somebody came. */
  kept = $derived.by(() => this.list.filter((one) => one.state === 'open' || one.came.length > 0));
  current = $derived.by(() => this.list.find(({ id }) => id === this.shown) ?? null);

  async load(chat: string): Promise<void> {
    if (this.chat !== chat) this.list = [];
    this.chat = chat;
    const list = await this.loading.run(() => this.shell.ask({ ask: 'group.invite.list', input: { chat } }));
    if (list && this.chat === chat) this.list = list;
  }

  begin(): void {
    this.making.reset();
    this.wish = { hours: 168, uses: 0, approval: true };
  }

  async make(): Promise<void> {
    const { chat, wish } = this;
    if (chat === null || !wish || this.making.busy) return;
    const input = { chat, hours: wish.hours, uses: wish.uses === 0 ? null : wish.uses, approval: wish.approval };
    const made = await this.making.run(() => this.shell.ask({ ask: 'group.invite.make', input }));
    if (!made) return;
    this.take(made);
    this.wish = null;
    this.shown = made.id;
  }

  async revoke(id: string): Promise<void> {
    const ended = await this.acting.run(() => this.shell.ask({ ask: 'group.invite.revoke', input: { id } }));
    if (!ended) return;
    this.take(ended);
    this.shown = null;
    this.#say(say('invite.revoked'));
  }

  async answer(id: string, guest: GroupGuest, yes: boolean): Promise<void> {
    const answered = await this.acting.run(() => this.shell.ask({ ask: 'group.invite.answer', input: { id, user: guest.user, yes } }));
    if (!answered) return;
    this.take(answered);
    this.#say(say(yes ? 'invite.let-in' : 'invite.refused', { name: guest.name }));
  }

  /** A link is another one now, or somebody came. */
  take(invite: GroupInvite): void {
    if (invite.chat !== this.chat) return;
    const others = this.list.filter(({ id }) => id !== invite.id);
    this.list = [...others, invite].toSorted((a, b) => b.madeAt - a.madeAt);
  }

  /** Whether that is a link into a group: then it is read, and nothing else is done with it. */
  reads(text: string): boolean {
    if (!isGroupLink(text)) return false;
    this.pasted = text.trim();
    this.offer = null;
    this.asking.reset();
    void this.read();
    return true;
  }

  async read(): Promise<void> {
    const link = this.pasted;
    const offer = await this.reading.run(() => this.shell.ask({ ask: 'group.offer', input: { link } }));
    if (offer && this.pasted === link) this.offer = offer;
  }

  /** Only here somebody hears of it, and only after the person said so. */
  async ask(): Promise<void> {
    const link = this.pasted;
    if (this.asking.busy) return;
    const asked = await this.asking.run(() => this.shell.ask({ ask: 'group.ask', input: { link } }));
    if (!asked) return;
    this.takeJoining(asked);
    this.forgetLink();
    this.#say(say('invite.asked', { name: asked.name }));
  }

  forgetLink(): void {
    this.pasted = '';
    this.offer = null;
    this.reading.reset();
    this.asking.reset();
  }

  async loadJoining(): Promise<void> {
    try {
      this.joining = await this.shell.ask({ ask: 'group.joining' });
    } catch {
      // The list of conversations says what is wrong.
    }
  }

  takeJoining(asked: GroupJoining): void {
    const others = this.joining.filter(({ chat }) => chat !== asked.chat);
    this.joining = asked.state === 'in' ? others : [asked, ...others];
    if (asked.state === 'in') this.#say(say('invite.in', { name: asked.name }));
  }

  async forget(chat: string): Promise<void> {
    this.joining = this.joining.filter((one) => one.chat !== chat);
    try {
      await this.shell.ask({ ask: 'group.forget', input: { chat } });
    } catch {
      await this.loadJoining();
    }
  }

  #say(text: string): void {
    this.toasts.say(text);
    this.announcer.say(text);
  }

  close(): void {
    this.list = [];
    this.chat = null;
    this.wish = null;
    this.shown = null;
    this.acting.reset();
  }

  clear(): void {
    this.close();
    this.forgetLink();
    this.joining = [];
  }
}
