// What every IdP proxy begins with: the two questions of the core, and patience while the person is at it.

import { answer, answerWith, divideURL, isObject, Refusal, type Address, type Bus, type Delivered } from "./message.ts";
import { text } from "./hyperty.ts";

declare function setTimeout(callback: () => void, ms: number): unknown;

/** What the core tells a proxy: never more than this. */
export interface Begin {
  /** The issuer must put it into its token as it is. */
  nonce: string;
  /** For whom the token is. */
  audience: string;
  /** What the person typed about themselves, if anything. */
  loginHint?: string;
}

export interface Begun {
  /** 1 to 256 visible characters that lead back to this sign-in. */
  ticket: string;
  /** A page of the issuer's own origin for the person's browser, if they have something to do there. */
  loginUrl?: string;
}

export interface IdpProxy {
  begin(begin: Begin): Promise<Begun>;
  /** The issuer's token, or nothing as long as the person has not finished. */
  finish(ticket: string): Promise<string | undefined>;
}

/** How often the issuer is asked, in milliseconds. */
const PAUSE = 1_500;
/** How often the core is told that the work goes on; it would give up after 15 seconds. */
const SIGN_OF_LIFE = 10_000;
/** How long one request may last. Then it gets a 408, and the core asks again if the person still has time. */
const PATIENCE = 120_000;
/** How often in a row the issuer may be out of reach while a person is waited for. */
const FAILURES = 4;

const pause = (): Promise<void> => new Promise((go) => setTimeout(go, PAUSE));

/** Answers the core of this runtime. */
export function serveIdpProxy(bus: Bus, url: Address, proxy: IdpProxy): void {
  const ours = `runtime://${divideURL(url).domain}/`;
  bus.addListener(url, (message: Delivered) => {
    if (message.type !== "execute") return;
    if (!message.from.startsWith(ours)) return answer(bus, message, { code: 403, description: "only the core signs in" });
    answerWith(bus, message, work(bus, message, proxy));
  });
}

async function work(bus: Bus, request: Delivered, proxy: IdpProxy): Promise<unknown> {
  const { method, params } = request.body;
  const given = isObject(params) ? params : {};
  if (method === "begin") return begin(proxy, given);
  if (method === "finish") return finish(bus, request, proxy, text(given, "ticket", 256));
  throw new Refusal(404, "no such method");
}

async function begin(proxy: IdpProxy, params: Record<string, unknown>): Promise<Begun> {
  const loginHint = params["loginHint"];
  const { ticket, loginUrl } = await proxy.begin({
    nonce: text(params, "nonce"),
    audience: text(params, "audience"),
    ...(typeof loginHint === "string" ? { loginHint } : {}),
  });
  return { ticket, ...(loginUrl === undefined ? {} : { loginUrl }) };
}

async function finish(bus: Bus, request: Delivered, proxy: IdpProxy, ticket: string): Promise<{ idToken: string }> {
  let [waited, silent, failures] = [0, SIGN_OF_LIFE, 0];
  for (;;) {
    const idToken = await proxy.finish(ticket).then(
      (token) => {
        failures = 0;
        return token;
      },
      (error: unknown) => {
        // A person at the desk does not lose their ticket because a network hiccups.
        if (!(error instanceof Refusal) || error.code !== 503 || ++failures > FAILURES) throw error;
        return undefined;
      },
    );
    if (idToken !== undefined) return { idToken };
    if (waited >= PATIENCE) throw new Refusal(408, "the person has not finished");
    if (silent >= SIGN_OF_LIFE) {
      silent = 0;
      answer(bus, request, { code: 100 });
    }
    await pause();
    waited += PAUSE;
    silent += PAUSE;
  }
}
