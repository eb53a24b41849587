// @ts-check

// Web mercator: the world is a square of 1 by 1, north is up.

const EARTH_M = 6371008.8;
const RAD = Math.PI / 180;
const MAX_LAT = 85.05112878;

/** @param {number} lng */
export const toX = (lng) => lng / 360 + 0.5;

/** @param {number} lat */
export function toY(lat) {
  const sin = Math.sin(Math.max(-MAX_LAT, Math.min(MAX_LAT, lat)) * RAD);
  return 0.5 - Math.log((1 + sin) / (1 - sin)) / (4 * Math.PI);
}

/** @param {number} x */
export const toLng = (x) => (x - 0.5) * 360;

/** @param {number} y */
export const toLat = (y) => 90 - (360 * Math.atan(Math.exp((y - 0.5) * 2 * Math.PI))) / Math.PI;

/** Metres between two places, as the crow flies; NaN where one of them is not known.
 * @param {{lat: number, lng: number}} a @param {{lat: number, lng: number}} b */
export function distance(a, b) {
  if (!isPlace(a) || !isPlace(b)) return NaN;
  const dLat = (b.lat - a.lat) * RAD;
  const dLng = (b.lng - a.lng) * RAD;
  const h =
    Math.sin(dLat / 2) ** 2 +
    Math.cos(a.lat * RAD) * Math.cos(b.lat * RAD) * Math.sin(dLng / 2) ** 2;
  return 2 * EARTH_M * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** Whether both are numbers on the globe. @param {any} place */
export const isPlace = (place) =>
  !!place && Number.isFinite(place.lat) && Number.isFinite(place.lng);

/** A part of the world on a canvas: `x`, `y` is the world's point in the middle, `scale` the width
 * of the whole world in CSS pixels. */
export class View {
  constructor() {
    this.x = 0.5;
    this.y = 0.5;
    this.scale = 512;
    this.width = 1;
    this.height = 1;
  }

  /** @param {number} x @param {number} y @param {number} factor zoom about a canvas point */
  zoomAt(x, y, factor) {
    const scale = Math.min(2 ** 30, Math.max(256, this.scale * factor));
    const worldX = this.x + (x - this.width / 2) / this.scale;
    const worldY = this.y + (y - this.height / 2) / this.scale;
    this.scale = scale;
    this.x = worldX - (x - this.width / 2) / scale;
    this.y = worldY - (y - this.height / 2) / scale;
    this.#clamp();
  }

  /** @param {number} dx @param {number} dy move what is shown, in CSS pixels */
  panBy(dx, dy) {
    this.x -= dx / this.scale;
    this.y -= dy / this.scale;
    this.#clamp();
  }

  /** Show all of some places. @param {{lat: number, lng: number}[]} places */
  fit(places) {
    const margin = Math.min(64, this.width / 10); // px
    let [left, top, right, bottom] = [1, 1, 0, 0];
    for (const { lat, lng } of places) {
      const [x, y] = [toX(lng), toY(lat)];
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
    }
    if (left > right) return;
    const room = (size) => Math.max(40, size - 2 * margin);
    const scale = Math.min(
      room(this.width) / Math.max(right - left, 1e-9),
      room(this.height) / Math.max(bottom - top, 1e-9),
    );
    this.scale = Math.min(2 ** 23, Math.max(256, scale)); // a single point: some streets around it
    this.x = (left + right) / 2;
    this.y = (top + bottom) / 2;
  }

  #clamp() {
    this.x = Math.max(0, Math.min(1, this.x));
    this.y = Math.max(0, Math.min(1, this.y));
  }
}
