// ProtoStub of a domain whose node speaks wire `sse`: HTTP POST one way, Server-Sent Events the other.
//
// Grants: its own origin, timers, and to bring messages to addresses of its own domain, which are all that its
// node gives out. `runtime://*` cannot be narrower: the core it speaks to (`/idm` for proofs, `/guests` for its
// status) is of whatever domain's runtime loads it, and so is the session address at which answers arrive.

const QUEUE_LIMIT = 256; // messages that wait while the node is away; the next one is answered with 503
const QUEUE_AGE = 15_000; // by then the bus has answered 408 itself
const PENDING_LIMIT = 1_024; // requests whose answer is awaited; they get a 503 when the connection breaks
const FIRST_WAIT = 100;
const LONGEST_WAIT = 30_000;
const STEADY = 10_000; // a session that lived this long was a good one: the next wait begins small again
const PROOF_WAIT = 10_000;
const SILENT = new Set(['response', 'event', 'close']);
const SILENCE = 40_000; // the node shows a sign of life every 15 seconds

export default class EventStreamStub {
  #url;
  #bus;
  #origin;
  #domain;
  #core;
  #link;
  #live = false;
  #over = false;
  #attempt = 0;
  #lastId = 0;
  #queue = [];
  #pending = new Map();

  async #connect() {
    this.#status('in-progress');
    const abort = new AbortController();
    const link = { abort, outbox: [], sending: false, send: (message) => this.#post(link, message), close: () => abort.abort() };
    this.#link = link;
    link.timer = setTimeout(() => this.#lost(link, 408, 'the node did not greet in time'), PROOF_WAIT);
    try {
      const response = await this.#call(link, 'POST', 'session');
      const { session, challenge } = await response.json();
      link.session = session;
      const events = await this.#call(link, 'GET', 'events');
      clearTimeout(link.timer);
      this.#prove(link, challenge);
      await this.#read(link, events);
      this.#lost(link, 503, 'the stream of events ended');
    } catch (error) {
      this.#lost(link, error.code ?? 503, String(error.message));
    }
  }

  async #call(link, method, path, body) {
    const headers = {};
    if (link.session) headers['parlance-session'] = link.session;
    if (body) headers['content-type'] = 'application/json';
    const response = await fetch(`${this.#origin}/wire/sse/${path}`, { method, headers, body, signal: link.abort.signal });
    if (!response.ok) throw Object.assign(new Error(`the node answered ${response.status}`), { code: response.status });
    return response;
  }

  /** Sends one message after the other, so that they arrive in order. */
  async #post(link, message) {
    link.outbox.push(JSON.stringify(message));
    if (link.sending) return;
    link.sending = true;
    try {
      while (link.outbox.length > 0 && link === this.#link) await this.#call(link, 'POST', 'send', link.outbox.shift());
    } catch (error) {
      this.#lost(link, error.code === 426 ? 426 : 503, String(error.message));
    }
    link.sending = false;
  }

  async #read(link, response) {
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    let text = '';
    let event = {};
    for (;;) {
      const { value, done } = await this.#orSilence(link, reader.read());
      if (done || link !== this.#link) return;
      text += decoder.decode(value, { stream: true });
      const lines = text.split('\n');
      text = lines.pop();
      for (const line of lines) {
        if (line.startsWith('event:')) event.name = line.slice(6).trim();
        else if (line.startsWith('data:')) event.data = line.slice(5).trim();
        else if (line === '') {
          this.#event(link, event);
          event = {};
        }
      }
    }
  }

  #orSilence(link, read) {
    clearTimeout(link.silence);
    link.silence = setTimeout(() => this.#lost(link, 408, 'the node is silent'), SILENCE);
    return read.finally(() => clearTimeout(link.silence));
  }

