// The client of Waybill's event feed (spec 003), for browsers. No dependencies.
//
//   const ws = new WebSocketService(null, token, userId);
//   await ws.connect();
//   ws.subscribe(["order_created"]);
//   ws.on("order_created", (event) => console.log(event.data));
//
// It reconnects by itself, subscribes again and hands on every event once. Besides the feed's
// events it has: "*" (all of those), "connected", "disconnected", "connection_failed" (several
// attempts in a row have failed; it goes on trying) and "error" (the server said no).

const PATH = "/api/websocket/ws";
const REMEMBERED = 1000; // ids of events that were handed on
const DEFAULTS = {
  reconnectDelay: 1000, // ms before the first attempt; doubles, half of it at random
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
  #socket = null;
  #authenticated = false;
  #wanted = new Set();
  #queue = [];
  #handlers = new Map();
  #seen = new Set();
  #attempts = 0;
  #ended = true;
  #heartbeat = null;
  #retry = null;
  #heardAt = 0;

  constructor(url, token, userId, options = {}) {
    this.#url = url ?? location.origin.replace(/^http/, "ws") + PATH;
    this.#token = token;
    this.#userId = userId;
    this.#options = { ...DEFAULTS, ...options };
  }

  // Resolves once authenticated; rejects if the server refuses. A connection that fails is tried
  // again and again meanwhile.
  connect() {
    this.#ended = false;
    return new Promise((resolve, reject) => this.#open(resolve, reject));
  }

  disconnect() {
    this.#ended = true;
    clearTimeout(this.#retry);
    this.#socket?.close(1000);
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
      isConnected: this.#authenticated,
      subscriptions: [...this.#wanted],
      queuedMessages: this.#queue.length,
      reconnectAttempts: this.#attempts,
    };
  }

  #open(resolve, reject) {
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.onopen = () =>
      this.#post({
        type: "auth",
        token: this.#token,
        user_id: this.#userId,
        user_role: this.#options.userRole,
      });
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(data), resolve, reject);
    socket.onclose = () => {
      if (socket === this.#socket) this.#lost(resolve, reject);
    };
  }

  #hear(frame, resolve, reject) {
    this.#heardAt = Date.now();
    if (frame.event_type) {
      this.#handOn(frame);
    } else if (frame.type === "authenticated") {
      this.#admitted(frame);
      resolve();
    } else if (frame.type === "error") {
      if (!this.#authenticated) this.#refused(frame, reject);
      this.#emit("error", frame);
    }
  }

  #admitted(frame) {
    this.#authenticated = true;
    this.#attempts = 0;
    this.#queue = [];
    if (this.#wanted.size) this.#post({ type: "subscribe", events: [...this.#wanted] });
    this.#heartbeat = setInterval(() => this.#beat(), this.#options.heartbeatInterval);
    this.#emit("connected", frame);
  }

  // A token that is refused once is refused always: no more attempts.
  #refused(frame, reject) {
    this.#ended = true;
    reject(Object.assign(new Error(frame.message), { code: frame.code }));
  }

  #handOn(frame) {
    if (this.#seen.has(frame.event_id)) return;
    this.#seen.add(frame.event_id);
    if (this.#seen.size > REMEMBERED) this.#seen.delete(this.#seen.values().next().value);
    const event = { ...frame, type: frame.event_type, level: frame.event_level };
    this.#emit(event.type, event);
    this.#emit("*", event);
  }

  #beat() {
    if (Date.now() - this.#heardAt > 2 * this.#options.heartbeatInterval) {
      const socket = this.#socket; // silent for too long: as good as closed
      socket.close();
      socket.onclose();
      return;
    }
    this.#post({ type: "heartbeat", timestamp: new Date().toISOString() });
  }

  #lost(resolve, reject) {
    this.#socket = null;
    clearInterval(this.#heartbeat);
    const was = this.#authenticated;
    this.#authenticated = false;
    if (was) this.#emit("disconnected", {});
    if (this.#ended) return;
    this.#attempts += 1;
    if (this.#attempts === this.#options.maxReconnectAttempts) {
      this.#emit("connection_failed", { attempts: this.#attempts });
    }
    this.#retry = setTimeout(() => this.#open(resolve, reject), this.#pause());
  }

  #pause() {
    const { reconnectDelay, maxReconnectDelay } = this.#options;
    const most = Math.min(reconnectDelay * 2 ** (this.#attempts - 1), maxReconnectDelay);
    return most * (0.5 + Math.random() / 2);
  }

  // What can't be sent now is in the subscriptions, which go out when the connection is back.
  #send(message) {
    if (this.#authenticated) this.#post(message);
    else this.#queue.push(message);
  }

  #post(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
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
