// @ts-check

// What arrives, for who does not see it: one sentence now and then, not one a second.

import { byId, make } from "./dom.js";
import { wantsCourier } from "./words.js";

const EVERY = 8000; // ms
const SHOWN = 6000; // ms: a note of what was done
const NAMED = 3;

export class News {
  /** @param {import("./state.js").Board} board */
  constructor(board) {
    this.board = board;
    board.addEventListener("change", (event) => this.#take(/** @type {any} */ (event).detail));
  }

  #created = new Set();
  #late = new Set();
  #unserved = new Set();
  #timer = 0;
  #saidAt = 0;

  #take({ isWhole, orders, known = [] }) {
    if (isWhole) return;
    orders.forEach((order, at) => {
      const before = known[at];
      if (!before && wantsCourier(order)) this.#created.add(order.id);
      if (order.late && !before?.late) this.#late.add(order.id);
      if (order.state === "unserved" && before?.state !== "unserved") this.#unserved.add(order.id);
    });
    if (this.#timer || !(this.#created.size + this.#late.size + this.#unserved.size)) return;
    const pause = Math.max(500, this.#saidAt + EVERY - Date.now());
    this.#timer = window.setTimeout(() => this.#say(), pause);
  }

  #say() {
    this.#timer = 0;
    this.#saidAt = Date.now();
    const parts = [
      phrase(this.#unserved, "unserved"),
      phrase(this.#late, "late"),
      phrase(this.#created, "new, without a courier"),
    ];
    byId("news").textContent = parts.filter(Boolean).join(". ");
    for (const ids of [this.#created, this.#late, this.#unserved]) ids.clear();
  }
}

function phrase(ids, what) {
  if (!ids.size) return "";
  if (ids.size > NAMED) return `${ids.size} orders ${what}`;
  return `Order ${[...ids].join(", ")} ${what}`;
}

/** Say what was done, or why not. @param {string} words @param {boolean} [isError] */
export function say(words, isError = false) {
  const close = () => note.remove();
  const note = make("div", { class: isError ? "note bad" : "note", role: isError ? "alert" : "status" },
    make("span", {}, words),
    make("button", { type: "button", class: "quiet", "aria-label": "Close this note", onclick: close }, "×"),
  );
  byId("notes").append(note);
  while (byId("notes").children.length > 4) byId("notes").firstChild.remove();
  if (!isError) setTimeout(close, SHOWN);
}
