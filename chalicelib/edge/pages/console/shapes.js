// @ts-check

// How each kind of order and courier looks: a shape and a colour. The shape alone is enough: nobody
// has to tell colours apart. The colours are custom properties of console.css.

import { draw } from "./dom.js";

/** Paths in a square of 16. `hole` is cut out of it, and shows the background. */
export const SHAPES = {
  waiting: { path: "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13zM8 4.6a3.4 3.4 0 1 1 0 6.8a3.4 3.4 0 1 1 0-6.8z" },
  searching: { path: "M8 .6 15.4 8 8 15.4 .6 8z" },
  offered: { path: "M8 .6 15.4 8 8 15.4 .6 8zM8 4.8 4.8 8 8 11.2 11.2 8z" },
  assigned: { path: "M2 2h12v12H2z" },
  pickup: { path: "M2 2h12v12H2zM5.6 5.6v4.8h4.8V5.6z" },
  moving: { path: "M2.5 1.5 15 8 2.5 14.5z" },
  returning: { path: "M13.5 1.5 1 8l12.5 6.5z" },
  unserved: { path: "M3.6 1 8 5.4 12.4 1 15 3.6 10.6 8l4.4 4.4-2.6 2.6L8 10.6 3.6 15 1 12.4 5.4 8 1 3.6z" },
  idle: { path: "M8 15.6C4.2 11.4 2.6 8.8 2.6 6a5.4 5.4 0 0 1 10.8 0c0 2.8-1.6 5.4-5.4 9.6z" },
  busy: { path: "M8 15.6C4.2 11.4 2.6 8.8 2.6 6a5.4 5.4 0 0 1 10.8 0c0 2.8-1.6 5.4-5.4 9.6zM8 3.4a2.7 2.7 0 1 0 0 5.4a2.7 2.7 0 1 0 0-5.4z" },
  paused: { path: "M8 15.6C4.2 11.4 2.6 8.8 2.6 6a5.4 5.4 0 0 1 10.8 0c0 2.8-1.6 5.4-5.4 9.6zM5.9 3.6h1.5v5H5.9zM8.7 3.6h1.5v5H8.7z" },
  dropoff: { path: "M8 3a5 5 0 1 0 0 10a5 5 0 1 0 0-10zM8 5.2a2.8 2.8 0 1 1 0 5.6a2.8 2.8 0 1 1 0-5.6z" },
};

/** The name of the custom property that holds a kind's colour. @param {string} kind */
export const colourOf = (kind) => `--${kind}`;

/** Make the picture of a kind, for texts that say the same beside it.
 * @param {string} kind @param {number} [size] @returns {any} */
export function makeIcon(kind, size = 16) {
  return draw(
    "svg",
    { viewBox: "0 0 16 16", width: size, height: size, class: `icon ${kind}`, "aria-hidden": "true" },
    draw("path", { d: SHAPES[kind].path, "fill-rule": "evenodd" }),
  );
}

/** Pictures of all kinds, drawn once for a theme: to copy one costs a tenth of drawing it.
 * @param {CSSStyleDeclaration} style @param {number} ratio pixels of the picture for each of its size
 * @returns {Record<string, HTMLCanvasElement>} */
export function drawSprites(style, ratio) {
  /** @type {Record<string, HTMLCanvasElement>} */
  const made = {};
  const edge = style.getPropertyValue("--map").trim();
  for (const [kind, { path }] of Object.entries(SHAPES)) {
    const colour = style.getPropertyValue(colourOf(kind)).trim();
    made[kind] = drawSprite(path, colour, edge, SIZES[kind] ?? 15, ratio);
  }
  return made;
}

const SIZES = { dropoff: 10, idle: 22, busy: 20, paused: 20 };
const PADDING = 2;

function drawSprite(path, colour, edge, size, ratio) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = Math.ceil((size + 2 * PADDING) * ratio);
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.scale(ratio, ratio);
  pen.translate(PADDING, PADDING);
  pen.scale(size / 16, size / 16);
  const shape = new Path2D(path);
  pen.lineJoin = "round";
  pen.lineWidth = 2.4;
  pen.strokeStyle = edge; // a rim of the map's colour keeps neighbours apart
  pen.stroke(shape);
  pen.fillStyle = colour;
  pen.fill(shape, "evenodd");
  return canvas;
}