  #event(link, { name, data }) {
    if (name === 'message') this.#incoming(link, JSON.parse(data));
    else if (name === 'closed') this.#lost(link, JSON.parse(data).code, 'the node ended the session');
  }

  /** Called once by the runtime: `config` is `{url, domain, runtimeURL}`. */
  _start(url, bus, config) {
    this.#url = url;
    this.#bus = bus;
    this.#origin = config.url.replace(/\/+$/, '');
    this.#domain = config.domain;
    this.#core = `runtime://${config.runtimeURL.split('/')[2]}`;
    bus.addListener('*', (message) => this.#outgoing(message));
    this.#status('created');
    this.#connect();
  }

  /** A message of the runtime for this domain; or the runtime's answer to one that came from there. */
  #outgoing(message) {
    if (message.to === this.#url || message.to.startsWith(`${this.#url}/`)) {
      this.#answer(message, 404, 'a stub has nothing to say for itself');
    } else if (this.#live) {
      this.#pass(message);
    } else if (message.type !== 'response') {
      // An answer to a message of a lost session is of no use: the node will bring the message again.
      this.#wait(message);
    }
  }

  #wait(message) {
    const now = Date.now();
    while (this.#queue.length > 0 && this.#queue[0].until <= now) this.#queue.shift();
    if (this.#over) this.#answer(message, 426, 'the domain speaks another protocol now');
    else if (this.#queue.length >= QUEUE_LIMIT) this.#answer(message, 503, 'the domain cannot be reached now');
    else this.#queue.push({ message, until: now + QUEUE_AGE });
  }

  #pass(message) {
    if (!SILENT.has(message.type)) {
      if (this.#pending.size >= PENDING_LIMIT) return this.#answer(message, 503, 'too many messages await an answer');
      this.#pending.set(`${message.from}\n${message.id}`, message);
    }
    this.#link.send(message);
  }

  /** A message of the node. */
  #incoming(link, message) {
    if (link !== this.#link) return;
    if (message.type === 'response') {
      if (message.to === this.#url) return this.#opened(link, message);
      this.#pending.delete(`${message.to}\n${message.id}`);
    }
    // As it is: the bus knows that it comes from this domain and lets it pass only where it may.
    this.#bus.postMessage(message);
  }

  /** Lets the core sign the node's challenge: this guest never sees a key. */
  #prove(link, challenge) {
    const body = { method: 'proveSession', params: { domain: this.#domain, challenge } };
    const request = { type: 'execute', from: this.#url, to: `${this.#core}/idm`, body };
    this.#bus.postMessage(request, ({ body: answer }) => {
      if (link !== this.#link || answer.code < 200) return;
      if (answer.code !== 200) return this.#lost(link, answer.code, 'the runtime gave no proof');
      link.send(this.#openMessage(answer.value));
    }, PROOF_WAIT);
    link.timer = setTimeout(() => this.#lost(link, 408, 'the session did not open in time'), 2 * PROOF_WAIT);
  }

  #openMessage(proof) {
    return { id: ++this.#lastId, type: 'open', from: this.#url, to: `domain://msg-node.${this.#domain}/session`, body: proof };
  }

  #opened(link, { body }) {
    clearTimeout(link.timer);
    if (body.code !== 200) return this.#lost(link, body.code, body.description ?? 'the node refused the session');
    if (this.#live) return;
    const { address, role, registered } = body.value;
    this.#live = true;
    link.since = Date.now();
    this.#status('live', { address, role, registered });
    const queue = this.#queue.splice(0);
    for (const { message, until } of queue) if (until > link.since) this.#pass(message);
  }

  /** The connection is gone: says so, answers what awaits an answer, and tries again. */
  #lost(link, code, reason) {
    if (link !== this.#link) return;
    clearTimeout(link.timer);
    this.#link = undefined;
    this.#live = false;
    link.close();
    if (link.since && Date.now() - link.since >= STEADY) this.#attempt = 0;
    this.#over = code === 426;
    const pending = [...this.#pending.values(), ...(this.#over ? this.#queue.splice(0).map(({ message }) => message) : [])];
    this.#pending.clear();
    for (const message of pending) this.#answer(message, this.#over ? 426 : 503, 'the connection to the domain broke');
    if (this.#over) return this.#status('failed', { code, reason });
    this.#status('disconnected', { code, reason });
    const longest = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#attempt++);
    setTimeout(() => this.#connect(), longest * (0.5 + Math.random() / 2));
  }

  #answer({ id, type, from, to }, code, description) {
    if (!SILENT.has(type)) this.#bus.postMessage({ id, type: 'response', from: to, to: from, body: { code, description } });
  }

  #status(status, more) {
    this.#bus.postMessage({ type: 'event', from: this.#url, to: `${this.#core}/guests`, body: { status, ...more } });
  }
}
