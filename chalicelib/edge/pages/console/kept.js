// @ts-check

// What somebody has chosen to see, for when the same person is back in this tab: after the way to the
// identity provider, or when a token has ended. It goes with the tab, or with signing out.

const PLACE = "waybill-chosen";

/** @param {string} who @param {Record<string, any>} chosen */
export function keepChosen(who, chosen) {
  try {
    sessionStorage.setItem(PLACE, JSON.stringify({ who, chosen }));
  } catch {
    // a browser that keeps nothing: it is chosen again by hand
  }
}

/** @param {string} who @returns {Record<string, any>|null} */
export function findChosen(who) {
  try {
    const kept = JSON.parse(sessionStorage.getItem(PLACE) ?? "null");
    return kept?.who === who ? kept.chosen : null;
  } catch {
    return null;
  }
}

export function forgetChosen() {
  try {
    sessionStorage.removeItem(PLACE);
  } catch {
    // there is none
  }
}
