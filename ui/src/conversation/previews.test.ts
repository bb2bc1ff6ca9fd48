/** Tells how the card of a link is offered, made, taken away and sent, and that nothing happens before the person wants it. */
import { screen, waitFor, within } from '@testing-library/svelte';
import { afterEach, describe, expect, it } from 'vitest';
import { BEN, chat, gone, show, shown } from '../test-stage';
import { speak } from '../words/words.svelte';
import { mayHaveCard } from './previews.svelte';

afterEach(() => {
  document.body.innerHTML = '';
  speak('en');
});

const LINK = 'https://walks.example.org/river';
const field = () => screen.getByTestId<HTMLTextAreaElement>('composer');
const stage = async (is: string) => waitFor(() => expect(screen.getByTestId('draft-preview')).toHaveAttribute('data-stage', is));

async function writing(text: string, scene = '') {
  const shell = await show(scene, chat(BEN));
  await shown('composer');
  field().focus();
  await shell.user.paste(text);
  return shell;
}

const sent = (shell: Awaited<ReturnType<typeof writing>>['shell']) => shell.asked.find((one) => one.ask === 'chat.send')?.input;

describe('a link that is written', () => {
  it('is visited when the person says so, and its card goes along', async () => {
    const { shell, user } = await writing(`See ${LINK} tonight`);
    await stage('offered');
    expect(screen.getByTestId('draft-preview')).toHaveTextContent('walks.example.org');
    expect(shell.times('link.preview')).toBe(0);
    await user.click(screen.getByTestId('draft-preview-make'));
    await stage('there');
    expect(field()).toHaveFocus();
    expect(shell.asked.find((one) => one.ask === 'link.preview')?.input).toEqual({ url: LINK });
    await user.keyboard('{Enter}');
    await waitFor(() => expect(sent(shell)).toEqual({ chat: BEN, text: `See ${LINK} tonight`, preview: LINK }));
    await gone('draft-preview');
    const card = await shown('link-card');
    expect(card).toHaveAttribute('data-host', 'walks.example.org');
    await user.click(card);
    expect(await shown('leave-dialog')).toHaveTextContent(LINK);
  });

  it('goes without a card when the person takes it away, by keys alone, and is not offered again', async () => {
    const { shell, user } = await writing(`See ${LINK} tonight`, 'previews:always');
    await stage('there');
    await user.tab({ shift: true });
    for (let steps = 0; document.activeElement?.getAttribute('data-testid') !== 'draft-preview-close' && steps < 8; steps += 1) await user.tab({ shift: true });
    await user.keyboard('{Enter}');
    await gone('draft-preview');
    expect(field()).toHaveFocus();
    await user.paste(' or later');
    await new Promise((done) => setTimeout(done, 500));
    expect(screen.queryByTestId('draft-preview')).toBeNull();
    await user.keyboard('{Enter}');
    await waitFor(() => expect(sent(shell)).toEqual({ chat: BEN, text: `See ${LINK} tonight or later` }));
    expect(shell.times('link.preview')).toBe(1);
  });

  it('loses its card with the link', async () => {
    const { user } = await writing(`See ${LINK} tonight`, 'previews:always');
    await stage('there');
    await user.clear(field());
    await user.paste('Nothing');
    await gone('draft-preview');
  });

  it('has no card when the page gives none, and nothing is said of that', async () => {
    const { shell, user } = await show('fail:link.preview', chat(BEN));
    await shown('composer');
    field().focus();
    await user.paste(`See ${LINK} tonight`);
    await stage('offered');
    await user.click(screen.getByTestId('draft-preview-make'));
    await gone('draft-preview');
    await user.keyboard('{Enter}');
    await waitFor(() => expect(sent(shell)).toEqual({ chat: BEN, text: `See ${LINK} tonight` }));
  });

  it('is not waited for: the message goes at once', async () => {
    const { shell, user } = await writing(`See ${LINK} tonight`, 'hang:link.preview,previews:always');
    await stage('loading');
    await user.keyboard('{Enter}');
    await waitFor(() => expect(sent(shell)).toEqual({ chat: BEN, text: `See ${LINK} tonight` }));
  });

  it('is nothing to an app that makes no cards', async () => {
    const { shell } = await writing(`See ${LINK} tonight`, 'previews:never');
    await new Promise((done) => setTimeout(done, 500));
    expect(screen.queryByTestId('draft-preview')).toBeNull();
    expect(shell.times('link.preview')).toBe(0);
  });

  it('has a card only as a public page over https', () => {
    expect(mayHaveCard(LINK)).toBe(true);
    for (const url of ['http://b.org/', 'https://b.org:8443/', 'https://router/', 'https://10.0.0.1/', 'https://[::1]/']) expect(mayHaveCard(url)).toBe(false);
  });
});

describe('a card in a message', () => {
  it('is told with the message, and shown whoever wrote it', async () => {
    await show('previews:never', chat(BEN));
    await waitFor(() => expect(screen.getAllByTestId('link-card')).toHaveLength(2));
    const [theirs, mine] = screen.getAllByTestId('link-card');
    expect(within(theirs!).getByTestId('link-card-picture')).toHaveAttribute('src', expect.stringMatching(/^data:image\/jpeg;base64,/));
    expect(within(mine!).queryByTestId('link-card-picture')).toBeNull();
    expect(theirs!.closest('[data-testid="message"]')).toHaveAccessibleName(expect.stringContaining('Preview of walks.example.org'));
  });
});

describe('the setting', () => {
  it('asks before, unless it is told otherwise', async () => {
    const { shell, user } = await show('', '#/settings/privacy');
    const choice = await shown('settings-previews');
    expect(choice).toHaveValue('ask');
    await user.selectOptions(choice, 'never');
    await waitFor(() => expect(shell.world.settings.linkPreviews).toBe('never'));
  });
});
