// IdP proxy of the pass office, an issuer with tickets and a desk instead of OpenID Connect.
//
// It carries the nonce to the office and the office's signed statement back. It could refuse or be slow; it
// could not forge, because the core checks the statement with the office's own key.

import { Refusal, isObject, type Address, type Bus, type Configuration } from "../kit/src/message.ts";
import { serveIdpProxy, type Begin, type Begun } from "../kit/src/idp-proxy.ts";

interface Answer {
  ok: boolean;
  status: number;
  json(): Promise<unknown>;
}
declare function fetch(url: string, options?: { method?: string; headers?: Record<string, string>; body?: string }): Promise<Answer>;

export default class PassOffice {
  readonly name = "pass-office";
  #office = "";

  _start(url: Address, bus: Bus, config: Configuration): void {
    this.#office = String(config["issuer"]).replace(/\/+$/, "");
    serveIdpProxy(bus, url, { begin: (begin) => this.#begin(begin), finish: (ticket) => this.#finish(ticket) });
  }

  async #begin({ nonce, audience }: Begin): Promise<Begun> {
    const body = JSON.stringify({ nonce, audience });
    const given = await this.#ask("tickets", { method: "POST", headers: { "content-type": "application/json" }, body });
    return { ticket: String(given["ticket"]), loginUrl: String(given["url"]) };
  }

  async #finish(ticket: string): Promise<string | undefined> {
    const { state, assertion } = await this.#ask(`tickets/${encodeURIComponent(ticket)}`);
    if (state === "open") return undefined;
    if (state === "issued" && typeof assertion === "string") return assertion;
    if (state === "refused") throw new Refusal(403, "no pass was issued");
    throw new Refusal(410, "the ticket is too old");
  }

  async #ask(path: string, options?: Parameters<typeof fetch>[1]): Promise<Record<string, unknown>> {
    const answer = await fetch(`${this.#office}/${path}`, options).catch(() => undefined);
    if (!answer || answer.status >= 500) throw new Refusal(503, "the pass office cannot be reached");
    const value = answer.ok ? await answer.json() : undefined;
    if (!isObject(value)) throw new Refusal(502, `the pass office answered ${answer.status}`);
    return value;
  }
}
