// WebSocket: the host connects, if the origin was granted.

const sockets = new Map();
const encoder = new TextEncoder();
const details = new WeakMap();

class WebSocket extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSING = 2;
  static CLOSED = 3;
  readyState = 0;
  bufferedAmount = 0;
  extensions = '';
  protocol = '';
  binaryType = 'blob';
  onopen = null;
  onmessage = null;
  onerror = null;
  onclose = null;
  constructor(url, protocols = []) {
    super();
    const target = new URL(url, globalThis.location?.href);
    target.protocol = target.protocol.replace('http', 'ws');
    if (!/^wss?:$/.test(target.protocol)) throw new DOMException('a WebSocket address begins with ws or wss', 'SyntaxError');
    target.hash = '';
    this.url = target.href;
    const list = [protocols].flat().map(String);
    if (new Set(list).size !== list.length || !list.every((name) => /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name))) {
      throw new DOMException('invalid protocol name', 'SyntaxError');
    }
    const id = internal.newId();
    details.set(this, id);
    internal.tell({ op: 'ws.open', id, url: this.url, protocols: list });
    sockets.set(id, this);
  }
  send(data) {
    if (this.readyState === 0) throw new DOMException('not connected yet', 'InvalidStateError');
    if (this.readyState !== 1) return;
    const text = typeof data === 'string' || !(data instanceof Blob || data instanceof ArrayBuffer || ArrayBuffer.isView(data));
    const bytes = text ? encoder.encode(String(data)) : data instanceof Blob ? internal.blobBytes(data) : internal.bytesOf(data).slice();
    internal.tell({ op: 'ws.send', id: details.get(this), text }, bytes);
    this.bufferedAmount += bytes.byteLength;
  }
  close(code, reason = '') {
    if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999)) {
      throw new DOMException('the code is 1000 or from 3000 to 4999', 'InvalidAccessError');
    }
    if (encoder.encode(reason).byteLength > 123) throw new DOMException('the reason is too long', 'SyntaxError');
    if (this.readyState >= 2) return;
    this.readyState = 2;
    internal.tell({ op: 'ws.close', id: details.get(this), code: code ?? 1000, reason: String(reason) });
  }
}
Object.assign(WebSocket.prototype, { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 });

internal.on('ws.opened', ({ id, protocol }) => {
  const socket = sockets.get(id);
  if (!socket || socket.readyState !== 0) return;
  socket.readyState = 1;
  socket.protocol = protocol;
  socket.dispatchEvent(new Event('open'));
});

internal.on('ws.data', ({ id, text }, bytes = new Uint8Array(0)) => {
  const socket = sockets.get(id);
  if (!socket) return;
  internal.tell({ op: 'ws.pull', id });
  if (socket.readyState !== 1) return;
  const data = text ? host.decode(bytes) : socket.binaryType === 'arraybuffer' ? bytes.slice().buffer : new Blob([bytes]);
  socket.dispatchEvent(new MessageEvent('message', { data, origin: new URL(socket.url).origin }));
});

internal.on('ws.sent', ({ id, bytes }) => {
  const socket = sockets.get(id);
  if (socket) socket.bufferedAmount -= bytes;
});

internal.on('ws.closed', ({ id, code, reason, clean }) => {
  const socket = sockets.get(id);
  sockets.delete(id);
  if (!socket) return;
  socket.readyState = 3;
  if (!clean) socket.dispatchEvent(new ErrorEvent('error', { message: reason }));
  socket.dispatchEvent(new CloseEvent('close', { code, reason, wasClean: clean }));
});

internal.define('WebSocket', WebSocket);
