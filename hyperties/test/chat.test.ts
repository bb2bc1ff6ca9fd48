// Ana's chat Hyperty at a.example, as the runtime sees it.

import { beforeEach, describe, expect, it } from "vitest";
import Chat from "../chat/src/index.ts";
import { agreeingManager, FakeBus, settle } from "./fake-bus.ts";

const URL = "hyperty://a.example/chat";
const UA = "runtime://a.example/ua";
const BEN = "user://b.example/ben";
let bus: FakeBus;

async function start(): Promise<void> {
  await new Chat()._start(URL, bus, { runtimeURL: "runtime://a.example/1" });
}

const call = async (method: string, params: object) =>
  (await bus.deliver({ type: "execute", from: UA, to: URL, body: { method, params } })).body;

const child = (object: string, seq: number, value: unknown) =>
  bus.deliver({
    type: "create", from: `${object}/children/`, to: URL,
    body: { resource: `${object}/children/${seq}`, seq, author: BEN, value, at: 5, identity: { user: BEN } },
  });

const invite = (object: string) =>
  bus.deliver({
    type: "create", from: `${object}/subscription`, to: URL,
    body: { schema: "comm", value: { type: "chat" }, version: 0, source: BEN, identity: { user: BEN } },
  });

beforeEach(() => {
  bus = new FakeBus();
  agreeingManager(bus, "comm");
});

describe("a conversation", () => {
  it("is created with a person and written to", async () => {
    await start();
    expect(await call("create", { user: BEN })).toEqual({ code: 200, value: { conversation: "comm://a.example/1" } });
    expect(bus.to("runtime://a.example/sm", "create")[0]?.body).toMatchObject({ schema: "comm", authorise: [BEN] });
    expect(await call("send", { conversation: "comm://a.example/1", text: "hello" })).toEqual({
      code: 200, value: { message: "comm://a.example/1/children/1", seq: 1 },
    });
    expect(bus.to("comm://a.example/1/children/")[0]?.body).toEqual({ value: { type: "text", text: "hello" } });
  });

  it("tells the app what arrives, in order and acknowledged", async () => {
    await start();
    await invite("comm://b.example/9");
    expect((await child("comm://b.example/9", 1, { type: "text", text: "hi" })).body.code).toBe(200);
    await child("comm://b.example/9", 2, { type: "text", text: "there" });
    expect(bus.events()).toEqual([
      { event: "invited", conversation: "comm://b.example/9", user: BEN },
      { event: "message", conversation: "comm://b.example/9", message: "comm://b.example/9/children/1", seq: 1, author: BEN, at: 5, text: "hi" },
      { event: "message", conversation: "comm://b.example/9", message: "comm://b.example/9/children/2", seq: 2, author: BEN, at: 5, text: "there" },
    ]);
  });

  it("accepts an invitation with 200 and can be answered in", async () => {
    await start();
    expect((await invite("comm://b.example/9")).body.code).toBe(200);
    expect((await call("join", { conversation: "comm://b.example/9" })).code).toBe(200);
    expect((await call("send", { conversation: "comm://b.example/9", text: "x" })).code).toBe(200);
  });

  it("sends the card of a link along, and nothing else that stands beside it", async () => {
    await start();
    await call("create", { user: BEN });
    const conversation = "comm://a.example/1";
    const preview = { url: "https://b.org/", title: "Tea", description: "How long?", picture: "AAAA" };
    expect((await call("send", { conversation, text: "https://b.org/", preview: { ...preview, more: 1 } })).code).toBe(200);
    expect(bus.to(`${conversation}/children/`)[0]?.body["value"]).toEqual({ type: "text", text: "https://b.org/", preview });
    for (const odd of [{ title: "no link" }, { ...preview, title: 7 }, { ...preview, picture: "A".repeat(40_000) }]) {
      expect((await call("send", { conversation, text: "x", preview: odd })).code).toBe(400);
    }
  });

  it("says more about messages than their words", async () => {
    await start();
    await call("create", { user: BEN });
    const conversation = "comm://a.example/1";
    const to = `${conversation}/children/tag-1`;
    for (const [method, params] of [
      ["send", { text: "yes", reply: to, forwarded: true, ends: 60 }], ["edit", { to, text: "better" }], ["react", { to, emoji: "👍", on: false }],
      ["delete", { to }], ["pin", { to }], ["timer", { seconds: 0 }],
    ] as const) expect((await call(method, { conversation, ...params })).code, method).toBe(200);
    expect(bus.to(`${conversation}/children/`).map(({ body }) => body["value"])).toEqual([
      { type: "text", text: "yes", reply: to, forwarded: true, ends: 60 }, { type: "edit", to, text: "better" },
      { type: "react", to, emoji: "👍", on: false }, { type: "delete", to }, { type: "pin", to, on: true }, { type: "timer", seconds: 0 },
    ]);
    for (const [method, params] of [["edit", { to, text: "" }], ["delete", {}], ["timer", { seconds: -1 }], ["send", { text: "x", ends: "soon" }]] as const) {
      expect((await call(method, { conversation, ...params })).code, method).toBe(400);
    }
  });

  it("tells what is said about a message as a change, not as a message", async () => {
    await start();
    await invite("comm://b.example/9");
    await child("comm://b.example/9", 2, { type: "react", to: "comm://b.example/9/children/1", emoji: "👍", on: true });
    expect(bus.events()[1]).toMatchObject({ event: "changed", to: "comm://b.example/9/children/1" });
  });

  it("does not announce the same invitation twice", async () => {
    await start();
    await invite("comm://b.example/9");
    expect((await invite("comm://b.example/9")).body.code).toBe(200);
    expect(bus.events()).toHaveLength(1);
  });

  it("reports what it does not understand instead of dropping it", async () => {
    await start();
    await invite("comm://b.example/9");
    for (const value of [{ type: "poll" }, { type: "text", text: "" }, { type: "text", text: 5 }, null, "hi", { type: "text", text: "x".repeat(16_385) }]) {
      expect((await child("comm://b.example/9", 1, value)).body.code).toBe(200);
    }
    expect(bus.events().slice(1).map(({ event }) => event)).toEqual(Array(6).fill("unsupported"));
  });

  it("is closed when its reporter deletes it", async () => {
    await start();
    await invite("comm://b.example/9");
    await bus.deliver({ type: "delete", from: "comm://b.example/9/subscription", to: URL });
    expect(bus.events()[1]).toEqual({ event: "closed", conversation: "comm://b.example/9" });
  });
});

