// storage: a small shelf for text, as large as was granted.

internal.define('storage', {
  get: (key) => internal.call({ op: 'storage.get', key: String(key) }),
  set: (key, value) => internal.call({ op: 'storage.set', key: String(key), value: String(value) }),
  delete: (key) => internal.call({ op: 'storage.delete', key: String(key) }),
  keys: () => internal.call({ op: 'storage.keys' }),
});
