// @ts-check

// What the server last said of orders and couriers. Only its frames change it.

import { isPlace, toX, toY } from "./geo.js";

/** @typedef {{lat: number, lng: number, address?: string}} Stop */
/** @typedef {{id: string, flow: string, state: string, since: string, created_at: string,
 *   age_s: number, offers: number, customer_id: string, courier_id: string|null,
 *   courier_name: string|null, offered_to: string|null, merchant_id: string|null,
 *   external_id: string|null, eta: string|null, due: string|null, late: boolean, zone: string,
 *   lat: number, lng: number, pickup: Stop, dropoff: Stop, reason: string|null,
 *   x?: number, y?: number, toX?: number, toY?: number}} Order */
/** @typedef {{id: string, name: string|null, lat: number, lng: number, zone: string,
 *   fix_at: string, fix_age_s: number, on_duty: boolean, paused: boolean, order_id: string|null,
 *   idle_since: string|null, vehicle_type: string|null, x?: number, y?: number}} Courier */

export class Board extends EventTarget {
  constructor() {
    super();
    /** @type {Map<string, Order>} */
    this.orders = new Map();
    /** @type {Map<string, Courier>} */
    this.couriers = new Map();
    /** @type {Record<string, any>} */
    this.figures = {};
    this.isKnown = false; // a whole snapshot has come
    this.version = 0; // grows with each change
    this.skew = 0; // ms by which the server's clock is ahead of ours
    /** @type {Set<string>} */
    this.zones = new Set(); // of all orders that were ever seen
  }

  /** @type {{orders: Map<string, Order>, couriers: Map<string, Courier>}|null} */
  #parts = null;

  /** The server's time, in ms. */
  get now() {
    return Date.now() + this.skew;
  }

  /** Take a snapshot, in parts: what was known stays until all of it is there. @param {any} frame */
  takeSnapshot(frame) {
    if (!this.#parts || (frame.part ?? 1) <= 1) this.#parts = { orders: new Map(), couriers: new Map() };
    for (const order of frame.orders ?? []) this.#parts.orders.set(order.id, place(order));
    for (const courier of frame.couriers ?? []) this.#parts.couriers.set(courier.id, place(courier));
    if ((frame.part ?? 1) < (frame.parts ?? 1)) return;
    this.orders = this.#parts.orders;
    this.couriers = this.#parts.couriers;
    this.#parts = null;
    this.isKnown = true;
    this.#changed(frame, { isWhole: true, orders: [...this.orders.values()], removed: [] });
  }

  /** Take what differs since. @param {any} frame */
  takeDelta(frame) {
    if ((frame.reset ?? []).includes("couriers")) this.couriers.clear();
    const known = (frame.orders ?? []).map((order) => this.orders.get(order.id));
    for (const order of frame.orders ?? []) this.orders.set(order.id, place(order));
    for (const courier of frame.couriers ?? []) this.couriers.set(courier.id, place(courier));
    for (const id of frame.removed ?? []) this.orders.delete(id);
    for (const id of frame.removed_couriers ?? []) this.couriers.delete(id);
    this.#changed(frame, {
      isWhole: false,
      orders: frame.orders ?? [],
      known,
      removed: frame.removed ?? [],
    });
  }

  /** Whether a snapshot has begun, and not all of it has come. */
  get isPartial() {
    return this.#parts !== null;
  }

  dropParts() {
    this.#parts = null;
  }

  /** Forget everything: it was for somebody else, or for another zone. */
  clear() {
    this.orders = new Map();
    this.couriers = new Map();
    this.figures = {};
    this.isKnown = false;
    this.#parts = null;
    this.#changed({}, { isWhole: true, orders: [], removed: [] });
  }

  #changed(frame, detail) {
    if (frame.figures) this.figures = frame.figures;
    if (frame.at) this.skew = new Date(frame.at).getTime() - Date.now() || 0;
    for (const { zone } of detail.orders) if (zone) this.zones.add(zone);
    this.version += 1;
    this.dispatchEvent(new CustomEvent("change", { detail }));
  }
}

/** Put a row's place on the map beside it, once. @param {any} row */
function place(row) {
  if (isPlace(row)) {
    row.x = toX(row.lng);
    row.y = toY(row.lat);
  }
  if (isPlace(row.dropoff)) {
    row.toX = toX(row.dropoff.lng);
    row.toY = toY(row.dropoff.lat);
  }
  return row;
}
