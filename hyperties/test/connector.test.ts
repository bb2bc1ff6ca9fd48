// Calls of Ana at a.example, as the runtime and its media service see them.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import Connector from "../connector/src/index.ts";
import { RING_LIMIT } from "../connector/src/call.ts";
import { agreeingManager, FakeBus, settle } from "./fake-bus.ts";

const URL = "hyperty://a.example/connector";
const UA = "runtime://a.example/ua";
const MEDIA = "runtime://a.example/media";
const BEN = "user://b.example/ben";
const MINE = "connection://a.example/1";
const HIS = "connection://b.example/1";
let bus: FakeBus;

async function start(): Promise<void> {
  await new Connector()._start(URL, bus, {});
}

const ask = async (method: string, params: object) =>
  (await bus.deliver({ type: "execute", from: UA, to: URL, body: { method, params } })).body;

const told = (event: object) => void bus.deliver({ type: "event", from: MEDIA, to: URL, body: { ...event } });

let seq = 0;
const child = (object: string, value: unknown, author = BEN) =>
  bus.deliver({
    type: "create", from: `${object}/children/`, to: URL,
    body: { resource: `${object}/children/${++seq}`, seq, author, value, at: 5 },
  });

const ringsHere = (value: object = { offer: { sdp: "his offer" }, state: "ringing" }, object = HIS) =>
  bus.deliver({ type: "create", from: `${object}/subscription`, to: URL, body: { schema: "connection", value, version: 0, source: BEN } });

const media = (method?: string) =>
  bus.to(MEDIA).map(({ body }) => body as { method?: string; params?: Record<string, unknown> }).filter((body) => !method || body.method === method);
const written = (object: string) => bus.to(`${object}/children/`, "create").map(({ body }) => body.value as Record<string, unknown>);
const states = () => bus.events().map(({ state, reason }) => (reason ? `${state} ${reason}` : state));

beforeEach(() => {
  bus = new FakeBus();
  agreeingManager(bus, "connection");
  bus.when(({ to, body }) => {
    if (to !== MEDIA) return undefined;
    if (body["method"] === "createOffer") return { code: 200, value: { sdp: "my offer" } };
    if (body["method"] === "acceptOffer") return { code: 200, value: { sdp: "my answer" } };
    if (body["method"] === "restart") return { code: 200, value: { sdp: "my new path" } };
    if (body["method"] === "acceptRestart") return { code: 200, value: { sdp: "my way to it" } };
    return { code: 200, value: {} };
  });
});

afterEach(() => void vi.useRealTimers());

