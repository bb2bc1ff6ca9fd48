// ProtoStub of a domain whose node speaks wire `ws`: JSON messages, one per frame, over one WebSocket.
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
const ALIVE_EVERY = 30_000; // a quiet socket may be half open: the node is asked now and then
const ALIVE_WAIT = 10_000;
const ALIVE_IDS = 2 ** 52; // numbers no message of the runtime has, for what the stub asks in its session's name

export default class WebSocketStub {
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

  #connect() {
    this.#status('in-progress');
    const socket = new WebSocket(`${this.#origin.replace(/^http/, 'ws')}/wire/ws`);
    const link = {
      send: (message) => socket.send(JSON.stringify(message)),
      close: () => {
        clearTimeout(link.alive);
        socket.close();
      },
    };
    this.#link = link;
    link.timer = setTimeout(() => this.#lost(link, 408, 'the node did not greet in time'), PROOF_WAIT);
    socket.onmessage = ({ data }) => {
      if (link !== this.#link) return;
      const message = JSON.parse(data);
      if (message.challenge === undefined) return this.#incoming(link, message);
      clearTimeout(link.timer);
      this.#prove(link, message.challenge);
    };
    socket.onclose = ({ code }) => {
      if (code >= 4000) this.#lost(link, code - 4000, 'the node ended the session');
      else this.#ask(link);
    };
  }

  /** A refused WebSocket does not tell why: asks whether the domain speaks another protocol now. */
  async #ask(link) {
    if (link !== this.#link) return;
    let wire = 'ws';
    try {
      const response = await fetch(`${this.#origin}/.well-known/parlance`, { cache: 'no-store' });
      if (response.ok) ({ wire } = await response.json());
    } catch {
      // Not reachable at all: the usual reason.
    }
    this.#lost(link, wire === 'ws' ? 503 : 426, wire === 'ws' ? 'the connection ended' : 'the domain speaks another protocol now');
  }

  /** Asks the node for a sign of life after a while; a link without one is given up. */
  #stayAlive(link) {
    link.alive = setTimeout(() => {
      if (link !== this.#link) return;
      // Once the session is open the node takes nothing from any other address than the session's own.
      link.send({ ...this.#openMessage({}), id: ALIVE_IDS + ++this.#lastId, from: link.address });
      link.timer = setTimeout(() => this.#lost(link, 408, 'the node is silent'), ALIVE_WAIT);
    }, ALIVE_EVERY);
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
      if (message.to === this.#url || message.id > ALIVE_IDS) return this.#opened(link, message);
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
    if (this.#live) return this.#stayAlive(link);
    const { address, role, registered } = body.value;
    this.#live = true;
    link.since = Date.now();
    link.address = address;
    this.#status('live', { address, role, registered });
    const queue = this.#queue.splice(0);
    for (const { message, until } of queue) if (until > link.since) this.#pass(message);
    this.#stayAlive(link);
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
