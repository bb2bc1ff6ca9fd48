// The factory that Hyperties of the second and third generation are given.
// Generated from hyperties/kit by "npm run build" there: change it there.
internal.define('__factory', (() => {
"use strict";
var kit = (() => {
  var __defProp = Object.defineProperty;
  var __getOwnPropDesc = Object.getOwnPropertyDescriptor;
  var __getOwnPropNames = Object.getOwnPropertyNames;
  var __hasOwnProp = Object.prototype.hasOwnProperty;
  var __export = (target, all) => {
    for (var name in all)
      __defProp(target, name, { get: all[name], enumerable: true });
  };
  var __copyProps = (to, from, except, desc) => {
    if (from && typeof from === "object" || typeof from === "function") {
      for (let key of __getOwnPropNames(from))
        if (!__hasOwnProp.call(to, key) && key !== except)
          __defProp(to, key, { get: () => from[key], enumerable: !(desc = __getOwnPropDesc(from, key)) || desc.enumerable });
    }
    return to;
  };
  var __toCommonJS = (mod) => __copyProps(__defProp({}, "__esModule", { value: true }), mod);

  // kit/src/factory.ts
  var factory_exports = {};
  __export(factory_exports, {
    factory: () => factory
  });

  // kit/src/message.ts
  var Refusal = class extends Error {
    constructor(code, description) {
      super(description);
      this.code = code;
      this.name = "Refusal";
    }
    code;
  };
  var isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
  function divideURL(url) {
    const parts2 = /^([a-zA-Z][\w+.-]*):\/\/([^/]*)(?:\/(.*))?$/.exec(String(url));
    if (!parts2) return { type: "", domain: "", identity: "" };
    const [, type = "", authority = "", rest] = parts2;
    const domain = authority.includes("@") ? authority.split("@")[1] ?? "" : authority;
    return { type, domain, identity: rest === void 0 ? authority : `/${rest}` };
  }
  var core = (owner, part) => `runtime://${divideURL(owner).domain}/${part}`;
  function ask(bus, message) {
    return new Promise((resolve, reject) => {
      bus.postMessage(message, (answer2) => {
        const { body } = answer2;
        const code = typeof body?.code === "number" ? body.code : 500;
        if (code < 200) return;
        if (code < 300) resolve(body);
        else reject(new Refusal(code, String(body.description ?? body["desc"] ?? `refused with ${code}`)));
      });
    });
  }
  function answer(bus, request, body) {
    bus.postMessage({ id: request.id, type: "response", from: request.to, to: request.from, body });
  }

  // kit/src/value.ts
  var RESERVED = /* @__PURE__ */ new Set(["__proto__", "prototype", "constructor", ""]);
  function parts(attribute) {
    const path = String(attribute).split(".");
    if (path.length > 16 || path.some((part) => RESERVED.has(part))) throw new TypeError("no such attribute");
    return path;
  }
  var own = (at2, part) => typeof at2 === "object" && at2 !== null && Object.hasOwn(at2, part) ? at2[part] : void 0;
  var at = (root, path) => path.reduce(own, root);
  function put(container, part, value) {
    if (Array.isArray(container)) {
      const index = Number(part);
      if (String(index) !== part || index > container.length || index < 0) throw new TypeError("no such element");
      container[index] = value;
    } else if (isObject(container)) container[part] = value;
    else throw new TypeError("no such attribute");
  }
  function apply(root, { attribute, value, operation }) {
    const path = parts(attribute);
    const last = path.pop();
    const removes = value === void 0 || value === null || operation === "remove";
    let place = root;
    for (const part of path) {
      let next = own(place, part);
      if (next === void 0 || next === null) {
        if (removes) return;
        next = {};
        put(place, part, next);
      }
      place = next;
    }
    const there = own(place, last);
    if (operation === "add") {
      if (Array.isArray(there)) there.push(value);
      else put(place, last, [value]);
    } else if (operation === "remove") {
      if (!Array.isArray(there)) return;
      const gone = canonical(value);
      put(place, last, there.filter((item) => canonical(item) !== gone));
    } else if (!removes) put(place, last, value);
    else if (Array.isArray(place)) {
      if (Object.hasOwn(place, last)) place.splice(Number(last), 1);
    } else if (isObject(place)) delete place[last];
  }
  function canonical(value) {
    return JSON.stringify(value, (_key, inner) => isObject(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => a < b ? -1 : 1)) : inner);
  }
  function observed(root, report) {
    const dirty = /* @__PURE__ */ new Set();
    const arrayChanged = (path) => {
      const attribute = path.join(".");
      if (dirty.has(attribute)) return;
      dirty.add(attribute);
      queueMicrotask(() => {
        dirty.delete(attribute);
        const now = at(root, path);
        if (Array.isArray(now)) report({ attribute, value: JSON.parse(JSON.stringify(now)) });
      });
    };
    const view = (target, path) => new Proxy(target, {
      get(container, key) {
        const value = Reflect.get(container, key);
        if (typeof key !== "string" || typeof value !== "object" || value === null || !Object.hasOwn(container, key)) return value;
        return view(value, [...path, key]);
      },
      set(container, key, value) {
        if (typeof key !== "string") return false;
        const plain = value === void 0 ? void 0 : JSON.parse(JSON.stringify(value));
        if (Array.isArray(container)) {
          Reflect.set(container, key, key === "length" ? value : plain);
          arrayChanged(path);
          return true;
        }
        parts([...path, key].join("."));
        if (plain === void 0) Reflect.deleteProperty(container, key);
        else Reflect.set(container, key, plain);
        report({ attribute: [...path, key].join("."), ...plain === void 0 ? {} : { value: plain } });
        return true;
      },
      deleteProperty(container, key) {
        if (typeof key !== "string") return false;
        Reflect.deleteProperty(container, key);
        if (Array.isArray(container)) arrayChanged(path);
        else report({ attribute: [...path, key].join(".") });
        return true;
      },
      defineProperty: () => false
    });
    return view(root, []);
  }

  // kit/src/objects.ts
  var DataObject = class {
    constructor(bus, owner, details) {
      this.bus = bus;
      this.owner = owner;
      this.url = details.url;
      this.schema = details.schema;
      this.version = details.version;
      this.value = details.data;
    }
    bus;
    owner;
    url;
    schema;
    version;
    /** The value itself, for the kit; `data` is how a Hyperty sees it. */
    value;
    #childHandlers = [];
    #closeHandlers = [];
    /** Writes a child. The reference's older form `(name, value)` works as well. */
    async addChild(...args) {
      const value = args.length > 1 && typeof args[0] === "string" && isObject(args[1]) ? args[1] : args[0];
      const to = `${this.url}/children/`;
      const body = await ask(this.bus, { type: "create", from: this.owner, to, body: { value } });
      const written = isObject(body.value) ? body.value : {};
      const resource = String(written["resource"] ?? "");
      return { resource, childId: resource, seq: Number(written["seq"] ?? 0), value };
    }
    onAddChild(handler) {
      this.#childHandlers.push(handler);
    }
    /** The object is gone. */
    onClose(handler) {
      this.#closeHandlers.push(handler);
    }
    /** Writes an event for those who do not need it to last; the same as a child here. */
    sendEvent(value) {
      return this.addChild(value);
    }
    /** @internal */
    takeChild(child) {
      for (const handler of this.#childHandlers) handler(child);
    }
    /** @internal */
    takeClose() {
      for (const handler of this.#closeHandlers) handler();
    }
  };
  var Reporter = class extends DataObject {
    role = "reporter";
    #view;
    #refusedHandlers = [];
    #subscriptionHandlers = [];
    constructor(bus, owner, details) {
      super(bus, owner, details);
      this.#view = observed(this.value, (change) => {
        this.#send(change).catch(() => this.takeClose());
      });
    }
    get data() {
      return this.#view;
    }
    /** Sets what a dot-path names, or removes it without a value; resolves with the new version. */
    async update(attribute, value, operation) {
      const change = { attribute, ...value === void 0 ? {} : { value }, ...operation ? { operation } : {} };
      apply(this.value, { version: 0, ...structured(change) });
      return this.#send(change);
    }
    async #send(change) {
      const body = await ask(this.bus, { type: "update", from: this.owner, to: `${this.url}/changes`, body: { ...change } });
      const version = isObject(body.value) ? Number(body.value["version"]) : NaN;
      this.version = Number.isFinite(version) ? Math.max(this.version, version) : this.version + 1;
      return this.version;
    }
    /** Ends the object for everyone. */
    async delete() {
      await ask(this.bus, { type: "delete", from: this.owner, to: this.url, body: {} });
      this.takeClose();
    }
    onSubscription(handler) {
      this.#subscriptionHandlers.push(handler);
    }
    onRefused(handler) {
      this.#refusedHandlers.push(handler);
    }
    /** @internal Whether somebody decides about a subscription. */
    takeSubscription(event) {
      for (const handler of this.#subscriptionHandlers) handler(event);
      return this.#subscriptionHandlers.length > 0;
    }
    /** @internal */
    takeRefused(refused) {
      for (const handler of this.#refusedHandlers) handler(refused);
    }
  };
  var Observer = class extends DataObject {
    role = "observer";
    #changeHandlers = [];
    get data() {
      return this.value;
    }
    /** Hears of changes at a dot-path, below it (`members.*`), or anywhere (`*`). */
    onChange(filter, handler) {
      this.#changeHandlers.push({ filter, handler });
    }
    async unsubscribe() {
      await ask(this.bus, { type: "unsubscribe", from: this.owner, to: `${this.url}/subscription`, body: {} });
      this.takeClose();
    }
    /** @internal Applies a change; false when one before it is missing. */
    takeChange(change) {
      if (change.version <= this.version) return true;
      if (change.version > this.version + 1) return false;
      const attribute = change.attribute;
      apply(this.value, change);
      this.version = change.version;
      const removes = change.operation === "remove" || change.value === void 0 || change.value === null;
      this.#tell({
        cType: removes ? "remove" : change.operation === "add" ? "add" : "update",
        oType: change.operation ? "array" : "object",
        field: attribute,
        data: change.value,
        version: change.version
      });
      return true;
    }
    /** @internal Replaces the value by a newer one. */
    takeSnapshot(version, data) {
      if (version <= this.version) return;
      this.value = data;
      this.version = version;
      this.#tell({ cType: "update", oType: "object", field: "*", data, version });
    }
    #tell(event) {
      const { field } = event;
      for (const { filter, handler } of this.#changeHandlers) {
        const below = filter.endsWith(".*") && field.startsWith(filter.slice(0, -1));
        if (filter === "*" || filter === field || field === "*" || below) handler(event);
      }
    }
  };
  function readChild(url, { body }) {
    const { resource, seq, author, value, at: at2 } = body;
    if (typeof resource !== "string" || typeof author !== "string" || !Number.isSafeInteger(seq)) return void 0;
    const identity = isObject(body["identity"]) ? { identity: body["identity"] } : {};
    return {
      type: "create",
      url,
      childId: resource,
      seq,
      value,
      data: value,
      author,
      from: author,
      at: typeof at2 === "number" ? at2 : 0,
      ...identity
    };
  }
  var structured = (value) => JSON.parse(JSON.stringify(value));

  // kit/src/syncher.ts
  var ENDS = /^(.+?)\/(subscription|children|changes)\/?$/;
  var Syncher = class {
    constructor(owner, bus, config = {}) {
      this.owner = owner;
      this.bus = bus;
      this.config = config;
      this.#manager = core(owner, "sm");
      bus.addListener(owner, (message) => this.#receive(message));
    }
    owner;
    bus;
    config;
    #objects = /* @__PURE__ */ new Map();
    #attaching = /* @__PURE__ */ new Map();
    #manager;
    #notificationHandler;
    #resumeHandlers = [];
    #closeHandlers = [];
    get reporters() {
      return Object.fromEntries([...this.#objects].filter((pair) => pair[1] instanceof Reporter));
    }
    get observers() {
      return Object.fromEntries([...this.#objects].filter((pair) => pair[1] instanceof Observer));
    }
    /** The object of an address, if this Hyperty has it. */
    get(url) {
      return this.#objects.get(url);
    }
    /** Creates an object and invites people to observe it. */
    async create(schema, observers, data, ...rest) {
      const value = copy(data);
      const name = rest.find((argument) => typeof argument === "string") ?? options(rest).name;
      const body = await this.#ask("create", this.#manager, {
        schema: schemaName(schema),
        value,
        authorise: observers,
        ...name === void 0 ? {} : { name }
      });
      const url = isObject(body.value) ? body.value["resource"] : void 0;
      if (typeof url !== "string") throw new TypeError("the Sync Manager gave no address");
      const made = this.#objects.get(url);
      if (made instanceof Reporter) return made;
      return this.#keep(new Reporter(this.bus, this.owner, { url, schema: schemaName(schema), data: value, version: 0 }));
    }
    /** Observes an object: by its address, by `{resource}`, or by the reference's `(schema, address)`. */
    async subscribe(input, address) {
      const url = typeof address === "string" && address.includes("://") ? address : addressOf(input);
      const object = await this.attach(url);
      if (!(object instanceof Observer)) throw new TypeError("who reports an object does not observe it");
      return object;
    }
    /** Takes up an object that the Sync Manager keeps, whatever its role. */
    attach(url) {
      const known = this.#objects.get(url);
      if (known) return Promise.resolve(known);
      let pending = this.#attaching.get(url);
      if (!pending) {
        pending = this.#ask("read", url, {}).then((body) => this.#resume(kept(body.value, url)));
        this.#attaching.set(url, pending);
        const done = () => this.#attaching.delete(url);
        pending.then(done, done);
      }
      return pending;
    }
    /** Observes what an invitation has shown, without asking again. */
    observe(event) {
      const { url, schema, value, version } = event;
      const known = this.#objects.get(url);
      if (known instanceof Observer) return known;
      return this.#keep(new Observer(this.bus, this.owner, { url, schema, data: copy(value), version }));
    }
    /** Reads an object without observing it. */
    async read(url) {
      const { value } = await this.#ask("read", url, {});
      const read = isObject(value) ? value : {};
      const { value: data, version } = kept(value, url);
      return { value: data, version, children: read["children"] ?? [] };
    }
    /** Changes an object that this Hyperty reports. */
    async update(url, attribute, value, operation) {
      const object = await this.attach(url);
      if (!(object instanceof Reporter)) throw new TypeError("only its Reporter changes an object");
      return object.update(attribute, value, operation);
    }
    /** Takes up all objects of a scheme that the Sync Manager keeps, as after a restart. */
    async resume(scheme) {
      const { value } = await this.#ask("read", this.#manager, { scheme });
      const list = Array.isArray(value) ? value : isObject(value) && Array.isArray(value["resources"]) ? value["resources"] : [];
      const taken = await Promise.allSettled(list.map((entry) => this.#take(entry)));
      return taken.flatMap((result) => result.status === "fulfilled" ? [result.value] : []);
    }
    #take(entry) {
      if (typeof entry === "string") return this.attach(entry);
      const url = isObject(entry) ? entry["resource"] : void 0;
      if (typeof url !== "string") return Promise.reject(new TypeError("not an object"));
      if (isObject(entry) && isObject(entry["value"]) && typeof entry["role"] === "string") {
        return Promise.resolve(this.#resume(kept(entry, url)));
      }
      return this.attach(url);
    }
    async resumeReporters(criteria = {}) {
      await this.resume(criteria.scheme ?? "comm");
      return this.reporters;
    }
    async resumeObservers(criteria = {}) {
      await this.resume(criteria.scheme ?? "comm");
      return this.observers;
    }
    onNotification(handler) {
      this.#notificationHandler = handler;
    }
    /** Hears of objects that were taken up again, before anything that arrives for them. */
    onResume(handler) {
      this.#resumeHandlers.push(handler);
    }
    onReportersResume(handler) {
      this.onResume((object) => object instanceof Reporter && handler({ [object.url]: object }));
    }
    onObserversResume(handler) {
      this.onResume((object) => object instanceof Observer && handler({ [object.url]: object }));
    }
    onClose(handler) {
      this.#closeHandlers.push(handler);
    }
    #ask(type, to, body) {
      return ask(this.bus, { type, from: this.owner, to, body });
    }
    #resume({ resource: url, schema, value: data, version, role }) {
      const known = this.#objects.get(url);
      if (known) return known;
      const details = { url, schema, data, version };
      const object = this.#keep(role === "reporter" ? new Reporter(this.bus, this.owner, details) : new Observer(this.bus, this.owner, details));
      for (const handler of this.#resumeHandlers) handler(object);
      return object;
    }
    #keep(object) {
      this.#objects.set(object.url, object);
      object.onClose(() => {
        if (this.#objects.get(object.url) !== object) return;
        this.#objects.delete(object.url);
        for (const handler of this.#closeHandlers) handler({ type: "close", url: object.url });
      });
      return object;
    }
    /** Messages of the Sync Manager come from the object they are about; anything else is not for us. */
    #receive(message) {
      const [, url, end] = ENDS.exec(message.from) ?? [];
      if (url === void 0 || message.type === "response" || message.type === "execute") return;
      switch (`${message.type} ${end}`) {
        case "create subscription":
          return this.#invited(url, message);
        case "delete subscription":
          return this.#deleted(url, message);
        case "event subscription":
          return this.#refused(url, message);
        case "subscribe subscription":
        case "forward subscription":
          return this.#subscribed(url, message);
        case "create children":
          return this.#withObject(url, message, (object) => {
            const child = readChild(url, message);
            if (!child) return 400;
            object.takeChild(child);
            return 200;
          });
        case "update changes":
          return this.#withObject(url, message, (object) => this.#changed(object, message));
        default:
          if (message.type !== "event" && message.type !== "close") answer(this.bus, message, { code: 400 });
      }
    }
    #withObject(url, message, use) {
      const known = this.#objects.get(url);
      const done = (code) => answer(this.bus, message, { code });
      const run = (object) => {
        const code = use(object);
        if (typeof code === "number") done(code);
        else code.then(done, () => done(500));
      };
      const guarded = (object) => {
        try {
          run(object);
        } catch {
          done(500);
        }
      };
      if (known) guarded(known);
      else this.attach(url).then((object) => guarded(this.#objects.get(url) ?? object), () => done(404));
    }
    #invited(url, message) {
      const { body } = message;
      let open = true;
      const ack = (code = 200, description) => {
        if (!open) return;
        open = false;
        answer(this.bus, message, { code, ...description ? { description } : {} });
      };
      if (this.#objects.has(url)) return ack();
      if (!this.#notificationHandler || !isObject(body.value)) return ack(this.#notificationHandler ? 400 : 404);
      const source = String(body["source"] ?? "");
      this.#notificationHandler({
        type: "create",
        url,
        source,
        from: source,
        schema: schemaName(String(body["schema"] ?? "")),
        value: body.value,
        version: Number(body["version"] ?? 0),
        ack,
        ...identityOf(body)
      });
    }
    #deleted(url, message) {
      const object = this.#objects.get(url);
      const ack = () => void 0;
      if (object) {
        const { schema, version } = object;
        const source = String(message.body["source"] ?? "");
        this.#notificationHandler?.({
          type: "delete",
          url,
          source,
          from: source,
          schema,
          value: object.data,
          version,
          ack,
          ...identityOf(message.body)
        });
        object.takeClose();
      }
      answer(this.bus, message, { code: 200 });
    }
    #refused(url, { body }) {
      const object = this.#objects.get(url);
      if (!(object instanceof Reporter) || typeof body.code !== "number") return;
      const user = body["source"] ?? body["user"];
      object.takeRefused({ url, code: body.code, ...typeof user === "string" ? { user } : {} });
    }
    #subscribed(url, message) {
      const object = this.#objects.get(url);
      if (!(object instanceof Reporter)) return answer(this.bus, message, { code: 404 });
      const heard = object.takeSubscription({
        type: "subscribe",
        url,
        ...identityOf(message.body),
        accept: () => answer(this.bus, message, { code: 200 }),
        reject: (description = "refused") => answer(this.bus, message, { code: 403, description })
      });
      if (!heard) answer(this.bus, message, { code: 200 });
    }
    #changed(object, { body }) {
      if (!(object instanceof Observer)) return 200;
      if (!Number.isSafeInteger(body["version"]) || typeof body["attribute"] !== "string") return 400;
      try {
        if (object.takeChange(body)) return 200;
      } catch {
      }
      return this.read(object.url).then(({ value, version }) => {
        object.takeSnapshot(version, value);
        return 200;
      });
    }
  };
  function kept(entry, url) {
    const from = isObject(entry) ? entry : {};
    return {
      resource: url,
      schema: schemaName(String(from["schema"] ?? url.split(":", 1)[0])),
      value: isObject(from["value"]) ? from["value"] : {},
      version: Number(from["version"] ?? 0),
      role: from["role"] === "reporter" ? "reporter" : "observer"
    };
  }
  function identityOf(body) {
    return isObject(body["identity"]) ? { identity: body["identity"] } : {};
  }
  function addressOf(input) {
    const url = typeof input === "string" ? input : input.resource ?? input.url;
    if (typeof url !== "string") throw new TypeError("an object is named by its address");
    return url;
  }
  var options = (rest) => rest.find(isObject) ?? {};
  var schemaName = (schema) => {
    const last = schema.split("/").pop() ?? schema;
    const known = { Communication: "comm", Connection: "connection", Context: "ctxt" };
    return known[last] ?? last;
  };
  var copy = (value) => JSON.parse(JSON.stringify(value));

  // kit/src/factory.ts
  var IdentityManager = class {
    constructor(hypertyURL, runtimeURL, bus) {
      this.hypertyURL = hypertyURL;
      this.runtimeURL = runtimeURL;
      this.bus = bus;
    }
    hypertyURL;
    runtimeURL;
    bus;
    async discoverUserRegistered() {
      const body = await ask(this.bus, {
        type: "read",
        from: this.hypertyURL,
        to: core(this.hypertyURL, "idm"),
        body: { resource: "user" }
      });
      return body.value;
    }
  };
  var Discovery = class {
    constructor(hypertyURL, runtimeURL, bus) {
      this.hypertyURL = hypertyURL;
      this.runtimeURL = runtimeURL;
      this.bus = bus;
    }
    hypertyURL;
    runtimeURL;
    bus;
    async #find(kind, by, what, criteria) {
      const body = await ask(this.bus, {
        type: "read",
        from: this.hypertyURL,
        to: core(this.hypertyURL, "discovery"),
        body: { resource: `/${kind}/${by}/${what}`, criteria }
      });
      return isObject(body.value) ? Object.values(body.value) : [];
    }
    discoverHypertiesPerUser(user, dataSchemes = [], resources = []) {
      return this.#find("hyperty", "user", user, { dataSchemes, resources });
    }
    discoverDataObjectsPerReporter(reporter, dataSchemes = []) {
      return this.#find("dataObject", "reporter", reporter, { dataSchemes });
    }
  };
  var MessageBodyIdentity = class {
    idp;
    userProfile;
    constructor(username, userURL, avatar = "", name = "", locale = "", idp = "") {
      this.idp = { domain: idp || divideURL(userURL).domain };
      this.userProfile = { username, userURL, avatar, cn: name, locale };
    }
  };
  var RegistrationStatus = class {
    constructor(registryURL, bus) {
      this.registryURL = registryURL;
      bus.addListener(`${registryURL}/registration`, ({ body }) => {
        const status = isObject(body.value) ? body.value["status"] : body.value;
        for (const handler of status === "live" ? this.#live : this.#gone) handler();
      });
    }
    registryURL;
    #live = [];
    #gone = [];
    onLive(_subscriber, handler) {
      this.#live.push(handler);
    }
    onDisconnected(_subscriber, handler) {
      this.#gone.push(handler);
    }
  };
  var notOffered = (what) => () => {
    throw new TypeError(`this runtime offers no ${what}: use createSyncher`);
  };
  var factory = Object.freeze({
    divideURL,
    createSyncher: (owner, bus, config) => new Syncher(owner, bus, config),
    createIdentityManager: (url, runtime, bus) => new IdentityManager(url, runtime, bus),
    createDiscovery: (url, runtime, bus) => new Discovery(url, runtime, bus),
    createMessageBodyIdentity: (...args) => new MessageBodyIdentity(...args),
    createRegistrationStatus: (url, _runtime, _hyperty, bus) => new RegistrationStatus(url, bus),
    createSearch: notOffered("search"),
    createContextObserver: notOffered("context observer"),
    createContextReporter: notOffered("context reporter"),
    createNotificationHandler: notOffered("notification handler"),
    createChatManager: notOffered("chat manager"),
    createSimpleChatManager: notOffered("chat manager"),
    createChatController: notOffered("chat controller"),
    createChat: notOffered("chat")
  });
  return __toCommonJS(factory_exports);
})();

return kit.factory;
})());