describe("the caller", () => {
  it("offers, is answered, and connects", async () => {
    await start();
    expect(await ask("call", { user: BEN })).toEqual({ code: 200, value: { call: MINE } });
    expect(bus.to("runtime://a.example/sm", "create")[0]?.body).toMatchObject({
      schema: "connection", authorise: [BEN], value: { offer: { sdp: "my offer" }, state: "ringing" },
    });
    await child(MINE, { type: "ringing" });
    await child(MINE, { type: "answer", sdp: "his answer" });
    await settle();
    expect(media("acceptAnswer")[0]?.params).toEqual({ call: MINE, sdp: "his answer" });
    expect(states()).toEqual(["ringing", "connecting"]);
    expect(bus.to(`${MINE}/changes`)[0]?.body).toEqual({ attribute: "state", value: "answered" });
  });

  it("gives media the name of the object, and keeps its own if media knows no names", async () => {
    bus.when(({ to, body }) => (to === MEDIA && body["method"] === "bind" ? { code: 404 } : undefined));
    await start();
    await ask("call", { user: BEN });
    const own = media("createOffer")[0]?.params?.["call"];
    expect(media("bind")[0]?.params).toEqual({ call: own, object: MINE });
    await child(MINE, { type: "answer", sdp: "his answer" });
    expect(media("acceptAnswer")[0]?.params?.["call"]).toBe(own);
  });

  it("sends on what media has found before there was an object", async () => {
    bus.when(({ to, body }) => {
      if (to !== MEDIA || body["method"] !== "createOffer") return undefined;
      told({ event: "candidate", call: (body["params"] as { call: string }).call, candidate: { candidate: "early" } });
      return { code: 200, value: { sdp: "my offer" } };
    });
    await start();
    await ask("call", { user: BEN });
    told({ event: "candidate", call: MINE, candidate: { candidate: "late" } });
    await settle();
    expect(written(MINE)).toEqual([
      { type: "candidate", candidate: { candidate: "early" } },
      { type: "candidate", candidate: { candidate: "late" } },
    ]);
  });

  it("keeps the other side's candidates until its answer is there", async () => {
    await start();
    await ask("call", { user: BEN });
    await child(MINE, { type: "candidate", candidate: { candidate: "c" } });
    expect(media("addCandidate")).toEqual([]);
    await child(MINE, { type: "answer", sdp: "his answer" });
    await settle();
    expect(media("addCandidate")[0]?.params).toEqual({ call: MINE, candidate: { candidate: "c" } });
  });

  it("hangs up: media closes, the other side is told, the object ends", async () => {
    await start();
    await ask("call", { user: BEN });
    expect((await ask("hangup", { call: MINE })).code).toBe(200);
    expect(states()).toEqual(["ended hung-up"]);
    expect(media("close")[0]?.params).toEqual({ call: MINE });
    expect(written(MINE)).toEqual([{ type: "bye", reason: "hung-up" }]);
    expect(bus.to(MINE, "delete")).toHaveLength(1);
    expect((await ask("hangup", { call: MINE })).code).toBe(404);
  });

  it("tells the other side that the call was lost and not hung up", async () => {
    await start();
    await ask("call", { user: BEN });
    expect((await ask("hangup", { call: MINE, reason: "dropped" })).code).toBe(200);
    expect(states()).toEqual(["ended dropped"]);
    expect(written(MINE)).toEqual([{ type: "bye", reason: "dropped" }]);
  });

  it("learns that the other side declined", async () => {
    await start();
    await ask("call", { user: BEN });
    await child(MINE, { type: "bye", reason: "declined" });
    expect(states()).toEqual(["ended declined"]);
  });

  it("learns that the other side is busy", async () => {
    await start();
    await ask("call", { user: BEN });
    void bus.deliver({ type: "event", from: `${MINE}/subscription`, to: URL, body: { code: 486, source: BEN } });
    await settle();
    expect(states()).toEqual(["ended busy"]);
  });

  it("gives up when nobody answers", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    await start();
    await ask("call", { user: BEN });
    vi.advanceTimersByTime(RING_LIMIT);
    await settle();
    expect(states()).toEqual(["ended no-answer"]);
    expect(written(MINE)).toEqual([{ type: "bye", reason: "no-answer" }]);
  });

  it("does not call the same person twice at a time", async () => {
    await start();
    const [first, second] = await Promise.all([ask("call", { user: BEN }), ask("call", { user: BEN })]);
    expect([first.code, second.code]).toEqual([200, 409]);
    expect((await ask("call", { user: BEN })).code).toBe(409);
  });

  it("releases media when the object cannot be made", async () => {
    bus.when(({ type, to }) => (type === "create" && to.endsWith("/sm") ? { code: 403 } : undefined));
    await start();
    expect((await ask("call", { user: BEN })).code).toBe(403);
    expect(media("close")).toHaveLength(1);
    expect(bus.events()).toEqual([]);
  });

  it("makes the offer under the name that the core gave the call, since several may begin at once", async () => {
    await start();
    await ask("call", { user: BEN, name: "runtime://a.localhost/call/7" });
    expect(media("createOffer")[0]?.params).toEqual({ call: "runtime://a.localhost/call/7" });
    expect(media("bind")[0]?.params).toEqual({ call: "runtime://a.localhost/call/7", object: MINE });
  });

  it("takes the candidates that come with the answer, and no more than a call may have", async () => {
    await start();
    await ask("call", { user: BEN });
    const candidates = ["c".repeat(5_000), ...Array.from({ length: 100 }, (_, number) => `candidate ${number}`)];
    await child(MINE, { type: "answer", sdp: "his answer", candidates });
    await settle();
    expect(media("addCandidate")).toHaveLength(63);
    expect(media("addCandidate")[0]?.params).toEqual({ call: MINE, candidate: "candidate 0" });
  });

  it("ends the call when media refuses the other side's fingerprint", async () => {
    bus.when(({ to, body }) => (to === MEDIA && body["method"] === "acceptAnswer" ? { code: 403 } : undefined));
    await start();
    await ask("call", { user: BEN });
    await child(MINE, { type: "answer", sdp: "swapped" });
    await settle();
    expect(states()).toEqual(["connecting", "ended fingerprint-mismatch"]);
  });
});

