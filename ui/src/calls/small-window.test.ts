/** Tells how a call stays in sight in a small window, and how one speaks, films and sees by keys. */
import { screen, waitFor } from '@testing-library/svelte';
import { describe, expect, it, vi } from 'vitest';
import { BEN, chat, show, shown } from '../test-stage';

/** The screen of the call there is, with nothing in it that takes keys for itself. */
async function inTheCall() {
  const stage = await show('seen');
  await stage.user.click(await shown('call-return'));
  (await shown('call-screen')).querySelector('h1')!.focus();
  return stage;
}

const muted = async (shell: { asked: unknown[] }) => shell.asked.filter((one) => (one as { ask: string }).ask === 'call.mute').map((one) => (one as { input: { muted: boolean } }).input.muted);

describe('the small window', () => {
  it('can be switched off for good, and the choice is taken back if it could not be kept', async () => {
    const { shell, user } = await show('', '#/settings/sound');
    const box = await shown('sound-small-window');
    expect(box).toBeChecked();
    await user.click(box);
    await waitFor(() => expect(shell.asked).toContainEqual(expect.objectContaining({ ask: 'settings.set', input: expect.objectContaining({ smallWindow: false, theme: 'system' }) })));
    expect(shell.world.settings.smallWindow).toBe(false);
    expect(box).not.toBeChecked();
    shell.world.refuse['settings.set'] = { code: 'store', detail: '' };
    await user.click(box);
    expect(await shown('settings-trouble')).toBeInTheDocument();
    expect(box).not.toBeChecked();
  });

  it('shows who one speaks with, mutes, and leads back to the call', async () => {
    const { shell, user } = await show('seen', '#/small');
    const front = vi.fn();
    Object.assign(shell, { front });
    expect(await shown('small-name')).toHaveTextContent('Ben');
    expect(await shown('small-view')).toBeInTheDocument();
    await user.click(screen.getByTestId('small-mute'));
    expect(await muted(shell)).toEqual([true]);
    await user.click(screen.getByTestId('small-return'));
    expect(front).toHaveBeenCalledOnce();
  });

  it('tells of a call that was lost, and calls back', async () => {
    const { shell, user } = await show('seen', '#/small');
    await shown('small-mute');
    shell.callGoes('call-ben', { stage: { at: 'ended', reason: 'dropped', seconds: 95 } });
    expect(await shown('small-state')).toBeInTheDocument();
    await user.click(await shown('small-back'));
    expect(shell.times('call.start')).toBe(1);
  });

  it('shows a screen that they share instead of their face, and ends what one shares oneself', async () => {
    const { shell, user } = await show('seen', '#/small');
    const pictures = { camera: { at: 'off' }, theirs: 'on', screen: true, share: { at: 'on', kind: 'window', name: 'Budget' } } as const;
    await shown('small-view');
    shell.callGoes('call-ben', { pictures });
    await waitFor(() => expect(screen.getByTestId('small-view').closest('[role=img]')).toHaveAccessibleName(/^Screen of/));
    await user.click(await shown('small-share-stop'));
    expect(shell.times('call.unshare')).toBe(1);
  });

  it('hangs up', async () => {
    const { shell, user } = await show('seen', '#/small');
    await user.click(await shown('small-hangup'));
    expect(shell.times('call.hangup')).toBe(1);
  });

  it('names everybody of a call of several', async () => {
    await show('joint:4', '#/small');
    expect((await shown('small-name')).textContent).toMatch(/,| and /);
  });
});

describe('keys in a call', () => {
  it('who is muted is heard while Space is held', async () => {
    const { shell, user } = await inTheCall();
    await user.keyboard(' ');
    expect(await muted(shell), 'nothing to be heard: the microphone is on').toEqual([]);
    await user.keyboard('m');
    await waitFor(() => expect(screen.getByTestId('call-mute')).toHaveAttribute('data-muted', 'true'));
    await user.keyboard('{ >}');
    await waitFor(() => expect(screen.getByTestId('call-mute')).toHaveAttribute('data-muted', 'false'));
    await user.keyboard('{/ }');
    await waitFor(() => expect(screen.getByTestId('call-mute')).toHaveAttribute('data-muted', 'true'));
    expect(await muted(shell)).toEqual([true, false, true]);
  });

  it('who leaves the window while Space is held is not heard on', async () => {
    const { shell, user } = await inTheCall();
    await user.keyboard('m{ >}');
    await waitFor(async () => expect(await muted(shell)).toEqual([true, false]));
    window.dispatchEvent(new Event('blur'));
    await waitFor(async () => expect(await muted(shell)).toEqual([true, false, true]));
  });

  it('a button that has the focus keeps Space for itself', async () => {
    const { shell, user } = await inTheCall();
    screen.getByTestId('call-mute').focus();
    await user.keyboard(' ');
    await waitFor(async () => expect(await muted(shell)).toEqual([true]));
    expect(screen.getByTestId('call-mute')).toHaveAttribute('data-muted', 'true');
  });

  it('a call with video begins by Alt Shift Y', async () => {
    const { shell, user } = await show('', chat(BEN));
    await shown('conversation-call');
    await user.keyboard('{Alt>}{Shift>}[KeyY]{/Shift}{/Alt}');
    await waitFor(() => expect(shell.times('call.camera')).toBe(1));
  });

  it('F11 asks for the whole screen', async () => {
    const full = vi.fn(() => Promise.resolve());
    document.documentElement.requestFullscreen = full;
    const { user } = await inTheCall();
    await user.keyboard('{F11}');
    expect(full).toHaveBeenCalledOnce();
  });
});
