// @ts-check

// How it goes: now, from the live frames; by hour for a week, from the server's figures.

import { makeChart } from "./charts.js";
import { byId, make, write } from "./dom.js";
import { sayDuration, sayMs, sayNumber } from "./words.js";

const EVERY = 30000; // ms
const percent = (value) => sayNumber(value, " %");

/** What a frame's figures are called in the bar. @type {[string, string, (value: any) => string, string?][]} */
const NOW = [
  ["orders", "Orders", sayNumber],
  ["searching", "Searching", sayNumber],
  ["unassigned", "Unassigned", sayNumber, "warn"],
  ["late", "Late", sayNumber, "bad"],
  ["unserved", "Unserved", sayNumber, "bad"],
  ["oldest_searching_s", "Oldest search", sayDuration],
  ["couriers", "Couriers", sayNumber],
  ["couriers_idle", "Free", sayNumber],
  ["couriers_idle_percent", "Idle", percent],
];

/** Show a frame's figures in the bar. @param {Record<string, any>} figures */
export function showNow(figures) {
  const list = byId("now");
  for (const [key, name, say, look] of NOW) {
    let pair = list.querySelector(`[data-key=${key}]`);
    if (!pair) {
      pair = make("div", { "data-key": key }, make("dt", {}, name), make("dd", {}, "–"));
      list.append(pair);
    }
    pair.className = look && figures[key] > 0 ? look : "";
    write(pair.lastElementChild, say(figures[key]));
  }
  // Where there is no room for all of them a keyboard can scroll them, too.
  if (list.scrollWidth > list.clientWidth) list.tabIndex = 0;
  else list.removeAttribute("tabindex");
}

/** The panel. */
export class Figures {
  /** @param {{getApi: () => import("./api.js").Api, isAdmin: () => boolean,
   *   onOpen: () => void, onClose: () => void}} options */
  constructor({ getApi, isAdmin, onOpen, onClose }) {
    this.getApi = getApi;
    this.isAdmin = isAdmin;
    this.onOpen = onOpen;
    this.onClose = onClose;
    /** @type {any} who had the focus */
    this.before = null;
    this.element = byId("figures");
    this.timer = 0;
    byId("figures-close").addEventListener("click", () => this.close());
    byId("figures-hours").addEventListener("change", () => this.#read());
  }

  #run = 0; // of readings: what an older one brings is not wanted

  get isOpen() {
    return !this.element.hidden;
  }

  toggle() {
    if (this.isOpen) this.close();
    else this.open();
  }

  open() {
    this.before = document.activeElement;
    this.element.hidden = false;
    this.element.dataset.for = this.isAdmin() ? "admin" : "merchant";
    this.#say(true);
    this.onOpen();
    byId("figures-title").focus();
    this.timer = window.setInterval(() => this.#read(), EVERY);
    return this.#read();
  }

  close() {
    clearInterval(this.timer);
    this.#run += 1;
    if (!this.isOpen) return;
    this.element.hidden = true;
    this.#say(false);
    this.onClose();
    const ways = [this.before, byId("figures-button"), byId("views-figures")];
    ways.find((way) => way && way !== document.body && way.getClientRects().length)?.focus();
  }

  #say(isOpen) {
    byId("figures-button").setAttribute("aria-expanded", String(isOpen));
    byId("views-figures").setAttribute("aria-pressed", String(isOpen));
  }

  async #read() {
    if (!this.isAdmin()) {
      write(byId("figures-note"), "Figures by hour are shown to admins. The bar above counts your own orders.");
      return;
    }
    const run = ++this.#run;
    if (!byId("figures-now").children.length) write(byId("figures-note"), "Reading…");
    try {
      const hours = byId("figures-hours").value;
      const said = await this.getApi().get(`v1/admin/figures?hours=${hours}`);
      if (run !== this.#run) return; // other hours are wanted, or nobody is there
      this.#show(said);
      write(byId("figures-note"), "");
    } catch (error) {
      if (run === this.#run) write(byId("figures-note"), /** @type {Error} */ (error).message);
    }
  }

  /** @param {{now?: any, hours?: any[], total?: any}} said */
  #show({ now = {}, hours = [], total = {} }) {
    const tiles = (pairs) => pairs.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)));
    byId("figures-now").replaceChildren(
      ...tiles([...NOW.map(([key, name, say]) => [name, say(now[key])]), ["Sockets", sayNumber(now.sockets)], ["Wakeup lag", sayMs(now.wakeup_lag_ms)]]),
    );
    byId("figures-total").replaceChildren(
      ...tiles([
        ["Orders", sayNumber(total.orders)],
        ["First offer p50 / p95", `${sayMs(total.first_offer_ms?.p50)} / ${sayMs(total.first_offer_ms?.p95)}`],
        ["Assigned p50 / p95", `${sayMs(total.assign_ms?.p50)} / ${sayMs(total.assign_ms?.p95)}`],
        ["Offers an order", sayNumber(total.offers_per_order)],
        ["Accepted", percent(total.accepted_percent)],
        ["Declined", percent(total.declined_percent)],
        ["Ignored", percent(total.ignored_percent)],
        ["Unserved", percent(total.unserved_percent)],
        ["On time", percent(total.on_time_percent)],
        ["Couriers idle", percent(total.couriers_idle_percent)],
        ["Wait at pickup p50", sayDuration(total.pickup_wait_s?.p50)],
        ["Wait at door p50", sayDuration(total.door_wait_s?.p50)],
      ]),
    );
    showCharts(byId("figures-charts"), hours);
  }
}

