// A bus of a few lines: one guest on one side, the test on the other.

import type { Body, Bus, Delivered, Listener, Message } from "../kit/src/index.ts";

type Answer = Body | undefined;

export class FakeBus implements Bus {
  readonly sent: Delivered[] = [];
  #listeners: { url: string; callback: (message: Delivered) => void }[] = [];
  #waiting = new Map<number, (answer: Delivered) => void>();
  #answers: ((message: Delivered) => Answer)[] = [];
  #id = 0;

  addListener(url: string, callback: (message: Delivered) => void): Listener {
    const listener = { url, callback };
    this.#listeners.push(listener);
    return { url, remove: () => (this.#listeners = this.#listeners.filter((other) => other !== listener)) };
  }

  postMessage(message: Message, reply?: (answer: Delivered) => void): number {
    const id = message.id ?? ++this.#id;
    const complete: Delivered = JSON.parse(JSON.stringify({ from: "?", body: {}, ...message, id }));
    this.sent.push(complete);
    if (complete.type === "response") {
      const waiting = this.#waiting.get(-id);
      this.#waiting.delete(-id);
      waiting?.(complete);
    } else if (reply) {
      this.#waiting.set(id, reply);
      for (const answer of this.#answers) {
        const body = answer(complete);
        if (body) {
          queueMicrotask(() => this.respond(complete, body));
          break;
        }
      }
    }
    return id;
  }

  /** Answers requests of the guest; the latest rule that gives a body wins. */
  when(rule: (message: Delivered) => Answer): void {
    this.#answers.unshift(rule);
  }

  respond({ id, from, to }: Delivered, body: Body): void {
    const reply = this.#waiting.get(id);
    if ((body.code ?? 500) >= 200) this.#waiting.delete(id);
    reply?.({ id, type: "response", from: to, to: from, body });
  }

  /** Sends the guest a message; resolves with its answer, if it is a request. */
  deliver(message: Omit<Message, "id"> & { from: string }): Promise<Delivered> {
    const id = ++this.#id + 1_000_000;
    const complete: Delivered = JSON.parse(JSON.stringify({ body: {}, ...message, id }));
    const answered = new Promise<Delivered>((resolve) => this.#waiting.set(-id, resolve));
    for (const { url, callback } of this.#listeners) if (url === message.to) callback(complete);
    return answered;
  }

  /** What the guest sent to an address. */
  to(address: string, type?: string): Delivered[] {
    return this.sent.filter((message) => message.to === address && (!type || message.type === type));
  }

  /** Events for the app. */
  events(): Body[] {
    return this.sent.filter(({ type, to }) => type === "event" && to.endsWith("/ua")).map(({ body }) => body);
  }
}

declare function queueMicrotask(callback: () => void): void;
declare function setImmediate(callback: () => void): void;

/** Lets everything that is ready happen. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A Sync Manager that agrees with everything. */
export function agreeingManager(bus: FakeBus, scheme: string): void {
  let objects = 0;
  const seqs = new Map<string, number>();
  bus.when(({ type, to, body }) => {
    if (to === "runtime://a.example/sm" && type === "create") {
      return { code: 200, value: { resource: `${scheme}://a.example/${++objects}` } };
    }
    if (to === "runtime://a.example/sm" && type === "read") return { code: 200, value: [] };
    if (type === "create" && to.endsWith("/children/")) {
      const seq = (seqs.get(to) ?? 0) + 1;
      seqs.set(to, seq);
      return { code: 200, value: { resource: `${to}${seq}`, seq } };
    }
    if (type === "update") return { code: 200, value: { version: Number(body["version"] ?? 1) } };
    if (type === "delete" || type === "unsubscribe") return { code: 200 };
    return undefined;
  });
}
