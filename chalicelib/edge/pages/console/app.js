// @ts-check

// The dispatcher's room, put together: who is there, the live link, and what each part shows of it.

import { Api } from "./api.js";
import { readClaims } from "./claims.js";
import { CROWD } from "./crowds.js";
import { byId, make, write } from "./dom.js";
import { Drag } from "./drag.js";
import { Drawer } from "./drawer.js";
import { Figures, showNow } from "./figures.js";
import { fillSelect, Filters } from "./filters.js";
import { Hands } from "./hands.js";
import { findChosen, forgetChosen, keepChosen } from "./kept.js";
import { KEYS, listenToKeys } from "./keyboard.js";
import { Link } from "./link.js";
import { List } from "./list.js";
import { BoardMap } from "./map.js";
import { News, say } from "./news.js";
import { fillCourier, fillOrder } from "./rows.js";
import { signIn } from "./signin.js";
import { Board } from "./state.js";
import { addStreets } from "./streets.js";
import { watchTheme } from "./theme.js";

const ROW = 62; // px, as in console.css
const AGES_EVERY = 5000; // ms
const WIDE = matchMedia("(min-width: 861px)");
const NARROW = matchMedia("(max-width: 600px)"); // the drawer covers all
const TITLE = document.title;

const board = new Board();
/** @type {Api} */
let api;
/** @type {Link|null} */
let link = null;
let claims = readClaims("");
let tab = "orders";
let shownOrders = [];
let shownCouriers = [];
let session = /** @type {any} */ (null);

const isAdmin = () => !claims.isMerchant;
const hands = new Hands({ board, getApi: () => api, say, isAdmin });
const filters = new Filters();
const figures = new Figures({ getApi: () => api, isAdmin, onOpen: () => (holdBack(), cover()), onClose: () => cover() });
const orderList = new List(byId("order-list"), ROW, (order, element) =>
  fillOrder(order, element, board.now, hands.pending.get(order.id) ?? "", board.couriers),
);
const courierList = new List(byId("courier-list"), ROW, (courier, element) =>
  fillCourier(courier, element, board.now, hands.pending.get(`courier ${courier.id}`) ?? ""),
);
const drawer = new Drawer({ board, hands, getApi: () => api, isAdmin, onOpen: opened, onClose: closed });
const map = new BoardMap(byId("map"), () => ({
  orders: chooseMapOrders(),
  couriers: chooseMapCouriers(),
  byId: board,
  selected: drag.orderId ? { type: "order", id: drag.orderId } : drawer.subject,
  target: drag.courierId,
  now: board.now,
}));
const drag = new Drag({
  board,
  map,
  box: byId("order-list"),
  mayAssign: (order) => hands.listForOrder(order).some(({ key, isOff }) => key === "a" && !isOff),
  openTab: () => showTab("couriers"),
});
new News(board);

// A courier is looked for among couriers, not below the other orders.
function chooseMapOrders() {
  const order = board.orders.get(drag.orderId ?? hands.choosingFor ?? "");
  return order ? [order] : shownOrders;
}

// Whoever looks for a courier on the map searched for the order, not for its courier.
function chooseMapCouriers() {
  if (hands.choosingFor || drag.orderId) return [...board.couriers.values()];
  return byId("show-couriers").checked ? shownCouriers : [];
}

// What is shown follows what is known, at most once a frame of the screen.
let isAsked = false;
function render() {
  if (isAsked) return;
  isAsked = true;
  requestAnimationFrame(() => {
    isAsked = false;
    shownOrders = filters.chooseOrders(board.orders.values());
    shownCouriers = filters.chooseCouriers(board.couriers.values());
    filters.count(board.orders);
    fillSelect(byId("zone"), "All zones", [...board.zones].sort());
    showNow(board.figures);
    orderList.show(shownOrders);
    courierList.mark(drag.courierId);
    courierList.show(shownCouriers);
    showCounts();
    drawer.render();
    if (!map.hasFitted && board.isKnown) fitAll();
    map.redraw();
  });
}

function showCounts() {
  const [orders, couriers] = [board.orders.size, board.couriers.size];
  write(byId("orders-tab-count"), count(shownOrders.length, orders));
  write(byId("couriers-tab-count"), count(shownCouriers.length, couriers));
  byId("clear").hidden = !filters.isActive;
  const what = `Map: ${shownOrders.length} orders and ${shownCouriers.length} couriers. The list beside it says the same in words.`;
  if (map.canvas.getAttribute("aria-label") !== what) map.canvas.setAttribute("aria-label", what);
  map.canvas.dataset.orders = String(shownOrders.length);
  map.canvas.dataset.couriers = String(chooseMapCouriers().length);
  const rows = tab === "orders" ? shownOrders : shownCouriers;
  byId("empty").hidden = rows.length > 0;
  write(byId("empty"), sayEmpty());
}

