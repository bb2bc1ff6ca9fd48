// The Syncher and the values it keeps, as Hyperties of all generations use them.

import { beforeEach, describe, expect, it } from "vitest";
import { Syncher, type JsonObject, type Reporter } from "../kit/src/index.ts";
import { factory } from "../kit/src/factory.ts";
import { apply } from "../kit/src/value.ts";
import { agreeingManager, FakeBus, settle } from "./fake-bus.ts";

const OWNER = "hyperty://a.example/1";
const OBJECT = "comm://a.example/1";
let bus: FakeBus;
let syncher: Syncher;

beforeEach(() => {
  bus = new FakeBus();
  agreeingManager(bus, "comm");
  syncher = new Syncher(OWNER, bus);
});

const create = (data: JsonObject = {}): Promise<Reporter> => syncher.create("comm", [], data);
const changes = () => bus.to(`${OBJECT}/changes`).map(({ body }) => body);
const change = (body: object, object = "comm://b.example/2") =>
  bus.deliver({ type: "update", from: `${object}/changes`, to: OWNER, body: { ...body } });

async function observed(value: object = {}) {
  bus.when(({ type, to }) => (type === "read" && to === "comm://b.example/2" ? { code: 200, value: { value, version: 3 } } : undefined));
  return syncher.subscribe("comm://b.example/2");
}

describe("a reporter", () => {
  it("reports assignments to its data", async () => {
    const { data } = await create({ a: { b: 1 } });
    data["name"] = "Lunch";
    (data["a"] as JsonObject)["b"] = 2;
    delete (data["a"] as JsonObject)["b"];
    expect(changes()).toEqual([
      { attribute: "name", value: "Lunch" }, { attribute: "a.b", value: 2 }, { attribute: "a.b" },
    ]);
    expect(data).toEqual({ name: "Lunch", a: {} });
  });

  it("reports an array once, however it was changed", async () => {
    const { data } = await create({ list: [1, 2, 3] });
    const list = data["list"] as number[];
    list.push(4);
    list.splice(0, 2);
    list.sort((a, b) => b - a);
    await settle();
    expect(changes()).toEqual([{ attribute: "list", value: [4, 3] }]);
  });

  it("updates explicitly and learns the version", async () => {
    bus.when(({ type }) => (type === "update" ? { code: 200, value: { version: 9 } } : undefined));
    const reporter = await create();
    expect(await reporter.update("members", "ben", "add")).toBe(9);
    expect([reporter.version, reporter.data["members"]]).toEqual([9, ["ben"]]);
    expect(changes()).toEqual([{ attribute: "members", value: "ben", operation: "add" }]);
  });

  it("refuses names that are part of the machinery", async () => {
    const reporter = await create();
    await expect(reporter.update("__proto__.polluted", 1)).rejects.toThrow();
    expect(() => (reporter.data["constructor"] = 1)).toThrow();
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(changes()).toEqual([]);
  });

  it("accepts the reference's ways to create and to add children", async () => {
    const reporter = await syncher.create("hyperty-catalogue://catalogue.a.example/.well-known/dataschema/Communication", [], {}, true, false, "room", {}, {});
    expect(bus.to("runtime://a.example/sm", "create")[0]?.body).toMatchObject({ schema: "comm", name: "room" });
    await reporter.addChild("resources", { text: "x" });
    await reporter.addChild({ text: "y" });
    expect(bus.to(`${OBJECT}/children/`).map(({ body }) => body.value)).toEqual([{ text: "x" }, { text: "y" }]);
  });

  it("lets subscriptions in unless somebody decides otherwise", async () => {
    const reporter = await create();
    const subscribe = () => bus.deliver({ type: "subscribe", from: `${OBJECT}/subscription`, to: OWNER });
    expect((await subscribe()).body.code).toBe(200);
    reporter.onSubscription((event) => event.reject("no"));
    expect((await subscribe()).body).toEqual({ code: 403, description: "no" });
  });
});

