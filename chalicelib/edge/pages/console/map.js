// @ts-check

// The map. By default it is all our own: a projection, a grid with a scale, and hands to move it.
// Where a style is given, MapLibre draws the streets below (streets.js), and moves.

import { View, toLat, toLng, toX, toY } from "./geo.js";
import { Layer } from "./layer.js";

const STEP = 80; // px an arrow key moves
const WALL = 1900; // px: a map so wide is looked at from afar
const CLICK = 5; // px: a pointer that moves further drags

/** @typedef {import("./layer.js").Scene} Scene */

export class BoardMap extends EventTarget {
  /** @param {HTMLCanvasElement} canvas @param {() => Scene} makeScene */
  constructor(canvas, makeScene) {
    super();
    this.canvas = canvas;
    this.makeScene = makeScene;
    this.view = new View();
    this.layer = new Layer(/** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")));
    /** @type {any} what moves instead of us: MapLibre */
    this.streets = null;
    this.frames = 0;
    this.hasFitted = false;
    this.#pointers = new Map();
    new ResizeObserver(() => this.#resize()).observe(canvas);
    this.#listen();
  }

  #pointers;
  #isAsked = false;
  #pinch = 0;
  #moved = 0;

  /** Draw at the next frame. */
  redraw() {
    if (this.#isAsked) return;
    this.#isAsked = true;
    requestAnimationFrame(() => {
      this.#isAsked = false;
      this.#draw();
    });
  }

  /** Read the theme anew. */
  dress() {
    this.layer.dress();
    this.redraw();
  }

  /** Show all of some places. @param {any[]} places */
  fit(places) {
    if (!places.length) return;
    this.hasFitted = true;
    this.view.fit(places);
    this.#moveStreets();
    this.redraw();
  }

  /** Bring a place into view, if it is not in it. @param {{x?: number, y?: number}} row */
  reveal(row) {
    if (row.x === undefined || row.y === undefined) return;
    const { view } = this;
    const [dx, dy] = [(row.x - view.x) * view.scale, (row.y - view.y) * view.scale];
    if (Math.abs(dx) < view.width / 2 - 48 && Math.abs(dy) < view.height / 2 - 48) return;
    view.x = row.x;
    view.y = row.y;
    this.#moveStreets();
    this.redraw();
  }

  /** @param {number} factor */
  zoom(factor) {
    this.view.zoomAt(this.view.width / 2, this.view.height / 2, factor);
    this.#moveStreets();
    this.redraw();
  }

  /** @param {number} dx @param {number} dy px by which what is shown moves */
  pan(dx, dy) {
    this.view.panBy(dx, dy);
    this.#moveStreets();
    this.redraw();
  }

  /** The courier, or the many that are drawn as one, at a point of the window.
   * @param {number} clientX @param {number} clientY @returns {import("./layer.js").Hit|null} */
  findCourier(clientX, clientY) {
    const { left, top } = this.canvas.getBoundingClientRect();
    return this.layer.find(clientX - left, clientY - top, ["courier", "flock"]);
  }

  #moveStreets() {
    this.streets?.follow(this.view);
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.view.width = width;
    this.view.height = height;
    this.layer.ratio = ratio;
    this.layer.size = width >= WALL ? 1.5 : 1;
    this.layer.dress();
    this.dispatchEvent(new Event("resize"));
    this.redraw();
  }

  #draw() {
    const { pen, ratio } = this.layer;
    const { width, height } = this.view;
    if (width <= 1) return;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    if (!this.streets) drawGrid(pen, this.view, this.layer.colours, this.layer.size);
    this.layer.draw(this.view, this.makeScene());
    this.frames += 1;
  }

  #listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(name, (event) => this.#up(/** @type {PointerEvent} */ (event)));
    }
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("dblclick", (event) => this.#zoomAt(event, 2));
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  #down(event) {
    if (event.button > 0) return; // the other buttons have menus
    this.canvas.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    if (this.#pointers.size === 1) this.#moved = 0;
    this.#pinch = this.#spread();
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    const { offsetX: x, offsetY: y } = event;
    if (!before) {
      this.canvas.style.cursor = this.layer.find(x, y) ? "pointer" : "grab";
      return;
    }
    this.#pointers.set(event.pointerId, [x, y]);
    const share = 1 / this.#pointers.size; // of two fingers, each moves a half
    this.#moved += Math.abs(x - before[0]) + Math.abs(y - before[1]);
    if (this.#moved > CLICK) this.pan((x - before[0]) * share, (y - before[1]) * share);
    const spread = this.#spread();
    if (spread && this.#pinch) {
      const points = [...this.#pointers.values()];
      const middle = [0, 1].map((axis) => (points[0][axis] + points[1][axis]) / 2);
      this.view.zoomAt(middle[0], middle[1], spread / this.#pinch);
      this.#moveStreets();
    }
    this.#pinch = spread;
  }

  #up(event) {
    const wasOne = this.#pointers.size === 1;
    this.#pointers.delete(event.pointerId);
    this.#pinch = this.#spread();
    if (event.type === "pointerup" && wasOne && this.#moved <= CLICK) this.#pick(event);
  }

  #spread() {
    const points = [...this.#pointers.values()];
    return points.length === 2
      ? Math.hypot(points[0][0] - points[1][0], points[0][1] - points[1][1])
      : 0;
  }

  #wheel(event) {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === 1 ? 20 : 1);
    this.#zoomAt(event, Math.exp(-Math.max(-200, Math.min(200, pixels)) / 300));
  }

  #zoomAt(event, factor) {
    this.view.zoomAt(event.offsetX, event.offsetY, factor);
    this.#moveStreets();
    this.redraw();
  }

  #pick(event) {
    const hit = this.layer.find(event.offsetX, event.offsetY);
    if (hit?.places) return this.fit(hit.places);
    this.dispatchEvent(new CustomEvent("pick", { detail: hit }));
  }

  #key(event) {
    /** @type {Record<string, [number, number]>} */
    const moves = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
    if (event.key in moves) this.pan(...moves[event.key]);
    else if (["+", "="].includes(event.key)) this.zoom(1.5);
    else if (event.key === "-") this.zoom(1 / 1.5);
    else return;
    event.preventDefault();
  }
}

