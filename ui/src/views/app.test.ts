/** Tells short stories of the whole interface, as a person at the keyboard lives them. */
import { cleanup, render, screen, waitFor, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DemoShell, sampleCall, sampleConsent, sceneOf } from '../shell/demo';
import Root from './Root.svelte';

const BEN = 'comm://b.localhost/ben';

async function show(scene = '', hash = '#/') {
  history.replaceState(null, '', hash);
  const shell = new DemoShell(sceneOf(scene));
  const user = userEvent.setup();
  render(Root, { shell });
  return { shell, user };
}

beforeEach(() => Object.defineProperty(window, 'innerWidth', { value: 1280, configurable: true }));
afterEach(() => {
  cleanup();
  document.documentElement.removeAttribute('dir');
});

const shown = (testid: string) => screen.findByTestId(testid);

describe('a newcomer', () => {
  it('goes from the welcome to the empty chats', async () => {
    const { shell, user } = await show('welcome,empty');
    await user.click(await shown('welcome-start'));
    await user.click(await shown('issuer-sign-in'));
    expect(await shown('signin-copy')).toHaveAttribute('data-url', expect.stringContaining('authorize'));
    shell.signIn({ state: 'done', name: 'Ana Silva', suggested: 'ana' });
    await user.click(await shown('profile-create'));
    expect(await shown('ready-address')).toHaveTextContent('ana@a.localhost');
    await user.click(await shown('ready-done'));
    expect(await shown('chats-empty')).toBeVisible();
    // Whoever has no mouse goes on from here.
    await waitFor(() => expect(screen.getByTestId('list')).toContainElement(document.activeElement as HTMLElement));
  });
});

describe('the connection', () => {
  it('is shown as it was told last, whatever arrives last', async () => {
    const { shell } = await show();
    await shown('network');
    shell.tell({ news: 'app', data: { ...shell.world.app, turn: 5, online: true } });
    shell.tell({ news: 'app', data: { ...shell.world.app, turn: 4, online: false } });
    await waitFor(() => expect(screen.getByTestId('network')).toHaveAttribute('data-online', 'true'));
    shell.tell({ news: 'app', data: { ...shell.world.app, turn: 6, online: false } });
    await waitFor(() => expect(screen.getByTestId('network')).toHaveAttribute('data-online', 'false'));
  });
});

