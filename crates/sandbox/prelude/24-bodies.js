// Headers, Blob, Request and Response.

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const checkName = (name) => {
  const text = String(name).toLowerCase();
  if (!NAME.test(text)) throw new TypeError('invalid header name');
  return text;
};
const checkValue = (value) => {
  const text = String(value).trim();
  if (/[\0\r\n]/.test(text)) throw new TypeError('invalid header value');
  return text;
};

class Headers {
  #map = new Map();
  constructor(init) {
    if (!init) return;
    const pairs = typeof init[Symbol.iterator] === 'function' ? init : Object.entries(init);
    for (const [name, value] of pairs) this.append(name, value);
  }
  append(name, value) {
    const key = checkName(name);
    const old = this.#map.get(key);
    this.#map.set(key, old === undefined ? checkValue(value) : `${old}, ${checkValue(value)}`);
  }
  set(name, value) {
    this.#map.set(checkName(name), checkValue(value));
  }
  get(name) {
    return this.#map.get(checkName(name)) ?? null;
  }
  has(name) {
    return this.#map.has(checkName(name));
  }
  delete(name) {
    this.#map.delete(checkName(name));
  }
  getSetCookie() {
    return [];
  }
  forEach(callback, self) {
    for (const [name, value] of this) callback.call(self, value, name, this);
  }
  *entries() {
    yield* [...this.#map].sort((a, b) => (a[0] < b[0] ? -1 : 1));
  }
  *keys() {
    for (const [name] of this.entries()) yield name;
  }
  *values() {
    for (const [, value] of this.entries()) yield value;
  }
  [Symbol.iterator]() {
    return this.entries();
  }
}

function concat(parts) {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.byteLength;
  }
  return out;
}

const encoder = new TextEncoder();
const bytesOfBlob = new WeakMap();

class Blob {
  constructor(parts = [], { type = '' } = {}) {
    const bytes = concat(Array.from(parts, (part) => {
      if (part instanceof Blob) return bytesOfBlob.get(part);
      return typeof part === 'string' ? encoder.encode(part) : internal.bytesOf(part);
    }));
    bytesOfBlob.set(this, bytes);
    this.size = bytes.byteLength;
    this.type = String(type).toLowerCase();
  }
  slice(start, end, type) {
    return new Blob([bytesOfBlob.get(this).slice(start, end)], { type });
  }
  async text() {
    return new TextDecoder().decode(bytesOfBlob.get(this));
  }
  async arrayBuffer() {
    return bytesOfBlob.get(this).slice().buffer;
  }
  async bytes() {
    return bytesOfBlob.get(this).slice();
  }
  stream() {
    return ReadableStream.from([bytesOfBlob.get(this)]);
  }
}
internal.blobBytes = (blob) => bytesOfBlob.get(blob);

/** Bytes (or a stream) and the content type that goes with them. */
function extract(body) {
  if (body === undefined || body === null) return {};
  if (body instanceof ReadableStream) return { stream: body };
  if (body instanceof Blob) return { bytes: bytesOfBlob.get(body), type: body.type || undefined };
  if (body instanceof URLSearchParams) {
    return { bytes: encoder.encode(body.toString()), type: 'application/x-www-form-urlencoded;charset=UTF-8' };
  }
  if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) return { bytes: internal.bytesOf(body).slice() };
  return { bytes: encoder.encode(String(body)), type: 'text/plain;charset=UTF-8' };
}

class Body {
  #stream = null;
  #bytes = undefined;
  #used = false;
  static {
    internal.hasBody = (message) => message.#bytes !== undefined || message.#stream !== null;
  }
  setBody({ stream, bytes }) {
    this.#stream = stream ?? null;
    this.#bytes = stream ? undefined : bytes;
  }
  // A stream of bytes that are here is made only for who asks for one: most are sent or read whole.
  get body() {
    const bytes = this.#bytes;
    if (bytes !== undefined) {
      this.#stream ??= new ReadableStream({
        start(controller) {
          if (bytes.byteLength > 0) controller.enqueue(bytes);
          controller.close();
        },
      });
    }
    return this.#stream;
  }
  get bodyUsed() {
    return this.#used || Boolean(this.#stream?.locked);
  }
  async bytes() {
    if (this.bodyUsed) throw new TypeError('the body was read already');
    this.#used = true;
    if (this.#stream === null) return this.#bytes?.slice() ?? new Uint8Array(0);
    const parts = [];
    for await (const chunk of this.#stream) parts.push(internal.bytesOf(chunk));
    return concat(parts);
  }
  async arrayBuffer() {
    return (await this.bytes()).buffer;
  }
  async text() {
    return new TextDecoder().decode(await this.bytes());
  }
  async json() {
    return JSON.parse(await this.text());
  }
  async blob() {
    return new Blob([await this.bytes()], { type: this.headers.get('content-type') ?? '' });
  }
  fork() {
    if (this.bodyUsed) throw new TypeError('the body was read already');
    if (!this.body) return {};
    const [mine, other] = this.#stream.tee();
    this.#stream = mine;
    return { stream: other };
  }
}

const HREFS_LIMIT = 64;
const HREF_LENGTH_LIMIT = 1_024;
const hrefs = new Map();

/** An address as `URL` writes it; a guest asks for its own few again and again. */
function hrefOf(input) {
  const base = globalThis.location?.href;
  const key = `${base ?? ''}\n${input}`;
  const known = hrefs.get(key);
  if (known !== undefined) return known;
  const { href } = new URL(input, base);
  if (hrefs.size >= HREFS_LIMIT) hrefs.clear();
  if (key.length <= HREF_LENGTH_LIMIT) hrefs.set(key, href);
  return href;
}

class Request extends Body {
  constructor(input, init = {}) {
    super();
    const other = input instanceof Request ? input : undefined;
    this.url = other ? other.url : hrefOf(input);
    this.method = String(init.method ?? other?.method ?? 'GET').toUpperCase();
    this.headers = new Headers(init.headers ?? other?.headers);
    this.signal = init.signal ?? other?.signal ?? new AbortController().signal;
    this.credentials = 'omit';
    this.redirect = init.redirect ?? other?.redirect ?? 'follow';
    const content = init.body !== undefined ? extract(init.body) : other ? other.fork() : {};
    if ((content.bytes || content.stream) && ['GET', 'HEAD'].includes(this.method)) {
      throw new TypeError('a GET or HEAD request has no body');
    }
    if (content.type && !this.headers.has('content-type')) this.headers.set('content-type', content.type);
    this.setBody(content);
  }
  clone() {
    return new Request(this);
  }
}

class Response extends Body {
  constructor(body, init = {}) {
    super();
    this.status = init.status ?? 200;
    this.statusText = init.statusText ?? '';
    this.headers = new Headers(init.headers);
    this.url = '';
    this.redirected = false;
    this.type = 'default';
    const content = extract(body);
    if (content.type && !this.headers.has('content-type')) this.headers.set('content-type', content.type);
    this.setBody(content);
  }
  get ok() {
    return this.status >= 200 && this.status < 300;
  }
  clone() {
    const copy = new Response(null, this);
    copy.url = this.url;
    copy.setBody(this.fork());
    return copy;
  }
  static json(value, init = {}) {
    const headers = new Headers(init.headers);
    if (!headers.has('content-type')) headers.set('content-type', 'application/json');
    return new Response(JSON.stringify(value), { ...init, headers });
  }
  static error() {
    return Object.assign(new Response(null), { status: 0, type: 'error' });
  }
}

for (const [name, value] of Object.entries({ Headers, Blob, Request, Response })) internal.define(name, value);
