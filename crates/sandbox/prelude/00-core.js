// What every other file of the prelude stands on: calls to the host, and one ordered list of deadlines.

const control = host.control;
const stringify = JSON.stringify;
const parse = JSON.parse;

// Things a guest has no use for, and attackers have (shared memory).
delete globalThis.Atomics;
delete globalThis.SharedArrayBuffer;

internal.define = (name, value) =>
  Object.defineProperty(globalThis, name, { value, writable: true, enumerable: false, configurable: true });

/* ---- calls to the host -------------------------------------------------- */

const handlers = new Map();
const waiting = new Map();
let nextCall = 1;

internal.tell = (header, bytes) => control(stringify(header), bytes);
internal.on = (op, handler) => handlers.set(op, handler);
internal.newId = () => nextCall++;
internal.call = (header, bytes) =>
  new Promise((resolve, reject) => {
    const id = nextCall++;
    internal.tell({ ...header, id }, bytes);
    waiting.set(id, { resolve, reject });
  });

internal.on('answer', ({ id, value, error }, bytes) => {
  const call = waiting.get(id);
  waiting.delete(id);
  if (!call) return;
  if (error) call.reject(new DOMException(error.text, error.name));
  else call.resolve(bytes ?? value);
});

function onControl(text, bytes) {
  const header = parse(text);
  handlers.get(header.op)?.(header, bytes);
}

/* ---- deadlines: a binary heap, and one alarm at the host ----------------- */

const heap = [];
let alarm = Infinity;

const swap = (a, b) => {
  const entry = heap[a];
  heap[a] = heap[b];
  heap[b] = entry;
  heap[a].index = a;
  heap[b].index = b;
};

const before = (a, b) => a.at < b.at || (a.at === b.at && a.order < b.order);

function rise(index) {
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (!before(heap[index], heap[parent])) return;
    swap(index, parent);
    index = parent;
  }
}

function sink(index) {
  for (;;) {
    let least = index;
    for (const child of [2 * index + 1, 2 * index + 2]) {
      if (child < heap.length && before(heap[child], heap[least])) least = child;
    }
    if (least === index) return;
    swap(index, least);
    index = least;
  }
}

let order = 0;

function setAlarm() {
  if (heap.length === 0 || heap[0].at >= alarm) return;
  alarm = heap[0].at;
  internal.tell({ op: 'wake', after: Math.max(0, Math.ceil(alarm - host.now())) });
}

/** Calls `run` after `delay` milliseconds; returns what `cancel` takes. */
internal.schedule = (delay, run) => {
  const entry = { at: host.now() + delay, order: order++, run, index: heap.length };
  heap.push(entry);
  rise(entry.index);
  setAlarm();
  return entry;
};

internal.cancel = (entry) => {
  if (!entry || entry.index < 0 || heap[entry.index] !== entry) return;
  const index = entry.index;
  const last = heap.length - 1;
  if (index !== last) swap(index, last);
  heap.pop();
  entry.index = -1;
  if (index < heap.length) {
    sink(index);
    rise(index);
  }
};

function onTick() {
  alarm = Infinity;
  const now = host.now();
  const end = order;
  while (heap.length > 0 && heap[0].at <= now && heap[0].order < end) {
    const entry = heap[0];
    internal.cancel(entry);
    try {
      entry.run();
    } catch (error) {
      host.report(error);
    }
  }
  setAlarm();
}

/* ---- rejected promises that nobody looks at -------------------------------- */

const rejected = new Map();

function onRejection(promise, reason, handled) {
  if (handled) rejected.delete(promise);
  else if (rejected.size < 100) rejected.set(promise, reason);
}

function onIdle() {
  for (const reason of rejected.values()) host.report(reason);
  rejected.clear();
}

internal.dispatch = () => {};
host.setHandlers((message) => internal.dispatch(message), onControl, onTick, onRejection, onIdle);
