// @ts-check

// MapLibre GL under our canvas. It is fetched only where a style is set, from the same place as this
// file. Whoever has no WebGL keeps our own map, and is told.

import { toLat, toLng, toX, toY } from "./geo.js";

const MAPLIBRE = new URL("./maplibre-gl-6.17.0.mjs", import.meta.url).href;
const WORKER = new URL("./maplibre-gl-worker-6.17.0.mjs", import.meta.url).href;
const STYLE = new URL("./maplibre-gl-6.17.0.css", import.meta.url).href;
const PMTILES = new URL("./pmtiles-4.5.0.js", import.meta.url).href;
const TILE = 512; // px: the world's width at MapLibre's zoom 0

/** Put a map with streets under a board's map. Rejects where that can't be.
 * @param {import("./map.js").BoardMap} map @param {HTMLElement} below for the streets
 * @param {HTMLElement} credit for who made them @param {string} style the address of their style */
export async function addStreets(map, below, credit, style) {
  if (!document.createElement("canvas").getContext("webgl2")) throw new Error("there is no WebGL");
  const [maplibre] = await Promise.all([
    import(MAPLIBRE),
    load("script", { src: PMTILES }),
    load("link", { rel: "stylesheet", href: STYLE }),
  ]);
  maplibre.setWorkerUrl(WORKER);
  const protocol = new /** @type {any} */ (window).pmtiles.Protocol();
  maplibre.addProtocol("pmtiles", protocol.tile);
  const made = new maplibre.Map({
    container: below,
    style: new URL(style, location.href).href,
    center: [toLng(map.view.x), toLat(map.view.y)],
    zoom: Math.log2(map.view.scale / TILE),
    interactive: false, // our canvas is above, and moves both
    attributionControl: false, // below our canvas nobody could follow its links
    fadeDuration: 0,
  });
  await new Promise((resolve, reject) => {
    made.once("load", resolve);
    made.once("error", ({ error }) => reject(error ?? new Error("the style can't be read")));
  });
  credit.replaceChildren(new maplibre.AttributionControl({ compact: false }).onAdd(made));
  made.on("error", () => {}); // a tile that is missing leaves a hole, and no more
  map.streets = new Streets(made);
  map.addEventListener("resize", () => made.resize());
  map.redraw();
  return made;
}

class Streets {
  constructor(made) {
    this.made = made;
  }

  /** @param {import("./geo.js").View} view */
  follow(view) {
    this.made.jumpTo({ center: [toLng(view.x), toLat(view.y)], zoom: Math.log2(view.scale / TILE) });
    const { lng, lat } = this.made.getCenter(); // it has limits of its own
    [view.x, view.y, view.scale] = [toX(lng), toY(lat), TILE * 2 ** this.made.getZoom()];
  }
}

function load(name, props) {
  return new Promise((resolve, reject) => {
    const element = Object.assign(document.createElement(name), props);
    element.onload = resolve;
    element.onerror = () => reject(new Error(`${props.src ?? props.href} can't be loaded`));
    document.head.append(element);
  });
}
