/** Tells what people do with messages, as they do it: by mouse and by keys. */
import { screen, waitFor, within } from '@testing-library/svelte';
import { afterEach, describe, expect, it } from 'vitest';
import { BEN, chat, gone, show, shown } from '../test-stage';
import { speak } from '../words/words.svelte';
import { blocksOf } from './markdown';
import { markedParts } from './marking';

afterEach(() => {
  document.body.innerHTML = '';
  speak('en');
});

const line = (part: string): HTMLElement => screen.getAllByTestId('message').find((one) => one.textContent?.includes(part))!;
const there = (part: string): Promise<HTMLElement> => waitFor(() => {
  const found = line(part);
  expect(found).toBeTruthy();
  return found;
});
const field = () => screen.getByTestId<HTMLTextAreaElement>('composer');

async function atBen(scene = '') {
  const stage = await show(scene, chat(BEN));
  await there('Perfect');
  return stage;
}

describe('by keys alone', () => {
  it('one answers a message and sees what is answered', async () => {
    const { shell, user } = await atBen();
    line('Perfect').focus();
    await user.keyboard('{Enter}');
    await shown('message-actions');
    (await shown('message-reply')).focus();
    await user.keyboard('{Enter}');
    expect(await shown('composer-about')).toHaveAttribute('data-kind', 'reply');
    await waitFor(() => expect(field()).toHaveFocus());
    await user.keyboard('Indeed{Enter}');
    const said = await there('Indeed');
    expect(within(said).getByTestId('message-quote')).toHaveTextContent('Perfect');
    expect(shell.asked.find((one) => one.ask === 'chat.reply')).toMatchObject({ input: { chat: BEN, text: 'Indeed' } });
    await gone('composer-about');
  });

  it('an answer repeats the words, not how they are set', async () => {
    const { user } = await atBen();
    field().focus();
    await user.keyboard('**So** be it{Enter}');
    (await there('So be it')).focus();
    await user.keyboard('r');
    await shown('composer-about');
    await waitFor(() => expect(field()).toHaveFocus());
    await user.keyboard('Amen{Enter}');
    expect(within(await there('Amen')).getByTestId('message-quote')).toHaveTextContent(/So be it$/);
  });

  it('one edits the last own message from the empty field, and Esc brings the draft back', async () => {
    const { shell, user } = await atBen();
    field().focus();
    await user.keyboard('{ArrowUp}');
    expect(await shown('composer-about')).toHaveAttribute('data-kind', 'edit');
    expect(field().value).toBe('Sending it now.');
    await user.keyboard(' Really.{Enter}');
    const changed = await there('Really.');
    expect(within(changed).getByTestId('message-edited')).toBeVisible();
    expect(shell.times('chat.send')).toBe(0);

    await user.type(field(), 'half');
    line('Thanks').focus();
    await user.keyboard('e');
    expect(field().value).toContain('Thanks');
    await waitFor(() => expect(field()).toHaveFocus());
    await user.keyboard('{Escape}');
    expect(field().value).toBe('half');
    expect(shell.asked.filter((one) => one.ask === 'chat.draft' && one.input.text.includes('Thanks'))).toEqual([]);
  });

  it('one reacts, joins in, and takes it back', async () => {
    const { user } = await atBen();
    line('Perfect').focus();
    await user.keyboard('{Enter}');
    const menu = await shown('message-actions');
    within(menu).getAllByTestId('message-react')[0]!.focus();
    await user.keyboard('{Enter}');
    const chip = await waitFor(() => within(line('Perfect')).getByTestId('message-reaction'));
    expect(chip).toHaveAttribute('aria-pressed', 'true');
    expect(line('Perfect')).toHaveFocus();
    await user.click(chip);
    await waitFor(() => expect(within(line('Perfect')).queryByTestId('message-reaction')).toBeNull());
  });

  it('one chooses among many emoji with the arrows', async () => {
    const { shell, user } = await atBen();
    line('Perfect').focus();
    await user.keyboard('+');
    await shown('emoji-picker');
    await waitFor(() => expect(document.activeElement).toHaveAttribute('data-emoji'));
    await user.keyboard('{ArrowRight}{ArrowRight}{Enter}');
    await waitFor(() => expect(shell.asked.find((one) => one.ask === 'chat.react')).toMatchObject({ input: { emoji: '😄', on: true } }));
  });

  it('only the own messages can be edited and deleted', async () => {
    const { user } = await atBen();
    line('Perfect').focus();
    await user.keyboard('e');
    // As everywhere, a letter that means nothing here goes to the field.
    expect(screen.queryByTestId('composer-about')).toBeNull();
    expect(field()).toHaveFocus();
    line('Perfect').focus();
    await user.keyboard('{Enter}');
    await shown('message-actions');
    expect(screen.queryByTestId('message-edit')).toBeNull();
    expect(screen.queryByTestId('message-take-back')).toBeNull();
  });
});

