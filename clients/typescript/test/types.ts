// Not run: `node build.mjs --check` has its types checked.

import { Waybill, type Gap } from "../src/waybill.js";

const courier = new Waybill({
  url: "https://dispatch.example.com",
  token: async () => "token",
  contract: "courier",
  position: () => null,
  onGap: ({ from, oldest }: Gap) => from < oldest,
});
courier.on("order.assigned", ({ data, pos }) => {
  const orderId: string = data.order_id;
  const address: string | undefined = data.dropoff_address;
  return [orderId, address, pos];
});
// @ts-expect-error: there is no such contract
new Waybill({ url: "x", token: "t", contract: "couriers" });

const food = new Waybill({ url: "x", token: "t", contract: "socketio" });
food.on("order-taken", ({ data }) => data.orderId.toFixed());

const feed = new Waybill({ url: new URL("wss://dispatch.example.com"), token: "token" });
const stop: () => void = feed.on("order_created", (event) => {
  const quantity: number = event.data.items[0].quantity;
  const id: string = event.event_id;
  return [quantity, id];
});
// @ts-expect-error: it is a number
feed.on("order_created", (event) => event.data.total_amount.trim());
feed.on("*", (event) => event.type.trim());
feed.send({ type: "heartbeat" }).then(stop);
