/** Tells what a person does in a group, and what they see of the others. */
import { screen, waitFor, within } from '@testing-library/svelte';
import { beforeEach, describe, expect, it } from 'vitest';
import { CHOIR } from '../shell/demo-groups';
import { chat, gone, show, shown } from '../test-stage';

const at = chat(CHOIR);
const members = async () => within(await shown('group-members')).getAllByTestId('group-member');
const member = async (user: string) => (await members()).find((one) => one.dataset['user'] === user)!;

beforeEach(() => localStorage.clear());

describe('a new group', () => {
  it('begins with contacts and a name, and is opened', async () => {
    const { shell, user } = await show();
    await user.click(await shown('new-group'));
    const create = await shown('group-create');
    expect(create).toHaveAttribute('aria-disabled', 'true');
    await user.type(await shown('group-name'), '  Choir ');
    const candidates = await screen.findAllByTestId('group-candidate');
    // Who only asked, or was asked, is no contact yet.
    expect(candidates.map((one) => one.dataset['user'])).not.toContain('eva@c.localhost');
    await user.click(candidates.find((one) => one.dataset['user'] === 'ben@b.localhost')!);
    await user.click(create);
    await waitFor(() => expect(shell.asked.find((one) => one.ask === 'group.create')).toMatchObject({ input: { name: 'Choir', people: ['ben@b.localhost'] } }));
    await gone('group-dialog');
    await waitFor(() => expect(screen.getByTestId('conversation-title')).toHaveTextContent('Choir'));
  });

  it('says why it could not begin, and keeps what was chosen', async () => {
    const { user } = await show('fail:group.create');
    await user.click(await shown('new-group'));
    await user.type(await shown('group-name'), 'Choir');
    await user.click((await screen.findAllByTestId('group-candidate'))[0]!);
    await user.click(await shown('group-create'));
    expect(await shown('group-trouble')).toBeInTheDocument();
    expect(screen.getByTestId('group-name')).toHaveValue('Choir');
  });
});

describe('a group conversation', () => {
  it('shows who wrote what, and what happened by whose hand', async () => {
    await show('group', at);
    const authors = await screen.findAllByTestId('message-author');
    // One name for a run of one author.
    expect(authors.map((one) => one.textContent)).toEqual(['Ben Okafor', 'Chiara Conti', 'Cleo Haddad']);
    const lines = screen.getAllByTestId('system-line').map((one) => one.textContent?.trim());
    expect(lines).toEqual(['You began the group “Sunday choir”', 'You added Cleo Haddad']);
    const read = screen.getAllByTestId('message-state').map((one) => one.title);
    expect(read).toEqual(['Read by 3, delivered to 3 of 3', 'Read by 1, delivered to 2 of 3']);
    expect(screen.queryByTestId('conversation-call')).toBeNull();
  });

  it('says in the list who wrote last, and who did something', async () => {
    const { shell } = await show('group:member!group-removed');
    const row = (await screen.findAllByTestId('chat-row')).find((one) => one.dataset['group'] === 'Sunday choir')!;
    expect(row).toHaveTextContent('Ben Okafor took you out of the group');
    shell.tell({ news: 'message', data: { ...shell.world.messages[CHOIR]!.find((one) => one.author === 'cleo@c.localhost')!, ordinal: 99, id: 'late' } });
    await waitFor(() => expect(row).toHaveTextContent('Cleo Haddad:'));
  });

  it('is not mistaken for the conversation with its owner', async () => {
    const { user } = await show('group:member', '#/people/' + encodeURIComponent('ben@b.localhost'));
    await user.click(await shown('person-write'));
    await waitFor(() => expect(screen.getByTestId('conversation-title')).toHaveTextContent('Ben Okafor'));
  });
});

describe('the people of a group', () => {
  it('are shown with who vouches for them, contacts or not', async () => {
    const { user } = await show('group', at);
    await user.click(await shown('conversation-info'));
    expect((await members()).map((one) => one.dataset['role'])).toEqual(['owner', 'admin', 'member', 'member']);
    expect(await member('cleo@c.localhost')).toHaveTextContent('c.localhost');
    expect(await member('cleo@c.localhost')).toHaveTextContent('Not a contact of yours');
  });

  it('are taken out only after a second yes', async () => {
    const { shell, user } = await show('group', at);
    await user.click(await shown('conversation-info'));
    await user.click(within(await member('cleo@c.localhost')).getByTestId('group-member-remove'));
    expect(await shown('group-confirm')).toHaveTextContent('reads nothing that is written from now on');
    expect(shell.times('group.remove')).toBe(0);
    await user.click(screen.getByTestId('group-confirm-do'));
    await waitFor(() => expect(shell.times('group.remove')).toBe(1));
    await waitFor(async () => expect(await members()).toHaveLength(3));
  });

  it('become admins by the owner, and more come by whom one chooses', async () => {
    const { shell, user } = await show('group', at);
    await user.click(await shown('conversation-info'));
    await user.click(within(await member('chiara.conti@studio.example')).getByTestId('group-member-role'));
    await waitFor(async () => expect((await member('chiara.conti@studio.example')).dataset['role']).toBe('admin'));
    await user.click(screen.getByTestId('group-add'));
    const candidates = await screen.findAllByTestId('group-candidate');
    expect(candidates.map((one) => one.dataset['user'])).not.toContain('ben@b.localhost');
    await user.click(candidates[0]!);
    await user.click(screen.getByTestId('group-create'));
    await waitFor(() => expect(shell.times('group.add')).toBe(1));
  });

  it('see nothing they may not do', async () => {
    const { user } = await show('group:member', at);
    await user.click(await shown('conversation-info'));
    await members();
    for (const id of ['group-add', 'group-rename', 'group-member-remove', 'group-member-role', 'group-end']) expect(screen.queryByTestId(id)).toBeNull();
    expect(screen.getByTestId('group-leave')).toBeInTheDocument();
  });

  it('who are admins ask the device of the owner, and are told so', async () => {
    const { shell, user } = await show('group:admin', at);
    await user.click(await shown('conversation-info'));
    await user.click(await shown('group-rename'));
    const name = await shown('group-rename-name');
    await user.clear(name);
    await user.type(name, 'Monday choir{Enter}');
    await waitFor(() => expect(shell.asked.find((one) => one.ask === 'group.rename')).toMatchObject({ input: { name: 'Monday choir' } }));
    expect(await shown('toast')).toHaveTextContent('owner’s device was asked');
  });
});

