// Event, EventTarget, AbortController and their relatives.

class Event {
  #stopped = false;
  constructor(type, init = {}) {
    this.type = String(type);
    this.bubbles = Boolean(init.bubbles);
    this.cancelable = Boolean(init.cancelable);
    this.composed = false;
    this.defaultPrevented = false;
    this.target = null;
    this.currentTarget = null;
    this.eventPhase = 0;
    this.isTrusted = false;
    this.timeStamp = performance.now();
  }
  preventDefault() {
    if (this.cancelable) this.defaultPrevented = true;
  }
  stopPropagation() {}
  stopImmediatePropagation() {
    this.#stopped = true;
  }
  composedPath() {
    return this.target ? [this.target] : [];
  }
  static isStopped(event) {
    return #stopped in event && event.#stopped;
  }
}
const { isStopped } = Event;
delete Event.isStopped;

/** An event class that carries a few more fields. */
const eventWith = (name, fields) =>
  ({
    [name]: class extends Event {
      constructor(type, init = {}) {
        super(type, init);
        for (const [field, fallback] of Object.entries(fields)) this[field] = init[field] ?? fallback;
      }
    },
  })[name];

class EventTarget {
  #listeners = new Map();
  addEventListener(type, callback, options) {
    if (callback == null) return;
    const settings = typeof options === 'object' && options !== null ? options : {};
    if (settings.signal?.aborted) return;
    const list = this.#listeners.get(type) ?? [];
    if (list.some((listener) => listener.callback === callback)) return;
    this.#listeners.set(type, [...list, { callback, once: Boolean(settings.once) }]);
    settings.signal?.addEventListener('abort', () => this.removeEventListener(type, callback), { once: true });
  }
  removeEventListener(type, callback) {
    const list = this.#listeners.get(type);
    if (list) this.#listeners.set(type, list.filter((listener) => listener.callback !== callback));
  }
  dispatchEvent(event) {
    event.target ??= this;
    event.currentTarget = this;
    const attribute = this[`on${event.type}`];
    if (typeof attribute === 'function') attempt(() => attribute.call(this, event));
    for (const listener of this.#listeners.get(event.type) ?? []) {
      if (isStopped(event)) break;
      if (listener.once) this.removeEventListener(event.type, listener.callback);
      const { callback } = listener;
      attempt(() => (typeof callback === 'function' ? callback.call(this, event) : callback.handleEvent(event)));
    }
    event.currentTarget = null;
    return !event.defaultPrevented;
  }
}

function attempt(work) {
  try {
    work();
  } catch (error) {
    host.report(error);
  }
}

class AbortSignal extends EventTarget {
  aborted = false;
  reason = undefined;
  onabort = null;
  throwIfAborted() {
    if (this.aborted) throw this.reason;
  }
  static abort(reason) {
    const controller = new AbortController();
    controller.abort(reason);
    return controller.signal;
  }
  static timeout(delay) {
    const controller = new AbortController();
    internal.schedule(Number(delay) || 0, () => controller.abort(new DOMException('timed out', 'TimeoutError')));
    return controller.signal;
  }
  static any(signals) {
    const controller = new AbortController();
    for (const signal of signals) {
      if (signal.aborted) controller.abort(signal.reason);
      else signal.addEventListener('abort', () => controller.abort(signal.reason), { once: true });
    }
    return controller.signal;
  }
}

class AbortController {
  signal = new AbortSignal();
  abort(reason = new DOMException('aborted', 'AbortError')) {
    if (this.signal.aborted) return;
    this.signal.aborted = true;
    this.signal.reason = reason;
    this.signal.dispatchEvent(new Event('abort'));
  }
}

const classes = {
  Event,
  EventTarget,
  AbortSignal,
  AbortController,
  CustomEvent: eventWith('CustomEvent', { detail: null }),
  MessageEvent: eventWith('MessageEvent', { data: null, origin: '', lastEventId: '' }),
  CloseEvent: eventWith('CloseEvent', { code: 0, reason: '', wasClean: false }),
  ErrorEvent: eventWith('ErrorEvent', { message: '', error: null }),
  ProgressEvent: eventWith('ProgressEvent', { lengthComputable: false, loaded: 0, total: 0 }),
};
for (const [name, value] of Object.entries(classes)) internal.define(name, value);

// window itself is an event target.
const global = new EventTarget();
for (const name of ['addEventListener', 'removeEventListener', 'dispatchEvent']) {
  internal.define(name, (...args) => global[name](...args));
}
