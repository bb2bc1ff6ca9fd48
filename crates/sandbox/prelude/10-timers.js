// setTimeout and its family; taken away again when timers are not granted.

const LIMIT = 1000;
const SHORTEST_INTERVAL = 4;
const timers = new Map();
let next = 1;

function set(callback, delay, args, repeat) {
  if (typeof callback !== 'function') throw new TypeError('a timer needs a function');
  if (timers.size >= LIMIT) throw new DOMException(`at most ${LIMIT} timers`, 'QuotaExceededError');
  const id = next++;
  const wait = Math.min(Math.max(Number(delay) || 0, repeat ? SHORTEST_INTERVAL : 0), 2 ** 31 - 1);
  const fire = () => {
    if (repeat) timers.set(id, internal.schedule(wait, fire));
    else timers.delete(id);
    callback(...args);
  };
  timers.set(id, internal.schedule(wait, fire));
  return id;
}

function clear(id) {
  internal.cancel(timers.get(Number(id)));
  timers.delete(Number(id));
}

const functions = {
  setTimeout: (callback, delay, ...args) => set(callback, delay, args, false),
  setInterval: (callback, delay, ...args) => set(callback, delay, args, true),
  setImmediate: (callback, ...args) => set(callback, 0, args, false),
  clearTimeout: clear,
  clearInterval: clear,
  clearImmediate: clear,
};
for (const [name, value] of Object.entries(functions)) internal.define(name, value);

internal.removeTimers = () => {
  for (const name of Object.keys(functions)) delete globalThis[name];
};

// The engine's own clock was read when the snapshot was made; this one starts with the guest.
let origin = 0;
internal.startClock = () => {
  origin = host.now();
};
internal.define('performance', {
  now: () => host.now() - origin,
  get timeOrigin() {
    return origin;
  },
  mark() {},
  measure() {},
});

// The engine's own generator would be the same in every guest.
Math.random = host.random;
