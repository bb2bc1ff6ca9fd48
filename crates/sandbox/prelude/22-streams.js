// ReadableStream: what is needed to read a body while it arrives.

class Controller {
  #stream;
  constructor(stream) {
    this.#stream = stream;
  }
  get desiredSize() {
    return this.#stream.desiredSize;
  }
  enqueue(chunk) {
    this.#stream.enqueue(chunk);
  }
  close() {
    this.#stream.close();
  }
  error(reason) {
    this.#stream.fail(reason);
  }
}

/** The state behind a stream: a queue of chunks and a queue of readers. */
class State {
  chunks = [];
  readers = [];
  status = 'open';
  reason = undefined;
  locked = false;
  pulling = false;
  constructor(source, limit) {
    this.source = source;
    this.limit = limit;
    this.closed = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }));
    this.closed.catch(() => {});
    this.controller = new Controller(this);
  }
  get desiredSize() {
    return this.status === 'open' ? this.limit - this.chunks.length : 0;
  }
  enqueue(chunk) {
    if (this.status !== 'open') throw new TypeError('the stream is closed');
    const reader = this.readers.shift();
    if (reader) reader.resolve({ value: chunk, done: false });
    else this.chunks.push(chunk);
    this.pull();
  }
  close() {
    if (this.status !== 'open') return;
    this.status = 'closing';
    if (this.chunks.length === 0) this.finish();
  }
  finish() {
    this.status = 'closed';
    this.resolve();
    for (const reader of this.readers.splice(0)) reader.resolve({ value: undefined, done: true });
  }
  fail(reason) {
    if (this.status !== 'open') return;
    this.status = 'failed';
    this.reason = reason;
    this.chunks.length = 0;
    this.reject(reason);
    for (const reader of this.readers.splice(0)) reader.reject(reason);
  }
  read() {
    if (this.chunks.length > 0) {
      const value = this.chunks.shift();
      if (this.status === 'closing' && this.chunks.length === 0) this.finish();
      this.source.taken?.();
      this.pull();
      return Promise.resolve({ value, done: false });
    }
    if (this.status === 'closed') return Promise.resolve({ value: undefined, done: true });
    if (this.status === 'failed') return Promise.reject(this.reason);
    return new Promise((resolve, reject) => {
      this.readers.push({ resolve: (result) => (result.done || this.source.taken?.(), resolve(result)), reject });
      this.pull();
    });
  }
  pull() {
    if (!this.source.pull || this.pulling || this.status !== 'open') return;
    if (this.desiredSize <= 0 && this.readers.length === 0) return;
    this.pulling = true;
    const done = () => {
      this.pulling = false;
    };
    Promise.resolve(this.source.pull(this.controller)).then(done, (reason) => this.fail(reason));
  }
  async cancel(reason) {
    if (this.status === 'failed') throw this.reason;
    if (this.status === 'closed') return;
    this.chunks.length = 0;
    this.finish();
    await this.source.cancel?.(reason);
  }
}

class Reader {
  #state;
  constructor(state) {
    if (state.locked) throw new TypeError('the stream is locked');
    state.locked = true;
    this.#state = state;
  }
  #get() {
    if (!this.#state) throw new TypeError('the reader was released');
    return this.#state;
  }
  get closed() {
    return this.#get().closed;
  }
  async read() {
    return this.#get().read();
  }
  async cancel(reason) {
    return this.#get().cancel(reason);
  }
  releaseLock() {
    if (this.#state) this.#state.locked = false;
    this.#state = undefined;
  }
}

class ReadableStream {
  #state;
  constructor(source = {}, { highWaterMark = 1 } = {}) {
    this.#state = new State(source, highWaterMark);
    source.start?.(this.#state.controller);
    queueMicrotask(() => this.#state.pull());
  }
  get locked() {
    return this.#state.locked;
  }
  getReader() {
    return new Reader(this.#state);
  }
  async cancel(reason) {
    if (this.locked) throw new TypeError('the stream is locked');
    return this.#state.cancel(reason);
  }
  async *values({ preventCancel = false } = {}) {
    const reader = this.getReader();
    let finished = false;
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) {
          finished = true;
          return;
        }
        yield value;
      }
    } finally {
      if (!finished && !preventCancel) await reader.cancel().catch(() => {});
      reader.releaseLock();
    }
  }
  [Symbol.asyncIterator]() {
    return this.values();
  }
  tee() {
    const reader = this.getReader();
    const branches = [];
    const pull = async () => {
      const { value, done } = await reader.read();
      for (const branch of branches) done ? branch.close() : branch.enqueue(value);
    };
    const branch = () => new ReadableStream({ start: (controller) => branches.push(controller), pull });
    return [branch(), branch()];
  }
  static from(items) {
    const iterator = items[Symbol.asyncIterator]?.() ?? items[Symbol.iterator]();
    return new ReadableStream({
      async pull(controller) {
        const { value, done } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
    });
  }
}
internal.define('ReadableStream', ReadableStream);
