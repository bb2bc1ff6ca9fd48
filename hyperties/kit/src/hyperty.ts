// What every Hyperty of ours begins with: methods the app may call, events for the app.

import { answer, answerWith, core, divideURL, isObject, Refusal, type Address, type Bus, type Delivered } from "./message.ts";

export type Method = (params: Record<string, unknown>) => Promise<unknown>;

/** Lets the app of this runtime call methods by `execute`. */
export function serve(bus: Bus, url: Address, methods: Record<string, Method>): void {
  const ours = `runtime://${divideURL(url).domain}/`;
  bus.addListener(url, (message: Delivered) => {
    if (message.type !== "execute") return;
    if (!message.from.startsWith(ours)) return answer(bus, message, { code: 403, description: "only the app calls methods" });
    const name = message.body["method"];
    const method = typeof name === "string" && Object.hasOwn(methods, name) ? methods[name] : undefined;
    if (!method) return answer(bus, message, { code: 404, description: "no such method" });
    const params = message.body["params"];
    answerWith(bus, message, Promise.resolve(isObject(params) ? params : {}).then(method));
  });
}

/** Tells the app something. */
export function tellApp(bus: Bus, url: Address, event: Record<string, unknown> & { event: string }): void {
  bus.postMessage({ type: "event", from: url, to: core(url, "ua"), body: event });
}

/** A text parameter, or a refusal. */
export function text(params: Record<string, unknown>, name: string, limit = 512): string {
  const value = params[name];
  if (typeof value !== "string" || value.length === 0 || value.length > limit) {
    throw new Refusal(400, `${name} is a text of 1 to ${limit} characters`);
  }
  return value;
}

/** A person's address, or a refusal. */
export function user(params: Record<string, unknown>): Address {
  const value = text(params, "user");
  if (!/^user:\/\/[a-z0-9.-]+\/[a-z0-9._+-]{1,64}$/.test(value)) throw new Refusal(400, "user looks like user://domain/name");
  return value;
}
