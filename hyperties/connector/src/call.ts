// One call with one person: its object, its media, and where it stands.

import { isObject, Observer, Refusal, Reporter, type Address, type Child, type Json } from "../../kit/src/index.ts";
import type { Media } from "./media.ts";

/** How long a call rings. */
export const RING_LIMIT = 60_000;
/** Characters of a session description. */
export const SDP_LIMIT = 65_536;
/** Candidates of one side. */
const CANDIDATE_LIMIT = 64;
const CANDIDATE_SIZE = 4_096;
/** How long a search for another path has its time before the other side's wish begins one more. */
export const SEARCH_TIME = 2_000;

export type State = "ringing" | "incoming" | "connecting" | "ended";

interface Hooks {
  show(call: Call, state: State, reason?: string): void;
  ended(call: Call): void;
}

/** What the other side writes; everything in it is a stranger's until it is checked. */
type Signal =
  | { type: "ringing" }
  | { type: "answer"; sdp: string; candidates?: Json[] }
  | { type: "candidate"; candidate: Json }
  | { type: "path" }
  | { type: "restart" | "restarted"; round: number; sdp: string }
  | { type: "bye"; reason: string };

export class Call {
  state: State | "calling" = "calling";
  /** Under which name the media service knows it. */
  mediaName: string;
  #remoteReady = false;
  #remoteCandidates: Json[] = [];
  #remoteCount = 0;
  #localCount = 0;
  #timer: unknown;
  #offer = "";
  /** The search for another path: its number, when it began, and our candidates until its offer is written. */
  #round = 0;
  #searchedAt = 0;
  #held: Json[] | undefined;

