// @ts-check

// Elements by hand. Whatever is said by others becomes a text node, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** The element of an id, which is in the page.
 * @param {string} id @returns {any} */
export const byId = (id) => document.getElementById(id);

/** Make an element. `props` are attributes; those that begin with "on" are handlers; false, null and
 * undefined leave an attribute out. Children are elements or texts.
 * @param {string} name @param {Record<string, any>} [props] @param {...any} children
 * @returns {any} */
export function make(name, props = {}, ...children) {
  return fill(document.createElement(name), props, children);
}

/** Make an element of SVG, likewise.
 * @param {string} name @param {Record<string, any>} [props] @param {...any} children
 * @returns {any} */
export function draw(name, props = {}, ...children) {
  return fill(document.createElementNS(SVG, name), props, children);
}

function fill(element, props, children) {
  for (const [key, value] of Object.entries(props)) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

/** Set a text only where it differs: what did not change is not laid out anew.
 * @param {Element} element @param {string} text */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