describe("the callee", () => {
  it("rings, answers, and connects", async () => {
    await start();
    expect((await ringsHere()).body.code).toBe(200);
    expect(bus.events()).toEqual([{ event: "call", call: HIS, state: "incoming", user: BEN }]);
    expect((await ask("answer", { call: HIS })).code).toBe(200);
    expect(media("acceptOffer")[0]?.params).toEqual({ call: HIS, sdp: "his offer" });
    expect(written(HIS)).toEqual([{ type: "ringing" }, { type: "answer", sdp: "my answer" }]);
    expect(states()).toEqual(["incoming", "connecting"]);
    expect((await ask("answer", { call: HIS })).code).toBe(409);
  });

  it("sends what was found while it rang with the answer", async () => {
    const found = { sdp: "my answer", candidates: ["one", "two"] };
    bus.when(({ to, body }) => (to === MEDIA && body["method"] === "acceptOffer" ? { code: 200, value: found } : undefined));
    await start();
    await ringsHere();
    await child(HIS, { type: "candidate", candidate: "his" });
    await ask("answer", { call: HIS });
    expect(media("addCandidate")[0]?.params).toEqual({ call: HIS, candidate: "his" });
    expect(written(HIS)[1]).toEqual({ type: "answer", ...found });
  });

  it("declines", async () => {
    await start();
    await ringsHere();
    expect((await ask("decline", { call: HIS, reason: "busy" })).code).toBe(200);
    expect(written(HIS)).toEqual([{ type: "ringing" }, { type: "bye", reason: "busy" }]);
    expect(states()).toEqual(["incoming", "ended busy"]);
    expect(bus.to(`${HIS}/subscription`, "unsubscribe")).toHaveLength(1);
  });

  it("stops ringing when the caller hangs up", async () => {
    await start();
    await ringsHere();
    await bus.deliver({ type: "update", from: `${HIS}/changes`, to: URL, body: { version: 1, attribute: "state", value: "ended" } });
    expect(states()).toEqual(["incoming", "ended hung-up"]);
  });

  it("stops ringing when the object is deleted", async () => {
    await start();
    await ringsHere();
    await bus.deliver({ type: "delete", from: `${HIS}/subscription`, to: URL });
    expect(states()).toEqual(["incoming", "ended hung-up"]);
  });

  it("is busy for a second call of the same person", async () => {
    await start();
    await ringsHere();
    expect((await ringsHere(undefined, "connection://b.example/2")).body.code).toBe(486);
    expect(bus.events()).toHaveLength(1);
  });

  it("takes no call without an offer", async () => {
    await start();
    for (const value of [{}, { offer: "x" }, { offer: { sdp: 5 } }, { offer: { sdp: "x".repeat(65_537) } }]) {
      expect((await ringsHere(value)).body.code).toBe(400);
    }
    expect((await ringsHere({ offer: { sdp: "x" }, state: "ended" })).body.code).toBe(410);
    expect(bus.events()).toEqual([]);
  });

  it("ends when media fails", async () => {
    bus.when(({ to, body }) => (to === MEDIA && body["method"] === "acceptOffer" ? { code: 500, description: "no device" } : undefined));
    await start();
    await ringsHere();
    expect((await ask("answer", { call: HIS })).code).toBe(500);
    expect(states()).toEqual(["incoming", "connecting", "ended failed-media"]);
  });
});

