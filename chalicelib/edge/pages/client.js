// src/contracts.ts
var PATHS = {
  feed: "/api/websocket/ws",
  courier: "/api/v1/ws/courier",
  customer: "/api/v1/ws/customer",
  rides: "/api/v1/ws/rides",
  food: "/orders",
  drivers: "/ws/driver/orders/",
  socketio: "/socket.io",
  ops: "/api/v1/ws/ops"
};
var CUSTOMERS = ["customer", "rider", "user"];
var PING = "ping";
var NAMESPACE = "/orders,";
var SILENT = [
  "heartbeat",
  "heartbeat_ack",
  "pong",
  "ping_response",
  "subscription_updated"
];
function check(contract, ...urls) {
  if (!Object.hasOwn(PATHS, contract)) throw new TypeError("There is no contract " + contract);
  for (const url of urls) {
    if (!/^(http|ws)s?:$/.test(new URL(url).protocol)) throw new TypeError("Invalid URL: " + url);
  }
}
function makeUrl(url, contract, token, from) {
  const place = new URL(url);
  place.protocol = place.protocol.replace("http", "ws");
  if (place.pathname == "/") {
    const { role, user_role, user_type } = readClaims(token);
    const word = String(role ?? user_role ?? user_type).toLowerCase();
    const isCustomer = contract == "courier" && CUSTOMERS.includes(word);
    place.pathname = PATHS[isCustomer ? "customer" : contract];
  }
  const { searchParams } = place;
  if (contract == "socketio") {
    searchParams.set("EIO", "4");
    searchParams.set("transport", "websocket");
  } else if (contract != "feed") {
    searchParams.set("token", token);
    if (from) searchParams.set("from", from);
  }
  return place;
}
function makeAuth(token, userId, userRole, from) {
  const { sub, user_id } = readClaims(token);
  return {
    type: "auth",
    token,
    user_id: userId ?? sub ?? user_id,
    user_role: userRole,
    from: from ?? void 0
  };
}
function makePing(contract) {
  if (contract == "feed") return { type: "heartbeat", timestamp: (/* @__PURE__ */ new Date()).toISOString() };
  return { [["drivers", "ops"].includes(contract) ? "type" : "event"]: PING, event_id: PING };
}
function isPong(contract, frame, isAsked) {
  if (frame.event != "error") return false;
  return frame.event_id == PING || isAsked && ["courier", "customer"].includes(contract);
}
function writeMessage(contract, message) {
  if (contract != "socketio") return JSON.stringify(message);
  if (message.event == PING) return makeConnect();
  return "42" + NAMESPACE + JSON.stringify([message.event, message.data]);
}
function makeConnect(auth) {
  return "40" + NAMESPACE + (auth ? JSON.stringify(auth) : "");
}
function readFrame(contract, text) {
  if (contract != "socketio") return JSON.parse(text);
  const [, packet, json] = /^(4?.)(?:\/orders,)?\d*(.*)/s.exec(text);
  if (packet != "42") return { packet, why: json };
  const [event, data, meta] = JSON.parse(json);
  return { event, data, ...meta };
}
function readClaims(token) {
  try {
    const text = atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"));
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (c) => c.charCodeAt(0))));
  } catch {
    return {};
  }
}

// src/frames.ts
var FEED_EVENTS = [
  "order_confirmed",
  "order_ready",
  "delivery_in_transit",
  "delivery_arrived",
  "location_updated",
  "eta_updated",
  "earning_recorded",
  "bonus_earned",
  "payout_approved",
  "payout_completed",
  "wallet_updated",
  "payment_initiated",
  "payment_completed",
  "payment_failed",
  "order_created",
  "delivery_accepted",
  "delivery_completed",
  "order_released",
  "delivery_failed",
  "no_show_available",
  "courier_near",
  "courier_left",
  "arrival_suggested",
  "refund_due",
  "webhook_disabled",
  "payment_due",
  "delivery_returned"
];

