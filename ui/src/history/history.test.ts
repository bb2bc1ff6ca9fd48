/** Tells short stories of a history that is taken along in a file, and of one that is brought. */
import { cleanup, screen, waitFor, within } from '@testing-library/svelte';
import { afterEach, describe, expect, it } from 'vitest';
import { IMPORTED } from '../shell/demo-history';
import { BEN, chat, gone, show, shown } from '../test-stage';
import { strengthOf } from './history.svelte';

afterEach(cleanup);

describe('exporting', () => {
  it('is sealed unless one wants it otherwise, and needs the passphrase twice', async () => {
    const { shell, user } = await show('', '#/settings/history');
    await user.click(await shown('history-export'));
    expect(await shown('export-sealed')).toBeChecked();
    await user.type(screen.getByTestId('export-passphrase'), 'short');
    await user.click(screen.getByTestId('export-do'));
    expect(screen.getByTestId('export-passphrase-fault')).toBeVisible();
    await user.type(screen.getByTestId('export-passphrase'), ' but four words long');
    expect(screen.getByTestId('export-strength')).toHaveAttribute('data-strength', 'good');
    await user.click(screen.getByTestId('export-do'));
    expect(await shown('export-passphrase-again-fault')).toBeVisible();
    expect(shell.times('history.export')).toBe(0);
    await user.type(screen.getByTestId('export-passphrase-again'), 'short but four words long');
    await user.click(screen.getByTestId('export-do'));
    expect(await shown('export-done')).toHaveTextContent('parlance-history-ana@a.localhost.age');
    expect(shell.asked).toContainEqual({ ask: 'history.export', input: { chat: null, folder: null, passphrase: 'short but four words long', language: 'en' } });
    await user.click(screen.getByTestId('export-close'));
    await gone('export-dialog');
  });

  it('warns plainly before a file that everybody can read', async () => {
    const { shell, user } = await show('', '#/settings/history');
    await user.click(await shown('history-export'));
    expect(screen.queryByTestId('export-warning')).toBeNull();
    await user.click(screen.getByTestId('export-open'));
    expect(await shown('export-warning')).toHaveTextContent('Everybody who gets this file can read all of it');
    expect(screen.queryByTestId('export-passphrase')).toBeNull();
    await user.type(screen.getByTestId('export-folder'), '/media/stick');
    await user.click(screen.getByTestId('export-do'));
    expect(await shown('export-done')).toHaveTextContent('/media/stick/');
    expect(shell.asked).toContainEqual({ ask: 'history.export', input: { chat: null, folder: '/media/stick', passphrase: null, language: 'en' } });
  });

  it('takes one conversation from its panel, by keys alone', async () => {
    const { shell, user } = await show('', chat(BEN));
    await user.click(await shown('conversation-info'));
    (await shown('context-export')).focus();
    await user.keyboard('{Enter}');
    const dialog = await shown('export-dialog');
    expect(dialog).toHaveTextContent('Ben Okafor');
    expect(screen.getByTestId('export-sealed')).toHaveFocus();
    // From the ways over to the first field and its eye, to the second.
    await user.tab();
    await user.keyboard('correct horse battery');
    await user.tab();
    await user.tab();
    await user.keyboard('correct horse battery{Enter}');
    await shown('export-done');
    expect(shell.asked).toContainEqual({ ask: 'history.export', input: { chat: BEN, folder: null, passphrase: 'correct horse battery', language: 'en' } });
  });

  it('shows how far it is, goes on when the dialog closes, and stops', async () => {
    const { shell, user } = await show('hang:history.export', '#/settings/history');
    await user.click(await shown('history-export'));
    await user.click(screen.getByTestId('export-open'));
    await user.click(screen.getByTestId('export-do'));
    shell.tell({ news: 'history', data: { state: 'exporting', done: 1200, total: 5000 } });
    await waitFor(() => expect(within(screen.getByTestId('export-dialog')).getByTestId('history-progress')).toHaveTextContent('1,200 of 5,000'));
    await user.click(screen.getByTestId('export-cancel'));
    await gone('export-dialog');
    expect(await shown('history-progress')).toHaveAttribute('data-done', '1200');
    await user.click(screen.getByTestId('history-stop'));
    expect(shell.times('history.stop')).toBe(1);
  });

  it('says what went wrong, and that stopping is nothing that went wrong', async () => {
    const { shell, user } = await show('', '#/settings/history');
    shell.world.refuse['history.export'] = { code: 'disk-full', detail: 'as it is' };
    await user.click(await shown('history-export'));
    await user.click(screen.getByTestId('export-open'));
    await user.click(screen.getByTestId('export-do'));
    expect(await shown('export-trouble')).toHaveAttribute('data-code', 'disk-full');
    shell.world.refuse['history.export'] = { code: 'cancelled', detail: 'as it is' };
    await user.click(screen.getByTestId('export-do'));
    await gone('export-trouble');
    expect(screen.queryByTestId('export-done')).toBeNull();
  });
});

