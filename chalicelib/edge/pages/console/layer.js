// @ts-check

// Orders and couriers, drawn on a canvas: over our own map or over MapLibre's, by the same code.

import { countCells, CROWD, findCell, gather } from "./crowds.js";
import { drawSprites } from "./shapes.js";
import { courierKind, wantsCourier, kindOf, nameOf, sayAge } from "./words.js";

const LABELS = 40; // and so many have their names beside them
const LONG = 16; // characters of an id that a label has room for; the last ones tell orders apart
const REACH = 16; // px around a pointer

/** @typedef {import("./geo.js").View} View */
/** @typedef {{orders: any[], couriers: any[], byId: {orders: Map<string, any>,
 *   couriers: Map<string, any>}, selected: {type: string, id: string}|null, target: string|null,
 *   now: number}} Scene `target`: the courier onto whom an order would be dropped */
/** @typedef {{type: string, id?: string, x: number, y: number, places?: any[]}} Hit */

export class Layer {
  /** @param {CanvasRenderingContext2D} pen */
  constructor(pen) {
    this.pen = pen;
    /** @type {Hit[]} */
    this.hits = [];
    this.ratio = 1; // device pixels a CSS pixel
    this.size = 1; // how large things are drawn: larger on a wall than on a desk
    /** @type {Record<string, HTMLCanvasElement>} */
    this.sprites = {};
    /** @type {Record<string, string>} */
    this.colours = {};
    this.font = "";
  }

  /** Read the theme's colours anew. */
  dress() {
    const style = getComputedStyle(this.pen.canvas);
    const colour = (name) => style.getPropertyValue(name).trim();
    this.sprites = drawSprites(style, this.ratio * this.size);
    this.colours = {
      ink: colour("--ink"),
      dim: colour("--dim"),
      map: colour("--map"),
      panel: colour("--panel"),
      accent: colour("--accent"),
      late: colour("--unserved"),
      open: colour("--searching"),
      under: colour("--assigned"),
      free: colour("--idle"),
    };
    this.font = `600 ${11 * this.size}px ${style.fontFamily}`;
  }

  /** Draw all that is in view. @param {View} view @param {Scene} scene */
  draw(view, scene) {
    if (!this.font) this.dress();
    this.hits = [];
    const orders = this.#inView(view, scene.orders);
    const couriers = this.#inView(view, scene.couriers);
    if (orders.length <= CROWD) for (const order of orders) this.#line(view, order, scene, scene.selected ? 0.15 : 0.35);
    const cells = countCells(view, this.size);
    const [crowds, single] = gather(cells, orders);
    const [flocks, alone] = gather(cells, couriers);
    for (const courier of alone) this.#point(view, courier, courierKind(courier), "courier");
    for (const [cell, flock] of flocks) if (!crowds.has(cell)) this.#flock(flock, ...this.#middle(view, flock, cells, cell, 12 * this.size, 0));
    if (orders.length <= CROWD) for (const order of orders) this.#dropoff(view, order);
    for (const [cell, crowd] of crowds) this.#crowd(view, crowd, flocks.get(cell), cells, cell);
    for (const order of single) this.#order(view, order);
    if (single.length <= LABELS && !crowds.size) this.#labels(view, single, scene);
    this.#selection(view, scene);
    this.#target(view, scene.byId.couriers.get(scene.target ?? ""));
  }

  /** What is at a point of the canvas: the nearest within reach, of some `types` or of all.
   * @param {number} x @param {number} y @param {string[]} [types] @returns {Hit|null} */
  find(x, y, types) {
    let best = null;
    let least = REACH * REACH;
    for (const hit of this.hits) {
      if (types && !types.includes(hit.type)) continue;
      const squared = (hit.x - x) ** 2 + (hit.y - y) ** 2;
      if (squared <= least) [best, least] = [hit, squared];
    }
    return best;
  }

