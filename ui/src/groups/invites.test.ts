/** Tells how a person gives out links into a group, and how they follow one. */
import { screen, waitFor, within } from '@testing-library/svelte';
import { beforeEach, describe, expect, it } from 'vitest';
import { CHOIR, sampleInvite } from '../shell/demo-groups';
import { chat, gone, show, shown } from '../test-stage';

const at = chat(CHOIR);
const LINK = 'parlance:ben@b.localhost?group=eyJnIjoi.c2ln';

beforeEach(() => localStorage.clear());

describe('a link into a group', () => {
  it('is made with a time, a number and a yes, and is shown as text and picture', async () => {
    const { shell, user } = await show('group', at);
    await user.click(await shown('conversation-info'));
    await user.click(await shown('invite-new'));
    await user.selectOptions(await shown('invite-hours'), '24');
    await user.selectOptions(screen.getByTestId('invite-uses'), '5');
    await user.click(screen.getByTestId('invite-approval'));
    await user.click(screen.getByTestId('invite-make'));
    expect(await shown('invite-qr')).toBeInTheDocument();
    expect(shell.asked.find(({ ask }) => ask === 'group.invite.make')).toMatchObject({ input: { chat: CHOIR, hours: 24, uses: 5, approval: false } });
    await user.click(screen.getByTestId('invite-revoke'));
    await gone('invite-shown');
    // Nobody came by it: nothing of it is left to see.
    expect(screen.queryByTestId('invite')).toBeNull();
  });

  it('says why it was not made, and keeps what was chosen', async () => {
    const { user } = await show('group,fail:group.invite.make', at);
    await user.click(await shown('conversation-info'));
    await user.click(await shown('invite-new'));
    await user.selectOptions(await shown('invite-hours'), '720');
    await user.click(screen.getByTestId('invite-make'));
    expect(await shown('invite-make-trouble')).toBeInTheDocument();
    expect(screen.getByTestId('invite-hours')).toHaveValue('720');
  });

  it('shows who came by it, and lets one say yes or no to who waits', async () => {
    const { shell, user } = await show('group,invites', at);
    await user.click(await shown('conversation-info'));
    const guests = await screen.findAllByTestId('invite-guest');
    expect(guests.map((one) => one.dataset['state'])).toEqual(['waits', 'in', 'in']);
    expect(within(guests[0]!).getByTestId('invite-guest-identity')).toHaveTextContent('uni.example');
    await user.click(within(guests[0]!).getByTestId('invite-yes'));
    await waitFor(() => expect(screen.queryByTestId('invite-yes')).toBeNull());
    expect(shell.asked.find(({ ask }) => ask === 'group.invite.answer')).toMatchObject({ input: { user: 'noor@uni.example', yes: true } });
  });

  it('tells at once that somebody came', async () => {
    const { shell, user } = await show('group,invites', at);
    await user.click(await shown('conversation-info'));
    await screen.findAllByTestId('invite-guest');
    const guest = { ...shell.world.invites[0]!.came[0]!, user: 'otto@b.localhost', name: 'Otto' };
    shell.tell({ news: 'group-invite', data: { ...shell.world.invites[0]!, came: [guest] } });
    expect(await screen.findByText('Otto')).toBeInTheDocument();
    // One of another group is not shown here.
    shell.tell({ news: 'group-invite', data: sampleInvite({ id: 'other', chat: 'comm://x.example/other', came: [{ ...guest, name: 'Nobody' }] }) });
    expect(screen.queryByText('Nobody')).toBeNull();
  });

  it('is not for who may not add people', async () => {
    const { user } = await show('group:member', at);
    await user.click(await shown('conversation-info'));
    await shown('group-leave');
    expect(screen.queryByTestId('invite-new')).toBeNull();
  });
});

describe('a link that somebody sent', () => {
  const paste = async (scene = '') => {
    const stage = await show(scene);
    await stage.user.click(await shown('new-chat'));
    await stage.user.type(await shown('find-address'), ` ${LINK} `);
    await stage.user.click(screen.getByTestId('find-submit'));
    return stage;
  };

  it('says what it leads to, and asks nobody before the person does', async () => {
    const { shell, user } = await paste();
    expect(await shown('offer-name')).toHaveTextContent('Sunday walkers');
    expect(screen.getByTestId('offer')).toHaveTextContent('12 people');
    expect(screen.getByTestId('offer')).toHaveTextContent('Ben Okafor');
    expect(shell.asked.map(({ ask }) => ask)).not.toContain('group.ask');
    expect(shell.asked.map(({ ask }) => ask)).not.toContain('person.find');
    await user.click(screen.getByTestId('offer-ask'));
    await gone('offer-dialog');
    expect(shell.asked).toContainEqual({ ask: 'group.ask', input: { link: LINK } });
    expect(await shown('joining')).toHaveTextContent('Sunday walkers');
  });

  it('is put away without a word to anybody', async () => {
    const { shell, user } = await paste();
    await user.click(await shown('offer-cancel'));
    await gone('offer-dialog');
    expect(shell.asked.map(({ ask }) => ask)).not.toContain('group.ask');
  });

  it('says why it does not hold', async () => {
    const { shell, user } = await paste('hang:group.offer');
    await shown('offer-reading');
    shell.world.hang = [];
    shell.world.refuse['group.offer'] = { code: 'invite-expired', detail: '' };
    await user.keyboard('{Escape}');
    await user.click(await shown('new-chat'));
    await user.type(await shown('find-address'), LINK);
    await user.click(screen.getByTestId('find-submit'));
    expect(await shown('offer-trouble')).toHaveTextContent('time of this link is over');
    expect(screen.queryByTestId('offer-ask')).toBeNull();
  });

  it('is told how it goes on, until the person is in or has read why not', async () => {
    const { shell, user } = await show('joining');
    const rows = await screen.findAllByTestId('joining');
    expect(rows.map((one) => one.dataset['state'])).toEqual(['waits', 'refused']);
    expect(rows[1]).toHaveTextContent('As many people came');
    await user.click(within(rows[1]!).getByTestId('joining-forget'));
    expect(shell.asked).toContainEqual({ ask: 'group.forget', input: { chat: 'comm://c.localhost/board' } });
    shell.tell({ news: 'group-joining', data: { ...shell.world.joining[0]!, state: 'in' } });
    await gone('joining-list');
  });
});
