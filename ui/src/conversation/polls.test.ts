/** Tells how people vote in a conversation, and how they name each other. */
import { screen, waitFor, within } from '@testing-library/svelte';
import { beforeEach, describe, expect, it } from 'vitest';
import { CHOIR } from '../shell/demo-groups';
import type { PollView } from '../shell/shell';
import { chat, gone, show, shown } from '../test-stage';
import { begunAt, withNames, writtenAs } from './mentions';
import { chosenAfter } from './polls.svelte';

const at = chat(CHOIR);
beforeEach(() => localStorage.clear());

const poll = (several: boolean, ...mine: number[]): PollView => ({
  question: 'When?', several, hidden: false, closed: false, voters: 1,
  options: ['a', 'b', 'c'].map((text, n) => ({ text, votes: Number(mine.includes(n)), who: [], mine: mine.includes(n) })),
});

describe('a vote', () => {
  it('is for one answer, or for several, and a second click takes it back', () => {
    expect(chosenAfter(poll(false), 1)).toEqual([1]);
    expect(chosenAfter(poll(false, 1), 2)).toEqual([2]);
    expect(chosenAfter(poll(false, 1), 1)).toEqual([]);
    expect(chosenAfter(poll(true, 2), 0)).toEqual([0, 2]);
    expect(chosenAfter(poll(true, 0, 2), 2)).toEqual([0]);
  });
});

describe('a poll', () => {
  it('is written with the keyboard, asked, voted in, and closed by who asked', async () => {
    const { shell, user } = await show('group', at);
    await user.click(await shown('composer-poll'));
    expect(await shown('poll-question')).toHaveFocus();
    const create = screen.getByTestId('poll-create');
    expect(create).toHaveAttribute('aria-disabled', 'true');
    await user.keyboard('When do we sing?{Tab}Saturday{Tab}Saturday');
    expect(await shown('poll-twice')).toBeInTheDocument();
    await user.clear(screen.getAllByTestId('poll-answer')[1]!);
    await user.type(screen.getAllByTestId('poll-answer')[1]!, 'Sunday');
    // A line for one more answer follows.
    expect(screen.getAllByTestId('poll-answer')).toHaveLength(3);
    await user.click(screen.getByTestId('poll-hidden'));
    expect(await shown('poll-hidden-means')).toHaveTextContent('signed');
    await user.click(create);
    await waitFor(() => expect(shell.asked.find((one) => one.ask === 'poll.create')).toMatchObject({ input: { question: 'When do we sing?', options: ['Saturday', 'Sunday'], several: false, hidden: true } }));
    await gone('poll-dialog');
    const box = within(await shown('poll'));
    const [saturday, sunday] = box.getAllByTestId('poll-option');
    expect(saturday).toHaveAttribute('role', 'radio');
    await user.click(saturday!);
    await waitFor(() => expect(box.getAllByTestId('poll-option')[0]).toHaveAttribute('aria-checked', 'true'));
    sunday!.focus();
    await user.keyboard('{Enter}');
    await waitFor(() => expect(box.getAllByTestId('poll-option').map((one) => one.dataset['votes'])).toEqual(['0', '1']));
    await user.click(box.getByTestId('poll-close'));
    await waitFor(() => expect(screen.getByTestId('poll').dataset['closed']).toBe('true'));
    await user.click(box.getAllByTestId('poll-option')[0]!);
    expect(shell.times('poll.vote')).toBe(2);
  });

  it('stays written when it could not be asked', async () => {
    const { user } = await show('group,fail:poll.create', at);
    await user.click(await shown('composer-poll'));
    await user.keyboard('When?{Tab}a{Tab}b');
    await user.click(screen.getByTestId('poll-create'));
    expect(await shown('poll-create-trouble')).toBeInTheDocument();
    expect(screen.getByTestId('poll-question')).toHaveValue('When?');
  });
});

