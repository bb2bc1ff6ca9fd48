// The factory that Hyperties of the second and third generation are given.

import { ask, core, divideURL, isObject, type Address, type Bus, type Configuration } from "./message.ts";
import { Syncher } from "./syncher.ts";

/** Whom the runtime speaks for, as far as a guest may know. */
class IdentityManager {
  constructor(readonly hypertyURL: Address, readonly runtimeURL: Address, private readonly bus: Bus) {}

  async discoverUserRegistered(): Promise<unknown> {
    const body = await ask(this.bus, {
      type: "read", from: this.hypertyURL, to: core(this.hypertyURL, "idm"), body: { resource: "user" },
    });
    return body.value;
  }
}

/** Finds people and what they run. */
class Discovery {
  constructor(readonly hypertyURL: Address, readonly runtimeURL: Address, private readonly bus: Bus) {}

  async #find(kind: string, by: string, what: string, criteria: Record<string, unknown>): Promise<unknown[]> {
    const body = await ask(this.bus, {
      type: "read", from: this.hypertyURL, to: core(this.hypertyURL, "discovery"),
      body: { resource: `/${kind}/${by}/${what}`, criteria },
    });
    return isObject(body.value) ? Object.values(body.value) : [];
  }

  discoverHypertiesPerUser(user: Address, dataSchemes: string[] = [], resources: string[] = []): Promise<unknown[]> {
    return this.#find("hyperty", "user", user, { dataSchemes, resources });
  }

  discoverDataObjectsPerReporter(reporter: Address, dataSchemes: string[] = []): Promise<unknown[]> {
    return this.#find("dataObject", "reporter", reporter, { dataSchemes });
  }
}

/** The identity part of a message body. */
class MessageBodyIdentity {
  readonly idp: { domain: string };
  readonly userProfile: Record<string, unknown>;

  constructor(username: string, userURL: Address, avatar = "", name = "", locale = "", idp = "") {
    this.idp = { domain: idp || divideURL(userURL).domain };
    this.userProfile = { username, userURL, avatar, cn: name, locale };
  }
}

/** Told when something a Hyperty depends on comes and goes. */
class RegistrationStatus {
  #live: (() => void)[] = [];
  #gone: (() => void)[] = [];

  constructor(readonly registryURL: Address, bus: Bus) {
    bus.addListener(`${registryURL}/registration`, ({ body }) => {
      const status = isObject(body.value) ? body.value["status"] : body.value;
      for (const handler of status === "live" ? this.#live : this.#gone) handler();
    });
  }

  onLive(_subscriber: Address, handler: () => void): void {
    this.#live.push(handler);
  }

  onDisconnected(_subscriber: Address, handler: () => void): void {
    this.#gone.push(handler);
  }
}

const notOffered = (what: string) => (): never => {
  throw new TypeError(`this runtime offers no ${what}: use createSyncher`);
};

export const factory = Object.freeze({
  divideURL,
  createSyncher: (owner: Address, bus: Bus, config?: Configuration) => new Syncher(owner, bus, config),
  createIdentityManager: (url: Address, runtime: Address, bus: Bus) => new IdentityManager(url, runtime, bus),
  createDiscovery: (url: Address, runtime: Address, bus: Bus) => new Discovery(url, runtime, bus),
  createMessageBodyIdentity: (...args: ConstructorParameters<typeof MessageBodyIdentity>) => new MessageBodyIdentity(...args),
  createRegistrationStatus: (url: Address, _runtime: Address, _hyperty: Address, bus: Bus) => new RegistrationStatus(url, bus),
  createSearch: notOffered("search"),
  createContextObserver: notOffered("context observer"),
  createContextReporter: notOffered("context reporter"),
  createNotificationHandler: notOffered("notification handler"),
  createChatManager: notOffered("chat manager"),
  createSimpleChatManager: notOffered("chat manager"),
  createChatController: notOffered("chat controller"),
  createChat: notOffered("chat"),
});
