/** Speaks to the app over a loopback WebSocket: the browser edition. */
import { Listeners } from './listeners';
import type { Answers, ApiError, News, PictureWish, Question, Shell } from './shell';

type Frame = { id: number; answer: unknown } | { id: number; error: ApiError } | News;

interface Waiting {
  frame: string;
  sent: boolean;
  resolve(answer: unknown): void;
  reject(error: ApiError): void;
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 4_000;
/** Tries of the very first connection before those who wait are told; it is tried on. */
const FIRST_TRIES = 3;
/** Questions kept while the connection is away; more are refused at once. */
const MOST_WAITING = 200;
const TOKEN_KEY = 'parlance-shell-token';

/** Takes the token out of the address bar and keeps it for reloads of this tab. */
export function takeToken(place: Location, history: History, store: Storage): string | null {
  const given = new URLSearchParams(place.hash.replace(/^#/, ''));
  const token = given.get('token');
  if (token === null) return store.getItem(TOKEN_KEY);
  store.setItem(TOKEN_KEY, token);
  history.replaceState(null, '', `${place.pathname}${place.search}#${given.get('to') ?? '/'}`);
  return token;
}

/** The shell of a page that was opened without its token: it reaches nothing, and says so. */
export const keyless: Shell = {
  ask: () => Promise.reject({ code: 'shell-no-token', detail: 'the address of this page has no token' }),
  picture: () => Promise.reject({ code: 'shell-no-token', detail: 'the address of this page has no token' }),
  hear: () => () => {},
};

/** A shell over `ws://<host>/shell?token=…` that connects again when the connection is lost. */
export class BrowserShell implements Shell {
  #listeners = new Listeners();
  #waiting = new Map<number, Waiting>();
  #next = 1;
  #pause = FIRST_PAUSE_MS;
  #socket: WebSocket | null = null;
  #opened = false;
  #tries = 0;

  constructor(
    private readonly url: string,
    private readonly connect: (url: string) => WebSocket = (at) => new WebSocket(at),
  ) {
    this.#open();
  }

  ask<Q extends Question>(question: Q): Promise<Answers[Q['ask']]> {
    if (this.#waiting.size >= MOST_WAITING) {
      return Promise.reject({ code: 'shell-lost', detail: 'too many questions wait for the app' });
    }
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        frame: JSON.stringify({ id, question }),
        sent: false,
        resolve: resolve as (answer: unknown) => void,
        reject,
      };
      this.#waiting.set(id, waiting);
      this.#send(waiting);
    });
  }

  async picture({ call, whose, after }: PictureWish): Promise<ArrayBuffer> {
    const at = new URL(this.url.replace(/^ws/, 'http'));
    at.pathname = '/picture';
    for (const [name, value] of Object.entries({ call, whose, after })) at.searchParams.set(name, String(value));
    const answer = await fetch(at);
    if (!answer.ok) throw { code: 'not-found', detail: 'there is no such picture' };
    return answer.arrayBuffer();
  }

  hear(listener: (news: News) => void): () => void {
    return this.#listeners.add(listener);
  }

  #send(waiting: Waiting): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    waiting.sent = true;
    this.#socket.send(waiting.frame);
  }

  #open(): void {
    const socket = this.connect(this.url);
    this.#socket = socket;
    socket.onopen = () => {
      this.#pause = FIRST_PAUSE_MS;
      for (const waiting of this.#waiting.values()) if (!waiting.sent) this.#send(waiting);
      if (this.#opened) void this.#catchUp();
      this.#opened = true;
    };
    socket.onmessage = (event) => this.#take(String(event.data));
    socket.onclose = () => this.#lost();
  }

  /** A question that was on its way may or may not have been done: the asker is told. */
  #lost(): void {
    this.#tries += 1;
    // Perhaps nobody will ever answer: the token may be an old one.
    const hopeless = !this.#opened && this.#tries >= FIRST_TRIES;
    for (const [id, waiting] of this.#waiting) {
      if (!waiting.sent && !hopeless) continue;
      this.#waiting.delete(id);
      waiting.reject({ code: 'shell-lost', detail: 'the connection to the app was lost' });
    }
    setTimeout(() => this.#open(), this.#pause);
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS);
  }

  /** What was told while the connection was away is asked for as a whole. */
  async #catchUp(): Promise<void> {
    try {
      this.#listeners.tell({ news: 'app', data: await this.ask({ ask: 'app.state' }) });
      for (const data of await this.ask({ ask: 'chat.list' })) this.#listeners.tell({ news: 'chat', data });
      for (const data of await this.ask({ ask: 'call.list' })) this.#listeners.tell({ news: 'call', data });
      for (const data of await this.ask({ ask: 'consent.list' })) this.#listeners.tell({ news: 'consent', data });
      this.#listeners.tell({ news: 'mine' });
    } catch {
      // Lost again: the next connection asks anew.
    }
  }

  #take(text: string): void {
    let frame: Frame;
    try {
      frame = JSON.parse(text) as Frame;
    } catch {
      return;
    }
    if ('news' in frame) return this.#listeners.tell(frame);
    const waiting = this.#waiting.get(frame.id);
    this.#waiting.delete(frame.id);
    if ('error' in frame) waiting?.reject(frame.error);
    else waiting?.resolve(frame.answer);
  }
}
