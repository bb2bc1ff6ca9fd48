// TextEncoder and TextDecoder.

class TextEncoder {
  get encoding() {
    return 'utf-8';
  }
  encode(text = '') {
    return host.encode(String(text).toWellFormed());
  }
  encodeInto(text, target) {
    let read = 0;
    let written = 0;
    for (const character of String(text)) {
      const bytes = this.encode(character);
      if (written + bytes.length > target.length) break;
      target.set(bytes, written);
      written += bytes.length;
      read += character.length;
    }
    return { read, written };
  }
}

const UTF8 = ['utf-8', 'utf8', 'unicode-1-1-utf-8'];
const LATIN = ['latin1', 'iso-8859-1', 'ascii', 'us-ascii', 'windows-1252'];

const bytesOf = (input) => {
  if (input === undefined) return new Uint8Array(0);
  if (ArrayBuffer.isView(input)) return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
  return new Uint8Array(input);
};
internal.bytesOf = bytesOf;

/** How many bytes at the end belong to a character that is not complete yet. */
function unfinished(bytes) {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back];
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

/** Whether bytes are UTF-8: what a decoder writes back must be the same. */
const isUtf8 = (bytes, text) => {
  if (!text.includes('\ufffd')) return true;
  const again = host.encode(text);
  return again.length === bytes.length && again.every((byte, index) => byte === bytes[index]);
};

class TextDecoder {
  #rest = new Uint8Array(0);
  #begun = false;
  constructor(label = 'utf-8', options = {}) {
    const name = String(label).trim().toLowerCase();
    if (UTF8.includes(name)) this.encoding = 'utf-8';
    else if (LATIN.includes(name)) this.encoding = 'windows-1252';
    else throw new RangeError(`the encoding ${name} is not supported`);
    this.fatal = Boolean(options.fatal);
    this.ignoreBOM = Boolean(options.ignoreBOM);
  }
  decode(input, options = {}) {
    let bytes = bytesOf(input);
    if (this.encoding !== 'utf-8') return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
    if (this.#rest.length > 0) {
      const joined = new Uint8Array(this.#rest.length + bytes.length);
      joined.set(this.#rest);
      joined.set(bytes, this.#rest.length);
      bytes = joined;
    }
    const keep = options.stream ? unfinished(bytes) : 0;
    this.#rest = bytes.slice(bytes.length - keep);
    if (keep > 0) bytes = bytes.subarray(0, bytes.length - keep);
    let text = host.decode(bytes);
    if (this.fatal && !isUtf8(bytes, text)) throw new TypeError('the bytes are not UTF-8');
    if (!this.#begun && !this.ignoreBOM && text.charCodeAt(0) === 0xfeff) text = text.slice(1);
    this.#begun = Boolean(options.stream);
    return text;
  }
}

internal.define('TextEncoder', TextEncoder);
internal.define('TextDecoder', TextDecoder);
