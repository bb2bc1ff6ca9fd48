// crypto: random numbers from the host's seed, digests by the host.

const ALGORITHMS = ['SHA-256', 'SHA-384', 'SHA-512'];

const subtle = {
  async digest(algorithm, data) {
    const name = String(algorithm?.name ?? algorithm).toUpperCase();
    if (!ALGORITHMS.includes(name)) throw new DOMException(`${name} is not supported`, 'NotSupportedError');
    const bytes = await internal.call({ op: 'digest', algorithm: name }, internal.bytesOf(data).slice());
    return bytes.buffer;
  },
};

const crypto = {
  subtle,
  getRandomValues(view) {
    if (!ArrayBuffer.isView(view) || view instanceof Float32Array || view instanceof Float64Array || view instanceof DataView) {
      throw new DOMException('random values go into arrays of integers', 'TypeMismatchError');
    }
    if (view.byteLength > 65536) throw new DOMException('at most 65,536 bytes', 'QuotaExceededError');
    host.fillRandom(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
    return view;
  },
  randomUUID() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  },
};
internal.define('crypto', crypto);
