/** Keeps the group that is open, and what a person does with it: begin one, name it, take people in and out. */
import type { Announcer } from '../shared/announcer.svelte';
import { matching } from '../shared/matching';
import type { Toasts } from '../shared/toasts.svelte';
import { Waiting } from '../shared/waiting.svelte';
import type { ChatSummary, GroupDone, GroupMember, GroupReach, GroupRole, GroupView, PersonCard, Shell } from '../shell/shell';
import { say } from '../words/words.svelte';

/** The longest name a group may have. */
export const LONGEST_NAME = 64;

/** A large group that did not change is asked for again only after this. */
const LARGE_RESTS_MS = 30_000;

/** What the dialog for choosing people is open for. */
export type Choosing = { for: 'new' } | { for: 'more'; chat: string; there: string[] };

/** What is asked once more before it is done. */
export type Asking = { what: 'remove'; member: GroupMember } | { what: 'leave' } | { what: 'end' };

/** Whether somebody may name a group and take people in. */
export const leads = (role: GroupRole): boolean => role !== 'member';

/** Whether one may take a member out. */
export const mayRemove = (mine: GroupRole, member: GroupMember): boolean =>
  !member.me && (mine === 'owner' || (mine === 'admin' && member.role === 'member'));

export class Groups {
  view = $state<GroupView | null>(null);
  choosing = $state<Choosing | null>(null);
  name = $state('');
  filter = $state('');
  chosen = $state<string[]>([]);
  asking = $state<Asking | null>(null);
  /** To whom the group is to go, and whether one leaves it then. */
  handing = $state<{ to: string; leave: boolean } | null>(null);
  /** The name that is being changed; `null` while none is. */
  naming = $state<string | null>(null);
  /** Who has the message that is looked at. */
  reach = $state<GroupReach | null>(null);
  loading = new Waiting();
  creating = new Waiting();
  acting = new Waiting();

  /** When the open group was asked for last. */
  #lookedAt = 0;

  constructor(
    private readonly shell: Shell,
    private readonly toasts: Toasts,
    private readonly announcer: Announcer,
    private readonly contacts: () => PersonCard[],
  ) {}

  /** Who can be chosen: contacts who are not in it yet. */
  candidates = $derived.by(() => {
    const there = new Set(this.choosing?.for === 'more' ? this.choosing.there : []);
    return this.contacts()
      .filter(({ contact, user }) => contact === 'accepted' && !there.has(user))
      .filter(matching(this.filter))
      .toSorted((a, b) => a.name.localeCompare(b.name));
  });

  ready = $derived.by(() => this.chosen.length > 0 && (this.choosing?.for === 'more' || this.name.trim() !== ''));

  choose(choosing: Choosing): void {
    this.choosing = choosing;
    this.name = '';
    this.filter = '';
    this.chosen = [];
    this.creating.reset();
  }

  /** A new group with the name of this one and whom of it one knows: for when nobody who owned it is left. */
  beginAnew(): void {
    const { view } = this;
    if (!view) return;
    this.choose({ for: 'new' });
    this.name = view.name;
    this.chosen = view.people.filter(({ me, contact }) => !me && contact).map(({ user }) => user);
  }

  toggle(user: string): void {
    this.chosen = this.chosen.includes(user) ? this.chosen.filter((one) => one !== user) : [...this.chosen, user];
  }

  /** Begins the group, or takes the chosen ones into the open one. Gives the conversation to open. */
  async create(): Promise<string | null> {
    const { choosing, chosen } = this;
    if (!choosing || !this.ready || this.creating.busy) return null;
    const people = [...chosen];
    if (choosing.for === 'new') {
      const name = this.name.trim();
      const chat = await this.creating.run(() => this.shell.ask({ ask: 'group.create', input: { name, people } }));
      if (!chat) return null;
      this.choosing = null;
      return chat.chat;
    }
    const { chat } = choosing;
    const done = await this.creating.run(() => this.shell.ask({ ask: 'group.add', input: { chat, people } }));
    if (!done) return null;
    this.choosing = null;
    this.#told(done);
    await this.load(chat);
    return null;
  }