// Whoever has another tab in front sees what is wrong in this one's.
function showTitle() {
  const { unserved, late } = board.figures;
  const wrong = ["lost", "quiet"].includes(link?.state ?? "")
    ? ["Link lost"]
    : [unserved > 0 && `${unserved} unserved`, late > 0 && `${late} late`].filter(Boolean);
  const title = session && wrong.length ? `${wrong.join(", ")} · Waybill` : TITLE;
  if (document.title !== title) document.title = title;
}

// What lies below something that covers it is out of a keyboard's reach, too.
function cover() {
  const isCovered = figures.isOpen || (NARROW.matches && drawer.subject !== null);
  byId("side").inert = byId("map-room").inert = isCovered;
  byId("drawer").inert = figures.isOpen;
  showView(byId("room").dataset.view);
}

function sayEmpty() {
  if (!board.isKnown) return link?.state === "lost" ? "The board can't be reached. It is tried again and again." : "Waiting for the board…";
  if (tab === "orders" ? filters.isActive : filters.text) return "Nothing matches the filters.";
  return tab === "orders" ? "No orders are under way." : "No courier is on duty.";
}

const count = (shown, all) => (!board.isKnown ? "…" : shown === all ? String(all) : `${shown} / ${all}`);

function fitAll() {
  const hasDoors = shownOrders.length <= CROWD; // of a crowd they are not drawn
  const places = [...shownOrders.flatMap((o) => (hasDoors ? [o, o.dropoff] : [o])), ...shownCouriers];
  map.fit(places.filter((place) => place && Number.isFinite(place.lat)));
}

// Back closes what is open, as a telephone's users know it, and leaves the page, whose token is in
// its memory alone, only where nothing is.
function holdBack() {
  if (!history.state?.isOpen) history.pushState({ isOpen: true }, "");
}

function goBack() {
  for (const dialog of document.querySelectorAll("dialog[open]")) /** @type {any} */ (dialog).close();
  hands.stopChoosing();
  figures.close();
  drawer.close();
}

/** @param {import("./drawer.js").Subject} subject */
function opened(subject) {
  holdBack();
  const isOrder = subject.type === "order";
  (isOrder ? orderList : courierList).activate(subject.id);
  const row = (isOrder ? board.orders : board.couriers).get(subject.id);
  if (row) map.reveal(row);
  cover();
  if (NARROW.matches) byId("drawer-title").focus();
  map.redraw();
}

function closed() {
  cover();
  map.redraw();
  (tab === "orders" ? byId("order-list") : byId("courier-list")).focus();
}

function showTab(name) {
  tab = name;
  for (const each of ["orders", "couriers"]) {
    byId(`${each}-tab`).setAttribute("aria-selected", String(each === name));
    byId(`${each}-tab`).tabIndex = each === name ? 0 : -1;
    byId(`${each}-panel`).hidden = each !== name;
  }
  render();
}

/** On a narrow screen the list and the map are shown in turn. @param {string} view */
function showView(view) {
  byId("room").dataset.view = view;
  for (const button of document.querySelectorAll("#views button[data-view]")) {
    const isShown = !figures.isOpen && /** @type {any} */ (button).dataset.view === view;
    button.setAttribute("aria-pressed", String(isShown));
  }
}

function step(by) {
  if (figures.isOpen) return;
  const isOrders = tab === "orders";
  const list = isOrders ? orderList : courierList;
  list.box.focus({ preventScroll: true }); // where it is read aloud which row is the active one
  const row = list.step(by);
  if (!row) return;
  if (drawer.subject) drawer.open({ type: isOrders ? "order" : "courier", id: row.id });
  else map.reveal(row);
}

function openActive() {
  if (figures.isOpen) return;
  const isOrders = tab === "orders";
  const id = (isOrders ? orderList : courierList).activeId;
  if (id) drawer.open({ type: isOrders ? "order" : "courier", id }, true);
}

// A key works where its button does: on what the drawer shows, or on the active row.
function press(key) {
  if (figures.isOpen) return;
  const subject = drawer.subject ?? { type: tab === "orders" ? "order" : "courier", id: (tab === "orders" ? orderList : courierList).activeId };
  const isOrder = subject.type === "order";
  const row = subject.id && (isOrder ? board.orders : board.couriers).get(subject.id);
  if (!row) return;
  const actions = isOrder ? hands.listForOrder(row) : hands.listForCourier(row);
  const action = actions.find((each) => each.key === key && !each.isOff);
  if (action) action.run();
}

