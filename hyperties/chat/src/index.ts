// Text conversations: one comm object each, every message a child of its author.

import { isObject, Refusal, serve, Syncher, tellApp, text, user, type Address, type Bus, type Child, type Configuration, type DataObject, type JsonObject, type Notification } from "../../kit/src/index.ts";

/** Characters of one message. */
const TEXT_LIMIT = 16_384;
/** Characters of the name of a message: an address, and which child of it. */
const ID_LIMIT = 640;
/** Characters of a link that has a card, and of its picture. */
const URL_LIMIT = 2_048;
const PICTURE_LIMIT = 32_768;
/** What is said about another message, instead of to a person. */
const ABOUT_MESSAGES = new Set(["react", "edit", "delete", "pin"]);

export default class Chat {
  readonly name = "chat";
  #url: Address = "";
  #bus!: Bus;
  #syncher!: Syncher;
  readonly #watched = new WeakSet<DataObject>();

  async _start(url: Address, bus: Bus, config: Configuration): Promise<void> {
    this.#url = url;
    this.#bus = bus;
    this.#syncher = new Syncher(url, bus, config);
    this.#syncher.onResume((object) => this.#watch(object));
    this.#syncher.onNotification((event) => this.#notified(event));
    serve(bus, url, {
      create: (params) => this.#create(user(params)),
      send: (params) => this.#say(params, { type: "text", text: message(params), ...answered(params) }),
      edit: (params) => this.#say(params, { type: "edit", to: text(params, "to", ID_LIMIT), text: message(params) }),
      react: (params) => this.#say(params, { type: "react", to: text(params, "to", ID_LIMIT), emoji: text(params, "emoji"), on: params["on"] !== false }),
      delete: (params) => this.#say(params, { type: "delete", to: text(params, "to", ID_LIMIT) }),
      pin: (params) => this.#say(params, { type: "pin", to: text(params, "to", ID_LIMIT), on: params["on"] !== false }),
      timer: (params) => this.#say(params, { type: "timer", seconds: seconds(params, "seconds") }),
      join: (params) => this.#join(text(params, "conversation")),
    });
    // A conversation that is not taken up now is taken up when something arrives for it.
    await this.#syncher.resume("comm").catch(() => []);
  }

  async #create(user: Address) {
    const object = await this.#syncher.create("comm", [user], { type: "chat" }, { name: "chat" });
    this.#watch(object);
    return { conversation: object.url };
  }

  async #say(params: Record<string, unknown>, value: JsonObject) {
    const object = await this.#syncher.attach(text(params, "conversation"));
    const { resource, seq } = await object.addChild(value);
    return { message: resource, seq };
  }

  async #join(conversation: Address) {
    await this.#syncher.attach(conversation);
    return { conversation };
  }

  #notified(event: Notification): void {
    if (event.type === "delete") return this.#tell({ event: "closed", conversation: event.url });
    if (event.schema !== "comm") return event.ack(415, "this is a chat");
    this.#watch(this.#syncher.observe(event));
    event.ack();
    this.#tell({ event: "invited", conversation: event.url, user: event.source });
  }

  #watch(object: DataObject): void {
    if (this.#watched.has(object)) return;
    this.#watched.add(object);
    object.onAddChild((child) => this.#heard(child));
  }

  #heard({ url, childId, seq, author, value, at }: Child): void {
    const about = { conversation: url, message: childId, seq, author, at };
    if (isObject(value) && value["type"] === "text" && typeof value["text"] === "string" && fits(value["text"])) {
      this.#tell({ event: "message", ...about, text: value["text"] });
    } else if (isObject(value) && ABOUT_MESSAGES.has(String(value["type"])) && typeof value["to"] === "string") {
      this.#tell({ event: "changed", ...about, to: value["to"] });
    } else this.#tell({ event: "unsupported", ...about });
  }

  #tell(event: Record<string, unknown> & { event: string }): void {
    tellApp(this.#bus, this.#url, event);
  }
}

/** What a message says of itself besides its words. */
function answered(params: Record<string, unknown>): JsonObject {
  return {
    ...(params["reply"] === undefined ? {} : { reply: text(params, "reply", ID_LIMIT) }),
    ...(params["forwarded"] === true ? { forwarded: true } : {}),
    ...(Array.isArray(params["mentions"]) ? { mentions: params["mentions"].filter(isObject).map((one) => ({ user: text(one, "user"), name: text(one, "name") })) } : {}),
    ...(params["ends"] === undefined ? {} : { ends: seconds(params, "ends") }),
    ...(isObject(params["preview"]) ? { preview: card(params["preview"]) } : {}),
  };
}

/** The card of a link in the words; who reads it looks closely, this only bounds it. */
function card(params: Record<string, unknown>): JsonObject {
  const part = (name: string, limit: number) => (params[name] === undefined ? {} : { [name]: text(params, name, limit) });
  return { url: text(params, "url", URL_LIMIT), title: text(params, "title"), ...part("description", 1_024), ...part("picture", PICTURE_LIMIT) };
}

function seconds(params: Record<string, unknown>, name: string): number {
  const value = params[name];
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new Refusal(400, `${name} is a number of seconds`);
  return value as number;
}

/** Whether a text is neither empty nor too long, counted as people count. */
function fits(text: string): boolean {
  if (text.length === 0 || text.length > 2 * TEXT_LIMIT) return false;
  return text.length <= TEXT_LIMIT || Array.from(text).length <= TEXT_LIMIT;
}

function message(params: Record<string, unknown>): string {
  const value = params["text"];
  if (typeof value !== "string" || !fits(value)) throw new Refusal(400, `text has 1 to ${TEXT_LIMIT} characters`);
  // Half of a surrogate pair is no character, and no JSON reader outside JavaScript takes it.
  return value.replace(/\p{Surrogate}/gu, "\u{fffd}");
}
