/** Tells short stories of what is one's own: devices, issuers, rules, recovery, keys and the lock. */
import { cleanup, screen, waitFor, within } from '@testing-library/svelte';
import { afterEach, describe, expect, it } from 'vitest';
import { BEN, chat, gone, show, shown } from '../test-stage';

afterEach(cleanup);

describe('linking a device', () => {
  it('goes from the code over six digits to everything', async () => {
    const { shell, user } = await show('', '#/settings/devices');
    await user.click(await shown('device-link'));
    expect(await shown('link-qr')).toBeVisible();
    expect(screen.getByTestId('link-code')).toHaveTextContent('parlance-link:');
    shell.link({ state: 'asked', name: 'Living room PC', check: '402917' });
    expect(await shown('link-check')).toHaveAttribute('data-digits', '402917');
    expect(screen.getByTestId('link-dialog')).toHaveTextContent('Living room PC wants in');
    await user.click(screen.getByTestId('link-limited'));
    await user.click(screen.getByTestId('link-admit'));
    expect(shell.asked).toContainEqual({ ask: 'device.admit', input: { full: false } });
    shell.link({ state: 'transferring', done: 1240, total: 3000 });
    expect(await shown('link-progress')).toHaveTextContent('1,240 of 3,000');
    shell.link({ state: 'done' });
    await user.click(await shown('link-finish'));
    await gone('link-dialog');
    expect(shell.times('device.withdraw')).toBe(0);
  });

  it('is refused when the digits differ', async () => {
    const { shell, user } = await show('', '#/settings/devices');
    await user.click(await shown('device-link'));
    await shown('link-qr');
    shell.link({ state: 'asked', name: 'Somebody', check: '111111' });
    await user.click(await shown('link-refuse'));
    await gone('link-dialog');
    expect([shell.times('device.withdraw'), shell.times('device.admit')]).toEqual([1, 0]);
  });

  it('is taken back when one closes the dialog, and the focus returns', async () => {
    const { shell, user } = await show('', '#/settings/devices');
    await user.click(await shown('device-link'));
    await shown('link-qr');
    await user.keyboard('{Escape}');
    await gone('link-dialog');
    expect(shell.times('device.withdraw')).toBe(1);
    expect(screen.getByTestId('device-link')).toHaveFocus();
  });

  it('says when the code ran out, and makes a new one', async () => {
    const { shell, user } = await show('', '#/settings/devices');
    await shown('device-link');
    const ask = shell.ask.bind(shell);
    shell.ask = (async (question: Parameters<typeof ask>[0]) =>
      question.ask === 'device.offer' ? { code: 'old', expiresAt: Date.now() - 1 } : ask(question)) as typeof shell.ask;
    await user.click(screen.getByTestId('device-link'));
    expect(await shown('link-over')).toBeVisible();
    shell.ask = ask;
    await user.click(screen.getByTestId('link-again'));
    expect(await shown('link-qr')).toBeVisible();
  });
});

describe('a device', () => {
  it('is taken out only after one read what that means', async () => {
    const { shell, user } = await show('', '#/settings/devices');
    await user.click(await shown('device-revoke'));
    expect(await shown('device-revoke-dialog')).toHaveTextContent('can no longer read or write anything new');
    // Leaving is the first choice.
    await waitFor(() => expect(screen.getByTestId('device-revoke-dialog-cancel')).toHaveFocus());
    expect(shell.times('device.revoke')).toBe(0);
    await user.click(screen.getByTestId('device-revoke-dialog-do'));
    await gone('device-revoke-dialog');
    const devices = () => screen.getAllByTestId('device').map((one) => [one.dataset.device, one.dataset.state]);
    await waitFor(() => expect(devices()).toContainEqual(['d2', 'revoked']));
  });

  it('that is this one, or is out already, cannot be taken out here', async () => {
    await show('', '#/settings/devices');
    const rows = await screen.findAllByTestId('device');
    const revocable = rows.filter((row) => within(row).queryByTestId('device-revoke'));
    expect(revocable.map((row) => row.dataset.device)).toEqual(['d2']);
  });
});

