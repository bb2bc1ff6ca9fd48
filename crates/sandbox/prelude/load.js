// Loads a guest of any of the three generations, and starts it.
//
//   G1  global `activate(url, bus, config)` or `activate.default(…)`
//   G2  global `activate.default(url, bus, config, factory)`
//   G3  a class (default export of an ES module, or by System.register) with `_start(…)`

for (const name of ['self', 'window', 'global']) internal.define(name, globalThis);
internal.define('navigator', Object.freeze({
  userAgent: 'Parlance',
  product: 'Parlance',
  language: 'en',
  languages: Object.freeze(['en']),
  onLine: true,
  hardwareConcurrency: 1,
}));

let registered;
internal.define('System', {
  register(...args) {
    const declare = args.find((arg) => typeof arg === 'function');
    const dependencies = args.find(Array.isArray) ?? [];
    const exported = {};
    const expose = (name, value) => {
      if (typeof name === 'object') Object.assign(exported, name);
      else exported[name] = value;
      return value;
    };
    const { setters = [], execute } = declare(expose, { id: 'guest', meta: { url: globalThis.location?.href } }) ?? {};
    dependencies.forEach((_, index) => setters[index]?.({}));
    const done = execute?.();
    registered = { exported, done };
  },
});

function setLocation(href) {
  const url = new URL(href);
  const location = { assign() {}, reload() {}, replace() {}, toString: () => url.href };
  for (const part of ['href', 'origin', 'protocol', 'host', 'hostname', 'port', 'pathname', 'search', 'hash']) {
    location[part] = url[part];
  }
  internal.define('location', Object.freeze(location));
}

async function runModule(source) {
  const [promise, namespace] = host.runModule(source);
  await promise;
  return namespace;
}

/** Runs the source; returns what it exports. */
async function evaluate(source, entry) {
  if (entry === 'class' || (entry === 'auto' && host.isModule(source))) return runModule(source);
  try {
    host.runScript(source);
  } catch (error) {
    // The engine's look at the first word is not always enough. A script that does not compile has not run.
    const mayBeModule = entry === 'auto' && error instanceof SyntaxError && /^\s*(import|export)\b/m.test(source);
    if (!mayBeModule) throw error;
    return runModule(source);
  }
  if (registered) {
    await registered.done;
    return registered.exported;
  }
  return { activate: globalThis.activate };
}

const isClass = (value) => typeof value === 'function' && typeof value.prototype?._start === 'function';

async function activate(exported, args) {
  const named = Object.values(exported).find(isClass);
  const main = exported.default ?? exported.activate ?? named;
  const candidate = main?.default ?? main;
  if (isClass(candidate)) {
    const instance = new candidate();
    await instance._start(...args);
    return { name: instance.name ?? candidate.name, instance };
  }
  if (typeof candidate?._start === 'function') {
    await candidate._start(...args);
    return { name: candidate.name, instance: candidate };
  }
  if (typeof candidate !== 'function') throw new TypeError('the package has neither activate() nor a class with _start()');
  return candidate(...args);
}

async function load({ address, config, location, entry, timers }, source) {
  internal.startClock();
  internal.setAddress(address);
  setLocation(location);
  if (!timers) internal.removeTimers();
  const bus = internal.createBus();
  const exported = await evaluate(host.decode(source), entry);
  internal.guest = await activate(exported, [address, bus, config, globalThis.__factory]);
}

internal.on('load', (header, source) =>
  load(header, source).then(
    () => internal.tell({ op: 'ready' }),
    (error) => {
      host.report(error);
      internal.tell({ op: 'failed', text: String(error).slice(0, 500) });
    },
  ),
);
