// Who is there. A token comes in the address's fragment (#token=…), or is pasted; it is kept in
// memory alone, and is gone when the page is.

import { make } from "./dom.js";

/** @typedef {{token(): Promise<string>}} Session */

/** Ask who is there. @param {HTMLElement} place an empty element, for a form
 * @param {string} [words] what to say first, as after a sign-in has ended @returns {Promise<Session>} */
export async function signIn(place, words = "") {
  const given = takeFragment();
  const token = given ?? (await askFor(place, words));
  return { token: async () => token };
}

// The fragment never leaves the browser; it is taken out of the address, and so of the history.
function takeFragment() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) history.replaceState(null, "", location.pathname + location.search);
  return token;
}

function askFor(place, words) {
  return new Promise((resolve) => {
    const input = make("input", {
      id: "token",
      type: "password",
      autocomplete: "off",
      spellcheck: "false",
      placeholder: "eyJhbGciOi…",
      required: true,
    });
    const submit = (event) => {
      event.preventDefault();
      const token = input.value.trim();
      if (token) resolve(token);
    };
    const form = make("form", { onsubmit: submit }, [
      make("label", { for: "token" }, "Token"),
      input,
      make("button", {}, "Sign in"),
      make("output", { class: "failure", role: "alert" }, words),
    ]);
    place.replaceChildren(form);
    input.focus();
  });
}
