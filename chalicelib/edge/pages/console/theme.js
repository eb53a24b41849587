// @ts-check

// Light or dark: as the system has it, until somebody says otherwise.

import { byId } from "./dom.js";

const KEPT = "waybill-theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

/** @param {() => void} onChange */
export function watchTheme(onChange) {
  const apply = () => {
    const isDark = (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
    byId("theme-button").setAttribute("aria-pressed", String(isDark));
    onChange();
  };
  const kept = read();
  if (kept) document.documentElement.dataset.theme = kept;
  dark.addEventListener("change", apply);
  byId("theme-button").addEventListener("click", () => {
    const isDark = byId("theme-button").getAttribute("aria-pressed") === "true";
    document.documentElement.dataset.theme = isDark ? "light" : "dark";
    keep(document.documentElement.dataset.theme);
    apply();
  });
  apply();
}

// Where a browser keeps nothing, the system's is used again next time.
function read() {
  try {
    const kept = localStorage.getItem(KEPT);
    return kept === "light" || kept === "dark" ? kept : null;
  } catch {
    return null;
  }
}

function keep(theme) {
  try {
    localStorage.setItem(KEPT, theme);
  } catch {
    // nothing to do
  }
}
