// The page of a tracking link, kept current. It is complete without this: the server has rendered it.
const POLL_MS = 10_000; // without a socket
const CHECK_MS = 60_000; // beside a socket: what was lost there is made up for
const MAX_PAUSE_MS = 60_000;
const token = location.pathname.split("/").filter(Boolean).pop();
let timer, socket, pause = 1000;

const shown = () => document.querySelector("main");
const isOver = () => shown().dataset.over === "true";
const part = (selector) => shown().querySelector(selector);

function showTimes() {
  for (const time of document.querySelectorAll("time")) {
    const at = new Date(time.dateTime), today = at.toDateString() === new Date().toDateString();
    const style = today ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" };
    time.textContent = at.toLocaleString(document.documentElement.lang, style);
  }
}

// Move the courier on the map that is there.
function move({ position, map, eta_minutes: minutes }) {
  const at = (selector, names, values) =>
    names.forEach((name, n) => part(selector)?.setAttribute(name, values[n]));
  at("circle.courier", ["cx", "cy"], map.courier);
  at("text.courier", ["x", "y"], [map.courier[0] + 10, map.courier[1] - 6]);
  if (map.dropoff) {
    at("rect.dropoff", ["x", "y"], [map.dropoff[0] - 6, map.dropoff[1] - 6]);
    at("text.dropoff", ["x", "y"], [map.dropoff[0] + 10, map.dropoff[1] + 14]);
    at(".way", ["x1", "y1", "x2", "y2"], [...map.courier, ...map.dropoff]);
    at(".bar", ["x2"], [12 + map.bar.px]);
    part("text.bar").textContent = `${map.bar.m} m`;
  }
  part("#seen time").dateTime = position.at;
  const eta = part("#eta");
  eta.hidden = minutes === undefined;
  if (minutes !== undefined) eta.textContent = eta.dataset.text.replace("{minutes}", minutes);
  showTimes();
}

async function read(type) {
  const answer = await fetch(location.pathname, { headers: { Accept: type }, cache: "no-store" });
  if (answer.status === 404) location.reload(); // the link has ended
  if (!answer.ok) throw new Error(String(answer.status));
  return answer;
}

async function replace() {
  if (shown().contains(document.activeElement) && document.activeElement.value) return; // a note
  const page = new DOMParser().parseFromString(await (await read("text/html")).text(), "text/html");
  shown().replaceWith(document.adoptNode(page.querySelector("main")));
  showTimes();
}

async function look() {
  const order = await (await read("application/json")).json();
  const { version } = shown().dataset;
  const isDrawn = part("svg") !== null;
  const isOld = String(order.version) !== version || isDrawn !== (order.map !== undefined);
  if (isOld) await replace();
  else if (order.map) move(order);
}

function plan(delay = socket?.readyState === WebSocket.OPEN || isOver() ? CHECK_MS : POLL_MS) {
  clearTimeout(timer);
  timer = setTimeout(async () => {
    if (!document.hidden) await look().catch(() => {});
    plan();
  }, delay);
}

function hear({ data }) {
  const frame = JSON.parse(data);
  if (frame.type === "courier.position") {
    if (part("svg") && String(frame.version) === shown().dataset.version) move(frame);
    else plan(0);
  } else if (frame.type === "connected" || frame.type === "order.changed") plan(0);
}

function open() {
  if (isOver() || document.hidden || (socket && socket.readyState < WebSocket.CLOSING)) return;
  const url = `${location.origin.replace(/^http/, "ws")}/api/v1/ws/track?token=${token}`;
  socket = new WebSocket(url);
  socket.onopen = () => { pause = 1000; };
  socket.onmessage = hear;
  socket.onclose = () => {
    plan();
    setTimeout(open, pause * (0.5 + Math.random() / 2));
    pause = Math.min(2 * pause, MAX_PAUSE_MS);
  };
}

function wake() {
  if (document.hidden) return;
  open();
  plan(0);
}

document.addEventListener("visibilitychange", wake);
addEventListener("online", wake);
addEventListener("pageshow", (event) => event.persisted && wake());
showTimes();
open();
plan();