describe('a new device', () => {
  it('is linked by the code of another one', async () => {
    const { shell, user } = await show('welcome');
    await user.click(await shown('welcome-link'));
    await user.click(await shown('join-do'));
    expect(await shown('join-code-fault')).toBeVisible();
    await user.type(screen.getByTestId('join-code'), 'parlance-link:1:abc');
    await user.click(screen.getByTestId('join-do'));
    expect(shell.asked).toContainEqual({ ask: 'link.join', input: { code: 'parlance-link:1:abc', name: null } });
    shell.link({ state: 'waiting', check: '402917' });
    expect(await shown('join-check')).toHaveTextContent('402917');
    // The app is ready before everything has arrived; the person waits for the end.
    shell.link({ state: 'transferring', done: 10, total: 3000 });
    shell.world.app = { ...shell.world.app, stage: 'ready', profile: { user: 'ana@a.localhost', name: 'Ana Silva', vouchedBy: 'a.localhost' } };
    shell.tell({ news: 'app', data: shell.world.app });
    expect(await shown('join-progress')).toHaveTextContent('10 of 3,000');
    shell.link({ state: 'done' });
    expect(await shown('app')).toBeVisible();
  });

  it('that was taken out says so, and is erased', async () => {
    const { shell, user } = await show('');
    await shown('app');
    shell.world.app = { ...shell.world.app, stage: 'damaged', openTrouble: { code: 'device-revoked', detail: '' } };
    shell.tell({ news: 'app', data: shell.world.app });
    await user.type(await shown('taken-out-address'), 'ana@a.localhost');
    expect(screen.queryByTestId('app')).toBeNull();
    await user.click(screen.getByTestId('taken-out-erase'));
    expect(shell.asked).toContainEqual({ ask: 'app.erase', input: { user: 'ana@a.localhost' } });
  });

  it('without a backup is told that the browser asks once more', async () => {
    const { shell, user } = await show('welcome');
    shell.world.hang.push('recovery.restore');
    await user.click(await shown('welcome-restore'));
    await user.type(await shown('restore-user'), 'ana@a.localhost');
    await user.type(screen.getByTestId('restore-words'), 'twenty four words');
    await user.click(screen.getByTestId('restore-do'));
    shell.signIn({ state: 'waiting', url: 'https://a.localhost/authorize' });
    expect((await shown('restore-signin-copy')).dataset.url).toBe('https://a.localhost/authorize');
    await user.click(screen.getByTestId('restore-signin-cancel'));
    expect(shell.asked).toContainEqual({ ask: 'signin.cancel' });
  });

  it('is told what to do when the code ran out', async () => {
    const { shell, user } = await show('welcome');
    await user.click(await shown('welcome-link'));
    await user.type(await shown('join-code'), 'old{Enter}');
    shell.link({ state: 'failed', trouble: { code: 'link-expired', detail: 'too late' } });
    expect(await shown('join-trouble')).toHaveTextContent('Make a new one on your other device.');
    await user.click(screen.getByTestId('join-again'));
    expect(await shown('join-code')).toHaveValue('');
  });

  it('who gave up is not moved on by what comes late', async () => {
    const { shell, user } = await show('welcome');
    await user.click(await shown('welcome-link'));
    await user.type(await shown('join-code'), 'code{Enter}');
    shell.link({ state: 'waiting', check: '402917' });
    await shown('join-check');
    await user.click(screen.getByTestId('join-cancel'));
    shell.link({ state: 'transferring', done: 1, total: 2 });
    expect(screen.queryByTestId('join-progress')).toBeNull();
    expect(shell.times('link.cancel')).toBe(1);
  });

  it('comes back by the recovery words', async () => {
    const { shell, user } = await show('welcome');
    await user.click(await shown('welcome-restore'));
    await user.type(await shown('restore-user'), 'ana@a.localhost');
    await user.type(screen.getByTestId('restore-words'), 'wrong');
    await user.click(screen.getByTestId('restore-do'));
    expect(await shown('restore-trouble')).toHaveTextContent('These are not your recovery words.');
    await user.clear(screen.getByTestId('restore-words'));
    await user.type(screen.getByTestId('restore-words'), '/home/ana/sheet.html');
    await user.click(screen.getByTestId('restore-do'));
    expect(await shown('app')).toBeVisible();
    expect(shell.asked).toContainEqual({ ask: 'recovery.restore', input: { user: 'ana@a.localhost', words: '/home/ana/sheet.html', backup: null } });
  });

  it('leads from its last screen to the recovery words', async () => {
    const { shell, user } = await show('welcome,empty');
    await user.click(await shown('welcome-start'));
    await user.click(await shown('issuer-sign-in'));
    shell.signIn({ state: 'done', name: 'Ana Silva', suggested: 'ana' });
    await user.click(await shown('profile-create'));
    await user.click(await shown('ready-recovery'));
    expect(await shown('recovery-sheet')).toBeVisible();
  });
});

