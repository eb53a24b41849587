// @ts-check

// An order's row is dragged onto a courier: on the map, or in the list of couriers, whose tab opens
// while an order is held over it. By mouse: fingers and pens scroll the list, and have "On the map".
// Nothing is done by it: whoever drops is asked for a reason, as by the key.

import { byId, write } from "./dom.js";
import { isolate, nameOf } from "./words.js";

const BEGINS = 6; // px: a pointer that moves less clicks
const DWELL = 600; // ms over a tab, or over a crowd on the map, until that opens

/** @typedef {{id?: string, places?: any[], tab?: boolean}} Target */

export class Drag extends EventTarget {
  /** @param {{board: import("./state.js").Board, map: import("./map.js").BoardMap, box: HTMLElement,
   *   mayAssign: (order: any) => boolean, openTab: () => void}} options `box`: the list of orders */
  constructor(options) {
    super();
    this.options = options;
    /** @type {string|null} the order that is dragged */
    this.orderId = null;
    /** @type {string|null} the courier onto whom it would be dropped */
    this.courierId = null;
    options.box.addEventListener("pointerdown", (event) => this.#down(event));
  }

  /** @type {{id: string, x: number, y: number, pointer: number}|null} */
  #held = null;
  /** @type {AbortController|null} */
  #listening = null;
  #dwell = 0;
  #over = ""; // what the pointer dwells on

  #down(event) {
    const id = event.target.closest("[role=option]")?.dataset.id;
    if (!id || event.button !== 0 || event.pointerType !== "mouse") return;
    this.stop();
    this.#held = { id, x: event.clientX, y: event.clientY, pointer: event.pointerId };
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    addEventListener("pointermove", (moved) => this.#move(moved), { signal });
    addEventListener("pointerup", (up) => this.#drop(up), { signal });
    for (const name of ["pointercancel", "blur"]) addEventListener(name, () => this.stop(), { signal });
    addEventListener("keydown", (key) => this.#key(key), { signal, capture: true });
  }

  #move(event) {
    if (!this.#held || event.pointerId !== this.#held.pointer) return;
    if (!event.buttons) return this.stop(); // let go outside of the window
    const { id, x, y } = this.#held;
    if (!this.orderId && Math.hypot(event.clientX - x, event.clientY - y) < BEGINS) return;
    if (!this.orderId) this.#begin(id);
    const order = this.options.board.orders.get(id);
    const target = order && this.options.mayAssign(order) ? this.#find(event, order) : null;
    write(byId("dragged"), order ? this.#say(order, target) : `Order ${id} is not on the board any more.`);
    this.#follow(event);
    this.#dwellOn(target);
    if (this.courierId === (target?.id ?? null)) return;
    this.courierId = target?.id ?? null;
    this.dispatchEvent(new Event("change"));
  }

  // Beside the pointer, and never out of the window.
  #follow({ clientX, clientY }) {
    const { offsetWidth: width, offsetHeight: height, style } = byId("dragged");
    const [x, y] = [Math.min(clientX + 14, innerWidth - width - 8), Math.min(clientY + 12, innerHeight - height - 8)];
    style.transform = `translate(${Math.max(8, x)}px, ${y}px)`;
  }

  // The list's rows come and go below the pointer: the page holds it.
  #begin(id) {
    this.orderId = id;
    document.documentElement.setPointerCapture(/** @type {any} */ (this.#held).pointer);
    document.body.dataset.dragging = "order";
    byId("dragged").hidden = false;
    this.dispatchEvent(new Event("change"));
  }

  /** @returns {Target|null} who or what is below the pointer, and may take the order */
  #find({ clientX, clientY }, order) {
    const below = document.elementFromPoint(clientX, clientY);
    const { map } = this.options;
    if (below?.closest("#couriers-tab")) return { tab: true };
    const row = /** @type {HTMLElement|null|undefined} */ (below?.closest("#courier-list [role=option]"));
    const found = row ? { id: row.dataset.id } : below === map.canvas ? map.findCourier(clientX, clientY) : null;
    const hasIt = found?.id && [order.courier_id, order.offered_to].includes(found.id);
    return hasIt ? null : found;
  }

  #say(order, target) {
    if (!this.options.mayAssign(order)) return `Order ${order.id} can't be assigned now.`;
    if (target?.id) return `Assign order ${order.id} to ${isolate(nameOf(this.options.board.couriers.get(target.id) ?? target))}`;
    if (target?.places) return `${target.places.length} couriers: stay, to come nearer`;
    return `Order ${order.id}: drop it on a courier`;
  }

  #dwellOn(target) {
    const over = target?.tab ? "tab" : target?.places ? `${target.places[0].id} ${target.places.length}` : "";
    if (over === this.#over) return;
    this.#over = over;
    clearTimeout(this.#dwell);
    const { map, openTab } = this.options;
    if (over) this.#dwell = window.setTimeout(() => (target.tab ? openTab() : map.fit(target.places)), DWELL);
  }

  #drop(event) {
    if (!this.#held || event.pointerId !== this.#held.pointer) return;
    const { orderId, courierId } = this;
    this.stop();
    if (!orderId) return;
    // The click that follows opens no row.
    const swallow = (click) => (click.stopPropagation(), click.preventDefault());
    addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => removeEventListener("click", swallow, { capture: true }));
    if (courierId) this.dispatchEvent(new CustomEvent("drop", { detail: { orderId, courierId } }));
  }

  #key(event) {
    if (event.key !== "Escape" || !this.orderId) return;
    event.preventDefault();
    event.stopPropagation();
    this.stop();
  }

  /** Drag nothing any more. */
  stop() {
    this.#listening?.abort();
    clearTimeout(this.#dwell);
    this.#held = null;
    this.#over = "";
    if (!this.orderId) return;
    this.orderId = this.courierId = null;
    delete document.body.dataset.dragging;
    byId("dragged").hidden = true;
    this.dispatchEvent(new Event("change"));
  }
}
