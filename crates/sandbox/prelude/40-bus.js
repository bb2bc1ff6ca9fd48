// The guest's end of the Message Bus: the first of its three layers.
//
// Messages to an address of this very guest never leave it; all others go to the
// host, which stamps their sender and judges them.

const REPLY_DEADLINE = 15_000;
const PROVISIONAL_DEADLINE = 600_000;
const WAITING_LIMIT = 65_536;
const LISTENER_LIMIT = 10_000;
const SILENT = new Set(['response', 'event', 'close']);

let own = '';
let ownBelow = '';
internal.setAddress = (address) => {
  own = address;
  ownBelow = address.replace(/\/*$/, '/');
};
const isOwn = (address) => address === own || address.startsWith(ownBelow);

class MiniBus {
  #listeners = new Map();
  #waiting = new Map();
  // Starts anywhere, so that nobody can guess which answer is waited for.
  #lastId = Math.floor(Math.random() * 2 ** 31);
  #sweeper = undefined;

  /** Calls `callback(message, reply)` for messages to `url`, or to any other address with '*'. */
  addListener(url, callback) {
    if (typeof callback !== 'function') throw new TypeError('a listener is a function');
    if (this.#listeners.size >= LISTENER_LIMIT) throw new RangeError(`at most ${LISTENER_LIMIT} addresses`);
    const listener = { url, remove: () => this.#remove(url, listener), callback };
    this.#listeners.set(url, [...(this.#listeners.get(url) ?? []), listener]);
    return listener;
  }

  #remove(url, listener) {
    const left = (this.#listeners.get(url) ?? []).filter((other) => other !== listener);
    if (left.length > 0) this.#listeners.set(url, left);
    else this.#listeners.delete(url);
  }

  removeAllListenersOf(url) {
    this.#listeners.delete(url);
  }

  addResponseListener(url, id, callback) {
    this.#wait({ from: url, id, to: undefined }, callback, REPLY_DEADLINE);
  }

  removeResponseListener(url, id) {
    this.#waiting.delete(`${url}\n${id}`);
  }

  /** Sends a message; `reply` gets every answer until a final one. Returns the message's id. */
  postMessage(message, reply, timeout) {
    if (!message.id) message.id = ++this.#lastId;
    if (!message.from) message.from = own;
    const { id, from, to } = message;
    if (typeof to !== 'string') throw new TypeError('a message needs an address to go to');
    if (typeof reply === 'function') this.#wait(message, reply, timeout || REPLY_DEADLINE);
    if (isOwn(to)) {
      const copy = { id, type: message.type, from, to, body: message.body === undefined ? {} : JSON.parse(JSON.stringify(message.body)) };
      queueMicrotask(() => this.deliver(copy));
    } else host.post(id, message.type, from, to, message);
    return id;
  }

  /** Gives a message to whoever waits or listens here. */
  deliver(message) {
    if (message.type === 'response' && this.#answer(message)) return;
    const listeners = this.#listeners.get(message.to) ?? this.#listeners.get('*');
    if (!listeners) {
      if (!SILENT.has(message.type)) this.#respond(message, { code: 404, description: 'nobody listens at this address' });
      return;
    }
    const reply = (body) => this.#respond(message, typeof body === 'number' ? { code: body } : body);
    for (const listener of listeners) {
      try {
        listener.callback(message, reply);
      } catch (error) {
        host.report(error);
      }
    }
  }

  #respond({ id, from, to }, body) {
    this.postMessage({ id, type: 'response', from: to, to: from, body });
  }

  #wait({ from, id, to }, callback, timeout) {
    if (this.#waiting.size >= WAITING_LIMIT) throw new RangeError(`at most ${WAITING_LIMIT} messages may wait for an answer`);
    const now = host.now();
    this.#waiting.set(`${from}\n${id}`, { id, from, to, callback, since: now, until: now + timeout });
    if (timeout < REPLY_DEADLINE) internal.schedule(timeout, () => this.#sweep());
    else this.#sweeper ??= internal.schedule(REPLY_DEADLINE, () => this.#sweep(true));
  }

  #answer(message) {
    const key = `${message.to}\n${message.id}`;
    const entry = this.#waiting.get(key);
    if (!entry) return false;
    if (message.body?.code < 200) entry.until = entry.since + PROVISIONAL_DEADLINE;
    else this.#waiting.delete(key);
    entry.callback(message);
    return true;
  }

  /** Answers with 408 what nobody answered in time. */
  #sweep(again) {
    const now = host.now();
    let next = Infinity;
    for (const [key, entry] of this.#waiting) {
      if (entry.until > now) {
        next = Math.min(next, entry.until);
        continue;
      }
      this.#waiting.delete(key);
      const body = { code: 408, description: 'no answer in time', desc: 'Response timeout!' };
      try {
        entry.callback({ id: entry.id, type: 'response', from: entry.to, to: entry.from, body });
      } catch (error) {
        host.report(error);
      }
    }
    if (!again) return;
    this.#sweeper = next === Infinity ? undefined : internal.schedule(Math.max(next - now, 50), () => this.#sweep(true));
  }
}

internal.createBus = () => {
  const bus = new MiniBus();
  internal.dispatch = (message) => bus.deliver(message);
  return bus;
};
