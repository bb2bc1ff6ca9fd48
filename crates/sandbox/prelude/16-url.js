// URL and URLSearchParams after the WHATWG URL standard, without international host names.

const PORTS = { 'http:': '80', 'https:': '443', 'ws:': '80', 'wss:': '443', 'ftp:': '21', 'file:': '' };
const isSpecial = (protocol) => Object.hasOwn(PORTS, protocol);

const encode = (text, set) => {
  let out = '';
  for (const character of text) {
    const code = character.codePointAt(0);
    if (code > 0x20 && code < 0x7f && !set.includes(character)) out += character;
    else for (const byte of host.encode(character)) out += '%' + byte.toString(16).toUpperCase().padStart(2, '0');
  }
  return out;
};
const FRAGMENT = '"<>`';
const QUERY = '"#<>';
const PATH = '"#<>?`{}';
const USER = PATH + '/:;=@[\\]^|';
const control = (text) => text.replace(/[\x00-\x1f\x7f-\u{10ffff}]/gu, (character) => encode(character, ''));

function fail(input) {
  throw new TypeError(`Invalid URL: ${String(input).slice(0, 200)}`);
}

function parseHost(text, special, input) {
  if (/^\[[0-9a-f:.]+\]$/i.test(text)) return text.toLowerCase();
  if (!special) return /[\0\t\n\r #/<>?@[\\\]^|:]/.test(text) ? fail(input) : control(text);
  let name = text;
  try {
    name = decodeURIComponent(text);
  } catch {
    fail(input);
  }
  name = name.toLowerCase();
  if (name === '') return name;
  if (!/^[a-z0-9._~!$&'()*+,;=-]+$/.test(name)) fail(input);
  const labels = name.replace(/\.$/, '').split('.');
  if (/^(\d+|0x[0-9a-f]*)$/.test(labels.at(-1))) {
    if (labels.length !== 4 || !labels.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) fail(input);
  }
  return name;
}

function parseAuthority(record, text, input) {
  const at = text.lastIndexOf('@');
  if (at >= 0) {
    const [user, ...password] = text.slice(0, at).split(':');
    record.username = encode(user, USER).replaceAll('%25', '%');
    record.password = encode(password.join(':'), USER).replaceAll('%25', '%');
    text = text.slice(at + 1);
  }
  const port = /:(\d*)$/.exec(text);
  if (port) text = text.slice(0, port.index);
  record.host = parseHost(text, isSpecial(record.protocol), input);
  if (record.host === '' && isSpecial(record.protocol) && record.protocol !== 'file:') fail(input);
  setPort(record, port?.[1] ?? '', input);
}

function setPort(record, digits, input) {
  if (digits !== '' && Number(digits) > 65535) fail(input);
  const port = digits === '' ? '' : String(Number(digits));
  record.port = port === PORTS[record.protocol] ? '' : port;
}

function normalise(segments) {
  const out = [];
  segments.forEach((segment, index) => {
    const last = index === segments.length - 1;
    const plain = segment.replace(/%2e/gi, '.');
    if (plain === '..') {
      out.pop();
      if (last) out.push('');
    } else if (plain === '.') {
      if (last) out.push('');
    } else out.push(encode(segment, PATH).replaceAll('%25', '%'));
  });
  return '/' + out.join('/');
}

function setPath(record, text) {
  if (isSpecial(record.protocol)) text = text.replaceAll('\\', '/');
  if (text === '' && !isSpecial(record.protocol)) record.path = '';
  else record.path = normalise((text.startsWith('/') ? text.slice(1) : text).split('/'));
}

function parseUrl(input, base) {
  let text = String(input).replace(/^[\x00-\x20]+|[\x00-\x20]+$/g, '').replace(/[\t\n\r]/g, '');
  const record = { protocol: '', username: '', password: '', host: null, port: '', path: '', query: null, fragment: null, opaque: false };
  const hash = text.indexOf('#');
  if (hash >= 0) {
    record.fragment = encode(text.slice(hash + 1), FRAGMENT).replaceAll('%25', '%');
    text = text.slice(0, hash);
  }
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(text);
  const sameScheme = scheme && base && scheme[0].toLowerCase() === base.protocol && isSpecial(base.protocol);
  if (scheme && !(sameScheme && !/^[/\\]/.test(text.slice(scheme[0].length)))) {
    record.protocol = scheme[0].toLowerCase();
    text = text.slice(scheme[0].length);
    const question = text.indexOf('?');
    if (question >= 0) {
      record.query = encode(text.slice(question + 1), QUERY).replaceAll('%25', '%');
      text = text.slice(0, question);
    }
    if (isSpecial(record.protocol) && record.protocol !== 'file:') return absolute(record, text.replace(/^[/\\]*/, ''), input);
    if (/^\/\//.test(text)) return absolute(record, text.slice(2), input);
    if (record.protocol === 'file:') record.host = '';
    if (text.startsWith('/') || record.protocol === 'file:') setPath(record, text);
    else {
      record.opaque = true;
      record.path = control(text);
    }
    return record;
  }
  if (!base) fail(input);
  if (scheme) text = text.slice(scheme[0].length);
  return relative(record, text, base, input);
}

function absolute(record, text, input) {
  const end = text.search(isSpecial(record.protocol) ? /[/\\]/ : /\//);
  parseAuthority(record, end < 0 ? text : text.slice(0, end), input);
  setPath(record, end < 0 ? '' : text.slice(end));
  return record;
}

function relative(record, text, base, input) {
  if (base.opaque && (text !== '' || record.fragment === null)) fail(input);
  record.protocol = base.protocol;
  const question = text.indexOf('?');
  const query = question >= 0 ? encode(text.slice(question + 1), QUERY).replaceAll('%25', '%') : null;
  if (question >= 0) text = text.slice(0, question);
  if (isSpecial(base.protocol)) text = text.replaceAll('\\', '/');
  if (text.startsWith('//')) {
    record.query = query;
    return absolute(record, text.slice(2), input);
  }
  const { username, password, host: hostName, port, opaque } = base;
  Object.assign(record, { username, password, host: hostName, port, opaque, query });
  if (text === '') {
    record.path = base.path;
    if (question < 0) record.query = base.query;
  } else if (text.startsWith('/')) setPath(record, text);
  else setPath(record, base.path.slice(0, base.path.lastIndexOf('/') + 1) + text);
  return record;
}

class URLSearchParams {
  #pairs = [];
  #changed = () => {};
  constructor(init = '') {
    if (typeof init === 'object' && init !== null) {
      const pairs = typeof init[Symbol.iterator] === 'function' ? init : Object.entries(init);
      for (const [name, value] of pairs) this.#pairs.push([String(name), String(value)]);
    } else this.#read(String(init));
  }
  #read(text) {
    const decode = (part) => host.decode(percentDecode(part.replaceAll('+', ' ')));
    this.#pairs = text.replace(/^\?/, '').split('&').filter(Boolean).map((pair) => {
      const equals = pair.indexOf('=');
      return equals < 0 ? [decode(pair), ''] : [decode(pair.slice(0, equals)), decode(pair.slice(equals + 1))];
    });
  }
  static bind(params, text, changed) {
    params.#read(text);
    params.#changed = changed;
  }
  get size() {
    return this.#pairs.length;
  }
  append(name, value) {
    this.#pairs.push([String(name), String(value)]);
    this.#changed();
  }
  delete(name, value) {
    this.#pairs = this.#pairs.filter((pair) => pair[0] !== String(name) || (value !== undefined && pair[1] !== String(value)));
    this.#changed();
  }
  get(name) {
    return this.#pairs.find((pair) => pair[0] === String(name))?.[1] ?? null;
  }
  getAll(name) {
    return this.#pairs.filter((pair) => pair[0] === String(name)).map((pair) => pair[1]);
  }
  has(name, value) {
    return this.#pairs.some((pair) => pair[0] === String(name) && (value === undefined || pair[1] === String(value)));
  }
  set(name, value) {
    const first = this.#pairs.find((pair) => pair[0] === String(name));
    if (first) {
      first[1] = String(value);
      this.#pairs = this.#pairs.filter((pair) => pair === first || pair[0] !== String(name));
    } else this.#pairs.push([String(name), String(value)]);
    this.#changed();
  }
  sort() {
    this.#pairs.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
    this.#changed();
  }
  forEach(callback, self) {
    for (const [name, value] of this.#pairs) callback.call(self, value, name, this);
  }
  *entries() {
    for (const pair of this.#pairs) yield [...pair];
  }
  *keys() {
    for (const pair of this.#pairs) yield pair[0];
  }
  *values() {
    for (const pair of this.#pairs) yield pair[1];
  }
  [Symbol.iterator]() {
    return this.entries();
  }
  toString() {
    const form = (text) =>
      encode(text, "!\"#$%&'()+,/:;<=>?@[\\]^`{|}~").replaceAll('%20', '+');
    return this.#pairs.map(([name, value]) => `${form(name)}=${form(value)}`).join('&');
  }
}
const bindParams = URLSearchParams.bind;
delete URLSearchParams.bind;

function percentDecode(text) {
  const bytes = host.encode(text);
  const out = [];
  for (let index = 0; index < bytes.length; index++) {
    const hex = bytes[index] === 0x25 && index + 2 < bytes.length ? String.fromCharCode(bytes[index + 1], bytes[index + 2]) : '';
    if (/^[0-9a-f]{2}$/i.test(hex)) {
      out.push(parseInt(hex, 16));
      index += 2;
    } else out.push(bytes[index]);
  }
  return new Uint8Array(out);
}

const attempt = (change) => {
  try {
    change();
  } catch {
    // A setter ignores what it cannot read.
  }
};

class URL {
  #record;
  #params;
  constructor(input, base) {
    this.#record = parseUrl(input, base === undefined ? undefined : parseUrl(base));
  }
  static canParse(input, base) {
    return URL.parse(input, base) !== null;
  }
  static parse(input, base) {
    try {
      return new URL(input, base);
    } catch {
      return null;
    }
  }
  #refresh() {
    if (this.#params) this.#bind();
  }
  #bind() {
    bindParams(this.#params, this.#record.query ?? '', () => {
      this.#record.query = this.#params.toString() || null;
    });
  }
  get href() {
    const { protocol, username, password, host: name, path, query, fragment } = this.#record;
    const user = username || password ? username + (password ? `:${password}` : '') + '@' : '';
    const authority = name === null ? (path.startsWith('//') ? '//' : '') : `//${user}${this.host}`;
    return protocol + authority + path + (query === null ? '' : `?${query}`) + (fragment === null ? '' : `#${fragment}`);
  }
  set href(value) {
    this.#record = parseUrl(value);
    this.#refresh();
  }
  get origin() {
    const { protocol, host: name } = this.#record;
    return isSpecial(protocol) && protocol !== 'file:' && name !== null ? `${protocol}//${this.host}` : 'null';
  }
  get protocol() {
    return this.#record.protocol;
  }
  set protocol(value) {
    const protocol = String(value).replace(/:.*$/s, '').toLowerCase() + ':';
    if (isSpecial(protocol) !== isSpecial(this.protocol) || !/^[a-z][a-z0-9+.-]*:$/.test(protocol)) return;
    this.#record.protocol = protocol;
    setPort(this.#record, this.#record.port);
  }
  get username() {
    return this.#record.username;
  }
  set username(value) {
    this.#record.username = encode(String(value), USER);
  }
  get password() {
    return this.#record.password;
  }
  set password(value) {
    this.#record.password = encode(String(value), USER);
  }
  get host() {
    return (this.#record.host ?? '') + (this.#record.port === '' ? '' : `:${this.#record.port}`);
  }
  set host(value) {
    if (this.#record.opaque) return;
    const text = String(value).replace(/[/\\?#].*$/s, '');
    attempt(() => {
      const copy = { ...this.#record };
      parseAuthority(copy, text.includes(':') || !this.#record.port ? text : `${text}:${this.#record.port}`, text);
      this.#record = { ...copy, username: this.#record.username, password: this.#record.password };
    });
  }
  get hostname() {
    return this.#record.host ?? '';
  }
  set hostname(value) {
    if (this.#record.opaque) return;
    attempt(() => {
      this.#record.host = parseHost(String(value).replace(/[:/\\?#].*$/s, ''), isSpecial(this.protocol), value);
    });
  }
  get port() {
    return this.#record.port;
  }
  set port(value) {
    attempt(() => setPort(this.#record, /^\d*/.exec(String(value))[0], value));
  }
  get pathname() {
    return this.#record.path;
  }
  set pathname(value) {
    if (!this.#record.opaque) setPath(this.#record, String(value).startsWith('/') ? String(value) : `/${value}`);
  }
  get search() {
    return this.#record.query ? `?${this.#record.query}` : '';
  }
  set search(value) {
    const text = String(value).replace(/^\?/, '');
    this.#record.query = text === '' ? null : encode(text, QUERY).replaceAll('%25', '%');
    this.#refresh();
  }
  get hash() {
    return this.#record.fragment ? `#${this.#record.fragment}` : '';
  }
  set hash(value) {
    const text = String(value).replace(/^#/, '');
    this.#record.fragment = text === '' ? null : encode(text, FRAGMENT).replaceAll('%25', '%');
  }
  get searchParams() {
    if (!this.#params) {
      this.#params = new URLSearchParams();
      this.#bind();
    }
    return this.#params;
  }
  toString() {
    return this.href;
  }
  toJSON() {
    return this.href;
  }
}

internal.define('URL', URL);
internal.define('URLSearchParams', URLSearchParams);