describe('a name after the sign', () => {
  const people = [{ user: 'ben@b.localhost', name: 'Ben Okafor' }, { user: 'cleo@c.localhost', name: 'Cleo' }, { user: 'cleo@a.localhost', name: 'Cleo' }];

  it('is offered while it is written, and not in the middle of a word', () => {
    expect(begunAt('hello @be', 9, people)).toMatchObject({ from: 6, offered: [{ user: 'ben@b.localhost' }] });
    expect(begunAt('@oka', 4, people)?.offered).toHaveLength(1);
    expect(begunAt('@', 1, people)?.offered).toHaveLength(3);
    for (const text of ['ben', 'mail@be', '@ be', '@zoe', '@Ben Okafor']) expect(begunAt(text, text.length, people)).toBeNull();
    expect(writtenAs(people[0]!, people)).toBe('Ben Okafor');
    expect(writtenAs(people[1]!, people)).toBe('cleo@c.localhost');
  });

  it('is drawn as a person only where the message says so', () => {
    const mentions = [{ user: 'ben@b.localhost', name: 'Ben' }, { user: 'bo@b.localhost', name: 'Ben Okafor' }];
    const text = (words: string) => withNames([{ kind: 'text', text: words }], mentions);
    expect(text('hi @Ben!')).toEqual([{ kind: 'text', text: 'hi ' }, { kind: 'mention', user: 'ben@b.localhost', text: '@Ben' }, { kind: 'text', text: '!' }]);
    expect(text('@Ben Okafor')).toEqual([{ kind: 'mention', user: 'bo@b.localhost', text: '@Ben Okafor' }]);
    for (const words of ['Ben', '@Benno', 'a@Ben', '@Cleo']) expect(text(words)).toEqual([{ kind: 'text', text: words }]);
  });

  it('is chosen from the list with the keyboard, which Escape closes', async () => {
    const { user } = await show('group', at);
    const field = await shown('composer');
    // The people of the group are known a moment later.
    await waitFor(() => expect(screen.getByTestId('conversation-people')).toHaveTextContent('Ben'));
    await user.type(field, 'Hello @');
    expect(within(await shown('mention-list')).getAllByTestId('mention-option')).toHaveLength(3);
    await user.keyboard('{ArrowDown}');
    expect(screen.getAllByTestId('mention-option')[1]).toHaveAttribute('aria-selected', 'true');
    expect(field.getAttribute('aria-activedescendant')).toBe(screen.getAllByTestId('mention-option')[1]!.id);
    await user.keyboard('{Escape}');
    await gone('mention-list');
    await user.keyboard('ben');
    await shown('mention-list');
    await user.keyboard('{Enter}');
    await waitFor(() => expect(field).toHaveValue('Hello @Ben Okafor '));
    await gone('mention-list');
  });

  it('that is one’s own is told in the list and at the message', async () => {
    const { shell } = await show('group', at);
    await screen.findAllByTestId('message');
    const said = shell.world.messages[CHOIR]!.find((one) => one.author === 'cleo@c.localhost')!;
    const message = { ...said, id: 'named', ordinal: 99, content: { type: 'text' as const, text: 'Is that you, @Ana Silva?' }, mentions: [{ user: 'ana@a.localhost', name: 'Ana Silva' }], mentionsMe: true };
    shell.tell({ news: 'message', data: message });
    await waitFor(() => expect(screen.getByTestId('message-mention')).toHaveTextContent('@Ana Silva'));
    const bubble = screen.getAllByTestId('message').find((one) => one.dataset['id'] === 'named')!;
    expect(bubble.dataset['named']).toBe('true');
    expect(bubble).toHaveAccessibleName(expect.stringContaining('You are named'));
    shell.tell({ news: 'chat', data: { ...shell.world.chats.find((one) => one.chat === CHOIR)!, mentionsMe: true } });
    expect(await shown('chat-named')).toBeInTheDocument();
  });
});
