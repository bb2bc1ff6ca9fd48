// structuredClone for plain data.

const ERRORS = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

function clone(value, seen) {
  if (typeof value === 'function' || typeof value === 'symbol') throw new DOMException('cannot be cloned', 'DataCloneError');
  if (typeof value !== 'object' || value === null) return value;
  if (seen.has(value)) return seen.get(value);
  const remember = (copy) => {
    seen.set(value, copy);
    return copy;
  };
  if (Array.isArray(value)) return fill(remember(new Array(value.length)), value, seen);
  if (value instanceof Date) return remember(new Date(value.getTime()));
  if (value instanceof RegExp) return remember(new RegExp(value.source, value.flags));
  if (value instanceof ArrayBuffer) return remember(value.slice(0));
  if (ArrayBuffer.isView(value)) {
    const buffer = clone(value.buffer, seen);
    const length = value instanceof DataView ? value.byteLength : value.length;
    return remember(new value.constructor(buffer, value.byteOffset, length));
  }
  if (value instanceof Map) {
    const copy = remember(new Map());
    for (const [key, item] of value) copy.set(clone(key, seen), clone(item, seen));
    return copy;
  }
  if (value instanceof Set) {
    const copy = remember(new Set());
    for (const item of value) copy.add(clone(item, seen));
    return copy;
  }
  if (value instanceof Error) {
    const copy = remember(new (ERRORS[value.name] ?? Error)(value.message));
    copy.stack = value.stack;
    return copy;
  }
  if (value instanceof Number || value instanceof String || value instanceof Boolean) return remember(Object(value.valueOf()));
  if (value instanceof WeakMap || value instanceof WeakSet || value instanceof Promise) {
    throw new DOMException('cannot be cloned', 'DataCloneError');
  }
  return fill(remember({}), value, seen);
}

function fill(copy, value, seen) {
  for (const key of Object.keys(value)) copy[key] = clone(value[key], seen);
  return copy;
}

internal.define('structuredClone', (value) => clone(value, new Map()));