describe("an observer", () => {
  it("follows changes and tells who asked", async () => {
    const observer = await observed({ a: 1 });
    const seen: string[] = [];
    observer.onChange("*", ({ cType, field }) => seen.push(`${cType} ${field}`));
    observer.onChange("m.*", ({ field }) => seen.push(`below ${field}`));
    await change({ version: 4, attribute: "m.x", value: 2 });
    await change({ version: 5, attribute: "list", value: 1, operation: "add" });
    await change({ version: 6, attribute: "a" });
    expect(observer.data).toEqual({ m: { x: 2 }, list: [1] });
    expect(seen).toEqual(["update m.x", "below m.x", "add list", "remove a"]);
  });

  it("applies a change once and reads the object after a gap", async () => {
    const observer = await observed({ a: 1 });
    await change({ version: 3, attribute: "a", value: 9 });
    expect(observer.data).toEqual({ a: 1 });
    bus.when(({ type }) => (type === "read" ? { code: 200, value: { value: { a: 5, b: 5 }, version: 7 } } : undefined));
    expect((await change({ version: 7, attribute: "b", value: 5 })).body.code).toBe(200);
    expect([observer.version, observer.data]).toEqual([7, { a: 5, b: 5 }]);
  });

  it("is not polluted by a hostile reporter", async () => {
    const observer = await observed();
    await change({ version: 4, attribute: "__proto__.polluted", value: 1 });
    await change({ version: 4, attribute: "constructor.prototype.polluted", value: 1 });
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(observer.data).toEqual({});
  });

  it("refuses what is no change and no child", async () => {
    await observed();
    expect((await change({ version: "4", attribute: "a" })).body.code).toBe(400);
    const bad = await bus.deliver({ type: "create", from: "comm://b.example/2/children/", to: OWNER, body: { seq: 1 } });
    expect(bad.body.code).toBe(400);
  });
});

describe("an invitation", () => {
  const invite = () => bus.deliver({ type: "create", from: "comm://b.example/2/subscription", to: OWNER, body: { schema: "comm", value: { a: 1 }, version: 2, source: "user://b.example/ben" } });

  it("is answered by whoever listens, once", async () => {
    syncher.onNotification((event) => {
      event.ack(200);
      event.ack(403);
    });
    expect((await invite()).body.code).toBe(200);
  });

  it("is refused when nobody listens", async () => {
    expect((await invite()).body.code).toBe(404);
  });

  it("only counts from an object", async () => {
    syncher.onNotification(() => expect.unreachable());
    void bus.deliver({ type: "create", from: "hyperty://evil.example/1", to: OWNER, body: { value: {} } });
    await settle();
  });
});

describe("a change", () => {
  it("means the same as in the runtime", () => {
    const after = (start: JsonObject, attribute: string, value?: unknown, operation?: string) => {
      apply(start, { version: 1, attribute, ...(value === undefined ? {} : { value }), ...(operation ? { operation } : {}) } as never);
      return start;
    };
    expect(after({}, "a.b", 1)).toEqual({ a: { b: 1 } });
    expect(after({ a: 1 }, "b.c")).toEqual({ a: 1 });
    expect(after({ a: [{ x: 1 }] }, "a.0.x", 2)).toEqual({ a: [{ x: 2 }] });
    expect(after({ a: [1, 2] }, "a.0")).toEqual({ a: [2] });
    expect(after({ m: ["ana", "ben", "ana"] }, "m", "ana", "remove")).toEqual({ m: ["ben"] });
    expect(after({ m: [{ a: 1, b: 2 }] }, "m", { b: 2, a: 1 }, "remove")).toEqual({ m: [] });
    expect(() => after({ list: [1] }, "list.5", 1)).toThrow();
    expect(() => after({ a: "text" }, "a.b", 1)).toThrow();
  });
});

describe("the factory", () => {
  it("makes what Hyperties of older generations ask for", () => {
    expect(factory.createSyncher(OWNER, bus, {})).toBeInstanceOf(Syncher);
    expect(factory.divideURL("user://b.example/ben")).toEqual({ type: "user", domain: "b.example", identity: "/ben" });
    expect(factory.createMessageBodyIdentity("ben", "user://b.example/ben").idp.domain).toBe("b.example");
    expect(() => factory.createChatManager()).toThrow("createSyncher");
  });
});