// Whoever reads a table goes on where they were: it is open, and has its place and the focus.
function showCharts(box, hours) {
  const before = [...box.children].map((chart) => {
    const [details, scroll] = [chart.querySelector("details"), chart.querySelector(".scroll")];
    const focus = ["summary", ".scroll"].find((each) => chart.querySelector(each) === document.activeElement);
    return { isOpen: details.open, top: scroll.scrollTop, focus };
  });
  const charts = makeCharts(hours, (at) => before[at]?.isOpen ?? false);
  box.replaceChildren(...charts);
  before.forEach(({ top, focus }, at) => {
    charts[at].querySelector(".scroll").scrollTop = top;
    if (focus) charts[at].querySelector(focus).focus({ preventScroll: true });
  });
}

function makeCharts(rows, isOpen) {
  const hours = rows.map(({ hour }) => hour);
  const of = (pick) => rows.map((row) => pick(row) ?? null);
  const chart = (title, say, series, more = {}) => (at) =>
    makeChart({ title, hours, say, isOpen: isOpen(at), ...more, series: series.map(([name, look, pick]) => ({ name, look, values: of(pick) })) });
  return [
    chart("Orders", sayNumber, [["Orders", "blue", (row) => row.orders]], { isBars: true }),
    chart("Time to first offer", sayMs, [["p50", "blue", (row) => row.first_offer_ms?.p50], ["p95", "amber", (row) => row.first_offer_ms?.p95]], { second: 1000 }),
    chart("Time to assign", sayMs, [["p50", "blue", (row) => row.assign_ms?.p50], ["p95", "amber", (row) => row.assign_ms?.p95]], { second: 1000 }),
    chart("Answers to offers", percent, [["accepted", "green", (row) => row.accepted_percent], ["declined", "amber", (row) => row.declined_percent], ["ignored", "red", (row) => row.ignored_percent]]),
    chart("On time and unserved", percent, [["on time", "green", (row) => row.on_time_percent], ["unserved", "red", (row) => row.unserved_percent]]),
    chart("Offers an order", sayNumber, [["Offers an order", "blue", (row) => row.offers_per_order]]),
    chart("Waits (p50)", sayDuration, [["at pickup", "blue", (row) => row.pickup_wait_s?.p50], ["at the door", "amber", (row) => row.door_wait_s?.p50]], { second: 1 }),
    chart("Couriers idle", percent, [["idle", "green", (row) => row.couriers_idle_percent]]),
  ].map((makeAt, at) => makeAt(at));
}
