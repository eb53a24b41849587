// @ts-check

// A list of any length: only the rows in view are in the page.

import { make } from "./dom.js";

const SPARE = 4; // rows above and below

/** A listbox: `fillRow(row, element)` shows a row in an element that may have shown another. */
export class List extends EventTarget {
  /** @param {HTMLElement} box @param {number} height px of a row
   * @param {(row: any, element: HTMLElement) => void} fillRow */
  constructor(box, height, fillRow) {
    super();
    this.box = box;
    this.height = height;
    this.fillRow = fillRow;
    /** @type {any[]} */
    this.rows = [];
    /** @type {string|null} */
    this.activeId = null;
    /** @type {string|null} */
    this.markedId = null;
    this.#spacer = make("div", { class: "spacer", role: "presentation" });
    box.replaceChildren(this.#spacer);
    box.addEventListener("scroll", () => this.render(), { passive: true });
    box.addEventListener("click", (event) => this.#click(event));
    box.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.render()).observe(box);
  }

  #spacer;
  /** @type {HTMLElement[]} */
  #pool = [];

  /** @param {any[]} rows */
  show(rows) {
    this.rows = rows;
    this.#spacer.style.height = `${rows.length * this.height}px`;
    this.render();
  }

  /** Mark a row, with the next rows that are shown: something is held over it. @param {string|null} id */
  mark(id) {
    this.markedId = id;
  }

  /** Make a row the active one, and bring it into view. @param {string|null} id */
  activate(id, scrolls = true) {
    this.activeId = id;
    const at = this.rows.findIndex((row) => row.id === id);
    if (at >= 0 && scrolls) {
      const top = at * this.height;
      const { scrollTop, clientHeight } = this.box;
      if (top < scrollTop) this.box.scrollTop = top;
      else if (top + this.height > scrollTop + clientHeight) {
        this.box.scrollTop = top + this.height - clientHeight;
      }
    }
    this.render();
  }

  /** Go some rows on. @param {number} by @returns {any} the row that is active now */
  step(by) {
    if (!this.rows.length) return null;
    const at = this.rows.findIndex((row) => row.id === this.activeId);
    const next = at < 0 ? (by > 0 ? 0 : this.rows.length - 1) : at + by;
    const row = this.rows[Math.max(0, Math.min(this.rows.length - 1, next))];
    this.activate(row.id);
    return row;
  }

  render() {
    const { scrollTop, clientHeight } = this.box;
    const first = Math.max(0, Math.floor(scrollTop / this.height) - SPARE);
    const last = Math.min(this.rows.length, Math.ceil((scrollTop + clientHeight) / this.height) + SPARE);
    while (this.#pool.length < last - first) {
      const element = make("div", { role: "option", class: "row" });
      this.#pool.push(element);
      this.#spacer.append(element);
    }
    let active = "";
    this.#pool.forEach((element, offset) => {
      const at = first + offset;
      const row = at < last ? this.rows[at] : null;
      element.hidden = !row;
      if (!row) return;
      element.style.transform = `translateY(${at * this.height}px)`;
      element.id = `${this.box.id}-${at}`;
      element.dataset.id = row.id;
      element.setAttribute("aria-setsize", String(this.rows.length));
      element.setAttribute("aria-posinset", String(at + 1));
      const isActive = row.id === this.activeId;
      element.setAttribute("aria-selected", String(isActive));
      if (isActive) active = element.id;
      element.classList.toggle("is-marked", row.id === this.markedId);
      this.fillRow(row, element);
    });
    if (active) this.box.setAttribute("aria-activedescendant", active);
    else this.box.removeAttribute("aria-activedescendant");
  }

  // As every listbox has it. What is done with the row that is active then, others know.
  #key(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: this.#page, PageUp: -this.#page, Home: -Infinity, End: Infinity };
    const by = /** @type {any} */ (steps)[event.key];
    if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.dispatchEvent(new CustomEvent("step", { detail: by }));
  }

  get #page() {
    return Math.max(1, Math.floor(this.box.clientHeight / this.height) - 1);
  }

  #click(event) {
    const element = event.target.closest("[role=option]");
    if (!element) return;
    this.activate(element.dataset.id, false);
    this.dispatchEvent(new CustomEvent("open", { detail: element.dataset.id }));
  }
}