describe('in the chats', () => {
  it('one sees who vouches, writes, and the message is in the list', async () => {
    const { user } = await show();
    const rows = await screen.findAllByTestId('chat-row');
    await user.click(rows.find((row) => row.dataset.user === 'ben@b.localhost')!);
    expect(await shown('conversation-identity')).toHaveTextContent(/Vouched for by b\.localhost · checked \d\d:\d\d/);
    await user.type(await shown('composer'), 'Good morning{Enter}');
    const texts = await screen.findAllByTestId('message-text');
    expect(texts.at(-1)).toHaveTextContent('Good morning');
    expect(screen.getByTestId('composer')).toHaveValue('');
  });

  it('Shift Enter begins a new line', async () => {
    const { shell, user } = await show('', `#/chats/${encodeURIComponent(BEN)}`);
    await user.type(await shown('composer'), 'one{Shift>}{Enter}{/Shift}two');
    expect(screen.getByTestId('composer')).toHaveValue('one\ntwo');
    expect(shell.times('chat.send')).toBe(0);
  });

  it('only new messages of the open chat are announced', async () => {
    const { shell } = await show('', `#/chats/${encodeURIComponent(BEN)}`);
    await screen.findAllByTestId('message');
    expect(screen.getByTestId('live-polite').textContent).toBe('');
    shell.receive(BEN, 'Lunch?');
    await waitFor(() => expect(screen.getByTestId('live-polite')).toHaveTextContent('Ben Okafor: Lunch?'));
  });

  it('the messages have one tab stop, and arrows move it', async () => {
    const { user } = await show('', `#/chats/${encodeURIComponent(BEN)}`);
    const messages = await shown('messages');
    const lines = () => [...messages.querySelectorAll<HTMLElement>('[data-line]')];
    await waitFor(() => expect(lines().filter((line) => line.tabIndex === 0)).toEqual([lines().at(-1)]));
    lines().at(-1)!.focus();
    await user.keyboard('{ArrowUp}');
    expect(lines().at(-2)).toHaveFocus();
    expect(lines().filter((line) => line.tabIndex === 0)).toHaveLength(1);
  });

  it('somebody who wants contact is accepted, then written to', async () => {
    const { user } = await show('', `#/chats/${encodeURIComponent('comm://c.localhost/eva')}`);
    expect(await shown('contact-request')).toHaveTextContent('eva@c.localhost');
    expect(screen.queryByTestId('composer')).toBeNull();
    await user.click(screen.getByTestId('contact-accept'));
    expect(await shown('composer')).toBeVisible();
    await waitFor(() => expect(screen.getByTestId('composer')).toHaveFocus());
  });

  it('somebody who is blocked is gone at once, and back when one undoes it', async () => {
    const { user } = await show('', `#/chats/${encodeURIComponent('comm://c.localhost/eva')}`);
    await user.click(await shown('contact-block'));
    await waitFor(() => expect(document.querySelector('[data-user="eva@c.localhost"]')).toBeNull());
    await user.click(screen.getByTestId('toast-undo'));
    await waitFor(() => expect(document.querySelector('[data-user="eva@c.localhost"]')).not.toBeNull());
  });

  it.each([
    ['eva@c.localhost', 'comm://c.localhost/eva', 'contact-request'],
    ['ben@b.localhost', BEN, 'composer'],
  ])('%s is back as before when the block is taken back', async (blocked, chat, before) => {
    const { shell, user } = await show('', `#/chats/${encodeURIComponent(chat)}`);
    await shown(before);
    await screen.findAllByTestId('chat-row');
    await shell.ask({ ask: 'person.block', input: { user: blocked } });
    await user.click(await shown('conversation-unblock'));
    expect(shell.asked).toContainEqual({ ask: 'person.unblock', input: { user: blocked } });
    expect(await shown(before)).toBeVisible();
    expect(shell.times('person.accept')).toBe(0);
  });

  it('what is queued while away says when it goes out', async () => {
    await show('offline');
    const rows = await screen.findAllByTestId('chat-row');
    expect(within(rows[0]!).getByTestId('chat-preview')).toHaveTextContent('Sending when you are back');
    expect(screen.getByTestId('banner-offline')).toHaveTextContent('a.localhost');
  });
});

describe('a person', () => {
  it('has a card that says who vouches and how they are reached', async () => {
    const { shell } = await show('', `#/people/${encodeURIComponent('ben@b.localhost')}`);
    await waitFor(() => expect(screen.getByTestId('person-identity')).toHaveTextContent('Vouched for by b.localhost'));
    expect(screen.getByTestId('person-reached')).toHaveTextContent('b.localhost 1.0.0');
    expect(shell.times('person.card')).toBe(1);
  });
});

describe('a person one blocks', () => {
  const contact = async () => (await shown('person-contact')).dataset.contact;

  it('is unblocked before the block is done, and then never blocked', async () => {
    const { shell, user } = await show('', `#/people/${encodeURIComponent('ben@b.localhost')}`);
    await user.click(await shown('person-block'));
    await user.click(await shown('person-unblock'));
    await waitFor(async () => expect(await contact()).toBe('accepted'));
    expect(screen.queryByTestId('toast-undo')).toBeNull();
    expect([shell.times('person.block'), shell.times('person.unblock')]).toEqual([0, 0]);
  });

  it('is unblocked long after', async () => {
    const { shell, user } = await show('', `#/people/${encodeURIComponent('ben@b.localhost')}`);
    await shown('person-block');
    await shell.ask({ ask: 'person.block', input: { user: 'ben@b.localhost' } });
    await user.click(await shown('person-unblock'));
    await waitFor(async () => expect(await contact()).toBe('accepted'));
    expect(shell.asked).toContainEqual({ ask: 'person.unblock', input: { user: 'ben@b.localhost' } });
  });
});

describe('a permission', () => {
  it('is asked in plain words and given', async () => {
    const { shell, user } = await show();
    await shown('app');
    shell.tell({ news: 'consent', data: sampleConsent });
    expect(await shown('consent-why')).toHaveTextContent(
      'To reach ben@b.localhost the app needs b.localhost’s protocol 2.1.0, signed by b.localhost.',
    );
    expect(screen.getByTestId('consent-talk')).toHaveTextContent('It may talk to b.localhost.');
    await user.click(screen.getByTestId('consent-once'));
    await waitFor(() => expect(screen.queryByTestId('consent-dialog')).toBeNull());
    expect(shell.asked).toContainEqual({ ask: 'consent.answer', input: { id: sampleConsent.id, answer: 'once' } });
  });
});

