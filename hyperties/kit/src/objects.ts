// Data objects as a Hyperty sees them: a Reporter writes, an Observer follows, both have children.

import { ask, isObject, type Address, type Bus, type Delivered, type Identity, type Json, type JsonObject } from "./message.ts";
import { apply, observed, type Change, type Operation } from "./value.ts";

/** A child of an object, such as one message of a chat. */
export interface Child {
  type: "create";
  /** Address of the object. */
  url: Address;
  childId: string;
  /** Number among the children of its author, from 1 without gaps. */
  seq: number;
  value: Json;
  /** The reference's name for `value`. */
  data: Json;
  /** Who wrote it, as verified by the runtime. */
  author: Address;
  /** The reference's name for `author`. */
  from: Address;
  identity?: Identity;
  /** When it was written, Unix milliseconds. */
  at: number;
}

/** What was written to an object by this Hyperty. */
export interface Written {
  resource: string;
  childId: string;
  seq: number;
  value: Json;
}

export interface ChangeEvent {
  cType: "add" | "update" | "remove";
  oType: "object" | "array";
  field: string;
  data: Json | undefined;
  version: number;
}

/** Somebody declined an invitation, or left. */
export interface Refused {
  url: Address;
  code: number;
  user?: Address;
}

export interface Details {
  url: Address;
  schema: string;
  data: JsonObject;
  version: number;
}

/** What both sides of an object can do. */
export abstract class DataObject {
  readonly url: Address;
  readonly schema: string;
  version: number;
  /** The value itself, for the kit; `data` is how a Hyperty sees it. */
  protected value: JsonObject;
  #childHandlers: ((child: Child) => void)[] = [];
  #closeHandlers: (() => void)[] = [];

  constructor(protected readonly bus: Bus, protected readonly owner: Address, details: Details) {
    this.url = details.url;
    this.schema = details.schema;
    this.version = details.version;
    this.value = details.data;
  }

  abstract readonly role: "reporter" | "observer";
  abstract get data(): JsonObject;

  /** Writes a child. The reference's older form `(name, value)` works as well. */
  async addChild(...args: [value: Json] | [name: string, value: Json]): Promise<Written> {
    const value = args.length > 1 && typeof args[0] === "string" && isObject(args[1]) ? (args[1] as Json) : args[0];
    const to = `${this.url}/children/`;
    const body = await ask(this.bus, { type: "create", from: this.owner, to, body: { value } });
    const written = isObject(body.value) ? body.value : {};
    const resource = String(written["resource"] ?? "");
    return { resource, childId: resource, seq: Number(written["seq"] ?? 0), value };
  }

  onAddChild(handler: (child: Child) => void): void {
    this.#childHandlers.push(handler);
  }

  /** The object is gone. */
  onClose(handler: () => void): void {
    this.#closeHandlers.push(handler);
  }

  /** Writes an event for those who do not need it to last; the same as a child here. */
  sendEvent(value: Json): Promise<Written> {
    return this.addChild(value);
  }

  /** @internal */
  takeChild(child: Child): void {
    for (const handler of this.#childHandlers) handler(child);
  }

  /** @internal */
  takeClose(): void {
    for (const handler of this.#closeHandlers) handler();
  }
}

/** The writing side. Assignments to `data` are sent as changes. */
export class Reporter extends DataObject {
  readonly role = "reporter";
  readonly #view: JsonObject;
  #refusedHandlers: ((refused: Refused) => void)[] = [];
  #subscriptionHandlers: ((event: SubscriptionEvent) => void)[] = [];

  constructor(bus: Bus, owner: Address, details: Details) {
    super(bus, owner, details);
    this.#view = observed(this.value, (change) => {
      this.#send(change).catch(() => this.takeClose());
    });
  }

  get data(): JsonObject {
    return this.#view;
  }

  /** Sets what a dot-path names, or removes it without a value; resolves with the new version. */
  async update(attribute: string, value?: Json, operation?: Operation): Promise<number> {
    const change = { attribute, ...(value === undefined ? {} : { value }), ...(operation ? { operation } : {}) };
    apply(this.value, { version: 0, ...structured(change) });
    return this.#send(change);
  }