function search() {
  figures.close();
  if (NARROW.matches) drawer.close();
  showView("list");
  byId("search").focus();
  byId("search").select();
}

function escape() {
  if (hands.choosingFor) return hands.stopChoosing();
  if (document.activeElement === byId("search")) return byId("search").blur();
  if (figures.isOpen) return figures.close();
  drawer.close();
}

const STATUS = {
  connecting: ["wait", "Connecting…"],
  live: ["in", "Live"],
  lost: ["failed", "Link lost, trying again…"],
  quiet: ["wait", "Quiet: nothing was heard for a while"],
};

function showStatus(state) {
  const [look, words] = STATUS[state];
  const since = link?.heardAt && state !== "live" ? ` Shown is what was known at ${new Date(link.heardAt).toLocaleTimeString([], { hourCycle: "h23" })}.` : "";
  byId("status").dataset.state = look;
  if (state === "live") drawer.refresh(); // what happened meanwhile is in no frame
  write(byId("status-words"), words);
  showTitle();
  render();
  byId("lost").hidden = state === "live" || state === "connecting";
  write(byId("lost-words"), `${words}${words.endsWith("…") ? "" : "."}${since}`);
}

function connect() {
  link?.close();
  board.clear();
  map.hasFitted = false;
  showStatus("connecting");
  link = new Link({
    session,
    zone: byId("zone").value,
    board,
    onState: showStatus,
    onRefused: (words) => say(words ?? "The server refused.", true),
    onFailed: checkSession,
  });
}

// A refused handshake says nothing to a page: REST says whether the token is the reason. That a
// person has no profile (404) is none.
let checkedAt = 0;
async function checkSession() {
  if (Date.now() - checkedAt < 5000 || !session) return;
  checkedAt = Date.now();
  try {
    await api.get("v1/me");
  } catch (error) {
    // No status: there is no token to ask with any more, unless nobody was there to renew it.
    const { status, message, isUnanswered } = /** @type {any} */ (error);
    if (status === undefined && !isUnanswered && session) await enter(message);
  }
}

/** Ask who is there, and show the room to them. @param {string} [why] */
async function enter(why = "") {
  leave();
  let entering;
  for (;;) {
    entering = await signIn(byId("sign-in"), why);
    try {
      claims = readClaims(await entering.token());
    } catch (error) {
      why = /** @type {Error} */ (error).message; // one that had ended before it was pasted
      continue;
    }
    if (!claims.isOther) {
      session = entering;
      break;
    }
    /** @type {any} */ (entering).end?.();
    why = `This room is for admins and merchants; the token is one of a ${claims.role}.`;
  }
  api = new Api(session, () => session === entering && enter("The sign-in was refused, or has ended. Sign in again."));
  byId("gate").hidden = true;
  byId("bar").hidden = byId("room").hidden = byId("views").hidden = false;
  write(byId("who"), [claims.id, claims.role].filter(Boolean).join(", "));
  byId("who").title = byId("who").textContent;
  const chosen = findChosen(who());
  if (chosen) {
    fillSelect(byId("zone"), "All zones", chosen.zone ? [chosen.zone] : []);
    byId("zone").value = chosen.zone;
    filters.choose(chosen);
  }
  connect();
}

const who = () => `${claims.role} ${claims.subject}`;

function keep() {
  if (session) keepChosen(who(), { ...filters.read(), zone: byId("zone").value });
}

// What one person has seen is none of the next one's business.
function leave() {
  session?.end?.();
  session = null;
  link?.close();
  link = null;
  hands.forget();
  drawer.close();
  figures.close();
  filters.forget();
  board.zones.clear();
  board.clear();
  byId("zone").value = "";
  byId("notes").replaceChildren();
  byId("news").textContent = "";
  byId("drawer-history").replaceChildren();
  byId("drawer-messages").replaceChildren();
  document.title = TITLE;
  for (const id of ["now", "figures-now", "figures-total", "figures-charts"]) byId(id).replaceChildren();
  byId("gate").hidden = false;
  byId("bar").hidden = byId("room").hidden = byId("views").hidden = true;
}

function showHelp() {
  byId("help").showModal();
}