describe('a passphrase', () => {
  it('is the better the longer it is, and one sign many times is none', () => {
    expect(['abc', 'aaaaaaaaaaaaaaaaaaaaaaaaaaa', 'password', 'Tr0ub4dor&3x', 'four common words here', 'كلمات طويلة كثيرة لا يخمنها أحد'].map(strengthOf)).toEqual(['short', 'weak', 'weak', 'fair', 'good', 'good']);
  });
});

describe('importing', () => {
  it('asks for the passphrase of a sealed file, brings it, and opens it', async () => {
    const { user } = await show('', '#/settings/history');
    await user.click(await shown('history-import'));
    await user.click(await shown('import-do'));
    expect(await shown('import-path-fault')).toBeVisible();
    await user.type(screen.getByTestId('import-path'), '/home/ana/old.age');
    await user.click(screen.getByTestId('import-do'));
    expect(await shown('import-trouble')).toHaveAttribute('data-code', 'history-sealed');
    await user.type(screen.getByTestId('import-passphrase'), 'wrong');
    await user.click(screen.getByTestId('import-do'));
    await waitFor(() => expect(screen.getByTestId('import-trouble')).toHaveAttribute('data-code', 'history-passphrase'));
    await user.clear(screen.getByTestId('import-passphrase'));
    await user.type(screen.getByTestId('import-passphrase'), 'correct horse');
    await user.click(screen.getByTestId('import-do'));
    expect(await shown('import-done')).toHaveTextContent('5 messages were imported');
    expect(screen.getByTestId('import-dialog')).toHaveTextContent('Nothing shows that these people really wrote these words');
    await user.click(screen.getByTestId('import-open'));
    expect(await shown('conversation-imported-banner')).toBeVisible();
  });

  it('says that there was nothing new in a file that is imported twice', async () => {
    const { user } = await show('imported', '#/settings/history');
    await user.click(await shown('history-import'));
    await user.type(await shown('import-path'), '/home/ana/old.tar');
    await user.click(screen.getByTestId('import-do'));
    expect(await shown('import-done')).toHaveTextContent('Everything in this file was imported before');
  });
});

describe('an imported conversation', () => {
  it('says what it is everywhere, and offers nothing that it could not do', async () => {
    const { user } = await show('imported', chat(IMPORTED));
    expect(await shown('conversation-imported-banner')).toHaveTextContent('read from a file');
    expect(screen.getByTestId('conversation-imported')).toBeVisible();
    expect(screen.getByTestId('conversation-imported-from')).toHaveTextContent('ana@old.example');
    for (const id of ['composer', 'conversation-call', 'conversation-identity', 'message-quick-reply', 'message-state']) expect(screen.queryByTestId(id), id).toBeNull();
    expect(screen.getByTestId('conversation-intro')).not.toHaveTextContent('sealed');
    expect(screen.queryByTestId('first-message-identity')).toBeNull();
    const messages = screen.getAllByTestId('message');
    expect(messages).toHaveLength(5);
    for (const message of messages) {
      expect(message).toHaveAttribute('data-mark', 'imported');
      expect(message.getAttribute('aria-label')).toContain('imported, not verified');
    }
    expect(screen.getAllByTestId('chat-imported')).toHaveLength(1);
    messages[0]!.focus();
    await user.keyboard('r');
    expect(screen.queryByTestId('composer')).toBeNull();
    await user.keyboard('{Enter}');
    for (const id of ['reply', 'react', 'edit', 'pin', 'forward']) expect(screen.queryByTestId(`message-menu-${id}`), id).toBeNull();
  });

  it('is never the conversation with the person it names', async () => {
    const { shell } = await show('imported', chat(IMPORTED));
    await shown('conversation-imported');
    const card = structuredClone(shell.world.people[0]!);
    shell.tell({ news: 'person', data: { ...card, user: 'nadia@old.example', name: 'Somebody Else', contact: 'accepted', chat: null } });
    expect(screen.getByTestId('conversation-title')).toHaveTextContent('Nadia Haddad');
    expect(screen.queryByTestId('composer')).toBeNull();
  });

  it('goes from the list and the place when it is deleted', async () => {
    const { shell, user } = await show('imported', chat(IMPORTED));
    await user.click(await shown('conversation-info'));
    expect(await shown('imported-panel')).toHaveTextContent('Nothing shows that these people');
    await user.click(screen.getByTestId('imported-forget'));
    expect(shell.times('history.forget')).toBe(0);
    await user.click(await shown('imported-forget-dialog-do'));
    await gone('conversation-imported');
    expect(screen.queryByTestId('chat-imported')).toBeNull();
    expect(shell.asked).toContainEqual({ ask: 'history.forget', input: { chat: IMPORTED } });
  });
});
