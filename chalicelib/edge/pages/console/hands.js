// @ts-check

// Hands on: what a dispatcher can do to an order or a courier. Each asks for a reason, says "asked"
// until the server has answered, and changes nothing itself: the board does, as the server says. The
// question stays open until then, so that a refusal is said where it can be mended; whoever closes it
// meanwhile goes on, and is told by a note.

import { part } from "./api.js";
import { byId, make } from "./dom.js";
import { distance } from "./geo.js";
import { listOutcomes, listReaching } from "./reach.js";
import { OUTCOMES, REASONS, WORDS } from "./reasons.js";
import { makeIcon } from "./shapes.js";
import { courierKind, COURIER_NAMES, isolate, nameOf, sayAge, sayDistance, spell } from "./words.js";

const CHOICES = 40; // couriers to choose from: the nearest
const SHOWS = 12000; // ms: how long a confirmed hand waits for the board to show it

/** @typedef {{name: string, key: string, isMain?: boolean, isDanger?: boolean, isOff: boolean,
 *   run: () => void}} Action */

export class Hands extends EventTarget {
  /** @param {{board: import("./state.js").Board, getApi: () => import("./api.js").Api,
   *   say: (words: string, isError?: boolean) => void, isAdmin: () => boolean}} options */
  constructor(options) {
    super();
    this.options = options;
    /** @type {Map<string, string>} an order's id, or "courier " and an id: what was asked */
    this.pending = new Map();
    /** @type {string|null} the order for which a courier is being chosen on the map */
    this.choosingFor = null;
    this.dialog = byId("ask");
    byId("ask-form").addEventListener("submit", (event) => this.#submit(event));
    byId("ask-cancel").addEventListener("click", () => this.#close());
    // By Esc, or by a browser's Back: unless it asks something else by now.
    this.dialog.addEventListener("close", () => !this.dialog.open && (this.#asking = null));
    byId("ask-map").addEventListener("click", () => this.#chooseOnMap());
    byId("ask-search").addEventListener("input", () => this.#listCouriers());
    byId("ask-search").addEventListener("keydown", (event) => this.#stepToList(event));
    options.board.addEventListener("change", (event) => {
      for (const { id } of /** @type {any} */ (event).detail.orders) this.#settle(id);
      for (const key of this.#confirmed) if (this.#isPausedAsAsked(key)) this.#settle(key);
    });
  }

  /** @type {{hand: string, id: string}|null} */
  #asking = null;
  #run = 0; // of people: what was asked for an earlier one is not said to the next
  #confirmed = new Set();
  #paused = new Map(); // by key: what a courier was asked to be

  /** What can be done to an order now. @param {any} order @returns {Action[]} */
  listForOrder(order) {
    const isOff = this.pending.has(order.id);
    const has = order.courier_id || order.offered_to;
    const reaching = listReaching(order);
    const on = (hand) => () => this.ask(hand, order.id);
    /** @type {[string, Action][]} */
    const actions = [
      ["assign", { name: has ? "Reassign" : "Assign", key: "a", isMain: true, isOff, run: on("assign") }],
      ["retry", { name: "Search again", key: "s", isOff, run: on("retry") }],
      ["release", { name: "Release", key: "r", isOff, run: on("release") }],
      ["fail", { name: "Fail", key: "x", isDanger: true, isOff, run: on("fail") }],
      ["cancel", { name: "Cancel", key: "c", isDanger: true, isOff, run: on("cancel") }],
    ];
    return actions.filter(([hand]) => reaching.includes(hand)).map(([, action]) => action);
  }

  /** What can be done to a courier now. @param {any} courier @returns {Action[]} */
  listForCourier(courier) {
    if (!this.options.isAdmin()) return [];
    const isOff = this.pending.has(`courier ${courier.id}`);
    return courier.paused
      ? [{ name: "Resume", key: "p", isMain: true, isOff, run: () => this.ask("resume", courier.id) }]
      : [{ name: "Pause", key: "p", isOff, run: () => this.ask("pause", courier.id) }];
  }

  /** Ask for a reason, and for a courier where one is needed.
   * @param {string} hand @param {string} id @param {string} [courierId] chosen on the map */
  ask(hand, id, courierId) {
    const words = this.#choose(hand, id);
    this.#asking = { hand, id };
    this.#send(false);
    this.choosingFor = null;
    byId("ask-title").textContent = words.title;
    byId("ask-about").textContent = words.about ?? "";
    byId("ask-go").textContent = words.go;
    byId("ask-go").className = ["cancel", "fail"].includes(hand) ? "danger" : "main";
    byId("ask-reason").replaceChildren(
      make("option", { value: "" }, "Choose a reason…"),
      ...[...REASONS[hand], "other"].map((code) => make("option", { value: code }, spell(code))),
    );
    byId("ask-note").value = byId("ask-search").value = "";
    this.#complain("");
    byId("ask-couriers").hidden = hand !== "assign";
    const order = this.options.board.orders.get(id);
    const outcomes = hand === "fail" ? listOutcomes(order) : [];
    byId("ask-then").hidden = !outcomes.length;
    byId("ask-then-choice").replaceChildren(...outcomes.map((value) => make("option", { value }, OUTCOMES[value])));
    if (hand === "assign") this.#listCouriers(courierId ?? "");
    this.dialog.showModal();
    if (courierId) byId("ask-reason").focus(); // who it is has been said
    this.dispatchEvent(new Event("change"));
  }

  /** A courier was picked on the map while one was wanted. @param {string} courierId */
  pick(courierId) {
    if (this.choosingFor) this.ask("assign", this.choosingFor, courierId);
  }

  /** No courier is chosen on the map any more. */
  stopChoosing() {
    this.choosingFor = null;
    this.dispatchEvent(new Event("change"));
  }

  /** What was asked for somebody else is nothing to the next. */
  forget() {
    this.#run += 1;
    this.pending.clear();
    this.#confirmed.clear();
    this.choosingFor = null;
    this.#close();
  }

  #close() {
    this.#asking = null;
    if (this.dialog.open) this.dialog.close();
  }

  // What a hand is called, for what it is done to.
  #choose(hand, id) {
    const { board } = this.options;
    const name = isolate(nameOf(board.couriers.get(id) ?? { id }));
    const { courier_id: holder, courier_name } = board.orders.get(id) ?? {};
    return /** @type {any} */ (WORDS)[hand](id, name, holder && isolate(courier_name || holder));
  }

  // Say in the question what is wrong, and where.
  #complain(words, field) {
    byId("ask-error").textContent = words;
    for (const each of ["ask-reason", "ask-search"]) byId(each).removeAttribute("aria-invalid");
    field?.setAttribute("aria-invalid", "true");
    field?.focus();
  }

  #send(isSent) {
    byId("ask-go").disabled = isSent;
    byId("ask-form").setAttribute("aria-busy", String(isSent));
  }

  // From the search the list is one key away: Enter takes the first, as it chooses nothing else.
  #stepToList(event) {
    if (!["Enter", "ArrowDown"].includes(event.key)) return;
    event.preventDefault();
    const first = byId("ask-list").querySelector("input");
    if (!first) return;
    first.checked = true;
    if (event.key === "Enter") byId("ask-reason").focus();
    else first.focus();
  }

  #chooseOnMap() {
    this.choosingFor = this.#asking?.id ?? null;
    this.#close();
    this.dispatchEvent(new Event("change"));
  }

  // The free ones first, and of them the nearest.
  #listCouriers(chosen) {
    const { board } = this.options;
    const order = board.orders.get(this.#asking?.id ?? "");
    const kept = chosen ?? this.#chosen();
    const word = byId("ask-search").value.trim().toLowerCase();
    const ranked = [...board.couriers.values()]
      .filter((c) => c.id !== order?.courier_id && c.id !== order?.offered_to)
      .filter((c) => !word || `${c.id} ${c.name ?? ""}`.toLowerCase().includes(word))
      .map((c) => ({ courier: c, far: order ? distance(c, order) : NaN, kind: courierKind(c) }))
      .sort((a, b) => rank(a, kept) - rank(b, kept) || (a.far || Infinity) - (b.far || Infinity))
      .slice(0, CHOICES);
    const now = board.now;
    byId("ask-list").replaceChildren(
      ...ranked.map(({ courier, far, kind }) => {
        return make("label", { class: "choice" },
          make("input", { type: "radio", name: "courier", value: courier.id, checked: courier.id === kept }),
          makeIcon(kind),
          make("span", { class: "name" }, nameOf(courier)),
          make("span", { class: "dim" }, [sayDistance(far), COURIER_NAMES[kind].toLowerCase(), courier.fix_at ? `seen ${sayAge(courier.fix_at, now)} ago` : "not seen"].join(" · ")),
        );
      }),
    );
    const id = byId("ask-search").value.trim();
    if (id && !board.couriers.has(id)) byId("ask-list").append(makeUnlisted(id, id === kept));
    else if (!ranked.length) byId("ask-list").append(make("p", { class: "dim" }, "No other courier is on this board. Whoever is not is found by the id."));
  }

  #chosen() {
    return /** @type {any} */ (byId("ask-list").querySelector("input:checked"))?.value ?? "";
  }

  #submit(event) {
    event.preventDefault();
    if (!this.#asking || byId("ask-go").disabled) return;
    const { hand, id } = this.#asking;
    const reason = byId("ask-reason").value;
    const note = byId("ask-note").value.trim();
    const courierId = this.#chosen();
    if (hand === "assign" && !courierId) return this.#complain("Choose a courier.", byId("ask-search"));
    if (!reason) return this.#complain("Choose a reason: it is kept in the history.", byId("ask-reason"));
    this.#complain("");
    const more = this.#more(hand, id, courierId);
    this.#do(hand, id, { reason, ...(note && { note }), ...more });
  }

  // Whom to assign; whom alone to take an order from: who has it meanwhile keeps it.
  #more(hand, id, courierId) {
    const order = this.options.board.orders.get(id);
    if (hand === "assign") return { courier_id: courierId };
    const holder = order?.courier_id ?? order?.offered_to;
    if (hand === "release" && holder) return { courier_id: holder };
    return byId("ask-then").hidden ? {} : { then: byId("ask-then-choice").value };
  }

