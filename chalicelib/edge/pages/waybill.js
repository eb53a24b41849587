// The client that spec 003 shows, for browsers: its words for what client.js does.
//
//   const ws = new WebSocketService(null, token, userId);
//   await ws.connect();
//   ws.subscribe(["order_created"]);
//   ws.on("order_created", (event) => console.log(event.data));
//
// It reconnects by itself, subscribes again and hands on every event once. Besides the feed's
// events it has: "*" (all of those), "connected", "disconnected", "connection_failed" (several
// attempts in a row have failed; it goes on trying) and "error" (the server said no).

import { Waybill } from "./client.js";

const DEFAULTS = {
  reconnectDelay: 1000, // ms: the first pause's limit, which doubles
  maxReconnectDelay: 30000,
  maxReconnectAttempts: 5, // then "connection_failed"
  heartbeatInterval: 30000,
  userRole: undefined, // sent with the token where it is given
};

export class WebSocketService {
  #url;
  #token;
  #userId;
  #options;
  #waybill = null;
  #isOpen = false;
  #wanted = new Set();
  #queued = 0;
  #handlers = new Map();
  #attempts = 0;

  constructor(url, token, userId, options = {}) {
    this.#url = url ?? location.origin;
    this.#token = token;
    this.#userId = userId;
    this.#options = { ...DEFAULTS, ...options };
  }

  // Resolves once authenticated; rejects if the server refuses. A connection that fails is tried
  // again and again meanwhile.
  connect() {
    this.#waybill?.close();
    this.#attempts = 0;
    return new Promise((resolve, reject) => this.#open(resolve, reject));
  }

  disconnect() {
    this.#waybill?.close();
  }

  subscribe(events) {
    for (const name of events) this.#wanted.add(name);
    this.#send({ type: "subscribe", events: [...events] });
  }

  unsubscribe(events) {
    for (const name of events) this.#wanted.delete(name);
    this.#send({ type: "unsubscribe", events: [...events] });
  }

  // Returns a function that takes the handler away again.
  on(name, handler) {
    if (!this.#handlers.has(name)) this.#handlers.set(name, new Set());
    this.#handlers.get(name).add(handler);
    return () => this.off(name, handler);
  }

  off(name, handler) {
    this.#handlers.get(name)?.delete(handler);
  }

  getStatus() {
    return {
      isConnected: this.#isOpen,
      subscriptions: [...this.#wanted],
      queuedMessages: this.#queued,
      reconnectAttempts: this.#attempts,
    };
  }

  #open(resolve, reject) {
    const { reconnectDelay, maxReconnectDelay, heartbeatInterval, userRole } = this.#options;
    const waybill = new Waybill({
      url: this.#url,
      token: this.#token,
      userId: this.#userId,
      userRole,
      events: this.#wanted, // as they then are
      delay: reconnectDelay,
      maxDelay: maxReconnectDelay,
      heartbeat: heartbeatInterval,
      onState: (state, frame) => {
        if (state === "open") this.#opened(frame, resolve);
        else if (state !== "connecting") this.#lost(state);
      },
    });
    this.#waybill = waybill;
    waybill.on("*", (event) => {
      if (event.event_type) this.#handOn(event);
    });
    waybill.on("error", (frame) => {
      // A token that is refused once is refused always: no more attempts.
      if (!this.#isOpen) {
        waybill.close();
        reject(Object.assign(new Error(frame.message), { code: frame.code }));
      }
      this.#emit("error", frame);
    });
  }

  #opened(frame, resolve) {
    this.#isOpen = true;
    this.#attempts = this.#queued = 0;
    this.#emit("connected", frame);
    resolve();
  }

  #lost(state) {
    if (this.#isOpen) this.#emit("disconnected", {});
    this.#isOpen = false;
    if (state === "closed") return;
    this.#attempts += 1;
    if (this.#attempts === this.#options.maxReconnectAttempts) {
      this.#emit("connection_failed", { attempts: this.#attempts });
    }
  }

  #handOn(frame) {
    const event = { ...frame, level: frame.event_level };
    this.#emit(event.type, event);
    this.#emit("*", event);
  }

  // What can't be sent now is in the subscriptions, which go out when the connection is back.
  #send(message) {
    if (this.#isOpen) this.#waybill.send(message);
    else this.#queued += 1;
  }

  #emit(name, event) {
    for (const handler of [...(this.#handlers.get(name) ?? [])]) {
      try {
        handler(event);
      } catch (error) {
        console.error(`handler of ${name}`, error); // one handler must not stop the others
      }
    }
  }
}

export default WebSocketService;
