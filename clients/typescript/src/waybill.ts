// A client of Waybill's sockets: it connects, stays connected and hands on every event once.
//
//   const waybill = new Waybill({ url, token: () => fetchToken(), contract: "feed" });
//   waybill.on("order_created", (event) => console.log(event.data));

import {
  check,
  isPong,
  makeAuth,
  makeConnect,
  makePing,
  makeUrl,
  readFrame,
  SILENT,
  writeMessage,
} from "./contracts.js";
import { FEED_EVENTS, type Frames } from "./frames.js";
import { call, makeKey } from "./rest.js";

export { WaybillError } from "./rest.js";
export type { Frames };
/** `socketio` says what `food` does, to Socket.IO's clients. */
export type Contract = keyof Frames | "socketio";
export type Told<C extends Contract> = Frames[C extends keyof Frames ? C : "food"];
type Maybe<T> = T | null | undefined;
type Later<T> = T | PromiseLike<T>;

/** One frame, as it came, with what is the same in all contracts beside it. */
export type WaybillEvent<Data = unknown> = Record<string, any> & {
  type: string;
  data: Data;
  /** Where it stands in the log. Only where a `position` is used, and only what is kept has one. */
  pos?: string;
};

/** What is missing: what came after `from` and before `oldest` is gone. Read the state anew. */
export interface Gap {
  from: string;
  oldest: string;
}

export type State = "connecting" | "open" | "waiting" | "closed";

export interface WaybillOptions<C extends Contract = "feed"> {
  /** Where Waybill is: `https://host`, or the whole URL of a socket. */
  url: string | URL;
  /** A token, or what gets one: it is asked at each connection, and at each call. */
  token: string | (() => Later<string>);
  contract?: C;
  /** After which event to begin: what `onPosition` gave, `"now"`, or what gets it. Without it the
   *  server keeps one place for all devices of a person. */
  position?: Maybe<string> | (() => Later<Maybe<string>>);
  /** Store it, for the next start. The handlers of its event have returned. */
  onPosition?: (position: string) => void;
  onGap?: (gap: Gap) => void;
  /** What the connection is doing; with `waiting` why, where it is known. */
  onState?: (state: State, detail?: unknown) => void;
  /** The feed's types of event to subscribe to: all, unless said otherwise. */
  events?: Iterable<string>;
  /** The feed says who is there. Taken from the token, unless said otherwise. */
  userId?: string | number;
  userRole?: string;
  /** Where REST is, if not at the socket's host. */
  api?: string | URL;
  /** All in ms: of signs of life, how long one may take, the first pause's limit and the last's. */
  heartbeat?: number;
  timeout?: number;
  delay?: number;
  maxDelay?: number;
  /** Where there is none, as in Node before 22: that of npm's `ws`. */
  WebSocket?: new (url: any) => any;
}

const REMEMBERED = 1000; // events that were handed on
const ANSWERS = ["error", "refreshed"]; // on the board's socket with a position, too

export class Waybill<C extends Contract = "feed"> {
  #options;
  #handlers = new Map<string, Set<(event: any) => void>>();
  #seen = new Set<string>();
  #position: Maybe<string>; // of the newest event
  #from: Maybe<string>; // where the next connection begins: not after what may be half heard
  #gap = "";
  #isGiven = true; // the position is the application's: no server has said anything of it
  #malformed: Maybe<string>; // a position that was none
  #socket: any;
  #isOpen = false;
  #isClosed = true;
  #run = 0; // attempts to connect, ever: what an older one brings is not wanted
  #attempts = 0; // since something was heard
  #askedAt = 0; // when the last sign of life was asked for
  #isAsked = false; // and whether nothing came since
  #retry: any;
  #ticks: any;
  #waiting: { text: string; resolve: () => void; reject: (error: Error) => void }[] = [];