board.addEventListener("change", (event) => {
  const { isWhole, orders } = /** @type {any} */ (event).detail;
  if (drawer.subject && !isWhole && orders.some(({ id }) => id === drawer.subject?.id)) drawer.refresh();
  showTitle(); // of a tab that is not in front nothing else is drawn
  render();
});
filters.addEventListener("change", () => (keep(), render()));
hands.addEventListener("change", () => {
  const order = hands.choosingFor;
  byId("choosing").hidden = !order;
  if (order) {
    write(byId("choosing-words"), `Choose a courier for order ${order} on the map.`);
    showView("map");
  }
  render();
});
// The question has given the focus back, unless what had it is gone.
byId("ask").addEventListener("close", () => {
  if (document.activeElement !== document.body) return;
  (drawer.subject ? byId("drawer-title") : byId(tab === "orders" ? "order-list" : "courier-list")).focus();
});
NARROW.addEventListener("change", cover);
hands.addEventListener("done", (event) => {
  const { key } = /** @type {any} */ (event).detail;
  const subject = drawer.subject;
  if (subject && key === (subject.type === "order" ? subject.id : `courier ${subject.id}`)) drawer.refresh();
});
drag.addEventListener("change", () => {
  if (!drag.orderId) showTab("orders"); // it was dragged from there
  render();
});
drag.addEventListener("drop", (event) => {
  const { orderId, courierId } = /** @type {any} */ (event).detail;
  hands.ask("assign", orderId, courierId);
});
orderList.addEventListener("open", (event) => drawer.open({ type: "order", id: /** @type {any} */ (event).detail }));
courierList.addEventListener("open", (event) => drawer.open({ type: "courier", id: /** @type {any} */ (event).detail }));
for (const list of [orderList, courierList]) {
  list.addEventListener("step", (event) => step(/** @type {any} */ (event).detail));
}
map.addEventListener("pick", (event) => {
  const hit = /** @type {any} */ (event).detail;
  if (hands.choosingFor) {
    if (hit?.type === "courier") hands.pick(hit.id);
    return;
  }
  if (!hit) return drawer.close();
  if (WIDE.matches) showTab(`${hit.type}s`);
  drawer.open({ type: hit.type, id: hit.id });
});
byId("orders-tab").addEventListener("click", () => showTab("orders"));
byId("couriers-tab").addEventListener("click", () => showTab("couriers"));
byId("tabs").addEventListener("keydown", (event) => {
  if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
  showTab(tab === "orders" ? "couriers" : "orders");
  byId(`${tab}-tab`).focus();
});
for (const button of document.querySelectorAll("#views button[data-view]")) {
  button.addEventListener("click", () => {
    figures.close();
    drawer.close();
    showView(/** @type {any} */ (button).dataset.view);
  });
}
byId("zone").addEventListener("change", () => (keep(), connect()));
byId("show-couriers").addEventListener("change", () => map.redraw());
byId("zoom-in").addEventListener("click", () => map.zoom(1.6));
byId("zoom-out").addEventListener("click", () => map.zoom(1 / 1.6));
byId("fit").addEventListener("click", fitAll);
byId("retry-link").addEventListener("click", () => link?.retry());
byId("choosing-end").addEventListener("click", () => hands.stopChoosing());
byId("figures-button").addEventListener("click", () => figures.toggle());
byId("views-figures").addEventListener("click", () => figures.toggle());
byId("help-button").addEventListener("click", showHelp);
byId("help-close").addEventListener("click", () => byId("help").close());
byId("sign-out").addEventListener("click", () => (forgetChosen(), enter()));
byId("keys").append(...KEYS.map(([key, what]) => make("div", {}, make("dt", {}, key), make("dd", {}, what))));
addEventListener("popstate", goBack);
watchTheme(() => map.dress());
showView("map");
showTab("orders");

listenToKeys({
  j: () => step(1),
  k: () => step(-1),
  Enter: openActive,
  Escape: escape,
  "/": search,
  "?": showHelp,
  o: () => showTab("orders"),
  u: () => showTab("couriers"),
  f: () => figures.toggle(),
  g: fitAll,
  t: () => byId("theme-button").click(),
  ...Object.fromEntries([..."arscxp"].map((key) => [key, () => press(key)])),
});

// Ages grow without a frame.
setInterval(() => document.visibilityState === "visible" && board.isKnown && render(), AGES_EVERY);

const style = document.querySelector("meta[name=map-style]")?.getAttribute("content");
if (style) {
  addStreets(map, byId("streets"), byId("map-credit"), style).catch((error) => {
    byId("streets").replaceChildren();
    byId("map-note").hidden = false;
    write(byId("map-note"), `The street map can't be shown (${error.message}): this one needs nothing.`);
  });
}
enter();
