// The pass office's proxy: what it asks of the office, and what it answers the core.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import PassOffice from "../idp-proxies/pass-office.ts";
import type { Body } from "../kit/src/index.ts";
import { FakeBus } from "./fake-bus.ts";

const PROXY = "idp-proxy://a.example/pass-office";
const CORE = "runtime://a.example/signin";
const OFFICE = "https://pass.a.example";

interface Asked {
  url: string;
  method: string;
  body: unknown;
}
let bus: FakeBus;
let asked: Asked[];
let office: (asked: Asked) => { status?: number; value?: unknown } | undefined;

beforeEach(() => {
  vi.useFakeTimers();
  bus = new FakeBus();
  asked = [];
  office = () => ({ value: { ticket: "t1", url: `${OFFICE}/desk/t1` } });
  vi.stubGlobal("fetch", async (url: string, options: { method?: string; body?: string } = {}) => {
    const one = { url, method: options.method ?? "GET", body: options.body ? (JSON.parse(options.body) as unknown) : undefined };
    asked.push(one);
    const said = office(one);
    if (!said) throw new TypeError("no network");
    const status = said.status ?? 200;
    return { ok: status < 300, status, json: async () => said.value };
  });
  new PassOffice()._start(PROXY, bus, { issuer: `${OFFICE}/`, runtimeURL: "runtime://a.example" });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const execute = (method: string, params: object, from = CORE) =>
  void bus.deliver({ type: "execute", from, to: PROXY, body: { method, params } });
const answers = (to = CORE): Body[] => bus.to(to, "response").map(({ body }) => body);
const codes = () => answers().map(({ code }) => code);
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe("begin", () => {
  it("takes a ticket for the nonce and leads to the desk", async () => {
    execute("begin", { nonce: "n", audience: "parlance", loginHint: "ben" });
    await pass(0);
    expect(asked).toEqual([{ url: `${OFFICE}/tickets`, method: "POST", body: { nonce: "n", audience: "parlance" } }]);
    expect(answers()).toEqual([{ code: 200, value: { ticket: "t1", loginUrl: `${OFFICE}/desk/t1` } }]);
  });

  it("says when the office is away", async () => {
    for (const away of [undefined, { status: 502 }]) {
      office = () => away;
      execute("begin", { nonce: "n", audience: "parlance" });
      await pass(0);
    }
    expect(codes()).toEqual([503, 503]);
  });

  it("refuses what makes no sense without asking the office", async () => {
    execute("begin", { audience: "parlance" });
    execute("begin", { nonce: "x".repeat(600), audience: "parlance" });
    execute("finish", {});
    execute("steal", {});
    await pass(0);
    expect(codes().sort()).toEqual([400, 400, 400, 404]);
    expect(asked).toEqual([]);
  });
});

describe("finish", () => {
  it("says that it goes on until the person has finished", async () => {
    let done = false;
    office = () => ({ value: done ? { state: "issued", assertion: "a.b.c" } : { state: "open" } });
    execute("finish", { ticket: "t/1" });
    await pass(25_000);
    expect(codes()).toEqual([100, 100, 100]);
    expect(asked[0]?.url).toBe(`${OFFICE}/tickets/t%2F1`);
    done = true;
    await pass(2_000);
    expect(answers().at(-1)).toEqual({ code: 200, value: { idToken: "a.b.c" } });
  });

  it("gives up a request before the bus does, so that the core asks again", async () => {
    office = () => ({ value: { state: "open" } });
    execute("finish", { ticket: "t1" });
    await pass(130_000);
    expect(codes().at(-1)).toBe(408);
    expect(codes().filter((code) => code === 100).length).toBeLessThanOrEqual(16);
    const before = asked.length;
    await pass(60_000);
    expect(asked.length).toBe(before);
  });

  it("tells a refusal from an old ticket", async () => {
    for (const state of ["refused", "expired", "gone mad"]) {
      office = () => ({ value: { state } });
      execute("finish", { ticket: "t1" });
      await pass(0);
    }
    expect(codes()).toEqual([403, 410, 410]);
  });

  it("survives a hiccup of the network, and not an office that is gone", async () => {
    let calls = 0;
    office = () => (++calls === 1 ? undefined : { value: { state: "issued", assertion: "a.b.c" } });
    execute("finish", { ticket: "t1" });
    await pass(2_000);
    expect(codes()).toEqual([100, 200]);
    office = () => undefined;
    execute("finish", { ticket: "t1" });
    await pass(30_000);
    expect(codes().at(-1)).toBe(503);
  });
});

it("answers the core of its own runtime only", async () => {
  execute("begin", { nonce: "n", audience: "parlance" }, "hyperty://a.example/1");
  execute("begin", { nonce: "n", audience: "parlance" }, "runtime://b.example/signin");
  await pass(0);
  expect(answers("hyperty://a.example/1").concat(answers("runtime://b.example/signin")).map(({ code }) => code)).toEqual([403, 403]);
  expect(asked).toEqual([]);
});
