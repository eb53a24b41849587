// Who is there. A token comes in the address's fragment (#token=…), or is pasted; it is kept in
// memory alone, and is gone when the page is.

import { byId, make } from "./dom.js";

/** @typedef {{token(): Promise<string>}} Session */

/** Ask who is there. @param {string} [why] what to say first, as after a sign-in has ended
 * @returns {Promise<Session>} */
export async function signIn(why = "") {
  const given = takeFragment();
  const token = given ?? (await askFor(why));
  return { token: async () => token };
}

// The fragment never leaves the browser; it is taken out of the address, and so of the history.
function takeFragment() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) history.replaceState(null, "", location.pathname + location.search);
  return token;
}

function askFor(why) {
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
    const form = make("form", { id: "sign-in", onsubmit: submit }, [
      make("label", { for: "token" }, "Token"),
      input,
      make("button", { class: "main" }, "Sign in"),
    ]);
    byId("gate-ways").replaceChildren(form);
    byId("gate-why").textContent = why;
    input.focus();
  });
}