describe('the end of a group', () => {
  it('is said to who leaves, and nothing can be written any more', async () => {
    const { user } = await show('group:member', at);
    await user.click(await shown('conversation-info'));
    await user.click(await shown('group-leave'));
    await user.click(await shown('group-confirm-do'));
    expect(await shown('conversation-over')).toHaveTextContent('You left this group');
    expect(screen.queryByTestId('composer')).toBeNull();
  });

  it('is not needed for the owner to leave, who hands the group over', async () => {
    const { shell, user } = await show('group', at);
    await user.click(await shown('conversation-info'));
    await shown('group-end');
    expect(screen.queryByTestId('group-leave')).toBeNull();
    await user.click(screen.getByTestId('group-hand-over'));
    // The admin is proposed; leaving is the first choice of the dialog.
    expect(await shown('group-hand-to')).toHaveValue('ben@b.localhost');
    expect(screen.getByTestId('group-hand-cancel')).toHaveFocus();
    await user.selectOptions(screen.getByTestId('group-hand-to'), 'cleo@c.localhost');
    expect(screen.getByTestId('group-hand-leave')).toBeChecked();
    await user.click(screen.getByTestId('group-hand-do'));
    await waitFor(() => expect(shell.asked.find((one) => one.ask === 'group.hand-over')).toMatchObject({ input: { user: 'cleo@c.localhost', leave: true } }));
    expect(await shown('conversation-over')).toHaveTextContent('You left this group');
  });

  it('does not come when the owner only hands it over and stays', async () => {
    const { user } = await show('group', at);
    await user.click(await shown('conversation-info'));
    await user.click(await shown('group-hand-over'));
    await user.click(await shown('group-hand-leave'));
    await user.click(screen.getByTestId('group-hand-do'));
    await waitFor(async () => expect((await member('ben@b.localhost')).dataset['role']).toBe('owner'));
    expect(screen.queryByTestId('group-hand-over')).toBeNull();
    expect(await shown('group-leave')).toBeInTheDocument();
  });

  it('is not reached when it could not be handed over, and that is said', async () => {
    const { user } = await show('group,fail:group.hand-over', at);
    await user.click(await shown('conversation-info'));
    await user.click(await shown('group-hand-over'));
    await user.click(await shown('group-hand-do'));
    expect(await shown('group-hand-trouble')).toBeInTheDocument();
  });

  it('of its owner is no end for the others, who begin it anew with whom they know', async () => {
    const { user } = await show('group:member', at);
    await user.click(await shown('conversation-info'));
    await user.click(await shown('group-anew'));
    expect(await shown('group-name')).toHaveValue('Sunday choir');
    const candidates = await screen.findAllByTestId('group-candidate');
    const chosen = candidates.filter((one) => within(one).getByRole<HTMLInputElement>('checkbox').checked).map((one) => one.dataset['user']);
    expect(chosen).toContain('ben@b.localhost');
    expect(chosen).not.toContain('cleo@c.localhost');
  });

  it('is told to who was taken out', async () => {
    await show('group:member!group-removed', at);
    expect(await shown('conversation-over')).toHaveTextContent('You were taken out');
  });
});

describe('a group of a stranger', () => {
  it('waits for a yes', async () => {
    const { shell, user } = await show('group:member!asked', at);
    expect(await shown('group-request')).toHaveTextContent('Ben Okafor added you to “Sunday choir”');
    await user.click(screen.getByTestId('group-join'));
    await waitFor(() => expect(shell.times('group.join')).toBe(1));
    expect(await shown('composer')).toBeInTheDocument();
  });

  it('is left by a no', async () => {
    const { shell, user } = await show('group:member!asked', at);
    await user.click(await shown('group-decline'));
    await waitFor(() => expect(shell.times('group.leave')).toBe(1));
  });
});