describe('what is deleted for everyone', () => {
  it('goes at once, can come back for a moment, and leaves its place', async () => {
    const { shell, user } = await atBen();
    line('Sending').focus();
    await user.keyboard('{Delete}');
    await waitFor(() => expect(line('Sending')).toBeUndefined());
    await user.click(await shown('toast-undo'));
    await there('Sending');
    expect(shell.times('chat.delete')).toBe(0);
  });

  it('is told in words when its author did it', async () => {
    const { shell } = await atBen();
    const perfect = shell.world.messages[BEN]!.find((one) => one.content.type === 'text' && one.content.text.startsWith('Perfect'))!;
    shell.tell({ news: 'message', data: { ...perfect, content: { type: 'deleted' }, pinned: false } });
    await there('Ben Okafor deleted this message');
    await gone('pinned');
  });
});

describe('a link', () => {
  it('says where it leads before anything is opened', async () => {
    const { shell, user } = await atBen();
    shell.receive(BEN, 'Look at [your bank](https://evil.example/login) or ask chiara.conti@studio.example');
    await user.click(await shown('message-link'));
    expect(await shown('leave-host')).toHaveTextContent('evil.example');
    expect(shell.times('link.open')).toBe(0);
    await user.click(screen.getByTestId('leave-do'));
    await waitFor(() => expect(shell.asked).toContainEqual({ ask: 'link.open', input: { url: 'https://evil.example/login' } }));
    await gone('leave-dialog');
  });
});

describe('a search', () => {
  it('finds a message and leads to it', async () => {
    const { user } = await atBen();
    await user.keyboard('{Control>}{Shift>}f{/Shift}{/Control}');
    await user.type(await shown('search-field'), 'tender');
    await user.click(await shown('search-found'));
    await gone('search-dialog');
    await waitFor(() => expect(line('tender')).toHaveFocus());
  });

  it('says when there is nothing', async () => {
    const { user } = await atBen();
    await user.click(screen.getByTestId('conversation-search'));
    await user.type(await shown('search-field'), 'zzz');
    await waitFor(() => expect(screen.getByTestId('search-status')).toHaveTextContent('zzz'));
  });

  it('marks the words it found, whatever their accents', () => {
    const hits = (text: string, asked: string) => markedParts(text, asked).filter(({ hit }) => hit).map(({ text: words }) => words);
    expect(hits('Café at noon, cafeteria', 'CAFE')).toEqual(['Café', 'cafe']);
    expect(hits('nothing here', 'zebra')).toEqual([]);
    expect(markedParts(`${'x '.repeat(200)}found`, 'found')[0]).toEqual({ text: '…', hit: false });
    expect(markedParts('a found b', 'found').map(({ text }) => text).join('')).toBe('a found b');
  });
});

describe('somebody who types', () => {
  it('is shown until they wrote, and is told while one types oneself', async () => {
    const { shell, user } = await atBen();
    shell.tell({ news: 'typing', data: { chat: BEN, user: 'ben@b.localhost' } });
    await waitFor(() => expect(screen.getByTestId('conversation-typing')).toHaveTextContent('Ben Okafor is typing'));
    shell.receive(BEN, 'Here it is');
    await waitFor(() => expect(screen.getByTestId('conversation-typing')).toHaveTextContent(''));
    await user.type(field(), 'I see');
    expect(shell.times('chat.typing')).toBe(1);
  });
});

describe('what others learn', () => {
  it('is a choice of the person', async () => {
    const { shell, user } = await show('', '#/settings/privacy');
    await user.click(await shown('settings-receipts'));
    await user.click(screen.getByTestId('settings-typing'));
    await waitFor(() => expect(shell.world.settings).toMatchObject({ readReceipts: false, typing: false }));
  });
});

describe('disappearing messages', () => {
  it('are set beside the conversation, and a line says so', async () => {
    const { shell, user } = await atBen();
    await user.click(screen.getByTestId('conversation-info'));
    await user.selectOptions(await shown('context-timer'), '3600');
    await waitFor(() => expect(shell.asked).toContainEqual({ ask: 'chat.timer', input: { chat: BEN, seconds: 3600 } }));
    await waitFor(() => expect(screen.getByTestId('context-timer')).toHaveValue('3600'));
    const last = shell.world.messages[BEN]!.at(-1)!;
    shell.tell({ news: 'message', data: { ...last, id: 'timer', ordinal: last.ordinal + 1, content: { type: 'system', code: 'timer-set', detail: '3600', by: null } } });
    await waitFor(() => expect(screen.getAllByTestId('system-line').at(-1)).toHaveTextContent('You set messages to disappear after 1 hour'));
    shell.tell({ news: 'message-gone', data: { chat: BEN, id: last.id } });
    await waitFor(() => expect(line('Sending')).toBeUndefined());
  });
});

describe('in Arabic', () => {
  it('everything has its words', async () => {
    const { user } = await atBen('lang:ar');
    line('Perfect').focus();
    await user.keyboard('{Enter}');
    expect(await shown('message-reply')).toHaveTextContent('رد');
    expect(blocksOf('**مرحبا**')[0]).toMatchObject({ inside: [{ kind: 'strong' }] });
  });
});