  #inView(view, rows) {
    const [dx, dy] = [(view.width / 2 + 24) / view.scale, (view.height / 2 + 24) / view.scale];
    const [left, right, top, bottom] = [view.x - dx, view.x + dx, view.y - dy, view.y + dy];
    return rows.filter((row) => row.x >= left && row.x <= right && row.y >= top && row.y <= bottom);
  }

  /** @returns {[number, number]} */
  #at(view, x, y) {
    return [
      (x - view.x) * view.scale + view.width / 2,
      (y - view.y) * view.scale + view.height / 2,
    ];
  }

  #stamp(name, x, y, anchor = 0.5) {
    const sprite = this.sprites[name];
    const [width, height] = [sprite.width / this.ratio, sprite.height / this.ratio];
    this.pen.drawImage(sprite, x - width / 2, y - height * anchor, width, height);
  }

  #point(view, row, kind, type) {
    const [x, y] = this.#at(view, row.x, row.y);
    this.#stamp(kind, x, y, type === "courier" ? 0.9 : 0.5); // a pin stands on its place
    this.hits.push({ type, id: row.id, x, y: type === "courier" ? y - 8 : y });
  }

  #order(view, order) {
    this.#point(view, order, kindOf(order), "order");
    if (!order.late) return;
    const { x, y } = this.hits[this.hits.length - 1];
    this.#ring(x, y, 11 * this.size, this.colours.late, 2);
  }

  #dropoff(view, order) {
    if (order.toX === undefined) return;
    const [x, y] = this.#at(view, order.toX, order.toY);
    this.#stamp("dropoff", x, y);
  }

  #ring(x, y, radius, colour, width) {
    const { pen } = this;
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.stroke();
  }

  // From the courier to where it is going, and from there to the door.
  #line(view, order, scene, alpha, isSelected = false) {
    const { pen } = this;
    const [dim, under] = isSelected ? [this.colours.ink, this.colours.accent] : [this.colours.dim, this.colours.under];
    pen.lineWidth = (isSelected ? 2.5 : 1.5) * this.size;
    const courier = order.courier_id && scene.byId.couriers.get(order.courier_id);
    const hasIt = ["moving", "returning"].includes(kindOf(order));
    pen.globalAlpha = alpha;
    if (!hasIt && order.toX !== undefined) {
      this.#stroke(view, order.x, order.y, order.toX, order.toY, dim, [2, 4]);
    }
    if (courier) {
      const [x, y] = hasIt && order.toX !== undefined ? [order.toX, order.toY] : [order.x, order.y];
      this.#stroke(view, courier.x, courier.y, x, y, under, []);
    }
    pen.globalAlpha = 1;
  }

  #stroke(view, fromX, fromY, toX, toY, colour, dash) {
    const { pen } = this;
    pen.strokeStyle = colour;
    pen.setLineDash(dash);
    pen.beginPath();
    pen.moveTo(...this.#at(view, fromX, fromY));
    pen.lineTo(...this.#at(view, toX, toY));
    pen.stroke();
    pen.setLineDash([]);
  }

  // Many orders as one: how many, and which part of them is late or unserved, and unassigned.
  #crowd(view, rows, flock, cells, cell) {
    const { pen, colours } = this;
    const radius = (11 + 3 * Math.log10(rows.length)) * this.size;
    const [x, y] = this.#middle(view, rows, cells, cell, radius + 2, flock ? 19 * this.size : 0);
    const bad = rows.filter((o) => o.late || o.state === "unserved").length / rows.length;
    const open = rows.filter((o) => !o.late && o.state !== "unserved" && wantsCourier(o)).length / rows.length;
    pen.fillStyle = colours.panel;
    pen.beginPath();
    pen.arc(x, y, radius + 2, 0, 2 * Math.PI);
    pen.fill();
    pen.lineWidth = 4;
    let from = -Math.PI / 2;
    const shares = { late: bad, open, under: 1 - bad - open };
    for (const [name, share] of Object.entries(shares)) {
      if (share <= 0) continue;
      pen.strokeStyle = colours[name];
      pen.beginPath();
      pen.arc(x, y, radius, from, (from += share * 2 * Math.PI));
      pen.stroke();
    }
    this.#text(String(rows.length), x, y, colours.ink, "center");
    this.hits.push({ type: "crowd", x, y, places: rows });
    if (flock) this.#flock(flock, x - 8, y + radius + 18 * this.size);
  }

  #flock(rows, x, y) {
    const free = rows.filter((courier) => courierKind(courier) === "idle").length;
    this.#stamp(free ? "idle" : "busy", x, y, 0.9);
    this.#halo(String(rows.length), x + 9 * this.size, y - 7, this.colours.ink);
    this.hits.push({ type: "flock", x, y: y - 8, places: rows });
  }

  // Where a crowd is, as far as its cell has room for it and for what is `below` it: neighbours do not
  // lie over one another.
  /** @returns {[number, number]} */
  #middle(view, rows, cells, cell, radius, below) {
    let [sumX, sumY] = [0, 0];
    for (const row of rows) [sumX, sumY] = [sumX + row.x, sumY + row.y];
    const [x, y] = this.#at(view, sumX / rows.length, sumY / rows.length);
    const [left, top] = this.#at(view, ...findCell(cells, cell));
    const side = view.scale / cells;
    return [clamp(x, left + radius, left + side - radius), clamp(y, top + radius, top + side - radius - below)];
  }

  // No label lies over another: of two, the order has it that is first in the list.
  #labels(view, orders, { now, selected }) {
    const [high, taken] = [14 * this.size, /** @type {[number, number, number][]} */ ([])];
    for (const order of orders) {
      if (selected?.id === order.id) continue; // it has its own, on top
      const [x, y] = this.#at(view, order.x, order.y);
      const text = sayLabel(order, now);
      const left = this.#placeBeside(text, x, 12 * this.size);
      const right = left + 4 + this.pen.measureText(text).width;
      if (taken.some(([from, to, at]) => from < right && left < to && Math.abs(at - y) < high)) continue;
      taken.push([left, right, y]);
      this.#halo(text, left, y, this.colours.ink);
    }
  }

  #text(text, x, y, colour, align) {
    const { pen } = this;
    pen.font = this.font;
    pen.textAlign = align;
    pen.textBaseline = "middle";
    pen.fillStyle = colour;
    pen.fillText(text, x, y + 0.5);
  }

  // A text stands on the right of its thing; where the map ends there, on the left.
  #placeBeside(text, x, gap) {
    this.pen.font = this.font;
    const { width } = this.pen.measureText(text);
    return x + gap + width < this.pen.canvas.width / this.ratio ? x + gap : x - gap - width;
  }

  #halo(text, x, y, colour) {
    const { pen } = this;
    pen.font = this.font;
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    pen.lineWidth = 3;
    pen.lineJoin = "round";
    pen.strokeStyle = this.colours.map;
    pen.strokeText(text, x, y + 0.5);
    this.#text(text, x, y, colour, "left");
  }

  // What is selected is on top, whatever it was drawn into, with all that belongs to it.
  #selection(view, scene) {
    const { selected } = scene;
    if (!selected) return;
    const isOrder = selected.type === "order";
    const row = scene.byId[isOrder ? "orders" : "couriers"].get(selected.id);
    if (!row || row.x === undefined) return;
    const order = isOrder ? row : row.order_id && scene.byId.orders.get(row.order_id);
    const courier = isOrder ? scene.byId.couriers.get(row.courier_id) : row;
    if (order) {
      this.#line(view, order, scene, 1, true);
      this.#dropoff(view, order);
    }
    if (courier) this.#point(view, courier, courierKind(courier), "courier");
    if (order) this.#order(view, order);
    if (order) {
      const [ox, oy] = this.#at(view, order.x, order.y);
      this.#halo(sayLabel(order, scene.now), this.#placeBeside(sayLabel(order, scene.now), ox, 19 * this.size), oy, this.colours.ink);
    }
    const [x, y] = this.#at(view, row.x, row.y);
    this.#ring(x, isOrder ? y : y - 8, 16 * this.size, this.colours.accent, 3);
    if (order && courier) {
      const [cx, cy] = this.#at(view, courier.x, courier.y);
      this.#halo(nameOf(courier), this.#placeBeside(nameOf(courier), cx, 13 * this.size), cy - 9, this.colours.ink);
    }
  }

  #target(view, courier) {
    if (!courier || courier.x === undefined) return;
    const [x, y] = this.#at(view, courier.x, courier.y);
    this.#stamp(courierKind(courier), x, y, 0.9);
    this.#ring(x, y - 8, 18 * this.size, this.colours.accent, 4);
    this.#halo(nameOf(courier), this.#placeBeside(nameOf(courier), x, 22 * this.size), y - 9, this.colours.ink);
  }
}

const sayLabel = (order, now) =>
  `${order.id.length > LONG ? `…${order.id.slice(-8)}` : order.id} · ${sayAge(order.created_at, now)}`;

const clamp = (value, least, most) => Math.max(least, Math.min(most, value));