  constructor(options: WaybillOptions<C>) {
    this.#options = {
      contract: "feed",
      events: FEED_EVENTS,
      heartbeat: 30000,
      timeout: 10000,
      delay: 1000,
      maxDelay: 30000,
      WebSocket: (globalThis as any).WebSocket,
      ...options,
    };
    if (!this.#options.WebSocket) throw new Error("There is no WebSocket here: bring one.");
    const { url, api, contract } = this.#options;
    check(contract!, url, api ?? url);
    this.connect();
  }

  /** After which event the next connection begins. */
  get position(): Maybe<string> {
    return this.#position;
  }

  /** Hear events of one type, or of all: "*". Returns what takes the handler away again. */
  on<T extends keyof Told<C> & string>(
    type: T,
    handler: (event: WaybillEvent<Told<C>[T]>) => void,
  ): () => void;
  on(type: string, handler: (event: WaybillEvent<any>) => void): () => void;
  on(type: string, handler: (event: any) => void): () => void {
    if (!this.#handlers.has(type)) this.#handlers.set(type, new Set());
    this.#handlers.get(type)!.add(handler);
    return () => this.#handlers.get(type)!.delete(handler);
  }

  /** Send a message of the contract's, once there is a connection: resolves when it is on its way. */
  send(message: object): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(new Error("closed"));
      const text = writeMessage(this.#options.contract!, message);
      this.#waiting.push({ text, resolve, reject });
      this.#flush();
    });
  }

  /** Create an order, a payment…: POST under one key, again and again until it is answered. */
  create<T = any>(path: string, body: object, key = makeKey()): Promise<T> {
    return call(this.#options, path, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "Content-Type": "application/json", "Idempotency-Key": key },
    });
  }

  /** Read something by REST. */
  get<T = any>(path: string): Promise<T> {
    return call(this.#options, path, {});
  }

  /** Connect again after `close()`; waiting to connect, do it now. */
  connect(): void {
    if (this.#isClosed) {
      this.#isClosed = false;
      this.#watch("addEventListener");
      this.#open();
    } else this.#wake();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#watch("removeEventListener");
    this.#drop();
    for (const { reject } of this.#waiting.splice(0)) reject(new Error("closed"));
    this.#say("closed");
  }

  // Timers sleep with the page: what wakes it has a look at once.
  #watch(method: "addEventListener" | "removeEventListener") {
    const page = globalThis as any;
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
    const failed = (error: unknown) => {
      if (run == this.#run) this.#lost(error);
    };
    const opened = ([credential, from]: [string, Maybe<string>]) => {
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
        this.#position ?? (typeof position == "function" ? position() : position),
      ] as any;
      // At once where nothing has to be waited for.
      if (both.some((one: any) => one?.then)) Promise.all(both).then(opened as any, failed);
      else opened(both);
    } catch (error) {
      failed(error);
    }
  }

  #dial(token: string, from: Maybe<string>) {
    const { url, contract, WebSocket, userId, userRole, timeout, heartbeat } = this.#options;
    const place = makeUrl(url, contract!, token, from);
    const socket = (this.#socket = new WebSocket!(place.href));
    this.#ask();
    this.#ticks = setInterval(() => this.#look(), Math.min(timeout, heartbeat) / 2);
    socket.onopen = () => {
      if (socket != this.#socket) return;
      if (contract == "feed") this.#post(makeAuth(token, userId, userRole, from));
      else if (contract != "socketio") this.#opened();
    };
    socket.onmessage = ({ data }: { data: string }) => {
      if (socket == this.#socket) this.#hear(data, token, from);
    };
    socket.onclose = socket.onerror = (event: unknown) => {
      if (socket == this.#socket) this.#lost(event);
    };
  }

  #opened(frame?: unknown) {
    this.#isOpen = true;
    this.#isAsked = false;
    this.#say("open", frame);
    this.#flush();
  }

  #hear(text: string, token: string, from: Maybe<string>) {
    const contract = this.#options.contract!;
    const wasAsked = this.#isAsked;
    this.#isAsked = false;
    let frame: any;
    try {
      frame = readFrame(contract, text);
    } catch {}
    if (!frame) return;
    if (contract == "socketio" && frame.packet) return this.#answer(frame, token, from);
    const type = String(frame.event_type ?? frame.event ?? frame.type);
    const data = frame.data ?? frame;
    if (type != "error") this.#attempts = 0;
    // An event may be several frames at one position: only what comes next shows that all came.
    if (frame.pos != this.#position) this.#from = this.#position;
    if (type == "authenticated") {
      const events = [...this.#options.events!];
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
      // The same one again says nothing new: it is told until an event has come after it.
      const gap = data.from + " " + data.oldest;
      if (gap != this.#gap) this.#guard(this.#options.onGap, data);
      this.#gap = gap;
      this.#isGiven = false;
    } else if (!SILENT.includes(type) && !isPong(contract, frame, wasAsked)) {
      // What is told again is so with its id or, where it has none, word for word: but of a position
      // only the first part says where the event stands; the others say more the next time. An id
      // names a place, which a log that was lost and made anew gives once more.
      const place: string = (frame.pos ?? "").split("~")[0];
      const id = frame.event_type
        ? frame.event_id + "@" + place.split(".")[0]
        : place && text.replace(frame.pos, place);
      if (ANSWERS.includes(type) || !this.#isRepeated(id)) this.#handOn(type, data, frame);
    }
  }

  // Socket.IO's own packets.
  #answer(frame: { packet: string; why: string }, token: string, from: Maybe<string>) {
    if (frame.packet == "0") {
      this.#ask();
      this.#socket.send(makeConnect({ token, from: from ?? undefined }));
    } else if (frame.packet == "2") this.#socket.send("3");
    else if (frame.packet == "40" && !this.#isOpen) this.#opened();
    else if (["1", "41", "44"].includes(frame.packet)) this.#lost(frame.why);
  }

  #isRepeated(id: Maybe<string>): boolean {
    if (!id) return false;
    if (this.#seen.has(id)) return true;
    this.#seen.add(id);
    if (this.#seen.size > REMEMBERED) this.#seen.delete(this.#seen.values().next().value!);
    return false;
  }

  #handOn(type: string, data: unknown, frame: any) {
    const event = { ...frame, type, data };
    this.#emit(type, event);
    this.#emit("*", event);
    if (frame.pos) this.#move(frame.pos);
  }

  #move(position: string) {
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
    this.#post(makePing(this.#options.contract!));
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
    } catch {} // it is as good as closed
  }

  // Full jitter: thousands that were cut at once don't come back at once. It never gives up.
  #lost(error?: unknown) {
    if (!this.#isOpen && this.#isGiven) this.#doubt(this.#position);
    this.#drop();
    const { delay, maxDelay } = this.#options;
    const pause = Math.random() * Math.min(maxDelay, delay * 2 ** this.#attempts++);
    this.#retry = setTimeout(() => this.#open(), pause);
    this.#say("waiting", error);
  }

  // Browsers are not told why a socket was refused: REST tells whether the stored position is none.
  async #doubt(position: Maybe<string>) {
    if (!position || position == "now") return;
    const path = "/api/v1/me/events?offset=" + encodeURIComponent(position);
    try {
      await call(this.#options, path, {}, 1);
    } catch (error: any) {
      if (error.status != 400 || this.#position != position) return;
      this.#malformed = position;
      this.#position = "now";
    }
  }

  #flush() {
    while (this.#isOpen && this.#waiting.length) {
      const { text, resolve } = this.#waiting.shift()!;
      this.#socket.send(text);
      resolve();
    }
  }

  #post(message: object) {
    if (this.#socket?.readyState == 1) {
      this.#socket.send(writeMessage(this.#options.contract!, message));
    }
  }

  #say(state: State, detail?: unknown) {
    this.#guard((it) => this.#options.onState?.(it, detail), state);
  }

  #emit(type: string, event: unknown) {
    for (const handler of [...(this.#handlers.get(type) ?? [])]) this.#guard(handler, event);
  }

  // A handler that fails must stop neither the others nor the connection.
  #guard<T>(handler: Maybe<(told: T) => void>, told: T) {
    try {
      handler?.(told);
    } catch (error) {
      console.error(error);
    }
  }
}