  async #do(hand, id, body) {
    const isCourier = ["pause", "resume"].includes(hand);
    const key = isCourier ? `courier ${id}` : id;
    const words = this.#choose(hand, id);
    const [run, asking] = [this.#run, this.#asking];
    const room = isCourier ? "couriers" : "orders";
    const before = this.options.board[room].get(id);
    this.#set(key, words.asked);
    this.#send(true);
    try {
      await this.options.getApi().post(`v1/admin/${room}/${part(id)}/${hand}`, body);
      if (run !== this.#run) return;
      this.options.say(words.done);
      if (this.#asking === asking) this.#close();
      this.dispatchEvent(new CustomEvent("done", { detail: { key } }));
      if (isCourier) this.#paused.set(key, hand === "pause");
      // A courier's row changes by each position, an order's by what is done with it.
      const isShown = isCourier ? this.#isPausedAsAsked(key) : this.options.board.orders.get(id) !== before;
      if (isShown) this.#set(key, "");
      else this.#wait(key);
    } catch (error) {
      if (run !== this.#run) return;
      this.#set(key, "");
      this.#refuse(words.title, /** @type {Error} */ (error).message, asking);
    }
  }

  #refuse(title, why, asking) {
    if (!asking || this.#asking !== asking) return this.options.say(`${title}: ${why}`, true);
    this.#send(false);
    this.#complain(why);
    byId("ask-go").focus();
    if (asking.hand === "assign") this.#listCouriers(); // where they are by now
  }

  // Confirmed: the board will show it with its next frame, which may have come already.
  #wait(key) {
    this.#confirmed.add(key);
    this.#set(key, "confirmed");
    setTimeout(() => this.#settle(key), SHOWS);
  }

  #isPausedAsAsked(key) {
    const courier = this.options.board.couriers.get(key.replace("courier ", ""));
    return key.startsWith("courier ") && (!courier || courier.paused === this.#paused.get(key));
  }

  #settle(key) {
    if (this.#confirmed.delete(key)) this.#set(key, "");
  }

  #set(key, words) {
    if (words) this.pending.set(key, words);
    else this.pending.delete(key);
    this.dispatchEvent(new Event("change"));
  }
}

// Who is off duty, or on no board of a merchant's, is assigned by the id: the server knows.
function makeUnlisted(id, checked) {
  return make("label", { class: "choice" },
    make("input", { type: "radio", name: "courier", value: id, checked }),
    makeIcon("paused"),
    make("span", { class: "name" }, id),
    make("span", { class: "dim" }, "by this id, not on the board"),
  );
}

const RANKS = { idle: 1, busy: 2, paused: 3 };
const rank = ({ courier, kind }, kept) => (courier.id === kept ? 0 : RANKS[kind]);
