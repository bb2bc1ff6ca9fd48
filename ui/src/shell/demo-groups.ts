/** Plays what people do with groups: begin one, name it, take people in and out, leave. */
import { plainMessage, type DemoWorld } from './demo-world';
import type { ChatMessage, ChatSummary, GroupDone, GroupGuest, GroupInvite, GroupJoining, GroupMember, GroupView, News, Question } from './shell';

const ME = 'ana@a.localhost';
const MINUTE = 60_000;
export const CHOIR = 'comm://a.localhost/choir';

/** What the demo needs from the rest of the world to answer. */
export interface GroupHost {
  world: DemoWorld;
  tell(news: News): void;
}

const me = (role: GroupMember['role']): GroupMember => ({
  user: ME, name: 'Ana Silva', role, me: true, contact: false, blocked: false, identity: null, mark: 'verified', devices: 1,
});

/** Somebody as they are shown in a group. */
function memberOf(world: DemoWorld, user: string, role: GroupMember['role'] = 'member'): GroupMember {
  const card = world.people.find((one) => one.user === user);
  const vouchedBy = user.split('@')[1]!;
  const at = Date.now() - 20 * MINUTE;
  const identity = card?.identity ?? { vouchedBy, issuer: `https://${vouchedBy}`, checkedAt: at, attestedAt: at, fresh: true, state: 'introduced' as const };
  const name = card?.name ?? (user === 'cleo@c.localhost' ? 'Cleo Haddad' : user);
  const mark = identity.state === 'changed' ? 'changed' : identity.state === 'verified' ? 'verified' : 'introduced';
  return { user, name, role, me: false, contact: card?.contact === 'accepted', blocked: card?.contact === 'blocked', identity, mark, devices: 2 };
}

/** A choir of four, two of whom are contacts. */
export function addChoir(world: DemoWorld, mine: GroupMember['role'] = 'owner', standing: GroupView['standing'] = { is: 'open' }): void {
  const owner = mine === 'owner' ? me('owner') : memberOf(world, 'ben@b.localhost', 'owner');
  const others = mine === 'owner' ? [memberOf(world, 'ben@b.localhost', 'admin')] : [me(mine)];
  const people = [owner, ...others, memberOf(world, 'chiara.conti@studio.example'), memberOf(world, 'cleo@c.localhost')];
  put(world, { chat: CHOIR, name: 'Sunday choir', role: mine, standing, writes: mine === 'owner', owner: owner.user, people });
  const line = (code: string, detail: string, by: string | null, ago: number) => say(world, { content: { type: 'system', code, detail, by }, at: Date.now() - ago * MINUTE, mine: by === null, author: ME });
  const words = (author: string, text: string, ago: number, part: Partial<ChatMessage> = {}) => say(world, { content: { type: 'text', text }, at: Date.now() - ago * MINUTE, mine: author === ME, author, ...part });
  if (mine === 'owner') line('group-created', 'Sunday choir', null, 90);
  else line('group-added-you', '', 'Ben Okafor', 90);
  if (standing.is === 'asked') return;
  words('ben@b.localhost', 'Is everybody fine with half past ten?', 80);
  words('chiara.conti@studio.example', 'Yes!', 78);
  words('chiara.conti@studio.example', 'I bring the scores.', 77.5);
  if (mine === 'owner') line('group-added', 'Cleo Haddad', null, 60);
  else line('group-added', 'Cleo Haddad', 'Ben Okafor', 60);
  words(ME, 'Welcome, Cleo. We sing at half past ten.', 58, { state: 'read', reach: { of: 3, delivered: 3, read: 3 } });
  words('cleo@c.localhost', 'Thank you, I will be there. Which door is it?', 40);
  words(ME, 'The one at the river.', 38, { state: 'sent', reach: { of: 3, delivered: 2, read: 1 } });
  if (standing.is === 'over') line('group-removed-you', 'Ana Silva', 'Ben Okafor', 5);
}

/** A thousand people, most of whom nobody knows; one of them is looked for by name. */
export function addCrowd(world: DemoWorld): void {
  const member = memberOf(world, 'ben@b.localhost', 'admin');
  const crowd = Array.from({ length: 997 }, (_, n) => ({ ...memberOf(world, `p${n}@d${n % 40}.example`), name: `Person ${n}` }));
  put(world, { chat: CHOIR, name: 'Festival choir', role: 'owner', standing: { is: 'open' }, writes: true, owner: ME, people: [me('owner'), member, ...crowd, { ...memberOf(world, 'zoe@z.example'), name: 'Zoe Adeyemi' }] });
  const words = (author: string, text: string, ago: number, part: Partial<ChatMessage> = {}) => say(world, { content: { type: 'text', text }, at: Date.now() - ago * MINUTE, mine: author === ME, author, ...part });
  words('ben@b.localhost', 'Is everybody fine with half past ten?', 80);
  words(ME, 'I am. The doors open at ten.', 58, { state: 'delivered' });
  words('p7@d7.example', 'See you there!', 40);
  words(ME, 'Bring your scores.', 1, { state: 'sent' });
}

