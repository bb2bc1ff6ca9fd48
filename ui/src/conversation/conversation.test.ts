/** Tells what happens in a conversation. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Chats } from '../chats/chats.svelte';
import { Announcer } from '../shared/announcer.svelte';
import { Toasts, UNDO_MS } from '../shared/toasts.svelte';
import { DemoShell, sampleWorld } from '../shell/demo';
import { plainMessage } from '../shell/demo-world';
import type { ChatMessage } from '../shell/shell';
import { Conversation, LONGEST_TEXT, MOST_SHOWN } from './conversation.svelte';
import { linesOf } from './grouping';

const BEN = 'comm://b.localhost/ben';
const DMITRI = 'comm://uni.example/dmitri';

async function opened(chat = BEN) {
  const shell = new DemoShell();
  const chats = new Chats(shell);
  const toasts = new Toasts();
  const announcer = new Announcer();
  const conversation = new Conversation(shell, chats, announcer, toasts, () => true);
  shell.hear((news) => {
    if (news.news === 'chat') chats.take(news.data), conversation.takeSummary(news.data);
    if (news.news === 'message') chats.takeMessage(news.data), conversation.take(news.data);
    if (news.news === 'message-gone') conversation.gone(news.data.chat, news.data.id);
  });
  await chats.load();
  await conversation.open(chat);
  return { shell, chats, conversation, toasts, announcer };
}

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => vi.useRealTimers());

describe('a conversation', () => {
  it('opens with its messages in order', async () => {
    const { conversation } = await opened();
    const ordinals = conversation.messages.map((message) => message.ordinal);
    expect(ordinals).toEqual(ordinals.toSorted((a, b) => a - b));
    expect(conversation.view?.identity?.vouchedBy).toBe('b.localhost');
  });

  it('sends what was typed and empties the field', async () => {
    const { conversation, chats } = await opened();
    conversation.type('  Hello Ben  ');
    await conversation.send();
    expect(conversation.draft).toBe('');
    expect(conversation.messages.at(-1)?.content).toEqual({ type: 'text', text: 'Hello Ben' });
    expect(chats.find(BEN)?.last?.id).toBe(conversation.messages.at(-1)?.id);
  });

  it('follows words that went to a new conversation', async () => {
    const shell = new DemoShell();
    const moved: string[] = [];
    const chats = new Chats(shell);
    const conversation = new Conversation(shell, chats, new Announcer(), new Toasts(), () => true, (chat) => moved.push(chat));
    await chats.load();
    await conversation.open(BEN);
    const before = conversation.messages.length;
    const ask = shell.ask.bind(shell);
    // After a recovery the app writes into another conversation than the one it was told.
    vi.spyOn(shell, 'ask').mockImplementation(async (question) => {
      const answer = await ask(question);
      return question.ask === 'chat.send' ? ({ ...(answer as object), id: 'm-new', chat: DMITRI } as never) : answer;
    });
    conversation.type('After a recovery');
    await conversation.send();
    expect(moved).toEqual([DMITRI]);
    expect(conversation.messages).toHaveLength(before);
  });

  it('never loses what could not be sent', async () => {
    const { conversation, shell } = await opened();
    shell.world.refuse['chat.send'] = { code: 'shell-lost', detail: '' };
    conversation.type('Important');
    await conversation.send();
    expect(conversation.draft).toBe('Important');
    expect(conversation.sending.trouble?.code).toBe('shell-lost');
  });

  it('does not send nothing, nor more than a message may have', async () => {
    const { conversation, shell } = await opened();
    conversation.type('   ');
    await conversation.send();
    conversation.type('x'.repeat(LONGEST_TEXT + 1));
    await conversation.send();
    expect(shell.times('chat.send')).toBe(0);
  });

  it('keeps a draft for each person', async () => {
    const { conversation, shell } = await opened();
    conversation.type('for Ben');
    await conversation.open(DMITRI);
    expect(conversation.draft).toBe('');
    expect(shell.asked).toContainEqual({ ask: 'chat.draft', input: { chat: BEN, text: 'for Ben' } });
    await conversation.open(BEN);
    expect(conversation.draft).toBe('for Ben');
  });

  it('writes a draft down a moment after the last key', async () => {
    const { conversation, shell } = await opened();
    conversation.type('half a th');
    conversation.type('half a thought');
    await vi.advanceTimersByTimeAsync(500);
    expect(shell.asked.filter((one) => one.ask === 'chat.draft')).toEqual([{ ask: 'chat.draft', input: { chat: BEN, text: 'half a thought' } }]);
  });

  it('announces what others write here, and nothing else', async () => {
    const { announcer, shell } = await opened();
    shell.receive('comm://studio.example/chiara.conti', 'elsewhere');
    expect(announcer.polite).toBe('');
    shell.receive(BEN, 'Are you there?');
    expect(announcer.polite).toBe('Ben Okafor: Are you there?');
  });

  it('marks as read what is seen', async () => {
    const { chats, shell } = await opened('comm://studio.example/chiara.conti');
    expect(shell.times('chat.read')).toBe(1);
    expect(chats.find('comm://studio.example/chiara.conti')?.unread).toBe(0);
  });

  it('marks as read what comes while it is in sight', async () => {
    const { chats, shell } = await opened();
    shell.receive(BEN, 'Do you see this?');
    expect(chats.find(BEN)?.unread).toBe(0);
    expect(shell.times('chat.read')).toBe(1);
  });

  it('hides a failed message at once and removes it when nobody took that back', async () => {
    const { conversation, shell } = await opened(DMITRI);
    const failed = conversation.messages.find((message) => message.state === 'failed')!;
    conversation.discard(failed);
    expect(conversation.shown).not.toContainEqual(failed);
    expect(shell.times('chat.discard')).toBe(0);
    await vi.advanceTimersByTimeAsync(UNDO_MS + 10);
    expect(shell.times('chat.discard')).toBe(1);
    expect(conversation.messages).not.toContainEqual(failed);
  });

  it('brings a deleted message back', async () => {
    const { conversation, shell, toasts } = await opened(DMITRI);
    const failed = conversation.messages.find((message) => message.state === 'failed')!;
    conversation.discard(failed);
    toasts.shown[0]!.undo!();
    await vi.advanceTimersByTimeAsync(UNDO_MS * 2);
    expect(conversation.shown.map((one) => one.id)).toContain(failed.id);
    expect(shell.times('chat.discard')).toBe(0);
  });

  it('tries a failed message again', async () => {
    const { conversation } = await opened(DMITRI);
    const failed = conversation.messages.find((message) => message.state === 'failed')!;
    await conversation.retry(failed);
    expect(conversation.messages.find((message) => message.id === failed.id)?.state).toBe('sent');
  });

  it('accepts a contact request', async () => {
    const { conversation, shell } = await opened('comm://c.localhost/eva');
    await conversation.accept();
    expect(shell.asked).toContainEqual({ ask: 'person.accept', input: { user: 'eva@c.localhost' } });
    expect(conversation.summary?.contact).toBe('accepted');
  });
});

describe('the lines of a conversation', () => {
  it('begin each day with its name and join what one author says in a row', () => {
    // At four in the afternoon, so that what was said before lies on known days.
    const world = sampleWorld(new Date(2026, 10, 22, 16, 0).getTime());
    const lines = linesOf(world.messages[BEN]!);
    expect(lines.filter((line) => line.kind === 'day')).toHaveLength(2);
    const joined = lines.filter((line) => line.kind === 'message' && !line.first);
    expect(joined).toHaveLength(1);
  });
});

describe('a long conversation', () => {
  /** A thousand messages, of which the shell gives a page at a time, as the app does. */
  async function long() {
    const stage = await opened();
    const all: ChatMessage[] = Array.from({ length: 1000 }, (_, at) => ({
      id: `m${at + 1}`, chat: BEN, ordinal: at + 1, mine: at % 3 === 0, author: 'ben@b.localhost', content: { type: 'text', text: `no. ${at + 1}` },
      at: at * 60_000, state: 'received', mark: 'introduced', ...plainMessage,
    }));
    const ask = stage.shell.ask.bind(stage.shell);
    vi.spyOn(stage.shell, 'ask').mockImplementation(async (question) => {
      if (question.ask === 'chat.older') return all.filter((one) => one.ordinal < question.input.before).slice(-60) as never;
      if (question.ask === 'chat.newer') return all.filter((one) => one.ordinal > question.input.after).slice(0, 60) as never;
      if (question.ask === 'chat.around') {
        const at = all.findIndex((one) => one.id === question.input.message);
        return { messages: all.slice(Math.max(0, at - 30), at + 31), found: question.input.message, older: at > 30, newer: at < 969 } as never;
      }
      const answer = await ask(question);
      return question.ask === 'chat.open' ? ({ ...(answer as object), messages: all.slice(-60), more: true } as never) : answer;
    });
    await stage.conversation.load();
    stage.conversation.messages = all.slice(-60);
    return { ...stage, all };
  }

  const ends = (conversation: Conversation) => [conversation.messages[0]?.ordinal, conversation.messages.at(-1)?.ordinal];

  it('shows so many at once and no more, wherever one reads', async () => {
    const { conversation } = await long();
    for (let n = 0; n < 8; n += 1) await conversation.showOlder();
    expect(conversation.messages).toHaveLength(MOST_SHOWN);
    expect(ends(conversation)).toEqual([461, 700]);
    expect(conversation.newer).toBe(true);
    await conversation.showNewer();
    expect(ends(conversation)).toEqual([521, 760]);
    expect(conversation.more).toBe(true);
    for (let n = 0; n < 5; n += 1) await conversation.showNewer();
    expect(ends(conversation)[1]).toBe(1000);
    expect(conversation.newer).toBe(false);
  });

  it('leads to one far away and back, and what comes meanwhile does not push it', async () => {
    const { conversation, all } = await long();
    await conversation.jump('m100');
    expect([conversation.found, ...ends(conversation)]).toEqual(['m100', 70, 130]);
    conversation.take({ ...all[0]!, id: 'new', ordinal: 1001 });
    expect(ends(conversation)).toEqual([70, 130]);
    await conversation.toNewest();
    expect(ends(conversation)).toEqual([941, 1000]);
    expect(conversation.found).toBeNull();
  });
});