describe('a call', () => {
  it('rings with who vouches for the caller, and is taken by a key', async () => {
    const { shell, user } = await show();
    await shown('app');
    shell.callGoes('in', { ...sampleCall({ incoming: true, stage: { at: 'ringing' } }), call: 'in' });
    expect(await shown('incoming-identity')).toHaveTextContent('Vouched for by b.localhost');
    await user.keyboard('{Alt>}{Shift>}A{/Shift}{/Alt}');
    expect(await shown('call-timer')).toBeVisible();
    await user.keyboard('m');
    await waitFor(() => expect(screen.getByTestId('call-mute')).toHaveAttribute('data-muted', 'true'));
    await user.keyboard('{Alt>}{Shift>}E{/Shift}{/Alt}');
    expect(await shown('call-end-title')).toHaveTextContent('Call ended');
  });

  it('shows both sides once cameras are on, and says why there is no picture', async () => {
    const { shell, user } = await show();
    await shown('app');
    shell.callGoes('in', { ...sampleCall({ incoming: true, stage: { at: 'ringing' } }), call: 'in' });
    await shown('incoming-identity');
    await user.click(screen.getByTestId('call-accept-seen'));
    expect(await shown('call-view-own')).toBeVisible();
    expect(screen.getByTestId('call-view-off')).toHaveTextContent('Ben Okafor’s camera is off');
    shell.callGoes('in', { pictures: { camera: { at: 'on', name: 'Built-in camera' }, theirs: 'on', share: { at: 'off' }, screen: false } });
    expect(await shown('call-view-theirs')).toBeVisible();
    const self = screen.getByTestId('call-view-self');
    expect(self).toHaveAttribute('data-corner', 'bottom-end');
    self.focus();
    await user.keyboard('{Enter}');
    expect(self).toHaveAttribute('data-corner', 'bottom-start');
    self.blur();
    await user.keyboard('v');
    await waitFor(() => expect(screen.getByTestId('call-camera')).toHaveAttribute('data-camera', 'off'));
    expect(screen.queryByTestId('call-view-self')).toBeNull();
    shell.callGoes('in', { pictures: { camera: { at: 'failed', code: 'camera-in-use' }, theirs: 'frozen', share: { at: 'off' }, screen: false } });
    expect(await shown('call-no-camera')).toHaveTextContent('Another app uses the camera');
    expect(screen.getByTestId('call-view-frozen')).toBeVisible();
  });

  it('shows a screen that was chosen, says so all the while, and stops', async () => {
    const { shell, user } = await show('sharing');
    await user.click(await shown('call-return'));
    expect(screen.queryByTestId('sharing-bar')).toBeNull();
    await user.click(await shown('call-share'));
    expect(screen.getByTestId('share-start')).toBeDisabled();
    await shown('share-sources');
    expect(screen.getAllByTestId('share-source').map((source) => source.dataset['kind'])).toEqual(['screen', 'screen', 'window', 'window', 'window']);
    expect(shell.times('call.share')).toBe(0);
    await user.click(screen.getAllByRole('radio')[0]!);
    await user.keyboard('{ArrowDown}{ArrowDown}');
    await user.click(screen.getByTestId('share-start'));
    expect(shell.asked).toContainEqual({ ask: 'call.share', input: { call: 'call-ben', source: 'window:1' } });
    await waitFor(() => expect(screen.queryByTestId('share-picker')).toBeNull());
    expect(await shown('sharing-bar')).toHaveTextContent('Ben Okafor sees your window “Budget 2027 – Sheets”');
    await user.click(screen.getByTestId('call-minimise'));
    expect(await shown('sharing-bar')).toBeVisible();
    await user.click(screen.getByTestId('sharing-stop'));
    await waitFor(() => expect(screen.queryByTestId('sharing-bar')).toBeNull());
  });

  it('lets the desktop ask where only it knows what there is, and takes the question back', async () => {
    const { shell, user } = await show('sharing:portal');
    await user.click(await shown('call-return'));
    await user.click(await shown('call-share'));
    expect(await shown('share-portal')).toHaveTextContent('Your system asks you');
    expect(screen.queryByTestId('share-source')).toBeNull();
    expect(screen.getByTestId('share-start')).toHaveTextContent('Choose a screen or window…');

    shell.world.hang.push('call.share');
    await user.click(screen.getByTestId('share-start'));
    await waitFor(() => expect(screen.getByTestId('share-portal')).toHaveAttribute('data-asking', 'true'));
    expect(screen.getByTestId('share-portal')).toHaveTextContent('Choose in its own window');
    await user.click(screen.getByTestId('share-cancel'));
    expect(shell.asked).toContainEqual({ ask: 'call.unshare', input: { call: 'call-ben' } });
    expect(screen.queryByTestId('share-picker')).toBeNull();

    shell.world.hang = [];
    shell.world.refuse['call.share'] = { code: 'screen-not-chosen', detail: 'nothing was chosen' };
    await user.click(screen.getByTestId('call-share'));
    await shown('share-portal');
    await user.click(screen.getByTestId('share-start'));
    expect(await shown('share-trouble')).toHaveTextContent('Nothing was chosen');
    delete shell.world.refuse['call.share'];
    await user.click(screen.getByTestId('share-again'));
    await shown('share-portal');
    await user.click(screen.getByTestId('share-start'));
    expect(await shown('sharing-bar')).toHaveTextContent('Ben Okafor sees the window you chose');
  });

  it('says why no screen can be shown, and that a window was closed', async () => {
    const { shell, user } = await show('sharing');
    await user.click(await shown('call-return'));
    shell.world.refuse['screen.sources'] = { code: 'screen-not-permitted', detail: 'refused' };
    await user.click(await shown('call-share'));
    expect(await shown('share-trouble')).toHaveTextContent('does not let this app see the screen');
    delete shell.world.refuse['screen.sources'];
    shell.world.screens = [];
    await user.click(screen.getByTestId('share-again'));
    expect(await shown('share-empty')).toBeVisible();
    await user.click(screen.getByTestId('share-cancel'));
    const { pictures } = shell.world.calls[0]!;
    shell.callGoes('call-ben', { pictures: { ...pictures, share: { at: 'ended', code: 'screen-gone' } } });
    expect(await shown('call-share-ended')).toHaveTextContent('closed');
  });

  it('shows their screen large and their face small', async () => {
    const { shell, user } = await show('sharing');
    await user.click(await shown('call-return'));
    const { pictures } = shell.world.calls[0]!;
    shell.callGoes('call-ben', { pictures: { ...pictures, screen: true, theirs: 'on' } });
    expect(await shown('call-view-screen')).toBeVisible();
    expect(screen.getByTestId('call-view-theirs')).toBeVisible();
    expect(screen.getByTestId('call-views')).toHaveAttribute('data-screen', 'true');
    shell.callGoes('call-ben', { pictures: { ...pictures, screen: false, theirs: 'on' } });
    await waitFor(() => expect(screen.queryByTestId('call-view-screen')).toBeNull());
  });

  it('that lost its path says so and keeps its time, and a drop offers to call back', async () => {
    const { shell, user } = await show();
    await shown('app');
    shell.callGoes('in', { ...sampleCall({ incoming: true, stage: { at: 'ringing' } }), call: 'in' });
    await shown('incoming-identity');
    await user.keyboard('{Alt>}{Shift>}A{/Shift}{/Alt}');
    await shown('call-timer');
    shell.callGoes('in', { stage: { at: 'reconnecting' } });
    expect(await shown('call-reconnecting')).toHaveTextContent('Reconnecting');
    expect(screen.getByTestId('call-timer')).toBeVisible();
    shell.callGoes('in', { stage: { at: 'connected' } });
    await waitFor(() => expect(screen.queryByTestId('call-reconnecting')).toBeNull());
    shell.callGoes('in', { stage: { at: 'reconnecting' } });
    shell.callGoes('in', { stage: { at: 'ended', reason: 'dropped', seconds: 61 } });
    expect(await shown('call-end-title')).toHaveTextContent('Call dropped');
    expect(screen.getByTestId('call-back')).toHaveTextContent('Call back');
  });

  it('names its stages and, when it fails, the next step', async () => {
    const { shell, user } = await show('', `#/chats/${encodeURIComponent(BEN)}`);
    await user.click(await shown('conversation-call'));
    expect(await shown('call-stage')).toHaveTextContent('Finding Ben Okafor…');
    const { call } = shell.world.calls[0]!;
    shell.callGoes(call, { stage: { at: 'ringing' } });
    await waitFor(() => expect(screen.getByTestId('call-limit')).toHaveTextContent('of 45 s'));
    shell.callGoes(call, { stage: { at: 'ended', reason: 'no-answer', seconds: 0 } });
    expect(await shown('call-end-title')).toHaveTextContent('Ben Okafor did not answer');
    await user.click(screen.getByTestId('call-write'));
    expect(await shown('composer')).toBeVisible();
  });

  it('has a window of its own while it rings', async () => {
    await show('ringing', '#/ring/ring-1');
    expect(await shown('ring-window')).toBeVisible();
    expect(await shown('incoming-title')).toHaveTextContent('Ben Okafor is calling');
    expect(screen.queryByTestId('app')).toBeNull();
  });
});

