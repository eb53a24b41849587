// @ts-check

// Small charts by hand: a picture for who sees, a table for who does not.

import { draw, make } from "./dom.js";

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [640, 170, 44, 20, 8];

/** @typedef {{name: string, values: (number|null)[], look: string}} Series */

/** A chart of some series by hour: lines, or bars where there is but one. `second`: what a second is
 * of the values, where they are times. `isOpen`: its table is.
 * @param {{title: string, hours: string[], series: Series[], say: (value: number) => string,
 *   isBars?: boolean, second?: number, isOpen?: boolean}} given @returns {any} */
export function makeChart({ title, hours, series, say, isBars = false, second = 0, isOpen = false }) {
  const known = series.flatMap(({ values }) => values.filter((value) => value !== null));
  const top = roundUp(Math.max(...known, 0) || 1, second);
  const x = (at) => LEFT + ((at + 0.5) * (WIDTH - LEFT - 4)) / hours.length;
  const y = (value) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);
  const shapes = series.map(({ values, look }) =>
    isBars
      ? draw("g", { class: look }, bars(values, x, y, hours.length))
      : draw("g", { class: look }, draw("path", { class: `line ${look}`, d: line(values, x, y) }), points(values, x, y)),
  );
  const picture = draw(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}: the table below has the values` },
    [0, 0.5, 1].map((share) => [
      draw("line", { class: "grid", x1: LEFT, x2: WIDTH, y1: y(top * share), y2: y(top * share) }),
      known.length > 0 && draw("text", { class: "mark", x: LEFT - 6, y: y(top * share) + 4, "text-anchor": "end" }, say(top * share)),
    ]).flat(),
    days(hours).map(({ at, name }) =>
      draw("text", { class: "mark", x: x(at), y: HEIGHT - 4, "text-anchor": "start" }, name),
    ),
    known.length ? shapes : draw("text", { class: "mark", x: (LEFT + WIDTH) / 2, y: HEIGHT / 2 - 14, "text-anchor": "middle" }, "Nothing in this time"),
  );
  const told = make("span", { class: "told", "aria-hidden": "true" });
  tellAtPointer(picture, hours, series, say, told);
  const key = series.length > 1 && make(
    "p", { class: "key" }, series.map(({ name, look }) => make("span", { class: look }, name)),
  );
  return make("figure", { class: "chart" }, make("figcaption", {}, title, told), key, picture, makeTable(hours, series, say, isOpen));
}

// The hour below a pointer, with its values: the table has the same for everybody.
function tellAtPointer(picture, hours, series, say, told) {
  const rule = draw("line", { class: "rule", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
  picture.append(rule);
  picture.addEventListener("pointermove", (event) => {
    const { left, width } = picture.getBoundingClientRect();
    const share = (((event.clientX - left) / width) * WIDTH - LEFT) / (WIDTH - LEFT - 4);
    const at = Math.floor(share * hours.length);
    const isOn = at >= 0 && at < hours.length;
    rule.setAttribute("visibility", isOn ? "visible" : "hidden");
    if (!isOn) return void (told.textContent = "");
    for (const name of ["x1", "x2"]) rule.setAttribute(name, String(LEFT + ((at + 0.5) * (WIDTH - LEFT - 4)) / hours.length));
    const values = series.map(({ name, values }) => `${series.length > 1 ? `${name} ` : ""}${sayValue(values[at], say)}`);
    told.textContent = [sayHour(hours[at]), ...values].join(" · ");
  });
  picture.addEventListener("pointerleave", () => {
    rule.setAttribute("visibility", "hidden");
    told.textContent = "";
  });
}

const sayValue = (value, say) => (value === null || value === undefined ? "–" : say(value));
const sayHour = (iso) => new Date(iso).toLocaleString([], { weekday: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

function bars(values, x, y, count) {
  const width = Math.max(1, ((WIDTH - LEFT) / count) * 0.72);
  return values.map((value, at) =>
    value
      ? draw("rect", { x: x(at) - width / 2, y: y(value), width, height: y(0) - y(value), rx: Math.min(2, width / 3) })
      : null,
  );
}

// An hour without a value is a gap.
function line(values, x, y) {
  let path = "";
  let isDown = false;
  values.forEach((value, at) => {
    if (value !== null) path += `${isDown ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    isDown = value !== null;
  });
  return path || "M0 0";
}

// One alone between gaps makes no line: it is a point.
function points(values, x, y) {
  const isAlone = (value, at) => value !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null;
  return values.map((value, at) => isAlone(value, at) && draw("circle", { cx: x(at), cy: y(value), r: 3 }));
}

function days(hours) {
  const format = hours.length > 30 ? { weekday: "short" } : { hour: "2-digit", hourCycle: "h23" };
  const every = hours.length > 30 ? 24 : Math.ceil(hours.length / 8);
  return hours
    .map((iso, at) => ({ at, time: new Date(iso) }))
    .filter(({ at, time }) => (every === 24 ? time.getHours() === 0 : at % every === 0))
    .map(({ at, time }) => ({ at, name: time.toLocaleString([], /** @type {any} */ (format)) }));
}

function makeTable(hours, series, say, isOpen) {
  const table = make("table", {},
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Hour"), series.map(({ name }) => make("th", { scope: "col" }, name)))),
  );
  const body = make("tbody");
  table.append(body);
  const details = make("details", {}, make("summary", {}, "As a table"), make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Values by hour" }, table));
  const fill = () => {
    if (!details.open || body.children.length) return;
    const values = (at) => series.map(({ values }) => make("td", {}, sayValue(values[at], say)));
    body.append(...hours.map((iso, at) => make("tr", {}, make("th", { scope: "row" }, sayHour(iso)), values(at))).reverse());
  };
  details.addEventListener("toggle", fill);
  details.open = isOpen;
  fill();
  return details;
}

// Tops whose halves are round, too: as numbers, or as times, where whole seconds are said.
const NUMBERS = [1, 2, 3, 4, 6, 8, 10];
const TIMES = [2, 4, 10, 20, 30, 60, 120, 240, 600, 1200, 1800, 3600, 7200, 14400, 28800, 86400, 172800]; // s

function roundUp(value, second) {
  const time = (second === 1 || (second && value > 20 * second)) && TIMES.map((s) => s * second).find((round) => round >= value);
  const power = 10 ** Math.floor(Math.log10(value));
  return time || (NUMBERS.map((times) => times * power).find((round) => round >= value && round !== 3) ?? value);
}
