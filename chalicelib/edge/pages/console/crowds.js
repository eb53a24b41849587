// @ts-check

// What is drawn as one, because there is so much of it. The world is divided into cells; what falls
// into one of them is a crowd.

/** So many in view are drawn one by one, with their lines. */
export const CROWD = 250;
const CELL = 64; // px: what falls into one of these may be drawn as one, that has room in it
const KEYS = 67108864; // cells in a row of them: the greatest there may be
const FEW = 4; // so few in a cell are drawn one by one, too

/** How many cells are side by side in the world's width. They double where a zoom does, so that
 * nothing flickers while the map is moved. @param {import("./geo.js").View} view @param {number} size */
export const countCells = (view, size) => 2 ** Math.floor(Math.log2(view.scale)) / (CELL * size);

/** The world's point in a cell's corner, north and west. @param {number} cells @param {number} cell
 * @returns {[number, number]} */
export const findCell = (cells, cell) => [Math.floor(cell / KEYS) / cells, (cell % KEYS) / cells];

/** Put what falls into one cell together, where there are many: crowds, and the others.
 * @param {number} cells in the world's width @param {any[]} rows
 * @returns {[Map<number, any[]>, any[]]} crowds by cell */
export function gather(cells, rows) {
  /** @type {Map<number, any[]>} */
  const crowds = new Map();
  if (rows.length <= CROWD) return [crowds, rows];
  for (const row of rows) {
    const key = Math.floor(row.x * cells) * KEYS + Math.floor(row.y * cells);
    const cell = crowds.get(key);
    if (cell) cell.push(row);
    else crowds.set(key, [row]);
  }
  const single = [];
  for (const [key, cell] of crowds) {
    if (cell.length >= FEW) continue;
    single.push(...cell);
    crowds.delete(key);
  }
  return [crowds, single];
}
