// Changes a JSON value by dot-path, as the runtime's `sync` does it.

import { isObject, type Json, type JsonObject } from "./message.ts";

declare function queueMicrotask(callback: () => void): void;

export type Operation = "add" | "remove";

export interface Change {
  version: number;
  attribute: string;
  value?: Json;
  operation?: Operation;
}

const RESERVED = new Set(["__proto__", "prototype", "constructor", ""]);

/** The parts of a dot-path, or an error for names that are part of JavaScript's machinery. */
export function parts(attribute: string): string[] {
  const path = String(attribute).split(".");
  if (path.length > 16 || path.some((part) => RESERVED.has(part))) throw new TypeError("no such attribute");
  return path;
}

const own = (at: unknown, part: string): unknown =>
  typeof at === "object" && at !== null && Object.hasOwn(at, part) ? (at as Record<string, unknown>)[part] : undefined;

/** What stands at a path, if anything. */
export const at = (root: unknown, path: string[]): unknown => path.reduce(own, root);

function put(container: unknown, part: string, value: Json): void {
  if (Array.isArray(container)) {
    const index = Number(part);
    if (String(index) !== part || index > container.length || index < 0) throw new TypeError("no such element");
    container[index] = value;
  } else if (isObject(container)) container[part] = value;
  else throw new TypeError("no such attribute");
}

/** Applies a change to a value. */
export function apply(root: JsonObject, { attribute, value, operation }: Change): void {
  const path = parts(attribute);
  const last = path.pop() as string;
  const removes = value === undefined || value === null || operation === "remove";
  let place: unknown = root;
  for (const part of path) {
    let next = own(place, part);
    if (next === undefined || next === null) {
      if (removes) return;
      next = {};
      put(place, part, next as Json);
    }
    place = next;
  }
  const there = own(place, last);
  if (operation === "add") {
    if (Array.isArray(there)) there.push(value as Json);
    else put(place, last, [value as Json]);
  } else if (operation === "remove") {
    if (!Array.isArray(there)) return;
    const gone = canonical(value);
    put(place, last, there.filter((item) => canonical(item) !== gone) as Json);
  } else if (!removes) put(place, last, value);
  else if (Array.isArray(place)) {
    if (Object.hasOwn(place, last)) place.splice(Number(last), 1);
  } else if (isObject(place)) delete place[last];
}

/** JSON text with sorted keys, so that equal values have equal texts. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    isObject(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner);
}

export type Report = (change: { attribute: string; value?: Json }) => void;

/**
 * A view of a value that reports every assignment below it.
 *
 * Arrays are reported whole, once their synchronous changes are done: `splice`
 * is a dozen assignments and one intention.
 */
export function observed(root: JsonObject, report: Report): JsonObject {
  const dirty = new Set<string>();
  const arrayChanged = (path: string[]) => {
    const attribute = path.join(".");
    if (dirty.has(attribute)) return;
    dirty.add(attribute);
    queueMicrotask(() => {
      dirty.delete(attribute);
      const now = at(root, path);
      if (Array.isArray(now)) report({ attribute, value: JSON.parse(JSON.stringify(now)) as Json });
    });
  };
  const view = (target: object, path: string[]): object =>
    new Proxy(target, {
      get(container, key) {
        const value: unknown = Reflect.get(container, key);
        if (typeof key !== "string" || typeof value !== "object" || value === null || !Object.hasOwn(container, key)) return value;
        return view(value, [...path, key]);
      },
      set(container, key, value: Json) {
        if (typeof key !== "string") return false;
        const plain = value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as Json);
        if (Array.isArray(container)) {
          Reflect.set(container, key, key === "length" ? value : plain);
          arrayChanged(path);
          return true;
        }
        parts([...path, key].join("."));
        if (plain === undefined) Reflect.deleteProperty(container, key);
        else Reflect.set(container, key, plain);
        report({ attribute: [...path, key].join("."), ...(plain === undefined ? {} : { value: plain }) });
        return true;
      },
      deleteProperty(container, key) {
        if (typeof key !== "string") return false;
        Reflect.deleteProperty(container, key);
        if (Array.isArray(container)) arrayChanged(path);
        else report({ attribute: [...path, key].join(".") });
        return true;
      },
      defineProperty: () => false,
    });
  return view(root, []) as JsonObject;
}
