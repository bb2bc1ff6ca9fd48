// Manages the data objects of one Hyperty, together with the runtime's Sync Manager.

import { answer, ask, core, isObject, type Address, type Bus, type Configuration, type Delivered, type Identity, type Json, type JsonObject } from "./message.ts";
import { Observer, readChild, Reporter, type DataObject } from "./objects.ts";
import type { Change, Operation } from "./value.ts";

/** Somebody invites this Hyperty to observe an object, or an object is gone. */
export interface Notification {
  type: "create" | "delete";
  url: Address;
  schema: string;
  value: JsonObject;
  version: number;
  /** The person who invites. */
  source: Address;
  from: Address;
  identity?: Identity;
  /** Answers the invitation: 200 (it will observe) or a code that refuses. */
  ack(code?: number, description?: string): void;
}

export interface CreateOptions {
  name?: string;
  [field: string]: unknown;
}

/** What the Sync Manager tells of an object that it keeps. */
interface Kept {
  resource: Address;
  schema: string;
  value: JsonObject;
  version: number;
  role: "reporter" | "observer";
}

const ENDS = /^(.+?)\/(subscription|children|changes)\/?$/;

export class Syncher {
  readonly #objects = new Map<Address, DataObject>();
  readonly #attaching = new Map<Address, Promise<DataObject>>();
  readonly #manager: Address;
  #notificationHandler: ((event: Notification) => void) | undefined;
  #resumeHandlers: ((object: DataObject) => void)[] = [];
  #closeHandlers: ((event: { type: "close"; url: Address }) => void)[] = [];

