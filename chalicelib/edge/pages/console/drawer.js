// @ts-check

// One order or one courier, with all that is known: what the board says, history and messages.

import { part } from "./api.js";
import { byId, make } from "./dom.js";
import { distance } from "./geo.js";
import { stopName } from "./rows.js";
import { makeIcon } from "./shapes.js";
import {
  COURIER_NAMES,
  courierKind,
  isolate,
  KIND_NAMES,
  kindOf,
  nameOf,
  sayAge,
  sayDistance,
  sayFully,
  sayMoment,
  sayWhen,
  spell,
} from "./words.js";

const READ_EVERY = 2000; // ms: history and messages, of an order that changes on and on

/** @typedef {{type: "order"|"courier", id: string}} Subject */

export class Drawer extends EventTarget {
  /** @param {{board: import("./state.js").Board, hands: import("./hands.js").Hands,
   *   getApi: () => import("./api.js").Api, isAdmin: () => boolean, onOpen: (subject: Subject) => void,
   *   onClose: () => void}} options */
  constructor(options) {
    super();
    this.options = options;
    /** @type {Subject|null} */
    this.subject = null;
    this.element = byId("drawer");
    byId("drawer-close").addEventListener("click", () => this.close());
  }

  #run = 0; // of readings: what an older one brings is not wanted
  #readAt = 0;
  #timer = 0;
  #shown = "";
  #said = new Map(); // by the id of a part of the drawer: what was read last, as it came

  /** @param {Subject} subject @param {boolean} [takesFocus] */
  open(subject, takesFocus = false) {
    const isOther = this.subject?.id !== subject.id || this.subject?.type !== subject.type;
    this.subject = subject;
    this.element.hidden = false;
    document.body.dataset.drawer = "open";
    if (isOther) {
      this.#run += 1;
      this.#shown = "";
      this.#said.clear();
      for (const box of ["drawer-history", "drawer-messages"]) byId(box).replaceChildren(make("p", { class: "dim" }, "Reading…"));
      this.element.scrollTop = 0;
      this.#read();
    }
    this.render();
    if (takesFocus) byId("drawer-title").focus();
    this.options.onOpen(subject);
  }

