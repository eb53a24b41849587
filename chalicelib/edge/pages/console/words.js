// @ts-check

// What things are called, and how times, distances and errors are said.

/** @typedef {"waiting"|"searching"|"offered"|"assigned"|"pickup"|"moving"|"returning"|"unserved"} Kind */

/** What an order's state is to a dispatcher. @type {Record<string, Kind>} */
const KINDS = {
  scheduled: "waiting",
  pending: "waiting",
  confirmed: "waiting",
  preparing: "waiting",
  ready: "searching",
  searching: "searching",
  offered: "offered",
  accepted: "assigned",
  at_pickup: "pickup",
  in_transit: "moving",
  returning: "returning",
  unserved: "unserved",
};

/** Kinds in the order in which they are shown, with their names. @type {Record<Kind, string>} */
export const KIND_NAMES = {
  unserved: "Unserved",
  searching: "Searching",
  offered: "Offered",
  assigned: "Assigned",
  pickup: "At pickup",
  moving: "In transit",
  returning: "Returning",
  waiting: "Waiting",
};

const WANTED = new Set(["searching", "offered", "unserved"]);

/** A meal that is ready may have its courier. @param {any} order @returns {Kind} */
export const kindOf = (order) =>
  order.state === "ready" && order.courier_id ? "assigned" : (KINDS[order.state] ?? "waiting");

/** Whether no courier has accepted an order yet: what the figure of that name counts.
 * @param {{state: string, courier_id: string|null}} order */
export const isUnassigned = (order) => !order.courier_id && order.state !== "unserved";

/** Whether an order wants a courier now, and has none.
 * @param {{state: string, courier_id: string|null}} order */
export const wantsCourier = (order) => !order.courier_id && WANTED.has(kindOf(order));

/** @typedef {"idle"|"busy"|"paused"} CourierKind */
export const COURIER_NAMES = { idle: "Free", busy: "With an order", paused: "Paused" };

/** @param {{paused: boolean, order_id: string|null}} courier @returns {CourierKind} */
export const courierKind = (courier) =>
  courier.order_id ? "busy" : courier.paused ? "paused" : "idle";

/** Words of a code: "at_pickup" is "at pickup". @param {string} code */
export const spell = (code) => String(code).replaceAll("_", " ").replaceAll(".", " ");

/** Say a number of seconds: 45 s, 12 min, 3 h 05. @param {number|null|undefined} seconds */
export function sayDuration(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return "–";
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")}`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** Say a number of ms: 850 ms, 3.2 s, 31 s, 4 min. @param {number|null|undefined} ms */
export function sayMs(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 10000 ? `${(ms / 1000).toFixed(1)} s` : sayDuration(ms / 1000);
}

/** Say a time of day here, of an ISO text. @param {string|null|undefined} iso */
export function sayTime(iso) {
  if (!iso) return "–";
  const time = new Date(iso);
  return Number.isNaN(time.getTime())
    ? "–"
    : time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

/** Say a time here, with its day where that is not today's. @param {string|null|undefined} iso
 * @param {number} now */
export function sayMoment(iso, now) {
  const time = iso ? new Date(iso) : new Date(NaN);
  if (Number.isNaN(time.getTime()) || time.toDateString() === new Date(now).toDateString()) return sayTime(iso);
  return `${time.toLocaleDateString([], { day: "numeric", month: "short" })} ${sayTime(iso)}`;
}

/** Say all of a time, with its zone. @param {string|null|undefined} iso */
export const sayFully = (iso) =>
  iso ? new Date(iso).toLocaleString([], { dateStyle: "medium", timeStyle: "long", hourCycle: "h23" }) : null;

/** Say when something is or was, from `now` (ms): "in 5 min", "3 min ago".
 * @param {string|null|undefined} iso @param {number} now */
export function sayWhen(iso, now) {
  if (!iso) return "–";
  const s = (new Date(iso).getTime() - now) / 1000;
  return s >= 0 ? `in ${sayDuration(s)}` : `${sayDuration(-s)} ago`;
}

/** Say how old something is, without "ago". @param {string|null|undefined} iso @param {number} now */
export const sayAge = (iso, now) =>
  iso ? sayDuration((now - new Date(iso).getTime()) / 1000) : "–";

/** Say a distance in metres. @param {number} m */
export const sayDistance = (m) =>
  !Number.isFinite(m) ? "–" : m < 1000 ? `${Math.round(m / 10) * 10} m` : `${(m / 1000).toFixed(1)} km`;

/** @param {number|null|undefined} value @param {string} [unit] */
export const sayNumber = (value, unit = "") =>
  value === null || value === undefined ? "–" : `${Math.round(value * 10) / 10}${unit}`;

/** What others wrote, before and behind which other words stand: of whatever direction it is, they
 * stay where they are. @param {string} text */
export const isolate = (text) => `\u2068${text}\u2069`;

/** Who a courier is: the name, where there is one. @param {any} courier */
export const nameOf = (courier) => courier?.name || courier?.id || "nobody";
