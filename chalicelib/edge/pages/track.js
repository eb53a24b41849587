// The page of a tracking link, kept current. It is complete without this: the server has rendered it.
const POLL_MS = 10_000; // without a socket
const CHECK_MS = 60_000; // beside a socket: what was lost there is made up for
const MAX_PAUSE_MS = 60_000;
const ANSWER_MS = 15_000; // what takes longer is asked for again
const address = location.pathname.replace(/\/(note)?$/, ""); // a note that is refused is answered by a page
const token = address.split("/").pop();
let timer, retry, socket, pause = 1000, due = Infinity, looking = Promise.resolve();

const shown = () => document.querySelector("main");
const isFinal = () => shown().dataset.final === "true"; // nothing is to come but the link's end
const part = (selector) => shown().querySelector(selector);

function showTimes() {
  const { lang } = document.documentElement;
  const place = navigator.languages.find((one) => one.split("-")[0] === lang) ?? lang;
  for (const time of document.querySelectorAll("time")) {
    const at = new Date(time.dateTime), today = at.toDateString() === new Date().toDateString();
    const style = today ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" };
    time.textContent = at.toLocaleString(place, style);
  }
}

function showMinutes(minutes) {
  const eta = part("#eta");
  eta.hidden = minutes === undefined;
  if (minutes !== undefined) eta.textContent = eta.dataset.text.replace("{minutes}", minutes);
}

// Move the courier on the map that is there. Of two fixes the later one may come first.
function move({ position, map, eta_minutes: minutes }) {
  const seen = part("#seen time");
  if (position.at < seen.dateTime) return;
  const at = (selector, names, values) =>
    names.forEach((name, n) => part(selector)?.setAttribute(name, values[n]));
  at("circle.courier", ["cx", "cy"], map.courier);
  at("text.courier", ["x", "y"], [map.courier[0], map.courier[1] - 12]);
  if (map.dropoff) {
    at("rect.dropoff", ["x", "y"], [map.dropoff[0] - 6, map.dropoff[1] - 6]);
    at("text.dropoff", ["x", "y"], [map.dropoff[0], map.dropoff[1] + 20]);
    at(".way", ["x1", "y1", "x2", "y2"], [...map.courier, ...map.dropoff]);
    at(".bar", ["x2"], [12 + map.bar.px]);
    part("text.bar").textContent = `${map.bar.m} m`;
  }
  seen.dateTime = position.at;
  showMinutes(minutes);
  showTimes();
}

async function read(type) {
  const signal = AbortSignal.timeout?.(ANSWER_MS); // not of old telephones
  const answer = await fetch(address, { headers: { Accept: type }, cache: "no-store", signal });
  if (answer.status === 404) location.replace(address); // the link has ended
  if (!answer.ok) throw new Error(String(answer.status));
  return answer;
}

async function replace() {
  const form = part("form");
  if (form?.contains(document.activeElement) || form?.elements.note.value) return; // a note is written
  const page = new DOMParser().parseFromString(await (await read("text/html")).text(), "text/html");
  const words = part("h1").textContent;
  shown().replaceWith(document.adoptNode(page.querySelector("main")));
  document.title = page.title;
  if (part("h1").textContent !== words) document.querySelector("#news").textContent = page.title;
  open();
}

async function look() {
  const order = await (await read("application/json")).json();
  const { version } = shown().dataset;
  const isDrawn = part("svg") !== null;
  const isOld = String(order.version) !== version || isDrawn !== (order.map !== undefined);
  if (isOld) await replace();
  else if (order.map) move(order);
  else showMinutes(order.eta_minutes);
  showTimes(); // which of them are of today is another question after midnight
}

// Look after a delay, unless it is to be sooner anyway, and then from time to time until the end.
function plan(delay = socket?.readyState === WebSocket.OPEN ? CHECK_MS : POLL_MS) {
  const at = performance.now() + delay;
  if (at >= due) return;
  due = at;
  clearTimeout(timer);
  timer = setTimeout(async () => {
    due = Infinity;
    if (!document.hidden) await (looking = looking.then(look).catch(() => {})); // one after another
    if (!isFinal()) plan();
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
  if (isFinal() || document.hidden || (socket && socket.readyState < WebSocket.CLOSING)) return;
  const url = `${location.origin.replace(/^http/, "ws")}/api/v1/ws/track?token=${token}`;
  let wasOpen = false;
  try {
    socket = new WebSocket(url);
  } catch {
    return; // an old browser, to which 'self' is no socket: this one asks
  }
  socket.onopen = () => { wasOpen = true; pause = 1000; };
  socket.onmessage = hear;
  socket.onclose = () => {
    if (wasOpen) plan(1000 * Math.random()); // the link may have ended
    else if (!isFinal()) plan();
    clearTimeout(retry);
    retry = setTimeout(open, pause * (0.5 + Math.random() / 2));
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
if (!isFinal()) plan();
