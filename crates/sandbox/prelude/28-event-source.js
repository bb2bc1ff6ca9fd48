// EventSource (server-sent events) over fetch; opens again when the connection is lost.

const FIRST_RETRY = 3000;

class EventSource extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSED = 2;
  readyState = 0;
  withCredentials = false;
  onopen = null;
  onmessage = null;
  onerror = null;
  #abort = new AbortController();
  #retry = FIRST_RETRY;
  #lastId = '';
  constructor(url) {
    super();
    this.url = new URL(url, globalThis.location?.href).href;
    this.#connect();
  }
  close() {
    this.readyState = 2;
    this.#abort.abort();
  }
  async #connect() {
    try {
      const headers = { accept: 'text/event-stream' };
      if (this.#lastId) headers['last-event-id'] = this.#lastId;
      const response = await fetch(this.url, { headers, signal: this.#abort.signal });
      const type = response.headers.get('content-type') ?? '';
      if (response.status !== 200 || !type.startsWith('text/event-stream')) return this.#end();
      this.readyState = 1;
      this.dispatchEvent(new Event('open'));
      await this.#read(response.body);
    } catch {
      // Lost, or closed by the guest: below it is decided which.
    }
    this.#again();
  }
  #end() {
    this.close();
    this.dispatchEvent(new Event('error'));
  }
  #again() {
    if (this.readyState === 2) return;
    this.readyState = 0;
    this.dispatchEvent(new Event('error'));
    internal.schedule(this.#retry, () => this.readyState !== 2 && this.#connect());
  }
  async #read(body) {
    const decoder = new TextDecoder();
    let text = '';
    let fields = {};
    for await (const chunk of body) {
      text += decoder.decode(chunk, { stream: true });
      const lines = text.split(/\r\n|\n|\r(?!$)/);
      text = lines.pop();
      for (const line of lines) fields = this.#line(line, fields);
    }
  }
  #line(line, fields) {
    if (line === '') {
      this.#emit(fields);
      return {};
    }
    const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (name === 'data') fields.data = fields.data === undefined ? value : `${fields.data}\n${value}`;
    else if (name === 'event') fields.event = value;
    else if (name === 'id' && !value.includes('\0')) this.#lastId = value;
    else if (name === 'retry' && /^\d+$/.test(value)) this.#retry = Math.max(Number(value), 100);
    return fields;
  }
  #emit({ data, event }) {
    if (data === undefined || this.readyState === 2) return;
    const origin = new URL(this.url).origin;
    this.dispatchEvent(new MessageEvent(event || 'message', { data, origin, lastEventId: this.#lastId }));
  }
}
Object.assign(EventSource.prototype, { CONNECTING: 0, OPEN: 1, CLOSED: 2 });
internal.define('EventSource', EventSource);