/** A grid of round degrees, and a scale: what there is to see without any map of the world.
 * @param {CanvasRenderingContext2D} pen @param {View} view @param {any} colours @param {number} size */
function drawGrid(pen, view, colours, size) {
  const [left, top] = [view.x - view.width / 2 / view.scale, view.y - view.height / 2 / view.scale];
  const [right, bottom] = [left + view.width / view.scale, top + view.height / view.scale];
  // Seen from afar the world has an end, and nothing is beyond it.
  const [west, north, east, south] = [left, top, right, bottom].map((side) => Math.max(0, Math.min(1, side)));
  const [x0, x1] = [west, east].map((x) => (x - left) * view.scale);
  const [y0, y1] = [north, south].map((y) => (y - top) * view.scale);
  const step = chooseStep((120 / view.scale) * 360);
  const digits = Math.max(0, Math.ceil(-Math.log10(step)));
  pen.strokeStyle = colours.dim;
  pen.lineWidth = 1;
  pen.globalAlpha = 0.16;
  pen.beginPath();
  /** @type {[string, number, number][]} */
  const marks = [];
  for (let lng = Math.ceil(toLng(west) / step) * step; lng <= toLng(east); lng += step) {
    const x = Math.round((toX(lng) - left) * view.scale) + 0.5;
    pen.moveTo(x, y0);
    pen.lineTo(x, y1);
    marks.push([`${lng.toFixed(digits)}°`, x + 4, y0 + 10]);
  }
  for (let lat = Math.ceil(toLat(south) / step) * step; lat <= toLat(north); lat += step) {
    const y = Math.round((toY(lat) - top) * view.scale) + 0.5;
    pen.moveTo(x0, y);
    pen.lineTo(x1, y);
    marks.push([`${lat.toFixed(digits)}°`, x0 + 4, y - 7]);
  }
  pen.stroke();
  pen.globalAlpha = 0.7;
  pen.fillStyle = colours.dim;
  pen.font = `${10 * size}px system-ui, sans-serif`;
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  for (const [text, x, y] of marks) pen.fillText(text, x, y);
  pen.globalAlpha = 1;
  drawScale(pen, view, colours);
}

function drawScale(pen, view, colours) {
  const metres = (40075016.686 * Math.cos((toLat(view.y) * Math.PI) / 180)) / view.scale; // a px
  const length = chooseStep(metres * 90);
  const width = length / metres;
  const [x, y] = [view.width - width - 16, view.height - 14];
  pen.strokeStyle = pen.fillStyle = colours.dim;
  pen.lineWidth = 1.5;
  pen.beginPath();
  pen.moveTo(x, y - 5);
  pen.lineTo(x, y);
  pen.lineTo(x + width, y);
  pen.lineTo(x + width, y - 5);
  pen.stroke();
  pen.textAlign = "center";
  pen.fillText(length < 1000 ? `${length} m` : `${length / 1000} km`, x + width / 2, y - 8);
}

/** The next of 1, 2, 5, 10… @param {number} least */
function chooseStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((times) => times * power).find((step) => step >= least) ?? 10 * power;
}