  constructor(
    readonly user: Address,
    readonly object: Reporter | Observer,
    mediaName: string,
    private readonly media: Media,
    private readonly hooks: Hooks,
  ) {
    this.mediaName = mediaName;
    object.onAddChild((child) => this.#heard(child));
    object.onClose(() => this.end("hung-up"));
    this.#timer = later(RING_LIMIT, () => void this.leave("no-answer"));
  }

  get url(): Address {
    return this.object.url;
  }

  get incoming(): boolean {
    return this.object instanceof Observer;
  }

  /** The callee's side begins: the phone rings on both sides. */
  ring(offer: string): void {
    this.#offer = offer;
    this.#show("incoming");
    this.#write({ type: "ringing" });
    if (this.object instanceof Observer) {
      this.object.onChange("state", ({ data }) => {
        if (data === "ended") this.end(reason(this.object.data["reason"], "hung-up"));
      });
    }
  }

  /** The callee takes the call. */
  async answer(): Promise<void> {
    if (this.state !== "incoming") throw new Refusal(409, "this call does not wait for an answer");
    this.#show("connecting");
    this.#stopRinging();
    try {
      const { sdp, candidates } = await this.media.acceptOffer(this.mediaName, this.#offer);
      if (this.#isOver()) return;
      this.#flush();
      this.#localCount += candidates.length;
      await this.object.addChild(candidates.length > 0 ? { type: "answer", sdp, candidates } : { type: "answer", sdp });
    } catch (error) {
      await this.leave("failed-media");
      throw error;
    }
  }

  /** Ends the call and tells the other side why. */
  async leave(why: string): Promise<void> {
    if (this.#isOver()) return;
    this.end(why);
    await this.object.addChild({ type: "bye", reason: why }).catch(() => undefined);
    await this.#forget(why);
  }

  /** The call is over on our side. */
  end(why: string): void {
    if (this.#isOver()) return;
    this.#stopRinging();
    this.#show("ended", why);
    this.media.close(this.mediaName).catch(() => undefined);
    this.hooks.ended(this);
  }

  /** Something was found of our own way to the other side. */
  localCandidate(candidate: Json): void {
    if (this.#held) this.#held.push(candidate);
    else if (!this.#isOver() && this.#localCount++ < CANDIDATE_LIMIT) this.#write({ type: "candidate", candidate });
  }

  /** Our media lost its path. Who called offers another; who was called asks for one. */
  pathWanted(): void {
    if (this.state !== "connecting") return;
    if (this.incoming) this.#write({ type: "path" });
    else void this.#search();
  }

  async #search(): Promise<void> {
    // One whose offer is not written yet looks at the networks there are now.
    if (this.#held) return;
    const round = ++this.#round;
    this.#searchedAt = Date.now();
    this.#held = [];
    try {
      const sdp = await this.media.restart(this.mediaName);
      if (!this.#isOver()) await this.object.addChild({ type: "restart", round, sdp });
      this.#localCount = 0;
    } catch {
      // The old path may come back; if it does not, media ends the call within its limit.
    } finally {
      const held = this.#held;
      this.#held = undefined;
      for (const candidate of held) this.localCandidate(candidate);
    }
  }

  /** The caller offers another path. A description that media refuses changes nothing. */
  async #found(round: number, sdp: string): Promise<void> {
    this.#localCount = this.#remoteCount = 0;
    this.#remoteReady = false;
    try {
      const answer = await this.media.acceptRestart(this.mediaName, sdp);
      if (!this.#isOver()) this.#write({ type: "restarted", round, sdp: answer });
    } catch {
      // As above.
    } finally {
      this.#flush();
    }
  }

  /** The reference's way to end an object: its Reporter deletes it, an Observer leaves it. */
  async #forget(why: string): Promise<void> {
    try {
      if (this.object instanceof Reporter) {
        await this.object.update("reason", why);
        await this.object.update("state", "ended");
        await this.object.delete();
      } else await this.object.unsubscribe();
    } catch {
      // It is over either way; the runtime forgets an ended object when it starts again.
    }
  }

  #heard(child: Child): void {
    // Only the other person of this call has a say in it.
    if (child.author !== this.user || this.#isOver()) return;
    const signal = read(child.value);
    switch (signal?.type) {
      case "ringing":
        if (!this.incoming && this.state === "calling") this.#show("ringing");
        return;
      case "answer":
        if (this.incoming || (this.state !== "calling" && this.state !== "ringing")) return;
        for (const candidate of signal.candidates ?? []) this.#remote(candidate);
        void this.#answered(signal.sdp);
        return;
      case "candidate":
        this.#remote(signal.candidate);
        return;
      case "path":
        if (!this.incoming && this.state === "connecting" && Date.now() - this.#searchedAt >= SEARCH_TIME) void this.#search();
        return;
      case "restart":
        if (this.incoming && this.state === "connecting") void this.#found(signal.round, signal.sdp);
        return;
      case "restarted":
        // An answer to an offer that was overtaken by another would end the search.
        if (this.incoming || signal.round !== this.#round) return;
        this.#remoteCount = 0;
        this.media.finishRestart(this.mediaName, signal.sdp).catch(() => undefined);
        return;
      case "bye":
        this.end(signal.reason);
        void this.#forget(signal.reason);
    }
  }

  async #answered(sdp: string): Promise<void> {
    this.#show("connecting");
    this.#stopRinging();
    try {
      await this.media.acceptAnswer(this.mediaName, sdp);
      this.#flush();
      if (this.object instanceof Reporter) await this.object.update("state", "answered");
    } catch (error) {
      const code = error instanceof Refusal ? error.code : 500;
      await this.leave(code === 403 ? "fingerprint-mismatch" : "failed-media");
    }
  }

  #remote(candidate: Json): void {
    if (this.#remoteCount++ < CANDIDATE_LIMIT) this.#candidate(candidate);
  }

  #candidate(candidate: Json): void {
    if (this.#remoteReady) this.media.addCandidate(this.mediaName, candidate).catch(() => undefined);
    else this.#remoteCandidates.push(candidate);
  }

  /** The media service knows the other side's description now. */
  #flush(): void {
    this.#remoteReady = true;
    for (const candidate of this.#remoteCandidates.splice(0)) this.#candidate(candidate);
  }

  #write(signal: Signal): void {
    this.object.addChild(signal as unknown as Json).catch(() => undefined);
  }

  #show(state: State, why?: string): void {
    this.state = state;
    this.hooks.show(this, state, why);
  }

  #isOver(): boolean {
    return this.state === "ended";
  }

  #stopRinging(): void {
    cancel(this.#timer);
    this.#timer = undefined;
  }
}

function read(value: unknown): Signal | undefined {
  if (!isObject(value)) return undefined;
  const { type, sdp, candidate, round } = value;
  switch (type) {
    case "ringing":
    case "path":
      return { type };
    case "answer":
      return isDescription(sdp) ? { type, sdp, candidates: list(value["candidates"]) } : undefined;
    case "restart":
    case "restarted":
      return isDescription(sdp) && Number.isSafeInteger(round) ? { type, round: round as number, sdp } : undefined;
    case "candidate":
      return isCandidate(candidate ?? null) ? { type, candidate: (candidate ?? null) as Json } : undefined;
    case "bye":
      return { type, reason: reason(value["reason"], "hung-up") };
    default:
      return undefined;
  }
}

const isCandidate = (value: unknown): value is Json => JSON.stringify(value).length <= CANDIDATE_SIZE;

const list = (value: unknown): Json[] => (Array.isArray(value) ? value.slice(0, CANDIDATE_LIMIT).filter(isCandidate) : []);

const isDescription = (value: unknown): value is string => typeof value === "string" && value.length > 0 && value.length <= SDP_LIMIT;

/** A reason is a short word of ours, whatever the other side writes. */
export function reason(value: unknown, otherwise: string): string {
  return typeof value === "string" && /^[a-z][a-z-]{0,31}$/.test(value) ? value : otherwise;
}

declare function setTimeout(callback: () => void, delay: number): unknown;
declare function clearTimeout(timer: unknown): void;
const later = (delay: number, callback: () => void) => setTimeout(callback, delay);
const cancel = (timer: unknown) => clearTimeout(timer);
