// ProtoStub of a domain whose node speaks wire `sse2`, "protocol 2": batches of arrays
// `[id, type, from, to, body]`, base64url inside Server-Sent Events, at other paths with other fields.
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
const BATCH = 64;

const toRow = ({ id, type, from, to, body }) => [id, type, from, to, body ?? {}];
const fromRow = ([id, type, from, to, body]) => ({ id, type, from, to, body });

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const VALUES = new Map([...LETTERS].map((letter, value) => [letter, value]));

function fromBase64Url(text) {
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let bits = 0;
  let length = 0;
  let at = 0;
  for (const letter of text) {
    bits = ((bits << 6) | VALUES.get(letter)) & 0xffff;
    length += 6;
    if (length >= 8) {
      length -= 8;
      bytes[at++] = (bits >> length) & 0xff;
    }
  }
  return new TextDecoder().decode(bytes);
}

export default class ProtocolTwoStub {
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
      const response = await this.#call(link, 'POST', 'hello');
      const [token, challenge] = await response.json();
      link.token = token;
      const stream = await this.#call(link, 'GET', 'stream');
      clearTimeout(link.timer);
      this.#prove(link, challenge);
      await this.#read(link, stream);
      this.#lost(link, 503, 'the stream of batches ended');
    } catch (error) {
      this.#lost(link, error.code ?? 503, String(error.message));
    }
  }

  async #call(link, method, path, body) {
    const headers = {};
    if (link.token) headers['x-wire2-token'] = link.token;
    if (body) headers['content-type'] = 'application/json';
    const response = await fetch(`${this.#origin}/wire/2/${path}`, { method, headers, body, signal: link.abort.signal });
    if (!response.ok) throw Object.assign(new Error(`the node answered ${response.status}`), { code: response.status });
    return response;
  }

  /** Sends what has gathered while the last batch was under way. */
  async #post(link, message) {
    link.outbox.push(toRow(message));
    if (link.sending) return;
    link.sending = true;
    try {
      while (link.outbox.length > 0 && link === this.#link) {
        await this.#call(link, 'POST', 'batch', this.#nextBatch(link));
      }
    } catch (error) {
      this.#lost(link, error.code === 426 ? 426 : 503, String(error.message));
    }
    link.sending = false;
  }

  /** At most `BATCH` rows and about half a megabyte, but always one row. */
  #nextBatch(link) {
    const rows = [];
    let length = 0;
    while (link.outbox.length > 0 && rows.length < BATCH && length < 524_288) {
      const row = JSON.stringify(link.outbox[0]);
      if (rows.length > 0 && length + row.length > 524_288) break;
      link.outbox.shift();
      rows.push(row);
      length += row.length;
    }
    return `[${rows.join(',')}]`;
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
    if (name === 'end') this.#lost(link, Number(data), 'the node ended the session');
    else if (name === 'batch') for (const row of JSON.parse(fromBase64Url(data))) this.#incoming(link, fromRow(row));
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