  constructor(readonly owner: Address, private readonly bus: Bus, readonly config: Configuration = {}) {
    this.#manager = core(owner, "sm");
    bus.addListener(owner, (message) => this.#receive(message));
  }

  get reporters(): Record<Address, Reporter> {
    return Object.fromEntries([...this.#objects].filter((pair): pair is [Address, Reporter] => pair[1] instanceof Reporter));
  }

  get observers(): Record<Address, Observer> {
    return Object.fromEntries([...this.#objects].filter((pair): pair is [Address, Observer] => pair[1] instanceof Observer));
  }

  /** The object of an address, if this Hyperty has it. */
  get(url: Address): DataObject | undefined {
    return this.#objects.get(url);
  }

  /** Creates an object and invites people to observe it. */
  async create(schema: string, observers: Address[], data: JsonObject, ...rest: unknown[]): Promise<Reporter> {
    const value = copy(data);
    const name = rest.find((argument): argument is string => typeof argument === "string") ?? options(rest).name;
    const body = await this.#ask("create", this.#manager, {
      schema: schemaName(schema), value, authorise: observers, ...(name === undefined ? {} : { name }),
    });
    const url = isObject(body.value) ? body.value["resource"] : undefined;
    if (typeof url !== "string") throw new TypeError("the Sync Manager gave no address");
    const made = this.#objects.get(url);
    if (made instanceof Reporter) return made;
    return this.#keep(new Reporter(this.bus, this.owner, { url, schema: schemaName(schema), data: value, version: 0 }));
  }

  /** Observes an object: by its address, by `{resource}`, or by the reference's `(schema, address)`. */
  async subscribe(input: Address | { resource: Address } | { url: Address }, address?: unknown): Promise<Observer> {
    const url = typeof address === "string" && address.includes("://") ? address : addressOf(input);
    const object = await this.attach(url);
    if (!(object instanceof Observer)) throw new TypeError("who reports an object does not observe it");
    return object;
  }

  /** Takes up an object that the Sync Manager keeps, whatever its role. */
  attach(url: Address): Promise<DataObject> {
    const known = this.#objects.get(url);
    if (known) return Promise.resolve(known);
    let pending = this.#attaching.get(url);
    if (!pending) {
      pending = this.#ask("read", url, {}).then((body) => this.#resume(kept(body.value, url)));
      this.#attaching.set(url, pending);
      const done = () => this.#attaching.delete(url);
      pending.then(done, done);
    }
    return pending;
  }

  /** Observes what an invitation has shown, without asking again. */
  observe(event: Notification): Observer {
    const { url, schema, value, version } = event;
    const known = this.#objects.get(url);
    if (known instanceof Observer) return known;
    return this.#keep(new Observer(this.bus, this.owner, { url, schema, data: copy(value), version }));
  }

  /** Reads an object without observing it. */
  async read(url: Address): Promise<{ value: JsonObject; version: number; children: Json }> {
    const { value } = await this.#ask("read", url, {});
    const read = isObject(value) ? value : {};
    const { value: data, version } = kept(value, url);
    return { value: data, version, children: (read["children"] ?? []) as Json };
  }

  /** Changes an object that this Hyperty reports. */
  async update(url: Address, attribute: string, value?: Json, operation?: Operation): Promise<number> {
    const object = await this.attach(url);
    if (!(object instanceof Reporter)) throw new TypeError("only its Reporter changes an object");
    return object.update(attribute, value, operation);
  }

  /** Takes up all objects of a scheme that the Sync Manager keeps, as after a restart. */
  async resume(scheme: string): Promise<DataObject[]> {
    const { value } = await this.#ask("read", this.#manager, { scheme });
    const list = Array.isArray(value) ? value : isObject(value) && Array.isArray(value["resources"]) ? value["resources"] : [];
    const taken = await Promise.allSettled(list.map((entry: unknown) => this.#take(entry)));
    return taken.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  }

  #take(entry: unknown): Promise<DataObject> {
    if (typeof entry === "string") return this.attach(entry);
    const url = isObject(entry) ? entry["resource"] : undefined;
    if (typeof url !== "string") return Promise.reject(new TypeError("not an object"));
    if (isObject(entry) && isObject(entry["value"]) && typeof entry["role"] === "string") {
      return Promise.resolve(this.#resume(kept(entry, url)));
    }
    return this.attach(url);
  }

  async resumeReporters(criteria: { scheme?: string } = {}): Promise<Record<Address, Reporter>> {
    await this.resume(criteria.scheme ?? "comm");
    return this.reporters;
  }

  async resumeObservers(criteria: { scheme?: string } = {}): Promise<Record<Address, Observer>> {
    await this.resume(criteria.scheme ?? "comm");
    return this.observers;
  }

  onNotification(handler: (event: Notification) => void): void {
    this.#notificationHandler = handler;
  }

  /** Hears of objects that were taken up again, before anything that arrives for them. */
  onResume(handler: (object: DataObject) => void): void {
    this.#resumeHandlers.push(handler);
  }

  onReportersResume(handler: (reporters: Record<Address, Reporter>) => void): void {
    this.onResume((object) => object instanceof Reporter && handler({ [object.url]: object }));
  }

  onObserversResume(handler: (observers: Record<Address, Observer>) => void): void {
    this.onResume((object) => object instanceof Observer && handler({ [object.url]: object }));
  }

  onClose(handler: (event: { type: "close"; url: Address }) => void): void {
    this.#closeHandlers.push(handler);
  }

  #ask(type: "create" | "read", to: Address, body: Record<string, unknown>) {
    return ask(this.bus, { type, from: this.owner, to, body });
  }

  #resume({ resource: url, schema, value: data, version, role }: Kept): DataObject {
    const known = this.#objects.get(url);
    if (known) return known;
    const details = { url, schema, data, version };
    const object = this.#keep(role === "reporter"
      ? new Reporter(this.bus, this.owner, details)
      : new Observer(this.bus, this.owner, details));
    for (const handler of this.#resumeHandlers) handler(object);
    return object;
  }

  #keep<T extends DataObject>(object: T): T {
    this.#objects.set(object.url, object);
    object.onClose(() => {
      if (this.#objects.get(object.url) !== object) return;
      this.#objects.delete(object.url);
      for (const handler of this.#closeHandlers) handler({ type: "close", url: object.url });
    });
    return object;
  }

  /** Messages of the Sync Manager come from the object they are about; anything else is not for us. */
  #receive(message: Delivered): void {
    const [, url, end] = ENDS.exec(message.from) ?? [];
    if (url === undefined || message.type === "response" || message.type === "execute") return;
    switch (`${message.type} ${end}`) {
      case "create subscription":
        return this.#invited(url, message);
      case "delete subscription":
        return this.#deleted(url, message);
      case "event subscription":
        return this.#refused(url, message);
      case "subscribe subscription":
      case "forward subscription":
        return this.#subscribed(url, message);
      case "create children":
        return this.#withObject(url, message, (object) => {
          const child = readChild(url, message);
          if (!child) return 400;
          object.takeChild(child);
          return 200;
        });
      case "update changes":
        return this.#withObject(url, message, (object) => this.#changed(object, message));
      default:
        if (message.type !== "event" && message.type !== "close") answer(this.bus, message, { code: 400 });
    }
  }

  #withObject(url: Address, message: Delivered, use: (object: DataObject) => number | Promise<number>): void {
    const known = this.#objects.get(url);
    const done = (code: number) => answer(this.bus, message, { code });
    const run = (object: DataObject) => {
      const code = use(object);
      if (typeof code === "number") done(code);
      else code.then(done, () => done(500));
    };
    const guarded = (object: DataObject) => {
      try {
        run(object);
      } catch {
        done(500);
      }
    };
    if (known) guarded(known);
    // By the time it is read, it may have been created or observed under our hands.
    else this.attach(url).then((object) => guarded(this.#objects.get(url) ?? object), () => done(404));
  }

  #invited(url: Address, message: Delivered): void {
    const { body } = message;
    let open = true;
    const ack = (code = 200, description?: string) => {
      if (!open) return;
      open = false;
      answer(this.bus, message, { code, ...(description ? { description } : {}) });
    };
    if (this.#objects.has(url)) return ack();
    if (!this.#notificationHandler || !isObject(body.value)) return ack(this.#notificationHandler ? 400 : 404);
    const source = String(body["source"] ?? "");
    this.#notificationHandler({
      type: "create", url, source, from: source, schema: schemaName(String(body["schema"] ?? "")),
      value: body.value as JsonObject, version: Number(body["version"] ?? 0), ack, ...identityOf(body),
    });
  }

  #deleted(url: Address, message: Delivered): void {
    const object = this.#objects.get(url);
    const ack = () => undefined;
    if (object) {
      const { schema, version } = object;
      const source = String(message.body["source"] ?? "");
      this.#notificationHandler?.({
        type: "delete", url, source, from: source, schema, value: object.data, version, ack, ...identityOf(message.body),
      });
      object.takeClose();
    }
    answer(this.bus, message, { code: 200 });
  }

  #refused(url: Address, { body }: Delivered): void {
    const object = this.#objects.get(url);
    if (!(object instanceof Reporter) || typeof body.code !== "number") return;
    const user = body["source"] ?? body["user"];
    object.takeRefused({ url, code: body.code, ...(typeof user === "string" ? { user } : {}) });
  }

  #subscribed(url: Address, message: Delivered): void {
    const object = this.#objects.get(url);
    if (!(object instanceof Reporter)) return answer(this.bus, message, { code: 404 });
    const heard = object.takeSubscription({
      type: "subscribe", url, ...identityOf(message.body),
      accept: () => answer(this.bus, message, { code: 200 }),
      reject: (description = "refused") => answer(this.bus, message, { code: 403, description }),
    });
    // The runtime has asked the person already.
    if (!heard) answer(this.bus, message, { code: 200 });
  }

  #changed(object: DataObject, { body }: Delivered): number | Promise<number> {
    if (!(object instanceof Observer)) return 200;
    if (!Number.isSafeInteger(body["version"]) || typeof body["attribute"] !== "string") return 400;
    try {
      if (object.takeChange(body as unknown as Change)) return 200;
    } catch {
      // What cannot be applied is replaced as a whole.
    }
    return this.read(object.url).then(({ value, version }) => {
      object.takeSnapshot(version, value);
      return 200;
    });
  }
}

function kept(entry: unknown, url: Address): Kept {
  const from = isObject(entry) ? entry : {};
  return {
    resource: url,
    schema: schemaName(String(from["schema"] ?? url.split(":", 1)[0])),
    value: isObject(from["value"]) ? (from["value"] as JsonObject) : {},
    version: Number(from["version"] ?? 0),
    role: from["role"] === "reporter" ? "reporter" : "observer",
  };
}

function identityOf(body: Record<string, unknown>): { identity?: Identity } {
  return isObject(body["identity"]) ? { identity: body["identity"] as unknown as Identity } : {};
}

function addressOf(input: Address | { resource?: Address; url?: Address }): Address {
  const url = typeof input === "string" ? input : (input.resource ?? input.url);
  if (typeof url !== "string") throw new TypeError("an object is named by its address");
  return url;
}

const options = (rest: unknown[]): CreateOptions => (rest.find(isObject) as CreateOptions | undefined) ?? {};

/** The reference names a schema by the address of its catalogue entry; the last part is its name. */
const schemaName = (schema: string): string => {
  const last = schema.split("/").pop() ?? schema;
  const known: Record<string, string> = { Communication: "comm", Connection: "connection", Context: "ctxt" };
  return known[last] ?? last;
};

const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;
