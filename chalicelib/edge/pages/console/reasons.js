// @ts-check

// What each hand is called, and the reasons that are given for it.

/** What may become of an order that fails. */
export const OUTCOMES = { return: "It is brought back", leave: "It is left at the door", discard: "It is discarded" };

// Reasons that the server counts; what else there is to say goes into the note.
const GENERAL = ["late", "unreachable", "break", "vehicle", "accident", "unsafe", "too_far", "override"];
/** By hand: the codes among which somebody chooses, but for "other". @type {Record<string, string[]>} */
export const REASONS = {
  assign: GENERAL,
  release: GENERAL,
  cancel: ["changed_mind", "wrong_address", "closed", "out_of_stock", "too_busy", "too_long", "fraud", "lost"],
  fail: ["recipient_absent", "refused", "wrong_address", "damaged", "no_access", "unsafe", "accident"],
  retry: ["late", "too_far", "override"],
  pause: ["break", "unreachable", "vehicle", "accident", "unsafe", "fraud"],
  resume: ["break", "override"],
};

/** By hand: its question, what stands in the row meanwhile, and what was done. */
export const WORDS = {
  assign: (id, _, holder) => ({ title: `${holder ? "Reassign" : "Assign"} order ${id}`, about: holder && `${holder} has it now.`, asked: "asked: assign…", done: `Order ${id} was assigned.`, go: "Assign" }),
  release: (id) => ({ title: `Take order ${id} from its courier`, asked: "asked: release…", done: `Order ${id} was released.`, go: "Release", about: "It is searched for anew." }),
  cancel: (id) => ({ title: `Cancel order ${id}`, asked: "asked: cancel…", done: `Order ${id} was cancelled.`, go: "Cancel the order", about: "This can't be undone." }),
  fail: (id) => ({ title: `Fail order ${id}`, asked: "asked: fail…", done: `Order ${id} was failed.`, go: "Fail the order", about: "It could not be handed over." }),
  retry: (id) => ({ title: `Search again for order ${id}`, asked: "asked: search again…", done: `Order ${id} is searched for again.`, go: "Search again" }),
  pause: (id, name) => ({ title: `Pause ${name}`, asked: "asked: pause…", done: `${name} is paused.`, go: "Pause", about: "No orders are offered until resumed. One under way stays." }),
  resume: (id, name) => ({ title: `Resume ${name}`, asked: "asked: resume…", done: `${name} is offered orders again.`, go: "Resume" }),
};