/** A link into the choir. */
export function sampleInvite(part: Partial<GroupInvite> = {}): GroupInvite {
  const payload = 'eyJnIjoiY29tbTovL2EubG9jYWxob3N0L2Nob2lyIiwibiI6IlN1bmRheSBjaG9pciIsInAiOjR9'.repeat(4);
  return { id: 'link-1', chat: CHOIR, link: `parlance:${ME}?group=${payload}.c2lnbmF0dXJlIG9mIHRoZSBkZXZpY2UgdGhhdCBtYWRlIGl0`, madeAt: Date.now() - 60 * MINUTE, until: Date.now() + 7 * 24 * 60 * MINUTE, uses: null, used: 0, approval: true, state: 'open', came: [], ...part };
}

/** A link by which somebody came and somebody waits, and one that is over. */
export function addInvites(world: DemoWorld): void {
  const guest = (user: string, name: string, state: GroupGuest['state'], ago: number): GroupGuest => ({ user, name, identity: memberOf(world, user).identity, mark: 'introduced', at: Date.now() - ago * MINUTE, state });
  const came = [guest('noor@uni.example', 'Noor Aziz', 'waits', 4), guest('cleo@c.localhost', 'Cleo Haddad', 'in', 40)];
  world.invites.push(sampleInvite({ uses: 5, used: 2, came }), sampleInvite({ id: 'link-0', state: 'used-up', link: '', uses: 1, used: 1, came: [guest('chiara.conti@studio.example', 'Chiara Conti', 'in', 3000)], madeAt: Date.now() - 4000 * MINUTE }));
}

function invite(world: DemoWorld, id: string): GroupInvite {
  const found = world.invites.find((one) => one.id === id);
  if (!found) throw { code: 'invite-unknown', detail: 'no link of this device' };
  return found;
}

/** Two polls in the choir, and a message that names the person. */
export function addPolls(world: DemoWorld): void {
  const ago = (minutes: number) => Date.now() - minutes * MINUTE;
  const options = [
    { text: 'Saturday at half past ten', votes: 3, who: ['ben@b.localhost', 'chiara.conti@studio.example'], mine: true },
    { text: 'Sunday after lunch', votes: 1, who: ['cleo@c.localhost'], mine: false },
    { text: 'Not this week', votes: 0, who: [], mine: false },
  ];
  say(world, { content: { type: 'poll', poll: { question: 'When do we rehearse?', options, several: false, hidden: false, closed: false, voters: 4 } }, at: ago(30), mine: false, author: 'ben@b.localhost' });
  const hidden = options.map(({ text, votes }, n) => ({ text, votes: votes + n, who: [], mine: n > 0 }));
  say(world, { content: { type: 'poll', poll: { question: 'Who can bring cake, and when?', options: hidden, several: true, hidden: true, closed: true, voters: 4 } }, at: ago(20), mine: true, author: ME, state: 'read' });
  say(world, { content: { type: 'text', text: 'Thank you, @Ana Silva! And *all of you*, too.' }, at: ago(10), mine: false, author: 'cleo@c.localhost', mentions: [{ user: ME, name: 'Ana Silva' }], mentionsMe: true });
  world.chats.find((one) => one.chat === CHOIR)!.mentionsMe = true;
}

function say(world: DemoWorld, part: Pick<ChatMessage, 'content' | 'at' | 'mine' | 'author'> & Partial<ChatMessage>): ChatMessage {
  const list = world.messages[CHOIR]!;
  const message: ChatMessage = {
    id: `${CHOIR}#${list.length + 1}`, chat: CHOIR, ordinal: list.length + 1, state: part.mine ? 'delivered' : 'received', mark: 'introduced', ...plainMessage, ...part,
  };
  list.push(message);
  const summary = world.chats.find((one) => one.chat === CHOIR)!;
  summary.last = message;
  summary.at = message.at;
  return message;
}

/** Puts a group into the world, or changes it there. */
function put(world: DemoWorld, view: GroupView): ChatSummary {
  world.groups[view.chat] = view;
  world.messages[view.chat] ??= [];
  const known = world.chats.find((one) => one.chat === view.chat);
  const names = Object.fromEntries(view.people.filter((one) => !one.me).map((one) => [one.user, one.name]));
  const summary: ChatSummary = {
    chat: view.chat, user: view.owner, name: view.name, domain: 'a.localhost', contact: view.standing.is === 'asked' ? 'request' : 'accepted',
    mentionsMe: known?.mentionsMe ?? false, last: known?.last ?? null, unread: known?.unread ?? 0, draft: known?.draft ?? '', change: null, mark: 'introduced', at: known?.at ?? Date.now(), mutedUntil: known?.mutedUntil ?? null,
    group: { people: view.people.length, role: view.role, standing: view.standing, large: view.people.length > 100, names: { ...known?.group?.names, ...names } },
  };
  if (known) return Object.assign(known, summary);
  world.chats.push(summary);
  return summary;
}