describe('by keyboard', () => {
  it('Ctrl K finds a chat and opens it', async () => {
    const { user } = await show();
    await screen.findAllByTestId('chat-row');
    await user.keyboard('{Control>}k{/Control}');
    await user.type(await shown('palette-input'), 'chiara{Enter}');
    await waitFor(() => expect(screen.getByTestId('conversation-title')).toHaveTextContent('Chiara Conti'));
  });

  it('Ctrl N opens the search, Esc closes it and gives the focus back', async () => {
    const { user } = await show();
    const button = await shown('new-chat');
    button.focus();
    await user.keyboard('{Control>}n{/Control}');
    await waitFor(() => expect(screen.getByTestId('find-address')).toHaveFocus());
    await user.keyboard('{Escape}');
    await waitFor(() => expect(screen.queryByTestId('find-dialog')).toBeNull());
    expect(button).toHaveFocus();
  });

  it('Alt ↓ goes to the next chat', async () => {
    const { user } = await show();
    await screen.findAllByTestId('chat-row');
    await user.keyboard('{Alt>}{ArrowDown}{/Alt}');
    await waitFor(() => expect(screen.getByTestId('conversation-title')).toHaveTextContent('Ben Okafor'));
    await user.keyboard('{Alt>}{ArrowDown}{/Alt}');
    await waitFor(() => expect(screen.getByTestId('conversation-title')).toHaveTextContent('eva@c.localhost'));
  });
});