  async load(chat: string): Promise<void> {
    if (this.view?.chat !== chat) this.view = null;
    const view = await this.loading.run(() => this.shell.ask({ ask: 'group.look', input: { chat } }));
    if (view) this.view = view;
    this.#lookedAt = Date.now();
  }

  /** News about the open conversation: who is in it may have changed. */
  take(summary: ChatSummary, open: string | null): void {
    const { group } = summary;
    if (!group || summary.chat !== open) return;
    const known = this.view?.chat === summary.chat ? this.view : null;
    // Every message is such news. Who is in a large group is asked for only when that changed.
    const same = known && known.people.length === group.people && known.name === summary.name && known.role === group.role && known.standing.is === group.standing.is;
    const rests = group.large && same && Date.now() - this.#lookedAt < LARGE_RESTS_MS;
    if (!rests) void this.load(summary.chat);
  }

  async rename(): Promise<void> {
    const { view, naming } = this;
    const name = naming?.trim() ?? '';
    if (!view || name === '') return;
    if (name === view.name || (await this.#act(() => this.shell.ask({ ask: 'group.rename', input: { chat: view.chat, name } })))) this.naming = null;
  }

  async setRole(member: GroupMember, role: GroupRole): Promise<void> {
    const { view } = this;
    if (view) await this.#act(() => this.shell.ask({ ask: 'group.role', input: { chat: view.chat, user: member.user, role } }));
  }

  ask(asking: Asking): void {
    this.acting.reset();
    this.asking = asking;
  }

  /** Does what was asked once more. */
  async confirm(): Promise<void> {
    const { view, asking } = this;
    if (!view || !asking) return;
    const { chat } = view;
    const done =
      asking.what === 'remove' ? await this.#act(() => this.shell.ask({ ask: 'group.remove', input: { chat, user: asking.member.user } }))
      : asking.what === 'leave' ? await this.#act(() => this.shell.ask({ ask: 'group.leave', input: { chat } }))
      : await this.#act(() => this.shell.ask({ ask: 'group.end', input: { chat } }));
    if (done) this.asking = null;
  }

  /** Who could own the group: who is in it with a device, admins first. */
  heirs = $derived.by(() => (this.view?.people ?? []).filter((one) => !one.me && one.devices > 0));

  /** Proposes the first admin, else the first member. */
  askHeir(): void {
    this.acting.reset();
    this.handing = { to: this.heirs[0]?.user ?? '', leave: true };
  }

  async handOver(): Promise<void> {
    const { view, handing } = this;
    if (!view || !handing || handing.to === '') return;
    const input = { chat: view.chat, user: handing.to, leave: handing.leave };
    if (await this.#act(() => this.shell.ask({ ask: 'group.hand-over', input }))) this.handing = null;
  }

  async join(chat: string): Promise<void> {
    const view = await this.acting.run(() => this.shell.ask({ ask: 'group.join', input: { chat } }));
    if (view) this.view = view;
  }

  /** Says no to a group that a stranger added us to. */
  async decline(chat: string): Promise<void> {
    await this.#act(() => this.shell.ask({ ask: 'group.leave', input: { chat } }), chat);
  }

  async #act(doing: () => Promise<GroupDone | null>, chat = this.view?.chat): Promise<boolean> {
    let done: GroupDone | null = null;
    const finished = await this.acting.run(async () => {
      done = await doing();
      return true;
    });
    if (!finished) return false;
    this.#told(done);
    if (chat) await this.load(chat);
    return true;
  }

  #told(done: GroupDone | null): void {
    if (done !== 'asked') return;
    this.toasts.say(say('group.asked'));
    this.announcer.say(say('group.asked'));
  }

  close(): void {
    this.view = null;
    this.asking = null;
    this.naming = null;
    this.acting.reset();
  }

  clear(): void {
    this.close();
    this.choosing = null;
    this.handing = null;
    this.name = '';
    this.chosen = [];
  }
}
