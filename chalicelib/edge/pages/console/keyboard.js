// @ts-check

// Keys for all day: one hand on j and k, the other anywhere.

/** What each key does, as the help shows it. */
export const KEYS = [
  ["j / k", "next, previous row"],
  ["Enter", "open the row"],
  ["Esc", "close, or leave the search"],
  ["/", "search"],
  ["o / u", "orders, couriers"],
  ["a", "assign or reassign the order; or drag its row onto a courier"],
  ["r", "release the order from its courier"],
  ["s", "search again for an unserved order"],
  ["c / x", "cancel, fail the order"],
  ["p", "pause or resume the courier"],
  ["g", "show all on the map"],
  ["+ / −, arrows", "zoom and move the map (with its focus)"],
  ["f", "figures"],
  ["t", "light or dark"],
  ["?", "this help"],
];

/** Call what a key stands for. Nothing happens while somebody types, or a dialog asks.
 * @param {Record<string, (event: KeyboardEvent) => void>} actions by key */
export function listenToKeys(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]")) return; // it has keys of its own
    const target = /** @type {HTMLElement} */ (event.target);
    // What is not shown may have the focus still, for a moment: of a dialog that was just closed.
    const isShown = target.getClientRects().length > 0;
    const isTyping = isShown && target.matches("input:not([type=checkbox]):not([type=radio]), textarea, select");
    if (isTyping && event.key !== "Escape") return;
    // Enter on a button, a link or a summary is theirs.
    if (event.key === "Enter" && target.closest("button, a, summary, input")) return;
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action(event);
  });
}