/** Answers a question about groups, or gives `undefined` when it is about something else. */
export function answerGroups(host: GroupHost, question: Question): unknown {
  const { world } = host;
  const group = (chat: string): GroupView => {
    const found = world.groups[chat];
    if (!found) throw { code: 'not-a-group', detail: 'a conversation of two' };
    return found;
  };
  const changed = (chat: string, part: Partial<GroupView>): GroupDone => {
    const view = group(chat);
    // Another device writes it: it is only asked.
    if (!view.writes && !part.standing) return 'asked';
    host.tell({ news: 'chat', data: put(world, { ...view, ...part }) });
    return 'done';
  };
  switch (question.ask) {
    case 'group.create': {
      const { name, people } = question.input;
      const chat = `comm://a.localhost/group-${Object.keys(world.groups).length + 1}`;
      const summary = put(world, { chat, name, role: 'owner', standing: { is: 'open' }, writes: true, owner: ME, people: [me('owner'), ...people.map((user) => memberOf(world, user))] });
      host.tell({ news: 'chat', data: summary });
      return summary;
    }
    case 'group.look':
      return group(question.input.chat);
    case 'group.rename':
      return changed(question.input.chat, { name: question.input.name });
    case 'group.add':
      return changed(question.input.chat, { people: [...group(question.input.chat).people, ...question.input.people.map((user) => ({ ...memberOf(world, user), devices: 0 }))] });
    case 'group.remove':
      return changed(question.input.chat, { people: group(question.input.chat).people.filter(({ user }) => user !== question.input.user) });
    case 'group.role':
      return changed(question.input.chat, { people: group(question.input.chat).people.map((one) => (one.user === question.input.user ? { ...one, role: question.input.role } : one)) });
    case 'group.join':
      changed(question.input.chat, { standing: { is: 'open' } });
      return group(question.input.chat);
    case 'group.leave':
      return changed(question.input.chat, { standing: { is: 'over', reason: 'left' } }), null;
    case 'group.hand-over': {
      const { chat, user, leave } = question.input;
      const people = group(chat).people.map((one) => ({ ...one, role: one.user === user ? ('owner' as const) : one.me ? ('admin' as const) : one.role }));
      if (!leave) return changed(chat, { people, owner: user, role: 'admin', writes: false });
      return changed(chat, { people: people.filter((one) => !one.me), owner: user, standing: { is: 'over', reason: 'left' } });
    }
    case 'group.end':
      return changed(question.input.chat, { standing: { is: 'over', reason: 'group-ended' } }), null;
    case 'group.invite.list':
      return world.invites.filter(({ chat }) => chat === question.input.chat);
    case 'group.invite.make': {
      const { chat, hours, uses, approval } = question.input;
      const made = sampleInvite({ id: `link-${world.invites.length + 1}`, chat, uses, approval, until: Date.now() + hours * 60 * MINUTE });
      world.invites.unshift(made);
      return made;
    }
    case 'group.invite.revoke':
      return Object.assign(invite(world, question.input.id), { state: 'revoked', link: '' });
    case 'group.invite.answer': {
      const { id, user, yes } = question.input;
      const one = invite(world, id);
      one.came = one.came.map((guest) => (guest.user === user ? { ...guest, state: yes ? ('in' as const) : ('refused' as const) } : guest));
      return one;
    }
    case 'group.offer':
      return { chat: 'comm://b.localhost/walkers', name: 'Sunday walkers', people: 12, by: 'ben@b.localhost', byName: 'Ben Okafor', byMark: 'verified', until: Date.now() + 3 * 24 * 60 * MINUTE, approval: true, inside: world.groups['comm://b.localhost/walkers'] !== undefined };
    case 'group.ask': {
      const asked: GroupJoining = { chat: 'comm://b.localhost/walkers', name: 'Sunday walkers', by: 'ben@b.localhost', at: Date.now(), state: 'asked', code: null };
      world.joining = [asked, ...world.joining.filter(({ chat }) => chat !== asked.chat)];
      return asked;
    }
    case 'group.joining':
      return world.joining;
    case 'group.forget':
      world.joining = world.joining.filter(({ chat }) => chat !== question.input.chat);
      return null;
    case 'group.reach':
      return { of: [], delivered: [], read: [] };
    default:
      return undefined;
  }
}
