// How the contracts differ for a client: where they are, who says who is there, signs of life.

const PATHS = {
  feed: "/api/websocket/ws",
  courier: "/api/v1/ws/courier",
  customer: "/api/v1/ws/customer",
  rides: "/api/v1/ws/rides",
  food: "/orders",
  drivers: "/ws/driver/orders/",
  socketio: "/socket.io",
  ops: "/api/v1/ws/ops",
};
const CUSTOMERS = ["customer", "rider", "user"]; // the words for one in a token
const PING = "ping";
const NAMESPACE = "/orders,"; // Socket.IO's

/** Frames that keep the connection going, and say nothing to the application. */
export const SILENT = [
  "heartbeat",
  "heartbeat_ack",
  "pong",
  "ping_response",
  "subscription_updated",
];

/** Check what no connection could ever be made of: it is no use to try again and again. */
export function check(contract: string, ...urls: (string | URL)[]): void {
  if (!Object.hasOwn(PATHS, contract)) throw new TypeError("There is no contract " + contract);
  for (const url of urls) {
    if (!/^(http|ws)s?:$/.test(new URL(url).protocol)) throw new TypeError("Invalid URL: " + url);
  }
}

/** Make the URL of a socket: of the contract's path, where the given one has none. */
export function makeUrl(
  url: string | URL,
  contract: string,
  token: string,
  from: string | null | undefined,
): URL {
  const place = new URL(url);
  place.protocol = place.protocol.replace("http", "ws");
  if (place.pathname == "/") {
    const { role, user_role, user_type } = readClaims(token);
    const word = String(role ?? user_role ?? user_type).toLowerCase();
    const isCustomer = contract == "courier" && CUSTOMERS.includes(word);
    place.pathname = PATHS[isCustomer ? "customer" : (contract as keyof typeof PATHS)];
  }
  const { searchParams } = place;
  if (contract == "socketio") {
    searchParams.set("EIO", "4");
    searchParams.set("transport", "websocket");
  } else if (contract != "feed") {
    searchParams.set("token", token);
    if (from) searchParams.set("from", from);
  }
  return place;
}

/** Make the feed's first message. */
export function makeAuth(
  token: string,
  userId: string | number | undefined,
  userRole: string | undefined,
  from: string | null | undefined,
): object {
  const { sub, user_id } = readClaims(token);
  return {
    type: "auth",
    token,
    user_id: userId ?? sub ?? user_id,
    user_role: userRole,
    from: from ?? undefined,
  };
}

/** Make the message that the server answers whatever else it does. */
export function makePing(contract: string): object {
  if (contract == "feed") return { type: "heartbeat", timestamp: new Date().toISOString() };
  return { [["drivers", "ops"].includes(contract) ? "type" : "event"]: PING, event_id: PING };
}

/** Whether an error answers a ping: contracts without a word for signs of life answer that they
 *  have none. */
export function isPong(contract: string, frame: any, isAsked: boolean): boolean {
  if (frame.event != "error") return false;
  return frame.event_id == PING || (isAsked && ["courier", "customer"].includes(contract));
}

/** Write a message as the text of a frame: JSON, or an event's packet of Socket.IO. */
export function writeMessage(contract: string, message: any): string {
  if (contract != "socketio") return JSON.stringify(message);
  if (message.event == PING) return makeConnect(); // who is connected is told so again
  return "42" + NAMESPACE + JSON.stringify([message.event, message.data]);
}

/** Make Socket.IO's CONNECT packet. */
export function makeConnect(auth?: object): string {
  return "40" + NAMESPACE + (auth ? JSON.stringify(auth) : "");
}

/** Read the text of a frame. Of Socket.IO a packet that is no event has its digits as `packet`. */
export function readFrame(contract: string, text: string): any {
  if (contract != "socketio") return JSON.parse(text);
  const [, packet, json] = /^(4?.)(?:\/orders,)?\d*(.*)/s.exec(text)!;
  if (packet != "42") return { packet, why: json };
  const [event, data, meta] = JSON.parse(json);
  return { event, data, ...meta };
}

function readClaims(token: string): Record<string, any> {
  try {
    const text = atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"));
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (c) => c.charCodeAt(0))));
  } catch {
    return {}; // the server will say what is wrong with it
  }
}
