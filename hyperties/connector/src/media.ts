// The runtime's media service, as the connector asks it.

import { ask, core, isObject, Refusal, type Address, type Bus, type Delivered, type Json } from "../../kit/src/index.ts";

/** What the media service tells of a call. */
export type MediaEvent =
  | { event: "candidate"; call: string; candidate: Json }
  | { event: "connected" | "path-wanted" | "failed" | "closed"; call: string; reason?: string };

export class Media {
  readonly #service: Address;

  constructor(private readonly bus: Bus, private readonly owner: Address) {
    this.#service = core(owner, "media");
  }

  onEvent(handler: (event: MediaEvent) => void): void {
    this.bus.addListener(this.owner, (message: Delivered) => {
      const { body } = message;
      if (message.type !== "event" || message.from !== this.#service || typeof body["call"] !== "string") return;
      handler(body as unknown as MediaEvent);
    });
  }

  createOffer = (call: string) => this.#sdp("createOffer", { call });
  /** Our answer, and the candidates that were found while it rang. */
  async acceptOffer(call: string, offer: string): Promise<{ sdp: string; candidates: Json[] }> {
    const { sdp, candidates } = await this.#described("acceptOffer", { call, sdp: offer });
    return { sdp, candidates: Array.isArray(candidates) ? candidates : [] };
  }
  acceptAnswer = (call: string, sdp: string) => this.#execute("acceptAnswer", { call, sdp });
  addCandidate = (call: string, candidate: Json) => this.#execute("addCandidate", { call, candidate });
  /** Another path for a call that lost its own: an offer, its answer, and what comes of it. */
  restart = (call: string) => this.#sdp("restart", { call });
  acceptRestart = (call: string, sdp: string) => this.#sdp("acceptRestart", { call, sdp });
  finishRestart = (call: string, sdp: string) => this.#execute("finishRestart", { call, sdp });
  close = (call: string) => this.#execute("close", { call });

  /** Names the call object whose offer was made under a name of our own. */
  bind = (call: string, object: Address) => this.#execute("bind", { call, object });

  async #sdp(method: string, params: Record<string, unknown>): Promise<string> {
    return (await this.#described(method, params)).sdp;
  }

  async #described(method: string, params: Record<string, unknown>): Promise<{ sdp: string; candidates?: unknown }> {
    const value = await this.#execute(method, params);
    if (!isObject(value) || typeof value["sdp"] !== "string") throw new Refusal(500, "the media service gave no description");
    return { sdp: value["sdp"], candidates: value["candidates"] };
  }

  async #execute(method: string, params: Record<string, unknown>): Promise<unknown> {
    const body = await ask(this.bus, { type: "execute", from: this.owner, to: this.#service, body: { method, params } });
    return body.value;
  }
}