  close() {
    if (!this.subject) return;
    this.subject = null;
    this.#run += 1;
    clearTimeout(this.#timer);
    this.element.hidden = true;
    delete document.body.dataset.drawer;
    this.options.onClose();
  }

  /** What is shown has changed: look at its history again, soon. */
  refresh() {
    clearTimeout(this.#timer);
    const pause = Math.max(200, this.#readAt + READ_EVERY - Date.now());
    this.#timer = window.setTimeout(() => this.subject && this.#read(), pause);
  }

  render() {
    if (!this.subject) return;
    const { board } = this.options;
    const isOrder = this.subject.type === "order";
    const row = (isOrder ? board.orders : board.couriers).get(this.subject.id);
    byId("messages-section").hidden = !isOrder;
    if (!row) return this.#renderGone();
    if (isOrder) this.#renderOrder(row);
    else this.#renderCourier(row);
  }

  #renderGone() {
    const isOrder = this.subject?.type === "order";
    const id = this.subject?.id ?? "";
    const gone = isOrder ? "It has ended, or is not on this board." : "Off duty, or not on this board.";
    const words = this.options.board.isKnown ? gone : "Waiting for the board…";
    this.#head(isOrder ? "waiting" : "paused", id, words);
    this.#facts([]);
    this.#actions([]);
  }

  #renderOrder(order) {
    const { board, hands } = this.options;
    const now = board.now;
    const kind = kindOf(order);
    const asked = hands.pending.get(order.id);
    const state = `${KIND_NAMES[kind]}${order.late ? ", late" : ""} · since ${sayMoment(order.since, now)}`;
    this.#head(kind, order.id, asked ?? state, order.late);
    const courier = order.courier_id ? board.couriers.get(order.courier_id) : null;
    this.#facts([
      ["Age", sayAge(order.created_at, now)],
      ["Courier", order.courier_id ? this.#link("courier", order.courier_id, order.courier_name) : "none"],
      order.offered_to && ["Asked now", this.#link("courier", order.offered_to)],
      ["Offers made", String(order.offers ?? 0)],
      order.eta && ["Arrives", `${sayMoment(order.eta, now)}, ${sayWhen(order.eta, now)}`],
      order.due && ["Promised by", `${sayMoment(order.due, now)}, ${sayWhen(order.due, now)}`],
      ["Pickup", stopName(order.pickup)],
      ["Drop-off", stopName(order.dropoff)],
      courier && kind === "assigned" && ["To the pickup", sayDistance(distance(courier, order))],
      order.reason && ["Reason", spell(order.reason)],
      ["Flow", spell(order.flow)],
      ["Customer", String(order.customer_id ?? "–")],
      order.merchant_id && ["Merchant", String(order.merchant_id)],
      order.external_id && ["Own number", String(order.external_id)],
    ]);
    this.#actions(hands.listForOrder(order));
  }

  #renderCourier(courier) {
    const { board, hands } = this.options;
    const now = board.now;
    const kind = courierKind(courier);
    const asked = hands.pending.get(`courier ${courier.id}`);
    this.#head(kind, nameOf(courier), asked ?? COURIER_NAMES[kind]);
    this.#facts([
      courier.name && ["Id", courier.id],
      ["Order", courier.order_id ? this.#link("order", courier.order_id) : "none"],
      courier.idle_since && !courier.order_id && ["Free for", sayAge(courier.idle_since, now)],
      ["Position", courier.fix_at ? `${sayAge(courier.fix_at, now)} old` : "unknown"],
      courier.paused && ["Paused", "is offered no orders"],
      courier.vehicle_type && ["Vehicle", spell(courier.vehicle_type)],
    ]);
    this.#actions(hands.listForCourier(courier));
  }

  // A second may pass between two frames, and a pointer be down in it: what did not change stays.
  #head(kind, title, state, isLate = false) {
    const key = [kind, title, state, isLate].join("|");
    if (this.#shown === key) return;
    this.#shown = key;
    byId("drawer-icon").replaceChildren(makeIcon(kind, 20));
    byId("drawer-title").textContent = title;
    byId("drawer-state").textContent = state;
    byId("drawer-state").classList.toggle("late", isLate);
  }

  #facts(facts) {
    const found = facts.filter(Boolean);
    const list = byId("drawer-facts");
    const key = found.map(([name, value]) => name + (value.dataset?.id ?? value)).join("|");
    if (list.dataset.key === key && list.children.length) return;
    list.dataset.key = key;
    const hadFocus = list.contains(document.activeElement);
    list.replaceChildren(
      ...found.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))),
    );
    if (hadFocus) list.querySelector("button")?.focus();
  }

  #actions(actions) {
    const box = byId("drawer-actions");
    const key = actions.map(({ name }) => name).join("|") + this.subject?.id;
    // Off, a button keeps its place and the focus: whoever comes back from its question is there.
    const turn = () => actions.forEach(({ isOff }, at) => box.children[at].setAttribute("aria-disabled", String(isOff)));
    if (box.dataset.key === key) return turn();
    box.dataset.key = key;
    const hadFocus = box.contains(document.activeElement);
    box.replaceChildren(
      ...actions.map(({ name, key: shortcut, isMain, isDanger, run }) =>
        make(
          "button",
          {
            type: "button",
            class: isMain ? "main" : isDanger ? "danger" : "",
            "aria-keyshortcuts": shortcut,
            onclick: (event) => event.currentTarget.getAttribute("aria-disabled") !== "true" && run(),
          },
          name,
          shortcut && make("kbd", { "aria-hidden": "true" }, shortcut),
        ),
      ),
    );
    turn();
    if (hadFocus) (box.querySelector("button") ?? byId("drawer-title")).focus();
  }

  #link(type, id, name) {
    const open = () => this.open({ type, id }, true);
    const { board } = this.options;
    const shown = type === "courier" ? name || nameOf(board.couriers.get(id) ?? { id }) : id;
    return make("button", { type: "button", class: "link", "data-id": id, onclick: open }, shown);
  }

  // Who it was: couriers by their names, where the board has them.
  #sayPerson = (role, id) => {
    const name = role === "courier" && id && this.options.board.couriers.get(id)?.name;
    return [role, name ? isolate(name) : id].filter(Boolean).join(" ");
  };

  async #read() {
    const run = this.#run;
    const { type, id } = /** @type {Subject} */ (this.subject);
    this.#readAt = Date.now();
    const api = this.options.getApi();
    // What is the same stays, with the marks that somebody made in it; what was read before is more
    // than that it can't be read now.
    const show = (box, fill) => (found) => {
      const said = JSON.stringify(found);
      if (run !== this.#run || this.#said.get(box) === said) return;
      this.#said.set(box, said);
      byId(box).replaceChildren(...fill(found));
    };
    const failed = (box) => (error) => {
      if (run === this.#run && !this.#said.has(box)) byId(box).replaceChildren(make("p", { class: "dim" }, error.message));
    };
    if (type === "courier") {
      if (!this.options.isAdmin()) return show("drawer-history", listNone)(null);
      const history = api.get(`v1/admin/couriers/${part(id)}/history`);
      await history.then(show("drawer-history", (said) => listDone(said, this.#sayPerson))).catch(failed("drawer-history"));
      return;
    }
    const history = api.get(`v1/orders/${part(id)}/history`);
    const messages = api.get(`v1/admin/orders/${part(id)}/messages`);
    await Promise.all([
      history.then(show("drawer-history", (said) => listHistory(said, this.#sayPerson))).catch(failed("drawer-history")),
      messages.then(show("drawer-messages", (said) => listMessages(said, this.#sayPerson))).catch(failed("drawer-messages")),
    ]);
  }
}

// An order's comes from its beginning on, and is shown from its end.
function listHistory(said, sayPerson) {
  const left = said.left_out && make("p", { class: "dim" }, `${said.left_out} steps in the middle are not kept.`);
  return [...listEntries([...(said.history ?? [])].reverse(), sayPerson), ...(left ? [left] : [])];
}

// What was done with a courier comes the newest first, and a page at a time.
function listDone(said, sayPerson) {
  const more = said.next_cursor && make("p", { class: "dim" }, "What was done before is not shown.");
  return [...listEntries(said.history ?? [], sayPerson), ...(more ? [more] : [])];
}

const listNone = () => [make("p", { class: "dim" }, "What was done with couriers is shown to admins.")];

function listEntries(entries, sayPerson) {
  if (!entries.length) return [make("p", { class: "dim" }, "Nothing has happened yet.")];
  return [make("ol", { class: "history" }, entries.map((entry) => showEntry(entry, sayPerson)))];
}

function showEntry(entry, sayPerson) {
  const { actor, offer: made } = entry;
  const who = actor ? sayPerson(actor.role, actor.id) : "system";
  const step = spell(entry.step ?? entry.action ?? entry.to ?? "");
  const moved = entry.to && entry.to !== entry.from ? spell(entry.to) : "";
  // What a courier answered says the step; whom an offer went to, and what came of it, does not.
  const isTheirs = actor?.role === "courier" && actor.id === made?.courier_id;
  const offer = made?.courier_id && !isTheirs
    ? `to ${sayPerson("courier", made.courier_id).replace("courier ", "")}${made.answer ? `: ${made.answer}` : ""}`
    : "";
  const why = [entry.reason && spell(entry.reason), entry.note].filter(Boolean).join(": ");
  return make(
    "li",
    {},
    make("time", { datetime: entry.at, title: sayFully(entry.at) }, sayMoment(entry.at, Date.now())),
    make("div", {},
      make("b", {}, [step, offer].filter(Boolean).join(" ")),
      moved && moved !== step && make("span", { class: "dim" }, ` → ${moved}`),
      make("p", { class: "dim" }, [who, entry.order_id && `order ${entry.order_id}`].filter(Boolean).join(", ")),
      why && make("p", { class: "why" }, why),
    ),
  );
}

function listMessages(said, sayPerson) {
  const messages = said.messages ?? [];
  if (!messages.length) return [make("p", { class: "dim" }, "No messages.")];
  const more = said.next_cursor && make("p", { class: "dim" }, "Those before are not shown.");
  return [make("ol", { class: "messages" }, messages.map((message) => showMessage(message, sayPerson))), ...(more ? [more] : [])];
}

function showMessage({ at, from, text }, sayPerson) {
  return make(
    "li",
    {},
    make("time", { datetime: at, title: sayFully(at) }, sayMoment(at, Date.now())),
    make("div", {},
      make("p", { class: "dim" }, sayPerson(from?.role, from?.id)),
      make("p", { dir: "auto" }, String(text ?? "")),
    ),
  );
}