describe("after a restart", () => {
  it("takes up the conversations that the Sync Manager keeps", async () => {
    bus.when(({ type, to, body }) => type === "read" && to === "runtime://a.example/sm" && body["scheme"] === "comm"
      ? { code: 200, value: [
          { resource: "comm://a.example/7", schema: "comm", value: { type: "chat" }, version: 0, role: "reporter" },
          "comm://b.example/8",
        ] }
      : undefined);
    bus.when(({ type, to }) => type === "read" && to === "comm://b.example/8"
      ? { code: 200, value: { value: { type: "chat" }, version: 3, children: [] } } : undefined);
    await start();
    await child("comm://a.example/7", 1, { type: "text", text: "still here" });
    await child("comm://b.example/8", 4, { type: "text", text: "me too" });
    expect(bus.events().map(({ text }) => text)).toEqual(["still here", "me too"]);
  });

  it("takes up a conversation when something arrives for it", async () => {
    bus.when(({ type, to }) => type === "read" && to === "comm://b.example/8" ? { code: 200, value: { value: {}, version: 3 } } : undefined);
    await start();
    expect((await child("comm://b.example/8", 4, { type: "text", text: "late" })).body.code).toBe(200);
    expect(bus.events().map(({ text }) => text)).toEqual(["late"]);
  });

  it("starts even when the Sync Manager refuses", async () => {
    bus.when(({ type }) => (type === "read" ? { code: 503 } : undefined));
    await start();
    expect((await call("create", { user: BEN })).code).toBe(200);
    expect((await child("comm://b.example/8", 1, { type: "text", text: "x" })).body.code).toBe(404);
  });
});

describe("the app's requests", () => {
  it("are checked", async () => {
    await start();
    for (const [method, params] of [
      ["create", { user: "ben" }], ["create", {}], ["send", { conversation: "comm://a.example/1", text: "" }],
      ["send", { conversation: "comm://a.example/1", text: "x".repeat(16_385) }], ["send", { text: "x" }],
    ] as const) {
      expect((await call(method, params)).code, method).toBe(400);
    }
    expect((await call("toString", {})).code).toBe(404);
  });

  it("count characters as people do, and send none that are broken", async () => {
    await start();
    await call("create", { user: BEN });
    expect((await call("send", { conversation: "comm://a.example/1", text: "😀".repeat(16_384) })).code).toBe(200);
    await call("send", { conversation: "comm://a.example/1", text: "a\ud83d" });
    expect(bus.to("comm://a.example/1/children/").pop()?.body.value).toEqual({ type: "text", text: "a\ufffd" });
  });

  it("come from the app alone", async () => {
    await start();
    const { body } = await bus.deliver({ type: "execute", from: "hyperty://evil.example/1", to: URL, body: { method: "create", params: { user: BEN } } });
    expect(body.code).toBe(403);
  });

  it("are refused with the code of the Sync Manager", async () => {
    bus.when(({ type, to }) => (type === "create" && to.endsWith("/children/") ? { code: 507, description: "full" } : undefined));
    await start();
    await call("create", { user: BEN });
    expect(await call("send", { conversation: "comm://a.example/1", text: "x" })).toEqual({ code: 507, description: "full" });
    await settle();
  });
});
