// @ts-check

// Which hands reach an order, by its flow and state: what the server's own table says, so that the
// page offers nothing that is refused. A flow that is not here has what a delivery has.

/** @typedef {"assign"|"release"|"cancel"|"fail"|"retry"} Hand */

const DELIVERY = {
  "scheduled": ["cancel"],
  "searching": ["assign", "cancel"],
  "offered": ["assign", "cancel", "release"],
  "accepted": ["assign", "cancel", "release"],
  "at_pickup": ["assign", "cancel", "fail", "release"],
  "in_transit": ["cancel", "fail"],
  "returning": ["cancel", "fail"],
  "unserved": ["assign", "retry"]
};

const FOOD = {
  "scheduled": ["cancel"],
  "pending": ["cancel"],
  "confirmed": ["cancel"],
  "preparing": ["cancel"],
  "ready": ["assign", "cancel", "release"],
  "in_transit": ["assign", "cancel", "fail", "release"],
  "returning": ["cancel", "fail"],
  "unserved": ["retry"]
};

const RIDE = {
  "scheduled": ["cancel"],
  "searching": ["assign", "cancel"],
  "accepted": ["assign", "cancel", "release"],
  "at_pickup": ["assign", "cancel", "fail", "release"],
  "in_transit": ["cancel"],
  "unserved": ["assign", "retry"]
};

/** @type {Record<string, Record<string, string[]>>} */
const REACH = { delivery: DELIVERY, hail: DELIVERY, food: FOOD, ride: RIDE };

/** The hands that reach an order as the board has it. @param {any} order @returns {string[]} */
export function listReaching(order) {
  const hands = (REACH[order.flow] ?? DELIVERY)[order.state] ?? [];
  return hands.filter((hand) => hand !== "release" || order.courier_id || order.offered_to);
}

const OUTCOMES = { in_transit: ["return", "leave", "discard"], returning: ["discard"] };

/** What may become of an order that fails now: nothing is asked where there is no choice of it.
 * @param {any} order @returns {string[]} */
export const listOutcomes = (order) => /** @type {any} */ (OUTCOMES)[order?.state] ?? [];
