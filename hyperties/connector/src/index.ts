// Calls: one connection object each, between two people.

import { Observer, Refusal, Reporter, serve, Syncher, tellApp, text, user, isObject, type Address, type Bus, type Configuration, type Notification } from "../../kit/src/index.ts";
import { Call, reason, SDP_LIMIT, type State } from "./call.ts";
import { Media, type MediaEvent } from "./media.ts";

/** A call that has no object yet. */
interface Beginning {
  mediaName: string;
  /** What the media service told meanwhile. */
  early: MediaEvent[];
}

export default class Connector {
  readonly name = "connector";
  #url: Address = "";
  #bus!: Bus;
  #syncher!: Syncher;
  #media!: Media;
  /** Calls that are not over, by the person on the other side: one with each. */
  readonly #calls = new Map<Address, Call>();
  readonly #beginning = new Map<Address, Beginning>();
  #count = 0;

  async _start(url: Address, bus: Bus, config: Configuration): Promise<void> {
    this.#url = url;
    this.#bus = bus;
    this.#syncher = new Syncher(url, bus, config);
    this.#media = new Media(bus, url);
    this.#media.onEvent((event) => this.#mediaTold(event));
    this.#syncher.onNotification((event) => this.#notified(event));
    serve(bus, url, {
      call: (params) => this.#call(user(params), params["name"]),
      answer: async (params) => this.#find(params).answer(),
      decline: async (params) => this.#find(params).leave(reason(params["reason"], "declined")),
      hangup: async (params) => this.#find(params).leave(reason(params["reason"], "hung-up")),
    });
    await this.#endLeftovers();
  }

  /** The caller's side. The offer stands in the object from the beginning, which saves a round trip. */
  async #call(user: Address, name: unknown) {
    if (this.#calls.has(user) || this.#beginning.has(user)) throw new Refusal(409, "there is a call with this person");
    // Several may begin at once; the core says which one it means.
    const mediaName = typeof name === "string" && name.length <= 512 ? name : `call-${++this.#count}-${Date.now().toString(36)}`;
    const beginning = { mediaName, early: [] };
    this.#beginning.set(user, beginning);
    try {
      const sdp = await this.#media.createOffer(beginning.mediaName);
      const object = await this.#syncher.create("connection", [user], { offer: { sdp }, state: "ringing" }, { name: "call" });
      const call = await this.#open(user, object, beginning);
      return { call: call.url };
    } catch (error) {
      this.#media.close(beginning.mediaName).catch(() => undefined);
      throw error;
    } finally {
      this.#beginning.delete(user);
    }
  }

  async #open(user: Address, object: Reporter, { mediaName, early }: Beginning): Promise<Call> {
    // From here on the object may be answered, so the call exists before anything is waited for.
    const call = this.#add(user, object, mediaName);
    object.onRefused(({ code }) => void call.leave(refusal(code)));
    await this.#media.bind(mediaName, object.url).then(
      () => (call.mediaName = object.url),
      // A media service without `bind` keeps our own name for it.
      () => undefined,
    );
    for (const event of early.splice(0)) this.#pass(call, event);
    return call;
  }

  /** The callee's side. */
  #notified(event: Notification): void {
    if (event.type === "delete") return;
    const offer = isObject(event.value["offer"]) ? event.value["offer"]["sdp"] : undefined;
    if (event.schema !== "connection" || typeof offer !== "string" || offer.length > SDP_LIMIT) {
      return event.ack(400, "a call begins with an offer");
    }
    if (event.value["state"] === "ended") return event.ack(410, "this call is over");
    if (this.#calls.has(event.source) || this.#beginning.has(event.source)) return event.ack(486, "busy");
    const call = this.#add(event.source, this.#syncher.observe(event), event.url);
    event.ack();
    call.ring(offer);
  }

  #add(user: Address, object: Reporter | Observer, mediaName: string): Call {
    const call = new Call(user, object, mediaName, this.#media, {
      show: (call, state, why) => this.#show(call, state, why),
      ended: (call) => {
        if (this.#calls.get(user) === call) this.#calls.delete(user);
      },
    });
    this.#calls.set(user, call);
    return call;
  }

  #find(params: Record<string, unknown>): Call {
    const url = text(params, "call");
    const call = [...this.#calls.values()].find((call) => call.url === url);
    if (!call) throw new Refusal(404, "there is no such call");
    return call;
  }

  #mediaTold(event: MediaEvent): void {
    const call = [...this.#calls.values()].find((call) => call.mediaName === event.call || call.url === event.call);
    if (call) return this.#pass(call, event);
    const beginning = [...this.#beginning.values()].find(({ mediaName }) => mediaName === event.call);
    if (beginning && beginning.early.length < 64) beginning.early.push(event);
  }

  #pass(call: Call, event: MediaEvent): void {
    if (event.event === "candidate") call.localCandidate(event.candidate);
    else if (event.event === "path-wanted") call.pathWanted();
    else if (event.event === "failed") void call.leave(reason(event.reason, "failed-media"));
    else if (event.event === "closed") void call.leave(reason(event.reason, "dropped"));
  }

  /** Calls do not survive a restart: whoever still waits is told. */
  async #endLeftovers(): Promise<void> {
    const objects = await this.#syncher.resume("connection").catch(() => []);
    for (const object of objects) {
      if ([...this.#calls.values()].some((call) => call.object === object)) continue;
      const end = async () => {
        await object.addChild({ type: "bye", reason: "dropped" });
        if (object instanceof Reporter) await object.delete();
        else if (object instanceof Observer) await object.unsubscribe();
      };
      end().catch(() => undefined);
    }
  }

  #show(call: Call, state: State, why?: string): void {
    const because = why === undefined ? {} : { reason: why };
    tellApp(this.#bus, this.#url, { event: "call", call: call.url, state, user: call.user, ...because });
  }
}

const refusal = (code: number): string => ({ 403: "not-permitted", 480: "offline", 486: "busy", 603: "declined" })[code] ?? "declined";
