/** Tells how a conversation is made quiet, and what the desktop is shown. */
import { screen, waitFor } from '@testing-library/svelte';
import { describe, expect, it } from 'vitest';
import { show, shown } from '../test-stage';

const BEN = 'comm://b.localhost/ben';

describe('a conversation', () => {
  it('is muted for eight hours, marked in the list, and not counted', async () => {
    const { shell, user } = await show();
    await user.click((await screen.findAllByTestId('chat-row')).find((row) => row.dataset.user === 'ben@b.localhost')!);
    await user.click(await shown('conversation-info'));
    await user.selectOptions(await shown('context-mute'), 'eight-hours');
    await waitFor(() => expect(shell.asked).toContainEqual({ ask: 'chat.mute', input: { chat: BEN, time: 'eight-hours' } }));
    expect(await shown('chat-muted')).toBeVisible();
    await waitFor(() => expect(screen.getByTestId('context-mute')).toHaveValue('kept'));
  });

  it('is muted here when it was on another device', async () => {
    const { shell } = await show();
    await screen.findAllByTestId('chat-row');
    const ben = shell.world.chats.find((one) => one.chat === BEN)!;
    shell.tell({ news: 'chat', data: { ...ben, mutedUntil: Date.now() + 60_000 } });
    expect(await shown('chat-muted')).toBeVisible();
  });
});

describe('the settings of notifications', () => {
  it('keep how much is told', async () => {
    const { shell, user } = await show();
    await user.click(await shown('nav-settings'));
    await user.click(await shown('settings-notices'));
    await user.selectOptions(await shown('notices-detail'), 'name');
    const asked = () => shell.asked.filter((question) => question.ask === 'settings.set').at(-1);
    await waitFor(() => expect(asked()?.input.notices.detail).toBe('name'));
    await user.click(screen.getByTestId('notices-on'));
    await waitFor(() => expect(screen.queryByTestId('notices-detail')).toBeNull());
  });
});
