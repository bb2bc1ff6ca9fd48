/** Tells how an identity is begun anew, on the new computer and on a device that is alive. */
import { cleanup, screen, waitFor } from '@testing-library/svelte';
import { afterEach, describe, expect, it } from 'vitest';
import { BEN, chat, gone, show, shown } from '../test-stage';

afterEach(cleanup);

const HOUR = 60 * 60_000;

/** Tabs on until something has the focus, as somebody without a mouse does. */
async function tabTo(user: Awaited<ReturnType<typeof show>>['user'], testid: string) {
  for (let presses = 0; presses < 40; presses++) {
    if (document.activeElement === screen.queryByTestId(testid)) return;
    await user.tab();
  }
  throw new Error(`${testid} cannot be reached by Tab`);
}

describe('who has neither words nor another device', () => {
  it('begins anew without touching the mouse, after saying what is understood', async () => {
    const { shell, user } = await show('welcome');
    await shown('welcome-screen');
    await tabTo(user, 'welcome-restore');
    await user.keyboard('{Enter}');
    await shown('restore-screen');
    await tabTo(user, 'restore-anew');
    await user.keyboard('{Enter}');
    expect(await shown('anew-costs')).toHaveTextContent('72 hours');
    await tabTo(user, 'anew-user');
    await user.keyboard('ana@a.localhost{Enter}');
    await shown('anew-issuer-screen');
    await tabTo(user, 'anew-start');
    await user.keyboard('{Enter}');
    expect(await shown('anew-understood-fault')).toBeVisible();
    expect(shell.times('identity.restart')).toBe(0);
    await user.tab({ shift: true });
    expect(screen.getByTestId('anew-understood')).toHaveFocus();
    await user.keyboard(' ');
    await tabTo(user, 'anew-start');
    await user.keyboard('{Enter}');
    await shown('anew-signin-copy');
    expect(shell.asked).toContainEqual({ ask: 'identity.restart', input: { user: 'ana@a.localhost', issuer: 'http://a.localhost:7101' } });
  });

  it.each(['welcome-link', 'welcome-restore'])('is led there from %s', async (way) => {
    const { user } = await show('welcome');
    await user.click(await shown(way));
    await user.click(await shown(way === 'welcome-link' ? 'join-anew' : 'restore-anew'));
    expect(await shown('anew-screen')).toBeVisible();
    await user.click(screen.getByTestId('anew-back'));
    expect(await shown('welcome-screen')).toBeVisible();
  });

  it('is led there from a name that is taken, because it is theirs', async () => {
    const { shell, user } = await show('welcome');
    await user.click(await shown('welcome-start'));
    await user.click(await shown('issuer-sign-in'));
    await shown('signin-again');
    shell.signIn({ state: 'done', name: 'Ana Silva', suggested: 'ana' });
    shell.world.refuse['profile.create'] = { code: 'name-taken', detail: 'taken' };
    await user.click(await shown('profile-create'));
    await user.click(await shown('profile-anew'));
    expect(await shown('anew-user')).toHaveValue('ana@a.localhost');
  });

  it('is told why the issuer was not the one', async () => {
    const { shell, user } = await show('welcome');
    await user.click(await shown('welcome-restore'));
    await user.click(await shown('restore-anew'));
    await user.type(await shown('anew-user'), 'ana@a.localhost');
    await user.click(screen.getByTestId('anew-next'));
    await user.click(await shown('anew-understood'));
    await user.click(screen.getByTestId('anew-start'));
    await shown('anew-signin-copy');
    shell.signIn({ state: 'failed', trouble: { code: 'other-issuer', detail: 'as it is' } });
    expect(await shown('anew-signin-trouble')).toHaveTextContent('never vouched');
    await user.click(screen.getByTestId('anew-signin-other'));
    expect(await shown('anew-issuer-screen')).toBeVisible();
  });
});

describe('while the days run', () => {
  it('says how long it takes and until when', async () => {
    await show('restart:71');
    expect(await shown('anew-left')).toHaveTextContent('71 hours left');
    expect(screen.getByRole('progressbar')).toHaveAttribute('aria-valuenow', '1');
  });

  it('a no of an earlier device is no dead end', async () => {
    const { shell, user } = await show('restart:12');
    await shown('anew-left');
    shell.restartEnds('reset-vetoed');
    expect(await shown('anew-ended-screen')).toHaveTextContent('said no');
    await user.click(screen.getByTestId('anew-ended-link'));
    expect(await shown('join-screen')).toBeVisible();
  });

  it('who finds a device gives it up', async () => {
    const { shell, user } = await show('restart:12');
    await user.click(await shown('anew-give-up'));
    expect(await shown('anew-give-up-dialog')).toHaveTextContent('keys are erased here');
    await user.click(screen.getByTestId('anew-give-up-dialog-do'));
    expect(await shown('welcome-screen')).toBeVisible();
    expect(shell.times('identity.give-up')).toBe(1);
  });

  it('leads into the app when they are over', async () => {
    const { shell } = await show('restart:1');
    await shown('anew-left');
    shell.restart(null);
    expect(await shown('app')).toBeVisible();
    expect(await screen.findByText(/is yours again/)).toBeVisible();
  });
});

