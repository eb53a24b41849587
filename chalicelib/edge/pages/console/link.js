// @ts-check

// The live link: contract `ops`, by the client that all of Waybill's pages use. It resumes by
// position; a snapshot that was cut in the middle is asked for anew.

import { Waybill } from "../client/client.js";

const PATH = new URL("../v1/ws/ops", import.meta.url);
const QUIET = 25000; // ms: the server says something at least each 10 s

/** @typedef {"connecting"|"live"|"lost"|"quiet"} LinkState */

export class Link {
  /** @param {{session: {token(): Promise<string>}, zone: string,
   *   board: import("./state.js").Board, onState: (state: LinkState) => void,
   *   onRefused: (words: string) => void, onFailed: () => void}} options */
  constructor(options) {
    this.options = options;
    this.heardAt = 0;
    this.failures = 0; // in a row
    this.state = "connecting";
    this.#open();
    this.timer = setInterval(() => this.#look(), 2000);
  }

  #run = 0; // of clients: an older one's end says nothing of this one

  close() {
    this.#run += 1;
    clearInterval(this.timer);
    this.waybill?.close();
  }

  /** Try now. */
  retry() {
    this.waybill?.connect();
  }

  #open() {
    const { session, zone, board } = this.options;
    const url = new URL(PATH);
    if (zone) url.searchParams.set("zone", zone);
    const run = ++this.#run;
    const waybill = new Waybill({
      url,
      token: () => session.token(),
      contract: "ops",
      heartbeat: 15000,
      timeout: 8000,
      delay: 500,
      maxDelay: 8000,
      onState: (state) => {
        if (run === this.#run && state === "waiting") this.#lost();
      },
    });
    this.waybill = waybill;
    waybill.on("snapshot", (frame) => this.#heard(() => board.takeSnapshot(frame)));
    waybill.on("delta", (frame) => this.#heard(() => board.takeDelta(frame)));
    waybill.on("error", (frame) => this.options.onRefused(frame.message ?? frame.data?.message));
  }

  #heard(take) {
    this.heardAt = Date.now();
    this.failures = 0;
    take();
    this.#say("live");
  }

  #lost() {
    this.#say("lost");
    // A link that ends is nothing unusual; one that can't be had again may be refused.
    this.failures += 1;
    if (this.failures > 1) this.options.onFailed();
    // The position says that all of the snapshot came; it did not.
    if (this.options.board.isPartial) {
      this.options.board.dropParts();
      this.waybill?.close();
      this.#open();
    }
  }

  #look() {
    if (this.state === "live" && Date.now() - this.heardAt > QUIET) this.#say("quiet");
  }

  #say(state) {
    if (state === this.state) return;
    this.state = state;
    this.options.onState(state);
  }
}
