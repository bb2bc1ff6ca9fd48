/** Tells how the list of conversations keeps up with the news. */
import { expect, it } from 'vitest';
import { DemoShell, sceneOf } from '../shell/demo';
import type { ChatSummary, Question } from '../shell/shell';
import { Chats } from './chats.svelte';

it('keeps what was told while the list was on its way', async () => {
  const shell = new DemoShell(sceneOf(''));
  const old = (await shell.ask({ ask: 'chat.list' })) as ChatSummary[];
  let answer: (list: ChatSummary[]) => void = () => {};
  const slow = { ask: (question: Question) => {
    expect(question.ask).toBe('chat.list');
    return new Promise((resolve) => (answer = resolve as typeof answer));
  } };
  const chats = new Chats(slow as unknown as DemoShell);
  const loading = chats.load();
  chats.take({ ...old[0]!, unread: 7 });
  answer(old);
  await loading;
  expect(chats.find(old[0]!.chat)?.unread).toBe(7);
  expect(chats.list).toHaveLength(old.length);
});
