/** Tells what a person finds in the history of their calls. */
import { screen, waitFor } from '@testing-library/svelte';
import { describe, expect, it } from 'vitest';
import { sampleBook } from '../shell/demo-book';
import { show, shown } from '../test-stage';
import { verdictOf } from './book.svelte';

describe('the history of calls', () => {
  it('shows a number until the missed ones were looked at', async () => {
    const { shell, user } = await show();
    expect(await shown('calls-missed')).toHaveTextContent('1');
    await user.click(await shown('nav-calls'));
    await shown('call-book');
    await waitFor(() => expect(shell.times('call.seen')).toBe(1));
    await waitFor(() => expect(screen.queryByTestId('calls-missed')).toBeNull());
  });

  it('lists the missed ones alone', async () => {
    const { user } = await show();
    await user.click(await shown('nav-calls'));
    await shown('call-book');
    expect(screen.getAllByTestId('past-call').length).toBeGreaterThan(3);
    await user.click(screen.getByTestId('call-book-missed'));
    await waitFor(() => expect(screen.getAllByTestId('past-call').map((row) => row.dataset.outcome)).toEqual(['missed']));
  });

  it('gets a call that just ended at its top', async () => {
    const { shell, user } = await show();
    await user.click(await shown('nav-calls'));
    await shown('call-book');
    const [{ call }] = sampleBook(Date.now()) as [ReturnType<typeof sampleBook>[number]];
    shell.tell({ news: 'past-call', data: { ...call, id: 'new', name: 'Newest', outcome: 'unanswered', incoming: false } });
    await waitFor(() => expect(screen.getAllByTestId('past-call')[0]).toHaveTextContent('Newest'));
  });

  it('calls back', async () => {
    const { shell, user } = await show();
    await user.click(await shown('nav-calls'));
    await shown('call-book');
    await user.click(screen.getAllByTestId('past-call-back')[0]!);
    await waitFor(() => expect(shell.asked).toContainEqual({ ask: 'call.start', input: { user: 'ben@b.localhost' } }));
  });

  it('tells how good a call was, in words, as graphs and as a table', async () => {
    const { user } = await show();
    await user.click(await shown('nav-calls'));
    await shown('call-book');
    await user.click(screen.getAllByTestId('past-call')[1]!);
    expect(await shown('past-call-verdict')).toHaveTextContent('Poor for 0:40: voice was lost on its way to you');
    expect(screen.getByTestId('past-call-figures')).toHaveTextContent('Picture codecVP8');
    expect(screen.getAllByTestId('past-call-graph')).toHaveLength(5);
    expect(screen.getAllByRole('img', { name: /Lost: .* on average/ })).toHaveLength(1);
    expect(screen.getByTestId('past-call-table').querySelectorAll('tbody tr')).toHaveLength(120);
  });

  it('says why a call failed, with a code to copy', async () => {
    const { user } = await show();
    await user.click(await shown('nav-calls'));
    await shown('call-book');
    await user.click(screen.getAllByTestId('past-call')[3]!);
    expect(await shown('past-call-code')).toBeVisible();
  });

  it('says why a missed call did not ring', async () => {
    const { shell, user } = await show();
    shell.world.book[0]!.call.reason = 'lines-taken';
    await user.click(await shown('nav-calls'));
    await shown('call-book');
    await user.click(screen.getAllByTestId('past-call')[0]!);
    expect(await shown('past-call-why')).toHaveTextContent('you were in as many calls as there can be');
  });

  it('forgets a call', async () => {
    const { user } = await show();
    await user.click(await shown('nav-calls'));
    await shown('call-book');
    const before = screen.getAllByTestId('past-call').length;
    await user.click(screen.getAllByTestId('past-call')[2]!);
    await user.click(await shown('past-call-forget'));
    await waitFor(() => expect(screen.getAllByTestId('past-call')).toHaveLength(before - 1));
  });

  it('has a word for every verdict', () => {
    expect(verdictOf({ grade: 'good', seconds: 0, cause: null })).toBe('Good');
    expect(verdictOf({ grade: 'fair', seconds: 75, cause: 'jitter' })).toBe('Worse than good for 1:15: voice came unsteadily');
  });
});
