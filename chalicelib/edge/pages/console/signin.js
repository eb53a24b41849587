// Signing in to the console.
//
//   const session = await signIn(element);  // an empty element, for a small form where one is needed
//   await session.token();                  // the bearer; rejects with a SignInError when it has ended
//
// By the identity provider where the stage names one (OIDC_ISSUER, OIDC_CLIENT_ID), else by a token
// that is pasted. On this machine the address may bring one, after `#token=`. Whose token it is, the
// server says; nobody needs a profile. Tokens are in memory only.

import { SignInError, claimsOf, isLoopback, isReturn, openIssuer } from "./oidc.js";

export { SignInError, claimsOf };

const FRAGMENT = /^#token=([\w.~+/=-]+)$/;
let brought = takeFragment(); // at once: nobody is to read it over a shoulder, or pass it on
// A link that is opened in a tab that is here already: begin again, as whoever it is of.
addEventListener("hashchange", () => FRAGMENT.test(location.hash) && location.reload());

/** Sign somebody in: asks until there is a session, whose `token()` gives the bearer. `words`: why
 * somebody must sign in again. */
export async function signIn(place = document.querySelector("#sign-in"), words = "") {
  place.hidden = true; // until there is something to ask
  if (brought) return takeBrought();
  const issuer = await findIssuer(place);
  for (;;) {
    try {
      if (issuer && isReturn()) return await issuer.arrive();
      if (!issuer) return new PastedToken(await askForToken(place, words));
      await askToGo(place, `Sign in with ${issuer.name}`, words);
      await issuer.leave();
    } catch (error) {
      words = sayWhy(error);
    }
  }
}

/** Read the console's settings, which other parts of the page may use, too. */
export async function readSettings() {
  const place = `${location.pathname.replace(/\/$/, "")}/settings.json`;
  try {
    const answer = await fetch(place);
    if (answer.ok) return await answer.json();
  } catch {
    // as below
  }
  throw new SignInError("Waybill does not answer.");
}

class PastedToken {
  #token;
  #endsAt;

  constructor(token) {
    const { exp } = claimsOf(token);
    this.#token = token;
    this.#endsAt = exp ? exp * 1000 : Infinity;
  }

  async token() {
    if (!this.#token || Date.now() > this.#endsAt + 60_000) throw new SignInError("The token has expired: sign in again.");
    return this.#token;
  }

  end() {
    this.#token = undefined;
  }
}

// The address brings tokens on this machine only: elsewhere a link could sign people in as others.
function takeFragment() {
  const token = FRAGMENT.exec(location.hash)?.[1];
  if (!token) return null;
  history.replaceState(null, "", location.pathname + location.search);
  return isLoopback() ? token : null;
}

function takeBrought() {
  const session = new PastedToken(brought);
  brought = null;
  return session;
}

async function findIssuer(place) {
  for (;;) {
    try {
      const { oidc } = await readSettings();
      return oidc && (await openIssuer(oidc));
    } catch (error) {
      await askToGo(place, "Try again", sayWhy(error));
    }
  }
}

function sayWhy(error) {
  if (error instanceof SignInError) return error.message;
  throw error;
}

async function askForToken(place, words) {
  const field = make("input", { id: "token", type: "password", autocomplete: "off", required: true });
  const label = make("label", { htmlFor: "token", textContent: "Token" });
  field.placeholder = "make -s token ROLE=admin ID=ada";
  await show(place, words, label, field, make("button", { textContent: "Sign in" }));
  const token = field.value.trim().replace(/^bearer\s+/i, ""); // as it stands in a header
  if (!claimsOf(token).exp) throw new SignInError("This is no token.");
  return token;
}

function askToGo(place, text, words) {
  return show(place, words, make("button", { textContent: text }));
}

// Resolves when the form is sent.
async function show(place, words, ...parts) {
  const form = place.closest("form") ?? place.querySelector("form") ?? place.appendChild(make("form", {}));
  form.replaceChildren(...parts, make("output", { className: "failure", textContent: words }));
  form.lastChild.setAttribute("role", "alert");
  place.hidden = false;
  form.querySelector("input, button").focus();
  await new Promise((resolve) => {
    form.onsubmit = (event) => (event.preventDefault(), resolve());
  });
  place.hidden = true;
}

function make(name, properties) {
  return Object.assign(document.createElement(name), properties);
}
