/** Tells how one finds one's way in a group of a thousand people, and what is not told there. */
import { screen, waitFor, within } from '@testing-library/svelte';
import { beforeEach, describe, expect, it } from 'vitest';
import { CHOIR } from '../shell/demo-groups';
import { chat, show, shown } from '../test-stage';

const at = chat(CHOIR);
const members = async () => within(await shown('group-members')).queryAllByTestId('group-member');

beforeEach(() => localStorage.clear());

describe('a group of a thousand people', () => {
  it('shows some of them at a time, and finds one by name', async () => {
    const { user } = await show('crowd', at);
    await user.click(await shown('conversation-info'));
    expect(await members()).toHaveLength(50);
    await user.click(screen.getByTestId('group-members-more'));
    expect(await members()).toHaveLength(100);
    await user.type(screen.getByTestId('group-members-filter'), 'zoe');
    await waitFor(async () => expect((await members()).map((one) => one.dataset['user'])).toEqual(['zoe@z.example']));
    expect(screen.queryByTestId('group-members-more')).toBeNull();
    await user.clear(screen.getByTestId('group-members-filter'));
    // As it was before one looked for somebody.
    await waitFor(async () => expect(await members()).toHaveLength(100));
    await user.type(screen.getByTestId('group-members-filter'), 'qq');
    expect(await shown('group-members-none')).toBeInTheDocument();
  });

  it('says that nobody is told who has a message, where one looks for it', async () => {
    const { user } = await show('crowd', at);
    const states = (await screen.findAllByTestId('message-state')).map((one) => one.title);
    expect(states[0]).toMatch(/^Delivered to somebody/);
    expect(states[1]).toMatch(/^Sent\. In so large a group/);
    await user.click(await shown('conversation-info'));
    expect(await shown('group-large')).toHaveTextContent('more than 100 people');
  });

  it('offers a few names of many when one is named', async () => {
    const { user } = await show('crowd', at);
    // The people of the group are here.
    await waitFor(() => expect(screen.getByTestId('conversation-people')).toHaveTextContent('Ben Okafor'));
    expect(screen.getByTestId('conversation-people').textContent!.length).toBeLessThan(600);
    await user.type(screen.getByTestId('composer'), '@person 99');
    expect((await screen.findAllByTestId('mention-option')).length).toBeLessThan(10);
  });

  it('is not asked for again with each message', async () => {
    const { shell } = await show('crowd', at);
    await waitFor(() => expect(screen.getByTestId('conversation-people')).toHaveTextContent('Ben Okafor'));
    const summary = shell.world.chats.find((one) => one.chat === CHOIR)!;
    for (let n = 0; n < 5; n += 1) shell.tell({ news: 'chat', data: { ...summary, unread: n } });
    await new Promise((done) => setTimeout(done));
    expect(shell.times('group.look')).toBe(1);
    shell.tell({ news: 'chat', data: { ...summary, group: { ...summary.group!, people: 1001 } } });
    await waitFor(() => expect(shell.times('group.look')).toBe(2));
  });
});

describe('a small group', () => {
  it('has nothing to search', async () => {
    const { user } = await show('group', at);
    await user.click(await shown('conversation-info'));
    expect(await members()).toHaveLength(4);
    expect(screen.queryByTestId('group-members-filter')).toBeNull();
    expect(screen.queryByTestId('group-large')).toBeNull();
  });
});
