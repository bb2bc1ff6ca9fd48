/** Tells short stories of trust in others: comparing codes, changed keys, marks and calls. */
import { cleanup, screen, waitFor } from '@testing-library/svelte';
import { afterEach, describe, expect, it } from 'vitest';
import { sampleSafetyCode } from '../shell/demo-trust';
import { BEN, CHIARA, DMITRI, chat, gone, person, show, shown } from '../test-stage';

afterEach(cleanup);

describe('comparing codes', () => {
  it('makes a person verified when the codes are the same', async () => {
    const { user } = await show('', person('ben@b.localhost'));
    const state = () => screen.getByTestId('person-identity').dataset.state;
    await user.click(await shown('person-compare'));
    expect(state()).toBe('introduced');
    expect((await shown('verify-words')).querySelectorAll('li')).toHaveLength(12);
    await user.click(screen.getByTestId('verify-tab-digits'));
    expect(screen.getByTestId('verify-digits')).toHaveTextContent('48210');
    await user.click(screen.getByTestId('verify-same'));
    expect(await shown('verify-match')).toBeVisible();
    await user.click(screen.getByTestId('verify-done'));
    await waitFor(() => expect(state()).toBe('verified'));
    expect(screen.getByTestId('person-compare')).toHaveFocus();
    await user.click(screen.getByTestId('person-forget'));
    await waitFor(() => expect(state()).toBe('introduced'));
  });

  it('says not to continue when they differ', async () => {
    const { shell, user } = await show('', person('ben@b.localhost'));
    await user.click(await shown('person-compare'));
    await user.click(await shown('verify-differ'));
    expect(await shown('verify-mismatch')).toHaveTextContent('Share nothing private here.');
    expect(screen.getByTestId('verify-dialog')).toHaveTextContent('Do not continue');
    expect(shell.asked).toContainEqual({ ask: 'verify.compared', input: { user: 'ben@b.localhost', same: false } });
  });

  it('warns who saw two codes even if the app could not note it', async () => {
    await show('fail:verify.compared', person('ben@b.localhost')).then(async ({ user }) => {
      await user.click(await shown('person-compare'));
      await user.click(await shown('verify-differ'));
    });
    expect(await shown('verify-mismatch')).toBeVisible();
  });

  it.each([
    ['nonsense', 'verify-paste-fault'],
    [`${sampleSafetyCode.qr}X`, 'verify-mismatch'],
    [sampleSafetyCode.qr, 'verify-match'],
  ])('compares the pasted %s', async (text, outcome) => {
    const { user } = await show('', person('ben@b.localhost'));
    await user.click(await shown('person-compare'));
    await user.click(await shown('verify-tab-qr'));
    await user.type(screen.getByTestId('verify-paste'), text);
    await user.click(screen.getByTestId('verify-check'));
    expect(await shown(outcome)).toBeVisible();
  });

  it('says to the app that a pasted code differs only when the person says so', async () => {
    const { shell, user } = await show('', person('ben@b.localhost'));
    const told = { ask: 'verify.compared', input: { user: 'ben@b.localhost', same: false } };
    await user.click(await shown('person-compare'));
    await user.click(await shown('verify-tab-qr'));
    await user.type(screen.getByTestId('verify-paste'), `${sampleSafetyCode.qr}X`);
    await user.click(screen.getByTestId('verify-check'));
    expect(await shown('verify-mismatch')).toBeVisible();
    expect(shell.asked).not.toContainEqual(told);
    await user.click(screen.getByTestId('verify-differ'));
    await gone('verify-differ');
    expect(shell.asked).toContainEqual(told);
    expect(screen.getByTestId('verify-mismatch')).toBeVisible();
  });

  it('is done by keyboard alone: arrows change the way, Esc closes one layer', async () => {
    const { user } = await show('', person('ben@b.localhost'));
    (await shown('person-compare')).focus();
    await user.keyboard('{Enter}');
    await shown('verify-words');
    screen.getByTestId('verify-tab-words').focus();
    await user.keyboard('{ArrowRight}{ArrowRight}');
    expect(screen.getByTestId('verify-panel')).toHaveAttribute('data-tab', 'qr');
    await waitFor(() => expect(screen.getByTestId('verify-tab-qr')).toHaveFocus());
    await user.keyboard('{Escape}');
    await gone('verify-dialog');
    expect(screen.getByTestId('person-compare')).toHaveFocus();
  });
});