describe('the look', () => {
  it('turns round for Arabic and grows with the text', async () => {
    const { user } = await show('', '#/settings/appearance');
    await user.selectOptions(await shown('language'), 'ar');
    await waitFor(() => expect(document.documentElement).toHaveAttribute('dir', 'rtl'));
    expect(screen.getByRole('heading', { level: 1 })).toHaveTextContent('المظهر');
    await user.selectOptions(screen.getByTestId('language'), 'en');
    await waitFor(() => expect(document.documentElement).toHaveAttribute('dir', 'ltr'));
  });

  it('follows the chosen theme, and goes back when that could not be kept', async () => {
    const { shell, user } = await show('', '#/settings/appearance');
    await user.click(within(await shown('theme-dark')).getByRole('radio'));
    await waitFor(() => expect(document.documentElement.dataset.theme).toBe('dark'));
    shell.world.refuse['settings.set'] = { code: 'disk-full', detail: '' };
    await user.click(within(screen.getByTestId('theme-contrast')).getByRole('radio'));
    expect(await shown('settings-trouble')).toHaveTextContent('The disk is full');
    expect(document.documentElement.dataset.theme).toBe('dark');
  });

  it('shows one pane in a narrow window, with a way back', async () => {
    Object.defineProperty(window, 'innerWidth', { value: 480, configurable: true });
    const { user } = await show('', `#/chats/${encodeURIComponent(BEN)}`);
    expect(await shown('conversation-back')).toBeVisible();
    expect(screen.queryByTestId('list')).toBeNull();
    await user.click(screen.getByTestId('conversation-back'));
    expect(await shown('list')).toBeVisible();
    expect(screen.queryByTestId('detail')).toBeNull();
  });
});

describe('every trouble', () => {
  it('has a sentence, and its code can be copied', async () => {
    await show('fail:chat.list');
    const note = await shown('chat-list-trouble');
    expect(note).toHaveTextContent('The app itself does not answer.');
    expect(within(note).getByTestId('chat-list-trouble-code')).toHaveTextContent('shell-lost');
  });
});