describe('a device that is alive', () => {
  it('asks who begins anew, and vetoes', async () => {
    const { shell, user } = await show('reset-asked');
    expect(await shown('banner-reset')).toHaveTextContent('beginning anew as you');
    await tabTo(user, 'banner-reset-veto');
    await user.keyboard('{Enter}');
    await gone('banner-reset');
    expect(shell.asked).toContainEqual({ ask: 'identity.answer', input: { mine: false } });
  });

  it('lets it go on only after saying that linking is better, and can still veto', async () => {
    const { shell, user } = await show('reset-asked');
    await user.click(await shown('banner-reset-mine'));
    expect(await shown('reset-mine-dialog')).toHaveTextContent('link your new device');
    await user.click(screen.getByTestId('reset-mine-dialog-do'));
    await gone('reset-mine-dialog');
    expect(shell.asked).toContainEqual({ ask: 'identity.answer', input: { mine: true } });
    expect(screen.getByTestId('banner-reset')).toHaveTextContent('You let a new beginning go on');
    await user.click(screen.getByTestId('banner-reset-veto'));
    await gone('banner-reset');
  });

  it('says when it was replaced, and erases itself', async () => {
    const { user } = await show('taken-out:device-replaced');
    expect(await shown('taken-out-screen')).toHaveTextContent('no device of yours said no');
    await user.type(screen.getByTestId('taken-out-address'), 'ana@a.localhost');
    await user.click(screen.getByTestId('taken-out-erase'));
    expect(await shown('welcome-screen')).toBeVisible();
  });
});

describe('a passphrase that the organisation asks for', () => {
  it('comes before everything else, and cannot be put off', async () => {
    const { shell, user } = await show('passphrase-required:keyring');
    expect(await shown('protect-screen')).toHaveTextContent('Your organisation asks for a passphrase');
    expect(screen.queryByTestId('protect-unprotected')).toBeNull();
    await user.type(screen.getByTestId('protect-passphrase'), 'four random words');
    await user.type(screen.getByTestId('protect-passphrase-again'), 'four random words');
    await user.click(screen.getByTestId('protect-submit'));
    expect(await shown('app')).toBeVisible();
    expect(shell.asked).toContainEqual({ ask: 'app.keep', input: { how: 'keyring-and-passphrase', passphrase: 'four random words' } });
  });
});

describe('rules of an organisation', () => {
  it('that nobody can meet say so', async () => {
    await show('unsupported', '#/settings/privacy');
    expect(await shown('policy-write-unsupported')).toHaveTextContent('more work than apps do');
    expect(screen.queryByTestId('policy-call-unsupported')).toBeNull();
    expect(screen.getByTestId('policy-call').querySelectorAll('option')).toHaveLength(7);
  });

  it('say how long messages are kept', async () => {
    await show('org:escrow', '#/settings/privacy');
    expect(await shown('organisation-retention')).toHaveTextContent('older than 365 days');
  });
});

describe('a call in which the codes differ', () => {
  it('ends at once, and the keys count as not theirs', async () => {
    const { shell, user } = await show('', chat(BEN));
    await shown('conversation');
    shell.callGoes('connection://a.localhost/1', { user: 'ben@b.localhost', name: 'Ben Okafor', stage: { at: 'connected' }, connectedAt: Date.now() - HOUR, code: { digits: '402917', emoji: ['rocket', 'turtle', 'umbrella', 'pizza'] } });
    location.hash = '#/call';
    await user.click(await shown('call-code-differ'));
    await waitFor(() => expect(shell.asked).toContainEqual({ ask: 'verify.compared', input: { user: 'ben@b.localhost', same: false } }));
    expect(shell.asked.findIndex((one) => one.ask === 'call.hangup')).toBeLessThan(shell.asked.findIndex((one) => one.ask === 'verify.compared'));
    expect(await shown('key-change-hold')).toBeVisible();
  });
});

describe('a new device', () => {
  it('goes by the name that the person gave it', async () => {
    const { shell, user } = await show('welcome');
    await user.click(await shown('welcome-link'));
    await user.type(screen.getByTestId('join-code'), 'parlance-link:1:whatever');
    await user.type(screen.getByTestId('join-name'), 'Kitchen tablet');
    await user.click(screen.getByTestId('join-do'));
    expect(shell.asked).toContainEqual({ ask: 'link.join', input: { code: 'parlance-link:1:whatever', name: 'Kitchen tablet' } });
  });
});