describe('keys that changed', () => {
  it.each([
    ['recovered', 'Dmitri Aalto came back with their recovery words'],
    ['reset', 'Dmitri Aalto recovered their identity through accounts.example.org'],
    ['unexplained', 'Someone signed in at accounts.example.org as Dmitri Aalto with new keys'],
    ['mismatch', 'The codes you compared with Dmitri Aalto'],
  ])('%s say why, and offer to compare', async (kind, words) => {
    const { user } = await show(`change:${kind}`, chat(DMITRI));
    expect(await shown('key-change-banner')).toHaveTextContent(words);
    await user.click(screen.getByTestId('key-change-compare'));
    expect(await shown('verify-dialog')).toBeVisible();
  });

  it('by the person themselves need no banner', async () => {
    await show('change:rotated', chat(DMITRI));
    expect(await shown('composer')).toBeVisible();
    expect(screen.queryByTestId('key-change')).toBeNull();
  });

  it('hold what one writes until one decides, and the draft stays', async () => {
    const { shell, user } = await show('change:unexplained', chat(DMITRI));
    await user.type(await shown('composer'), 'The code of the door is');
    shell.keysChange('dmitri@uni.example', 'unexplained', true);
    expect(await shown('key-change-hold')).toHaveTextContent('Nothing is sent to Dmitri Aalto until you decide.');
    expect(screen.queryByTestId('composer')).toBeNull();
    expect(screen.getByTestId('key-change-draft')).toHaveTextContent('The code of the door is');
    await user.click(screen.getByTestId('key-change-continue'));
    expect(await shown('composer')).toHaveValue('The code of the door is');
    expect(shell.asked).toContainEqual({ ask: 'keychange.accept', input: { user: 'dmitri@uni.example' } });
    expect(shell.times('chat.send')).toBe(0);
  });

  it('can end in a block', async () => {
    const { user } = await show('change:mismatch!', chat(DMITRI));
    await user.click(await shown('key-change-block'));
    expect(await shown('toast-undo')).toBeVisible();
  });
});

describe('the mark of a message', () => {
  const marks = () => screen.getAllByTestId('message').map((one) => one.dataset.mark);

  it('is green only with somebody one compared codes with', async () => {
    await show('', chat(CHIARA));
    await screen.findAllByTestId('message-mark');
    expect(new Set(marks())).toEqual(new Set(['verified']));
    expect(screen.getAllByTestId('message')[0]).toHaveAccessibleName(expect.stringContaining('from somebody you compared codes with'));
    expect(screen.getByTestId('conversation-identity')).toHaveAttribute('data-state', 'verified');
  });

  it('is never green while any device in the conversation is not verified', async () => {
    const { shell } = await show('', chat(CHIARA));
    await screen.findAllByTestId('message-mark');
    const summary = shell.world.chats.find((one) => one.chat === CHIARA)!;
    shell.tell({ news: 'chat', data: { ...summary, mark: 'introduced' } });
    await waitFor(() => expect(screen.queryByTestId('message-mark')).toBeNull());
    expect(screen.getByTestId('conversation-identity')).toHaveAttribute('data-state', 'introduced');
  });

  it('warns of what was written under changed keys', async () => {
    const { user } = await show('', chat(DMITRI));
    await screen.findAllByTestId('message-mark');
    expect(marks()).toContain('changed');
    await user.click(screen.getByTestId('conversation-info'));
    expect(await shown('refusal')).toHaveTextContent('3 messages were refused: the author is not who was claimed');
    expect(screen.getByTestId('refusal-code')).toHaveTextContent('wrong-author');
  });
});

