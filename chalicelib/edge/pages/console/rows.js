// @ts-check

// What a row of the lists shows.

import { make, write } from "./dom.js";
import { isPlace } from "./geo.js";
import { makeIcon } from "./shapes.js";
import {
  COURIER_NAMES,
  courierKind,
  isolate,
  wantsCourier,
  KIND_NAMES,
  kindOf,
  nameOf,
  sayAge,
  sayTime,
  spell,
} from "./words.js";

/** Elements of a row, made once and filled again and again.
 * @param {HTMLElement} element @returns {any} */
function partsOf(element) {
  const row = /** @type {any} */ (element);
  if (!row.parts) {
    const names = ["icon", "name", "state", "flag", "time", "where", "who"];
    row.parts = Object.fromEntries(names.map((name) => [name, make("span", { class: name })]));
    const { icon, name, state, flag, time, where, who } = row.parts;
    element.append(icon, make("span", { class: "top" }, name, state, flag, time), make("span", { class: "under" }, where, who));
    row.kind = "";
  }
  return row.parts;
}

function setIcon(element, kind) {
  if (element.kind === kind) return;
  element.kind = kind;
  element.parts.icon.replaceChildren(makeIcon(kind));
}

/** @param {any} order @param {any} element @param {number} now @param {string} asked
 * @param {Map<string, any>} couriers by id */
export function fillOrder(order, element, now, asked, couriers) {
  const parts = partsOf(element);
  const kind = kindOf(order);
  setIcon(element, kind);
  element.classList.toggle("is-late", !!order.late);
  element.classList.toggle("is-asked", !!asked);
  write(parts.name, order.id);
  write(parts.state, KIND_NAMES[kind]);
  write(parts.flag, order.late ? "Late" : "");
  write(parts.time, sayAge(order.created_at, now));
  write(parts.where, asked || `${isolate(stopName(order.pickup))} → ${isolate(stopName(order.dropoff))}`);
  write(parts.who, whoHasIt(order, couriers));
}

function whoHasIt(order, couriers) {
  if (order.courier_id) {
    const name = order.courier_name || order.courier_id;
    return order.eta ? `${isolate(name)}, ${sayTime(order.eta)}` : name;
  }
  if (order.offered_to) return `asked ${nameOf(couriers.get(order.offered_to) ?? { id: order.offered_to })}`;
  return wantsCourier(order) ? "no courier" : "";
}

/** @param {any} stop */
export const stopName = (stop) =>
  stop?.address || (isPlace(stop) ? `${stop.lat.toFixed(4)}, ${stop.lng.toFixed(4)}` : "–");

/** @param {any} courier @param {any} element @param {number} now @param {string} asked */
export function fillCourier(courier, element, now, asked) {
  const parts = partsOf(element);
  const kind = courierKind(courier);
  setIcon(element, kind);
  element.classList.toggle("is-asked", !!asked);
  write(parts.name, nameOf(courier));
  write(parts.state, courier.paused && kind === "busy" ? "With an order, paused" : COURIER_NAMES[kind]);
  write(parts.flag, "");
  write(parts.time, kind === "busy" ? "" : sayAge(courier.idle_since, now));
  const fix = courier.fix_at ? `Position ${sayAge(courier.fix_at, now)} old` : "Position unknown";
  const vehicle = courier.vehicle_type ? ` · ${spell(courier.vehicle_type)}` : "";
  write(parts.where, asked || fix + vehicle);
  write(parts.who, courier.order_id ? `order ${courier.order_id}` : "");
}