// src/rest.ts
var ATTEMPTS = 8;
var ANSWER_WITHIN = 3e4;
var WaybillError = class extends Error {
  constructor(status, code, message, details) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
  }
  status;
  code;
  details;
  name = "WaybillError";
};
async function call(options, path, request, attempts = ATTEMPTS) {
  const { api, url, token, delay, maxDelay } = options;
  const place = new URL(path, new URL(api ?? url).href.replace(/^ws/, "http"));
  for (let attempt = 1; ; attempt++) {
    const credential = await (typeof token == "function" ? token() : token);
    const headers = { ...request.headers, Authorization: "Bearer " + credential };
    try {
      const signal = AbortSignal.timeout(ANSWER_WITHIN);
      const answer = await fetch(place, { ...request, headers, signal });
      const said = await answer.json();
      if (answer.ok) return said;
      throw new WaybillError(answer.status, said.error, said.message, said.details);
    } catch (error) {
      const status = error instanceof WaybillError ? error.status : 500;
      if (status < 500 && status != 429 || attempt == attempts) throw error;
    }
    const pause = Math.random() * Math.min(maxDelay, delay * 2 ** attempt);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
function makeKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// src/waybill.ts
var REMEMBERED = 1e3;
var ANSWERS = ["error", "refreshed"];
var Waybill = class {
  #options;
  #handlers = /* @__PURE__ */ new Map();
  #seen = /* @__PURE__ */ new Set();
  #position;
  // of the newest event
  #from;
  // where the next connection begins: not after what may be half heard
  #gap = "";
  #isGiven = true;
  // the position is the application's: no server has said anything of it
  #malformed;
  // a position that was none
  #socket;
  #isOpen = false;
  #isClosed = true;
  #run = 0;
  // attempts to connect, ever: what an older one brings is not wanted
  #attempts = 0;
  // since something was heard
  #askedAt = 0;
  // when the last sign of life was asked for
  #isAsked = false;
  // and whether nothing came since
  #retry;
  #ticks;
  #waiting = [];
  constructor(options) {
    this.#options = {
      contract: "feed",
      events: FEED_EVENTS,
      heartbeat: 3e4,
      timeout: 1e4,
      delay: 1e3,
      maxDelay: 3e4,
      WebSocket: globalThis.WebSocket,
      ...options
    };
    if (!this.#options.WebSocket) throw new Error("There is no WebSocket here: bring one.");
    const { url, api, contract } = this.#options;
    check(contract, url, api ?? url);
    this.connect();
  }
  /** After which event the next connection begins. */
  get position() {
    return this.#position;
  }
  on(type, handler) {
    if (!this.#handlers.has(type)) this.#handlers.set(type, /* @__PURE__ */ new Set());
    this.#handlers.get(type).add(handler);
    return () => this.#handlers.get(type).delete(handler);
  }
  /** Send a message of the contract's, once there is a connection: resolves when it is on its way. */
  send(message) {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(new Error("closed"));
      const text = writeMessage(this.#options.contract, message);
      this.#waiting.push({ text, resolve, reject });
      this.#flush();
    });
  }
  /** Create an order, a payment…: POST under one key, again and again until it is answered. */
  create(path, body, key = makeKey()) {
    return call(this.#options, path, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "Content-Type": "application/json", "Idempotency-Key": key }
    });
  }
  /** Read something by REST. */
  get(path) {
    return call(this.#options, path, {});
  }
  /** Connect again after `close()`; waiting to connect, do it now. */
  connect() {
    if (this.#isClosed) {
      this.#isClosed = false;
      this.#watch("addEventListener");
      this.#open();
    } else this.#wake();
  }
  close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#watch("removeEventListener");
    this.#drop();
    for (const { reject } of this.#waiting.splice(0)) reject(new Error("closed"));
    this.#say("closed");
  }
  // Timers sleep with the page: what wakes it has a look at once.
  #watch(method) {
    const page = globalThis;
    for (const name of ["online", "pageshow"]) page[method]?.(name, this.#wake);
    page.document?.[method]("visibilitychange", this.#wake);
  }
  #wake = () => {
    if (this.#retry) {
      this.#attempts = 0;
      this.#open();
    } else if (this.#isOpen && !this.#isAsked) this.#ping();
    else this.#look();
  };
  #open() {
    clearTimeout(this.#retry);
    this.#retry = 0;
    const run = ++this.#run;
    const { token, position } = this.#options;
    const failed = (error) => {
      if (run == this.#run) this.#lost(error);
    };
    const opened = ([credential, from]) => {
      if (run != this.#run) return;
      try {
        this.#dial(credential, this.#from ?? (this.#position ??= from));
      } catch (error) {
        failed(error);
      }
    };
    this.#say("connecting");
    if (run != this.#run) return;
    try {
      const both = [
        typeof token == "function" ? token() : token,
        this.#position ?? (typeof position == "function" ? position() : position)
      ];
      if (both.some((one) => one?.then)) Promise.all(both).then(opened, failed);
      else opened(both);
    } catch (error) {
      failed(error);
    }
  }
  #dial(token, from) {
    const { url, contract, WebSocket, userId, userRole, timeout, heartbeat } = this.#options;
    const place = makeUrl(url, contract, token, from);
    const socket = this.#socket = new WebSocket(place.href);
    this.#ask();
    this.#ticks = setInterval(() => this.#look(), Math.min(timeout, heartbeat) / 2);
    socket.onopen = () => {
      if (socket != this.#socket) return;
      if (contract == "feed") this.#post(makeAuth(token, userId, userRole, from));
      else if (contract != "socketio") this.#opened();
    };
    socket.onmessage = ({ data }) => {
      if (socket == this.#socket) this.#hear(data, token, from);
    };
    socket.onclose = socket.onerror = (event) => {
      if (socket == this.#socket) this.#lost(event);
    };
  }
  #opened(frame) {
    this.#isOpen = true;
    this.#isAsked = false;
    this.#say("open", frame);
    this.#flush();
  }
  #hear(text, token, from) {
    const contract = this.#options.contract;
    const wasAsked = this.#isAsked;
    this.#isAsked = false;
    let frame;
    try {
      frame = readFrame(contract, text);
    } catch {
    }
    if (!frame) return;
    if (contract == "socketio" && frame.packet) return this.#answer(frame, token, from);
    const type = String(frame.event_type ?? frame.event ?? frame.type);
    const data = frame.data ?? frame;
    if (type != "error") this.#attempts = 0;
    if (frame.pos != this.#position) this.#from = this.#position;
    if (type == "authenticated") {
      const events = [...this.#options.events];
      if (events.length) this.#post({ type: "subscribe", events });
      this.#opened(frame);
    } else if (type == "resumed") {
      if (this.#malformed) {
        this.#guard(this.#options.onGap, { from: this.#malformed, oldest: data.from });
        this.#malformed = null;
      }
      if (!this.#position || this.#position == "now") this.#move(data.from);
      this.#isGiven = false;
    } else if (type == "gap") {
      const gap = data.from + " " + data.oldest;
      if (gap != this.#gap) this.#guard(this.#options.onGap, data);
      this.#gap = gap;
      this.#isGiven = false;
    } else if (!SILENT.includes(type) && !isPong(contract, frame, wasAsked)) {
      const place = (frame.pos ?? "").split("~")[0];
      const id = frame.event_type ? frame.event_id + "@" + place.split(".")[0] : place && text.replace(frame.pos, place);
      if (ANSWERS.includes(type) || !this.#isRepeated(id)) this.#handOn(type, data, frame);
    }
  }
  // Socket.IO's own packets.
  #answer(frame, token, from) {
    if (frame.packet == "0") {
      this.#ask();
      this.#socket.send(makeConnect({ token, from: from ?? void 0 }));
    } else if (frame.packet == "2") this.#socket.send("3");
    else if (frame.packet == "40" && !this.#isOpen) this.#opened();
    else if (["1", "41", "44"].includes(frame.packet)) this.#lost(frame.why);
  }
  #isRepeated(id) {
    if (!id) return false;
    if (this.#seen.has(id)) return true;
    this.#seen.add(id);
    if (this.#seen.size > REMEMBERED) this.#seen.delete(this.#seen.values().next().value);
    return false;
  }
  #handOn(type, data, frame) {
    const event = { ...frame, type, data };
    this.#emit(type, event);
    this.#emit("*", event);
    if (frame.pos) this.#move(frame.pos);
  }
  #move(position) {
    if (position == this.#position) return;
    this.#position = position;
    this.#guard(this.#options.onPosition, position);
  }
  // By timestamps: timers are throttled in pages that nobody looks at, and stop in sleep.
  #look() {
    const { timeout, heartbeat } = this.#options;
    const passed = Math.abs(Date.now() - this.#askedAt);
    if (this.#isAsked) {
      if (passed >= timeout) this.#lost();
    } else if (this.#isOpen && passed >= heartbeat) this.#ping();
  }
  #ping() {
    this.#ask();
    this.#post(makePing(this.#options.contract));
  }
  #ask() {
    this.#askedAt = Date.now();
    this.#isAsked = true;
  }
  #drop() {
    this.#run++;
    clearTimeout(this.#retry);
    clearInterval(this.#ticks);
    this.#retry = 0;
    const socket = this.#socket;
    this.#socket = null;
    this.#isOpen = this.#isAsked = false;
    try {
      socket?.close();
    } catch {
    }
  }
  // Full jitter: thousands that were cut at once don't come back at once. It never gives up.
  #lost(error) {
    if (!this.#isOpen && this.#isGiven) this.#doubt(this.#position);
    this.#drop();
    const { delay, maxDelay } = this.#options;
    const pause = Math.random() * Math.min(maxDelay, delay * 2 ** this.#attempts++);
    this.#retry = setTimeout(() => this.#open(), pause);
    this.#say("waiting", error);
  }
  // Browsers are not told why a socket was refused: REST tells whether the stored position is none.
  async #doubt(position) {
    if (!position || position == "now") return;
    const path = "/api/v1/me/events?offset=" + encodeURIComponent(position);
    try {
      await call(this.#options, path, {}, 1);
    } catch (error) {
      if (error.status != 400 || this.#position != position) return;
      this.#malformed = position;
      this.#position = "now";
    }
  }
  #flush() {
    while (this.#isOpen && this.#waiting.length) {
      const { text, resolve } = this.#waiting.shift();
      this.#socket.send(text);
      resolve();
    }
  }
  #post(message) {
    if (this.#socket?.readyState == 1) {
      this.#socket.send(writeMessage(this.#options.contract, message));
    }
  }
  #say(state, detail) {
    this.#guard((it) => this.#options.onState?.(it, detail), state);
  }
  #emit(type, event) {
    for (const handler of [...this.#handlers.get(type) ?? []]) this.#guard(handler, event);
  }
  // A handler that fails must stop neither the others nor the connection.
  #guard(handler, told) {
    try {
      handler?.(told);
    } catch (error) {
      console.error(error);
    }
  }
};
export {
  Waybill,
  WaybillError
};