describe('a call', () => {
  it('gives both something to read to each other', async () => {
    const { shell } = await show('', '#/call');
    await shown('app');
    shell.callGoes('c', { call: 'c', stage: { at: 'securing' } });
    history.replaceState(null, '', '#/call');
    window.dispatchEvent(new HashChangeEvent('hashchange'));
    await shown('call-screen');
    expect(screen.queryByTestId('call-code')).toBeNull();
    shell.callGoes('c', { stage: { at: 'connected' }, connectedAt: Date.now(), code: { digits: '402917', emoji: ['rocket', 'turtle', 'umbrella', 'mystery'] } });
    expect(await shown('call-code-digits')).toHaveTextContent('402 917');
    const pictures = screen.getByTestId('call-code-emoji');
    expect(pictures).toHaveTextContent('🚀');
    expect(pictures).toHaveTextContent('mystery');
    expect(screen.getByTestId('call-identity')).toBeVisible();
  });

  it('that was answered on another device is not called missed', async () => {
    const { shell } = await show('ringing', chat(BEN));
    await shown('incoming-call');
    shell.callGoes('ring-1', { stage: { at: 'ended', reason: 'elsewhere', seconds: 0 } });
    expect(await shown('toast')).toHaveTextContent('Answered on another device');
  });
});

describe('introducing a contact', () => {
  it('tells another contact who they are, and never themselves', async () => {
    const { shell, user } = await show('', person('ben@b.localhost'));
    await user.click(await shown('person-introduce'));
    const dialog = await shown('introduce-dialog');
    expect(dialog).toHaveTextContent('ben@b.localhost is a contact of yours');
    const offered = [...dialog.querySelectorAll<HTMLElement>('[data-testid="introduce-to"]')];
    expect(offered.map((one) => one.dataset.user)).not.toContain('ben@b.localhost');
    await user.click(offered[0]!);
    await waitFor(() => gone('introduce-dialog'));
    expect(shell.asked).toContainEqual({ ask: 'person.introduce', input: { user: 'ben@b.localhost', to: offered[0]!.dataset.user } });
    expect(screen.getByTestId('person-introduce')).toHaveFocus();
  });

  it('stays open and says why when the app could not', async () => {
    const { user } = await show('fail:person.introduce', person('ben@b.localhost'));
    await user.click(await shown('person-introduce'));
    await user.click((await screen.findAllByTestId('introduce-to'))[0]!);
    expect(await shown('introduce-trouble')).toBeVisible();
  });
});

describe('the own contact link', () => {
  it('is shown, and made anew when wished', async () => {
    const { shell, user } = await show('', '#/settings/you');
    const before = (await shown('contact-link-text')).textContent;
    expect(before).toMatch(/^parlance:.+@.+\?code=/);
    await user.click(screen.getByTestId('contact-link-renew'));
    await waitFor(() => expect(screen.getByTestId('contact-link-text').textContent).not.toBe(before));
    expect(shell.times('contact.link.renew')).toBe(1);
  });
});

describe('choosing a contact', () => {
  it('to introduce somebody to offers people, and no group they are in', async () => {
    const { user } = await show('group', person('ben@b.localhost'));
    await user.click(await shown('person-introduce'));
    const dialog = await shown('introduce-dialog');
    expect(dialog).toHaveTextContent('Chiara Conti');
    expect(dialog).not.toHaveTextContent('Sunday choir');
  });

  it('to forward to offers a group as one', async () => {
    const { user } = await show('group', chat(CHIARA));
    const line = (await screen.findAllByTestId('message'))[0]!;
    await user.pointer({ keys: '[MouseRight]', target: line });
    await user.click(await shown('message-forward'));
    const choir = (await screen.findAllByTestId('forward-to')).find((one) => one.textContent?.includes('Sunday choir'))!;
    expect(choir).toHaveTextContent('4 people');
    expect(choir).not.toHaveTextContent('@');
  });
});