describe('who vouches', () => {
  it('is renewed in the browser', async () => {
    const { shell, user } = await show('', '#/settings/identities');
    const rows = await screen.findAllByTestId('my-issuer');
    expect(rows.map((row) => row.dataset.state)).toEqual(['fresh', 'soon']);
    await user.click(within(rows[1]!).getByTestId('my-issuer-renew'));
    expect(shell.asked).toContainEqual({ ask: 'identity.link', input: { issuer: 'https://accounts.example.org' } });
    shell.signIn({ state: 'waiting', url: 'https://accounts.example.org/authorize' });
    expect(await shown('issuer-link-copy')).toHaveAttribute('data-url', expect.stringContaining('authorize'));
    shell.signIn({ state: 'done', name: null, suggested: null });
    await gone('issuer-link-dialog');
    expect(shell.times('identity.issuers')).toBe(2);
  });

  it('is removed after one read what that means', async () => {
    const { user } = await show('', '#/settings/identities');
    await user.click((await screen.findAllByTestId('my-issuer-remove'))[0]!);
    await user.click(await shown('issuer-remove-dialog-do'));
    await waitFor(() => expect(screen.getAllByTestId('my-issuer')).toHaveLength(1));
    await user.click(screen.getByTestId('my-issuer-remove'));
    expect(await shown('issuer-remove-last')).toBeVisible();
  });

  it('is asked only at an address that is safe', async () => {
    const { shell, user } = await show('', '#/settings/identities');
    await user.click(await shown('issuer-link'));
    await user.type(await shown('issuer-link-url'), 'http://plain.example{Enter}');
    expect(await shown('issuer-link-url-fault')).toBeVisible();
    expect(shell.times('identity.link')).toBe(0);
  });
});

describe('the rules', () => {
  it('are kept, and shown as before when that did not work', async () => {
    const { shell, user } = await show('', '#/settings/privacy');
    await user.selectOptions(await shown('policy-call'), 'anyone');
    await waitFor(() => expect(shell.world.trust.policy.settings.whoMayCall).toEqual({ who: 'anyone' }));
    shell.world.refuse['policy.set'] = { code: 'locked-by-organisation', detail: '' };
    await user.selectOptions(screen.getByTestId('policy-call'), 'nobody');
    expect(await shown('policy-save-trouble')).toHaveTextContent('Your organisation set this');
    await waitFor(() => expect(screen.getByTestId('policy-call')).toHaveValue('anyone'));
  });

  it('name domains one a line, and only domains', async () => {
    const { shell, user } = await show('', '#/settings/privacy');
    await user.selectOptions(await shown('policy-write'), 'domains');
    await user.type(await shown('policy-write-which'), 'not a domain!');
    await user.click(await shown('policy-write-keep'));
    expect(await shown('policy-write-fault')).toBeVisible();
    expect(shell.times('policy.set')).toBe(0);
    await user.clear(screen.getByTestId('policy-write-which'));
    await user.type(screen.getByTestId('policy-write-which'), 'acme.example{Enter}b.localhost');
    await user.click(await shown('policy-write-keep'));
    await waitFor(() => expect(shell.world.trust.policy.settings.whoMayWrite).toEqual({ who: 'domains', which: ['acme.example', 'b.localhost'] }));
  });

  it('of the organisation cannot be changed, and say whether it reads along', async () => {
    await show('org:escrow', '#/settings/privacy');
    expect(await shown('policy-call')).toBeDisabled();
    expect(screen.getByTestId('policy-call-locked')).toHaveTextContent('Set by your organisation');
    expect(screen.getByTestId('policy-stop')).toBeDisabled();
    expect(screen.getByTestId('policy-issuers-calls')).toBeEnabled();
    expect(screen.getByTestId('organisation-escrow')).toHaveTextContent('Acme can read what you write here.');
  });

  it('explain each of their verdicts, also one nobody knows', async () => {
    const { user } = await show('', '#/settings/privacy');
    const lines = await screen.findAllByTestId('trail-line');
    expect(lines[1]).toHaveTextContent('A call from eva@c.localhost: refused');
    expect(lines[1]).toHaveTextContent('Not a contact of yours. You set that.');
    expect(lines.at(-1)).toHaveTextContent('somebody@d.example (odd-thing): refused');
    await user.click(screen.getByTestId('trail-export'));
    expect(await shown('trail-written')).toHaveTextContent('/home/ana/Documents/parlance-trail.jsonl');
  });
});

