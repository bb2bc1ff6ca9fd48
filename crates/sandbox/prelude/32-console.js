// console: short lines to the host's log.

const LONGEST = 2000;
const DEEPEST = 3;
const WIDEST = 20;

function show(value, depth, seen) {
  if (typeof value === 'string') return depth === 0 ? value : JSON.stringify(value.slice(0, LONGEST));
  if (typeof value === 'function') return `[function ${value.name || 'anonymous'}]`;
  if (typeof value === 'symbol' || typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return String(value);
  if (value instanceof Error) return value.stack ? `${value}\n${value.stack}` : String(value);
  if (seen.has(value)) return '[circular]';
  if (depth >= DEEPEST) return Array.isArray(value) ? '[…]' : '{…}';
  seen.add(value);
  const keys = Object.keys(value).slice(0, WIDEST);
  const parts = keys.map((key) => (Array.isArray(value) ? '' : `${key}: `) + show(value[key], depth + 1, seen));
  seen.delete(value);
  return Array.isArray(value) ? `[${parts.join(', ')}]` : `{${parts.join(', ')}}`;
}

const write = (level, args) => host.log(level, args.map((value) => show(value, 0, new Set())).join(' ').slice(0, LONGEST));

const counts = new Map();
const console = {
  debug: (...args) => write(0, args),
  trace: (...args) => write(0, args),
  log: (...args) => write(1, args),
  info: (...args) => write(1, args),
  dir: (value) => write(1, [value]),
  table: (value) => write(1, [value]),
  warn: (...args) => write(2, args),
  error: (...args) => write(3, args),
  assert: (fact, ...args) => fact || write(3, ['assertion failed:', ...args]),
  group: (...args) => args.length && write(1, args),
  groupCollapsed: (...args) => args.length && write(1, args),
  groupEnd() {},
  time: (label = 'default') => counts.set(`time ${label}`, performance.now()),
  timeEnd: (label = 'default') => write(1, [`${label}: ${performance.now() - (counts.get(`time ${label}`) ?? 0)} ms`]),
  timeLog() {},
  count: (label = 'default') => {
    counts.set(label, (counts.get(label) ?? 0) + 1);
    write(1, [`${label}: ${counts.get(label)}`]);
  },
  countReset: (label = 'default') => counts.delete(label),
  clear() {},
};
internal.define('console', console);
