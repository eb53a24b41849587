// @ts-check

// Which orders and couriers are shown, and in which order.

import { byId, make, write } from "./dom.js";
import { makeIcon } from "./shapes.js";
import { courierKind, isUnassigned, KIND_NAMES, kindOf, wantsCourier } from "./words.js";

const RANKS = {
  urgent: (a, b) => urgency(b) - urgency(a) || a.born - b.born,
  oldest: (a, b) => a.born - b.born,
  newest: (a, b) => b.born - a.born,
};

function urgency(order) {
  if (order.state === "unserved") return 4;
  if (order.late) return wantsCourier(order) ? 3.5 : 3;
  return wantsCourier(order) ? 2 : kindOf(order) === "waiting" ? 0 : 1;
}

export class Filters extends EventTarget {
  constructor() {
    super();
    /** @type {Set<string>} kinds; none: all */
    this.kinds = new Set();
    this.text = "";
    this.isLate = false;
    this.isUnassigned = false;
    this.merchant = "";
    this.rank = "urgent";
    this.#build();
  }

  /** @type {Record<string, {button: any, count: any}>} */
  #chips = {};

  /** The orders that are shown, ranked. @param {Iterable<any>} orders @returns {any[]} */
  chooseOrders(orders) {
    const words = this.text.toLowerCase().split(/\s+/).filter(Boolean);
    const found = [];
    for (const order of orders) {
      if (!this.#matches(order)) continue;
      if (words.length && !holds(order, words)) continue;
      order.born ??= new Date(order.created_at).getTime();
      found.push(order);
    }
    return found.sort(RANKS[this.rank]);
  }

  /** @param {Iterable<any>} couriers @returns {any[]} */
  chooseCouriers(couriers) {
    const words = this.text.toLowerCase().split(/\s+/).filter(Boolean);
    const order = ["idle", "busy", "paused"];
    return [...couriers]
      .filter((courier) => words.every((word) => courierText(courier).includes(word)))
      .sort((a, b) => order.indexOf(courierKind(a)) - order.indexOf(courierKind(b)) || compare(a, b));
  }

  /** Show how many there are of each kind, and which merchants. @param {Map<string, any>} orders */
  count(orders) {
    const counts = {};
    const merchants = new Set();
    for (const order of orders.values()) {
      const kind = kindOf(order);
      counts[kind] = (counts[kind] ?? 0) + 1;
      if (order.merchant_id) merchants.add(String(order.merchant_id));
    }
    for (const [kind, { count }] of Object.entries(this.#chips)) write(count, String(counts[kind] ?? 0));
    fillSelect(byId("merchant"), "All merchants", [...merchants].sort());
  }

  /** Whether anything is left out. */
  get isActive() {
    return !!(this.kinds.size || this.text || this.isLate || this.isUnassigned || this.merchant);
  }

  clear() {
    this.kinds.clear();
    this.text = this.merchant = "";
    this.isLate = this.isUnassigned = false;
    byId("search").value = byId("merchant").value = "";
    byId("only-late").checked = byId("only-unassigned").checked = false;
    for (const { button } of Object.values(this.#chips)) button.setAttribute("aria-pressed", "false");
    this.#changed();
  }

  /** Choose nothing, in the order of the beginning: the next person begins anew. */
  forget() {
    this.rank = byId("rank").value = "urgent";
    this.clear();
  }

  /** What is chosen, to be chosen again. @returns {Record<string, any>} */
  read() {
    const { text, isLate, isUnassigned, merchant, rank } = this;
    return { kinds: [...this.kinds], text, isLate, isUnassigned, merchant, rank };
  }

  /** Choose what was read before. @param {Record<string, any>} read */
  choose({ kinds, text, isLate, isUnassigned, merchant, rank }) {
    Object.assign(this, { kinds: new Set(kinds), text, isLate, isUnassigned, merchant, rank });
    fillSelect(byId("merchant"), "All merchants", merchant ? [merchant] : []);
    [byId("search").value, byId("merchant").value, byId("rank").value] = [text, merchant, rank];
    [byId("only-late").checked, byId("only-unassigned").checked] = [isLate, isUnassigned];
    for (const [kind, { button }] of Object.entries(this.#chips)) button.setAttribute("aria-pressed", String(this.kinds.has(kind)));
    this.#changed();
  }

  #matches(order) {
    if (this.kinds.size && !this.kinds.has(kindOf(order))) return false;
    if (this.isLate && !order.late) return false;
    if (this.isUnassigned && !isUnassigned(order)) return false;
    return !this.merchant || String(order.merchant_id) === this.merchant;
  }

  #build() {
    for (const [kind, name] of Object.entries(KIND_NAMES)) {
      const count = make("b", {}, "0");
      const button = make(
        "button",
        { type: "button", class: "chip", "aria-pressed": "false", "data-kind": kind, onclick: () => this.#toggle(kind) },
        makeIcon(kind, 12),
        make("span", {}, name),
        count,
      );
      this.#chips[kind] = { button, count };
      byId("kinds").append(button);
    }
    byId("search").addEventListener("input", (event) => this.#set("text", event.target.value));
    byId("only-late").addEventListener("change", (event) => this.#set("isLate", event.target.checked));
    byId("only-unassigned").addEventListener("change", (event) =>
      this.#set("isUnassigned", event.target.checked),
    );
    byId("merchant").addEventListener("change", (event) => this.#set("merchant", event.target.value));
    byId("rank").addEventListener("change", (event) => this.#set("rank", event.target.value));
    byId("clear").addEventListener("click", () => this.clear());
  }

  #toggle(kind) {
    if (!this.kinds.delete(kind)) this.kinds.add(kind);
    this.#chips[kind].button.setAttribute("aria-pressed", String(this.kinds.has(kind)));
    this.#changed();
  }

  #set(name, value) {
    this[name] = value;
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

function holds(order, words) {
  const text = [
    order.id, order.external_id, order.customer_id, order.courier_id, order.courier_name,
    order.merchant_id, order.pickup?.address, order.dropoff?.address, order.flow, order.state,
  ].join(" ").toLowerCase();
  return words.every((word) => text.includes(word));
}

const courierText = (courier) =>
  [courier.id, courier.name, courier.order_id, courier.vehicle_type].join(" ").toLowerCase();

const compare = (a, b) => (nameKey(a) < nameKey(b) ? -1 : 1);
const nameKey = (courier) => String(courier.name || courier.id).toLowerCase();

/** Offer some values in a select, and keep what is chosen. @param {any} select @param {string} all
 * @param {string[]} values */
export function fillSelect(select, all, values) {
  const wanted = ["", ...values];
  if (select.value && !wanted.includes(select.value)) wanted.push(select.value);
  if ([...select.options].map((option) => option.value).join("\n") === wanted.join("\n")) return;
  const chosen = select.value;
  select.replaceChildren(
    ...wanted.map((value) => make("option", { value, selected: value === chosen }, value || all)),
  );
}