describe('recovery', () => {
  it('is complete when one has shown that one kept the words', async () => {
    const { user } = await show('', '#/settings/security');
    await user.click(await shown('recovery-sheet'));
    expect(await shown('recovery-sheet-path')).toHaveTextContent('parlance-recovery.html');
    for (const place of [3, 11, 20]) await user.type(screen.getByTestId(`recovery-word-${place}`), 'pear');
    await user.click(screen.getByTestId('recovery-confirm-do'));
    expect(await shown('recovery-confirm-trouble')).toHaveTextContent('These are not your recovery words.');
    for (const place of [3, 11, 20]) {
      await user.clear(screen.getByTestId(`recovery-word-${place}`));
      await user.type(screen.getByTestId(`recovery-word-${place}`), ' Apple ');
    }
    await user.click(screen.getByTestId('recovery-confirm-do'));
    expect(await shown('recovery-kept')).toBeVisible();
    await user.click(screen.getByTestId('backup-write'));
    expect(await shown('backup-done')).toHaveTextContent('parlance-backup.pbk');
  });
});

describe('the keys', () => {
  it('are put behind a passphrase on top', async () => {
    const { shell, user } = await show('', '#/settings/security');
    await user.click(await shown('security-keep'));
    await user.click(await shown('keep-way-keyring-and-passphrase'));
    await user.type(screen.getByTestId('keep-passphrase'), 'four random words');
    await user.type(screen.getByTestId('keep-passphrase-again'), 'four random words');
    await user.click(screen.getByTestId('keep-do'));
    await gone('keep-dialog');
    expect(shell.asked).toContainEqual({ ask: 'app.keep', input: { how: 'keyring-and-passphrase', passphrase: 'four random words' } });
    expect(screen.getByTestId('security-protection')).toHaveAttribute('data-protection', 'keyring-and-passphrase');
  });

  it('are erased only by who types the own address', async () => {
    const { shell, user } = await show('', '#/settings/security');
    await user.click(await shown('security-erase'));
    await user.click(await shown('erase-dialog-do'));
    await user.type(screen.getByTestId('erase-address'), 'ben@b.localhost');
    await user.click(screen.getByTestId('erase-dialog-do'));
    expect(shell.times('app.erase')).toBe(0);
    await user.clear(screen.getByTestId('erase-address'));
    await user.type(screen.getByTestId('erase-address'), 'ana@a.localhost');
    await user.click(screen.getByTestId('erase-dialog-do'));
    expect(await shown('welcome-screen')).toBeVisible();
  });
});

describe('the lock', () => {
  it('closes by a key, and opens where nothing of before is left until the passphrase is right', async () => {
    const { shell, user } = await show('protection:passphrase', chat(BEN));
    await screen.findAllByTestId('message');
    await user.keyboard('{Control>}k{/Control}');
    await shown('palette');
    // Also out of a dialog: whoever leaves must not have to close it first.
    await user.keyboard('{Control>}l{/Control}');
    expect(await shown('unlock-screen')).toBeVisible();
    expect(shell.times('app.lock')).toBe(1);
    expect(document.documentElement.outerHTML).not.toMatch(/Ben Okafor|b\.localhost|tender/);
    expect(location.hash).toBe('#/chats');
    await user.type(screen.getByTestId('unlock-passphrase'), 'correct horse{Enter}');
    expect(await screen.findAllByTestId('chat-row')).not.toHaveLength(0);
  });

  it('cannot close without a passphrase to open it again, and says so', async () => {
    const { shell, user } = await show('', chat(BEN));
    await shown('composer');
    await user.keyboard('{Control>}l{/Control}');
    expect(await shown('toast')).toHaveTextContent('you need a passphrase');
    expect(shell.times('app.lock')).toBe(0);
  });

  it('closes by itself when the app says so', async () => {
    const { shell } = await show('', chat(BEN));
    await screen.findAllByTestId('message');
    shell.tell({ news: 'app', data: { ...shell.world.app, stage: 'locked' } });
    expect(await shown('unlock-screen')).toBeVisible();
  });

  it('stays open while somebody is there, and the app is not told with each key', async () => {
    const { shell, user } = await show('protection:passphrase', chat(BEN));
    await user.type(await shown('composer'), 'I am here');
    expect(shell.times('app.present')).toBe(1);
  });

  it('counts down after too many tries', async () => {
    const { shell, user } = await show('locked,too-soon:27');
    await user.type(await shown('unlock-passphrase'), 'guess{Enter}');
    expect(await shown('unlock-wait')).toHaveTextContent(/Wait 2[67] seconds/);
    await user.type(screen.getByTestId('unlock-passphrase'), 'guess again{Enter}');
    expect(shell.times('app.unlock')).toBe(1);
  });
});
