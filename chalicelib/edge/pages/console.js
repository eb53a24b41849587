// The console: one person's events as they come, their orders on a map, and figures for admins.

import { WebSocketService } from "./waybill.js";

const TYPES = [
  "order_created", "order_confirmed", "order_ready", "delivery_accepted", "delivery_in_transit",
  "delivery_arrived", "delivery_completed", "location_updated", "eta_updated",
  "earning_recorded", "bonus_earned", "wallet_updated", "payout_approved", "payout_completed",
  "payment_initiated", "payment_completed", "payment_failed",
];
const SHOWN = 100; // events in the list
const STATS_EVERY_MS = 5000;
const byId = (id) => document.getElementById(id);

const orders = new Map(); // id -> { pickup, dropoff, courier }
let session = null;

byId("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  signIn(byId("token").value.trim());
});
draw();

async function signIn(token) {
  session?.end();
  forget();
  let claims;
  try {
    claims = claimsOf(token);
  } catch {
    return say("failed", "this is no token");
  }
  const id = String(claims.sub ?? claims.user_id);
  const ws = new WebSocketService(null, token, id);
  const stats = claims.role === "admin" ? setInterval(() => showStats(token), STATS_EVERY_MS) : 0;
  session = { token, end: () => (ws.disconnect(), clearInterval(stats)) };
  ws.on("*", (heard) => take(heard, token));
  ws.on("connected", () => say("in", `${id}, ${claims.role ?? "no role"}`));
  ws.on("disconnected", () => say("out", "connecting again …"));
  ws.on("connection_failed", () => say("failed", "no connection; still trying"));
  ws.subscribe(TYPES);
  try {
    await ws.connect();
  } catch (error) {
    session.end();
    return say("failed", error.message);
  }
  if (stats) showStats(token);
  if (claims.role === "customer") await showOrder(token);
}

// What one person has seen is none of the next one's business.
function forget() {
  orders.clear();
  byId("events").replaceChildren();
  byId("figures").hidden = true;
  draw();
}

function claimsOf(token) {
  const part = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (c) => c.charCodeAt(0))));
}

function say(state, text) {
  byId("status").dataset.state = state;
  byId("status").textContent = text;
}

function take(event, token) {
  const item = document.createElement("li");
  item.dataset.level = event.level;
  item.dataset.type = event.type;
  item.append(tag("time", event.timestamp.slice(11, 19)), tag("b", event.type));
  item.append(tag("pre", JSON.stringify(event.data)));
  byId("events").prepend(item);
  while (byId("events").children.length > SHOWN) byId("events").lastChild.remove();
  place(event);
  if (event.type === "order_created") showOrder(token);
}

function tag(name, text) {
  const made = document.createElement(name);
  made.textContent = text; // never as HTML: names and addresses are other people's
  return made;
}

function place({ type, data }) {
  const id = data.delivery_id;
  if (type === "delivery_completed") orders.delete(id);
  if (type === "location_updated") courierAt(id, data);
  if (type === "delivery_in_transit") courierAt(id, data.location);
  draw();
}

function courierAt(id, { latitude, longitude }) {
  orders.set(id, { ...orders.get(id), courier: [latitude, longitude] });
}

async function showOrder(token) {
  const { active, order } = (await read("v1/customer/active-order", token)) ?? {};
  if (!active || token !== session.token) return;
  const point = (lat, lng) => (lat === undefined ? undefined : [lat, lng]);
  orders.set(order.id, {
    ...orders.get(order.id),
    pickup: point(order.pickup_lat, order.pickup_lng),
    dropoff: point(order.dropoff_lat, order.dropoff_lng),
  });
  draw();
}

async function showStats(token) {
  const { data } = (await read("websocket/stats", token)) ?? {};
  if (!data || token !== session.token) return;
  byId("figures").hidden = false;
  byId("stats").replaceChildren(
    ...Object.entries(data)
      .filter(([name]) => name !== "timestamp")
      .map(([name, value]) => {
        const pair = document.createElement("div");
        pair.append(tag("dt", name.replaceAll("_", " ")), tag("dd", value));
        return pair;
      }),
  );
}

async function read(path, token) {
  const answer = await fetch(path, { headers: { Authorization: `Bearer ${token}` } });
  return answer.ok ? answer.json() : null;
}

// All points, fitted into the canvas: north is up, and a degree of longitude is as long as it is.
function draw() {
  const canvas = byId("map");
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  const ink = getComputedStyle(document.body).color;
  const points = [...orders.values()].flatMap((o) => [o.pickup, o.dropoff, o.courier]).filter(Boolean);
  canvas.dataset.points = points.length;
  if (!points.length) return label(pen, ink, canvas.width / 2, canvas.height / 2, "nothing under way");
  const at = projection(points, canvas);
  for (const [id, { pickup, dropoff, courier }] of orders) {
    if (pickup && dropoff) line(pen, at(pickup), at(dropoff));
    if (pickup) dot(pen, at(pickup), "#b8860b", 6);
    if (dropoff) dot(pen, at(dropoff), "#1a9c4a", 6);
    if (courier) dot(pen, at(courier), "#0b6bcb", 9);
    const [x, y] = at(courier ?? dropoff ?? pickup);
    label(pen, ink, x, y - 16, id);
  }
}

function projection(points, { width, height }) {
  const squeeze = Math.cos((points[0][0] * Math.PI) / 180);
  const flat = ([lat, lng]) => [lng * squeeze, -lat];
  const [xs, ys] = [0, 1].map((axis) => points.map((p) => flat(p)[axis]));
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const [wide, high] = [Math.max(...xs) - left, Math.max(...ys) - top];
  const scale = Math.min((width - 120) / (wide || 1e-3), (height - 120) / (high || 1e-3));
  const [dx, dy] = [(width - wide * scale) / 2, (height - high * scale) / 2];
  return (point) => {
    const [x, y] = flat(point);
    return [(x - left) * scale + dx, (y - top) * scale + dy];
  };
}

function dot(pen, [x, y], colour, radius) {
  pen.fillStyle = colour;
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
}

function line(pen, from, to) {
  pen.strokeStyle = "#8888";
  pen.setLineDash([6, 6]);
  pen.beginPath();
  pen.moveTo(...from);
  pen.lineTo(...to);
  pen.stroke();
}

function label(pen, ink, x, y, text) {
  pen.fillStyle = ink;
  pen.font = "13px system-ui, sans-serif";
  pen.textAlign = "center";
  pen.fillText(text, x, y);
}