  async #send(change: Omit<Change, "version">): Promise<number> {
    const body = await ask(this.bus, { type: "update", from: this.owner, to: `${this.url}/changes`, body: { ...change } });
    const version = isObject(body.value) ? Number(body.value["version"]) : NaN;
    this.version = Number.isFinite(version) ? Math.max(this.version, version) : this.version + 1;
    return this.version;
  }

  /** Ends the object for everyone. */
  async delete(): Promise<void> {
    await ask(this.bus, { type: "delete", from: this.owner, to: this.url, body: {} });
    this.takeClose();
  }

  onSubscription(handler: (event: SubscriptionEvent) => void): void {
    this.#subscriptionHandlers.push(handler);
  }

  onRefused(handler: (refused: Refused) => void): void {
    this.#refusedHandlers.push(handler);
  }

  /** @internal Whether somebody decides about a subscription. */
  takeSubscription(event: SubscriptionEvent): boolean {
    for (const handler of this.#subscriptionHandlers) handler(event);
    return this.#subscriptionHandlers.length > 0;
  }

  /** @internal */
  takeRefused(refused: Refused): void {
    for (const handler of this.#refusedHandlers) handler(refused);
  }
}

export interface SubscriptionEvent {
  type: "subscribe";
  url: Address;
  identity?: Identity;
  accept(): void;
  reject(description?: string): void;
}

/** The reading side. */
export class Observer extends DataObject {
  readonly role = "observer";
  #changeHandlers: { filter: string; handler: (event: ChangeEvent) => void }[] = [];

  get data(): JsonObject {
    return this.value;
  }

  /** Hears of changes at a dot-path, below it (`members.*`), or anywhere (`*`). */
  onChange(filter: string, handler: (event: ChangeEvent) => void): void {
    this.#changeHandlers.push({ filter, handler });
  }

  async unsubscribe(): Promise<void> {
    await ask(this.bus, { type: "unsubscribe", from: this.owner, to: `${this.url}/subscription`, body: {} });
    this.takeClose();
  }

  /** @internal Applies a change; false when one before it is missing. */
  takeChange(change: Change): boolean {
    if (change.version <= this.version) return true;
    if (change.version > this.version + 1) return false;
    const attribute = change.attribute;
    apply(this.value, change);
    this.version = change.version;
    const removes = change.operation === "remove" || change.value === undefined || change.value === null;
    this.#tell({
      cType: removes ? "remove" : change.operation === "add" ? "add" : "update",
      oType: change.operation ? "array" : "object",
      field: attribute,
      data: change.value,
      version: change.version,
    });
    return true;
  }

  /** @internal Replaces the value by a newer one. */
  takeSnapshot(version: number, data: JsonObject): void {
    if (version <= this.version) return;
    this.value = data;
    this.version = version;
    this.#tell({ cType: "update", oType: "object", field: "*", data, version });
  }

  #tell(event: ChangeEvent): void {
    const { field } = event;
    for (const { filter, handler } of this.#changeHandlers) {
      const below = filter.endsWith(".*") && field.startsWith(filter.slice(0, -1));
      if (filter === "*" || filter === field || field === "*" || below) handler(event);
    }
  }
}

/** Reads a child as the runtime brings it; nothing if it is none. */
export function readChild(url: Address, { body }: Delivered): Child | undefined {
  const { resource, seq, author, value, at } = body as Record<string, unknown>;
  if (typeof resource !== "string" || typeof author !== "string" || !Number.isSafeInteger(seq)) return undefined;
  const identity = isObject(body["identity"]) ? { identity: body["identity"] as unknown as Identity } : {};
  return {
    type: "create", url, childId: resource, seq: seq as number, value: value as Json, data: value as Json,
    author, from: author, at: typeof at === "number" ? at : 0, ...identity,
  };
}

const structured = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;