describe("a call that lost its path", () => {
  const callsBen = async () => {
    await start();
    await ask("call", { user: BEN });
    await child(MINE, { type: "answer", sdp: "his answer" });
    await settle();
  };
  const isCalled = async () => {
    await start();
    await ringsHere();
    await ask("answer", { call: HIS });
  };

  it("is offered another by who called, and its candidates come after the offer", async () => {
    bus.when(({ to, body }) => {
      if (to === MEDIA && body["method"] === "restart") told({ event: "candidate", call: MINE, candidate: { candidate: "new" } });
      return undefined;
    });
    await callsBen();
    told({ event: "path-wanted", call: MINE });
    await settle();
    expect(written(MINE)).toEqual([{ type: "restart", round: 1, sdp: "my new path" }, { type: "candidate", candidate: { candidate: "new" } }]);
    await child(MINE, { type: "restarted", round: 1, sdp: "his way to it" });
    expect(media("finishRestart")[0]?.params).toEqual({ call: MINE, sdp: "his way to it" });
    expect(states()).toEqual(["connecting"]);
  });

  it("takes no answer to an offer that was overtaken", async () => {
    await callsBen();
    told({ event: "path-wanted", call: MINE });
    await settle();
    told({ event: "path-wanted", call: MINE });
    await settle();
    await child(MINE, { type: "restarted", round: 1, sdp: "late" });
    expect(media("finishRestart")).toEqual([]);
    await child(MINE, { type: "restarted", round: 2, sdp: "in time" });
    expect(media("finishRestart")).toHaveLength(1);
  });

  it("is asked for another by who was called, once in a while", async () => {
    await callsBen();
    await child(MINE, { type: "path" });
    await child(MINE, { type: "path" });
    await settle();
    expect(media("restart")).toHaveLength(1);
  });

  it("asks for another and answers the offer before it uses its candidates", async () => {
    let taken: () => void = () => undefined;
    await isCalled();
    told({ event: "path-wanted", call: HIS });
    await settle();
    expect(media("restart")).toEqual([]);
    expect(written(HIS).at(-1)).toEqual({ type: "path" });
    bus.when((message) => {
      if (message.to !== MEDIA || message.body["method"] !== "acceptRestart") return undefined;
      taken = () => bus.respond(message, { code: 200, value: { sdp: "my way to it" } });
      return { code: 100 };
    });
    await child(HIS, { type: "restart", round: 7, sdp: "his new path" });
    await child(HIS, { type: "candidate", candidate: { candidate: "new" } });
    await settle();
    expect(media("addCandidate")).toEqual([]);
    taken();
    await settle();
    expect(media("addCandidate")).toHaveLength(1);
    expect(written(HIS).at(-1)).toEqual({ type: "restarted", round: 7, sdp: "my way to it" });
  });

  it("goes on as it is when media refuses what the other side offers", async () => {
    bus.when(({ to, body }) => (to === MEDIA && body["method"] === "acceptRestart" ? { code: 403, description: "another certificate" } : undefined));
    await isCalled();
    await child(HIS, { type: "restart", round: 1, sdp: "swapped" });
    await settle();
    expect(written(HIS).some(({ type }) => type === "restarted")).toBe(false);
    expect(states()).toEqual(["incoming", "connecting"]);
  });

  it("hears nothing of paths before it is taken, nor in the wrong direction", async () => {
    await start();
    await ringsHere();
    told({ event: "path-wanted", call: HIS });
    await child(HIS, { type: "restart", round: 1, sdp: "early" });
    await child(HIS, { type: "path" });
    await child(HIS, { type: "restarted", round: 0, sdp: "nothing was asked" });
    await settle();
    expect(media()).toEqual([]);
    expect(written(HIS)).toEqual([{ type: "ringing" }]);
  });
});

describe("a stranger in the call's object", () => {
  it("has no say", async () => {
    await start();
    await ask("call", { user: BEN });
    for (const value of [{ type: "answer", sdp: "evil" }, { type: "bye", reason: "hung-up" }, { type: "candidate", candidate: {} }]) {
      await child(MINE, value, "user://evil.example/eve");
    }
    await settle();
    expect(media("acceptAnswer")).toEqual([]);
    expect(bus.events()).toEqual([]);
  });

  it("and even the other side writes within bounds", async () => {
    await start();
    await ask("call", { user: BEN });
    await child(MINE, { type: "answer", sdp: "x".repeat(65_537) });
    await child(MINE, { type: "answer" });
    await child(MINE, { type: "candidate", candidate: "x".repeat(5000) });
    for (let n = 0; n < 200; n++) await child(MINE, { type: "candidate", candidate: { n } });
    await child(MINE, { type: "answer", sdp: "good" });
    await settle();
    expect(media("acceptAnswer").map(({ params }) => params?.["sdp"])).toEqual(["good"]);
    expect(media("addCandidate").length).toBeLessThanOrEqual(64);
    await child(MINE, { type: "bye", reason: "<script>" });
    expect(states()).toEqual(["connecting", "ended hung-up"]);
  });

  it("media events come from the media service alone", async () => {
    await start();
    await ask("call", { user: BEN });
    void bus.deliver({ type: "event", from: "hyperty://evil.example/1", to: URL, body: { event: "closed", call: MINE } });
    await settle();
    expect(bus.events()).toEqual([]);
    told({ event: "failed", call: MINE, reason: "failed-ice" });
    await settle();
    expect(states()).toEqual(["ended failed-ice"]);
  });
});

describe("after a restart", () => {
  it("ends the calls that were left behind", async () => {
    bus.when(({ type, to }) => type === "read" && to.endsWith("/sm")
      ? { code: 200, value: [
          { resource: MINE, schema: "connection", value: {}, version: 1, role: "reporter" },
          { resource: HIS, schema: "connection", value: {}, version: 1, role: "observer" },
        ] }
      : undefined);
    await start();
    await settle();
    expect(written(MINE)).toEqual([{ type: "bye", reason: "dropped" }]);
    expect(bus.to(MINE, "delete")).toHaveLength(1);
    expect(bus.to(`${HIS}/subscription`, "unsubscribe")).toHaveLength(1);
  });
});
