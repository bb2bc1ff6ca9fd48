// The words of the Message Bus: addresses, messages, codes.

export type Address = string;

export type MessageType =
  | "create" | "read" | "update" | "delete" | "subscribe" | "unsubscribe"
  | "response" | "forward" | "execute" | "event" | "open" | "close";

/** What JSON can say. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export interface Message {
  id?: number;
  type: MessageType;
  from?: Address;
  to: Address;
  body?: Body;
}

/** A message as the bus delivers it: complete, its `from` stamped by the runtime. */
export interface Delivered extends Message {
  id: number;
  from: Address;
  body: Body;
}

export interface Body {
  code?: number;
  description?: string;
  value?: unknown;
  [field: string]: unknown;
}

export interface Listener {
  url: Address;
  remove(): void;
}

/** The guest's end of the Message Bus. */
export interface Bus {
  addListener(url: Address, callback: (message: Delivered) => void): Listener;
  postMessage(message: Message, reply?: (answer: Delivered) => void, timeout?: number): number;
}

/** What a runtime tells a Hyperty when it starts it. */
export interface Configuration {
  runtimeURL?: Address;
  [field: string]: unknown;
}

/** Who vouches for an author, as the runtime has verified it. */
export interface Identity {
  user: Address;
  issuer?: string;
  subject?: string;
  state?: string;
  [field: string]: unknown;
}

/** A request was refused, with the code of the answer. */
export class Refusal extends Error {
  constructor(readonly code: number, description: string) {
    super(description);
    this.name = "Refusal";
  }
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Splits `scheme://domain/identity` as the reference's helper of the same name does. */
export function divideURL(url: Address): { type: string; domain: string; identity: string } {
  const parts = /^([a-zA-Z][\w+.-]*):\/\/([^/]*)(?:\/(.*))?$/.exec(String(url));
  if (!parts) return { type: "", domain: "", identity: "" };
  const [, type = "", authority = "", rest] = parts;
  const domain = authority.includes("@") ? (authority.split("@")[1] ?? "") : authority;
  return { type, domain, identity: rest === undefined ? authority : `/${rest}` };
}

/** The runtime's own part of a name, such as `sm`, for a guest of that runtime. */
export const core = (owner: Address, part: string): Address => `runtime://${divideURL(owner).domain}/${part}`;

/** Sends a request and waits for its final answer. */
export function ask(bus: Bus, message: Message): Promise<Body> {
  return new Promise((resolve, reject) => {
    bus.postMessage(message, (answer) => {
      const { body } = answer;
      const code = typeof body?.code === "number" ? body.code : 500;
      if (code < 200) return;
      if (code < 300) resolve(body);
      else reject(new Refusal(code, String(body.description ?? body["desc"] ?? `refused with ${code}`)));
    });
  });
}

/** Answers a request. */
export function answer(bus: Bus, request: Delivered, body: Body): void {
  bus.postMessage({ id: request.id, type: "response", from: request.to, to: request.from, body });
}

/** Answers a request with what its work has led to. */
export function answerWith(bus: Bus, request: Delivered, work: Promise<unknown>): void {
  work.then(
    (value) => answer(bus, request, { code: 200, value: value ?? {} }),
    (error: unknown) => {
      const code = error instanceof Refusal ? error.code : 500;
      answer(bus, request, { code, description: error instanceof Error ? error.message : "failed" });
    },
  );
}
