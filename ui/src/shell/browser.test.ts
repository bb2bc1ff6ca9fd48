/** Tells how the browser edition speaks over its socket. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BrowserShell, keyless, takeToken } from './browser';
import type { News } from './shell';

class Socket {
  static all: Socket[] = [];
  readyState = 0;
  sent: { id: number; question: { ask: string } }[] = [];
  onopen?: () => void;
  onclose?: () => void;
  onmessage?: (event: { data: string }) => void;
  constructor(readonly url: string) {
    Socket.all.push(this);
  }
  send(frame: string) {
    this.sent.push(JSON.parse(frame));
  }
  open() {
    this.readyState = 1;
    this.onopen?.();
  }
  lose() {
    this.readyState = 3;
    this.onclose?.();
  }
  say(frame: unknown) {
    this.onmessage?.({ data: typeof frame === 'string' ? frame : JSON.stringify(frame) });
  }
}

const shellTo = (url = 'ws://x/shell?token=t') => new BrowserShell(url, (at) => new Socket(at) as unknown as WebSocket);
const last = () => Socket.all.at(-1)!;

beforeEach(() => {
  Socket.all = [];
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

describe('the browser edition', () => {
  it('asks a question and hands over its answer', async () => {
    const shell = shellTo();
    last().open();
    const answer = shell.ask({ ask: 'chat.list' });
    const { id, question } = last().sent[0]!;
    expect(question).toEqual({ ask: 'chat.list' });
    last().say({ id, answer: [] });
    await expect(answer).resolves.toEqual([]);
  });

  it('hands over a refusal as it is', async () => {
    const shell = shellTo();
    last().open();
    const answer = shell.ask({ ask: 'chat.list' });
    last().say({ id: last().sent[0]!.id, error: { code: 'offline', detail: 'no network' } });
    await expect(answer).rejects.toEqual({ code: 'offline', detail: 'no network' });
  });

  it('keeps a question until the socket is open', () => {
    const shell = shellTo();
    void shell.ask({ ask: 'app.state' });
    expect(last().sent).toEqual([]);
    last().open();
    expect(last().sent).toHaveLength(1);
  });

  it('tells the news to all who hear it, until they stop', () => {
    const shell = shellTo();
    const heard: News[] = [];
    const stop = shell.hear((news) => heard.push(news));
    const news = { news: 'consent-closed', data: { id: '1' } };
    last().say(news);
    stop();
    last().say(news);
    expect(heard).toEqual([news]);
  });

  it('does not break on a frame that is not JSON', () => {
    shellTo();
    expect(() => last().say('{nonsense')).not.toThrow();
  });

  it('connects again, tells who was waiting, and catches up', async () => {
    const shell = shellTo();
    last().open();
    const answer = shell.ask({ ask: 'chat.list' });
    last().lose();
    await expect(answer).rejects.toMatchObject({ code: 'shell-lost' });
    await vi.advanceTimersByTimeAsync(300);
    expect(Socket.all).toHaveLength(2);
    last().open();
    expect(last().sent[0]!.question.ask).toBe('app.state');
  });

  it('tells who waits for a connection that never comes about, and goes on trying', async () => {
    const shell = shellTo();
    const answer = shell.ask({ ask: 'app.state' });
    const told = expect(answer).rejects.toMatchObject({ code: 'shell-lost' });
    for (let tries = 0; tries < 3; tries += 1) {
      last().lose();
      await vi.advanceTimersByTimeAsync(2_000);
    }
    await told;
    const again = shell.ask({ ask: 'app.state' });
    last().open();
    last().say({ id: last().sent[0]!.id, answer: {} });
    await expect(again).resolves.toEqual({});
  });

  it('reaches nothing without a token, in words', async () => {
    await expect(keyless.ask({ ask: 'app.state' })).rejects.toMatchObject({ code: 'shell-no-token' });
  });

  it('takes the token out of the address and keeps the rest of the way', () => {
    history.replaceState(null, '', '/#token=secret&to=/ring/1');
    expect(takeToken(location, history, sessionStorage)).toBe('secret');
    expect(location.hash).toBe('#/ring/1');
    expect(takeToken(location, history, sessionStorage)).toBe('secret');
  });
});
