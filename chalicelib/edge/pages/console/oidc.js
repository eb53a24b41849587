// OpenID Connect for a page that keeps no secret: authorization code flow with PKCE (RFC 7636,
// S256), state and nonce. Tokens are in memory only. What must survive the way to the issuer and
// back (state, nonce, verifier) is in sessionStorage until the page is back, and no longer.

const BEGUN = "waybill.sign-in";
const EARLY_MS = 60_000; // a token is renewed so long before it ends, or when half of it is over
const LATEST_MS = 15_000; // and so long before it ends whatever somebody is typing
const LOOK_EVERY_MS = 5_000;
const REFUSALS = {
  access_denied: "The identity provider refused to sign you in.",
  login_required: "Your session at the identity provider has ended: sign in again.",
  interaction_required: "The identity provider wants to ask you something: sign in again.",
  consent_required: "The identity provider wants your consent: sign in again.",
  invalid_scope: "The identity provider does not know what OIDC_SCOPE asks for.",
  unauthorized_client: "The identity provider does not let this client sign in: see OIDC_CLIENT_ID.",
};

/** Says in words, for people, why somebody is not signed in. */
export class SignInError extends Error {
  constructor(message, code) {
    super(message);
    this.name = "SignInError";
    this.code = code;
  }
}

/** Whether this page was opened by an issuer that sends somebody back. */
export function isReturn(query = location.search) {
  const given = new URLSearchParams(query);
  return given.has("state") && (given.has("code") || given.has("error"));
}

/** An identity provider, by its own description of itself. Rejects with a SignInError. */
export async function openIssuer(settings) {
  const { issuer } = settings;
  const place = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const found = await ask(place, {}, `The identity provider ${issuer} can't be reached.`);
  if (String(found.issuer).replace(/\/$/, "") !== issuer.replace(/\/$/, ""))
    throw new SignInError(`${issuer} says that it is another issuer: see OIDC_ISSUER.`);
  for (const name of ["authorization_endpoint", "token_endpoint"])
    if (!isSafe(found[name])) throw new SignInError(`${issuer} has no safe ${name}.`);
  return new Issuer(settings, found);
}

class Issuer {
  #settings;
  #found;

  constructor(settings, found) {
    this.#settings = settings;
    this.#found = found;
  }

  /** What people may call it: its host. */
  get name() {
    return new URL(this.#settings.issuer).host;
  }

  /** Leave for the issuer; `silent`: it is to ask nobody anything. Never resolves. */
  async leave({ silent = false } = {}) {
    if (!isSecureContext) throw new SignInError("Signing in takes https.");
    const [state, nonce, verifier] = [makeSecret(), makeSecret(), makeSecret()];
    sessionStorage.setItem(BEGUN, JSON.stringify({ state, nonce, verifier, hash: location.hash }));
    const place = new URL(this.#found.authorization_endpoint);
    const { client_id, scope, audience } = this.#settings;
    const query = {
      response_type: "code",
      client_id,
      redirect_uri: ownAddress(),
      scope,
      state,
      nonce,
      code_challenge: await hash(verifier),
      code_challenge_method: "S256",
      ...(audience && { audience }),
      ...(silent && { prompt: "none" }),
    };
    for (const [name, value] of Object.entries(query)) place.searchParams.set(name, value);
    location.assign(place);
    return new Promise(() => {});
  }

  /** Take the tokens for which the issuer has sent somebody back. */
  async arrive() {
    const { query, begun } = takeReturn();
    if (!begun || query.get("state") !== begun.state)
      throw new SignInError("This sign-in was not begun in this tab: sign in again.");
    const said = query.get("iss"); // RFC 9207
    if (said && said.replace(/\/$/, "") !== this.#settings.issuer.replace(/\/$/, ""))
      throw new SignInError("Another issuer has answered: sign in again.");
    if (query.has("error")) throw refusal(query.get("error"), query.get("error_description"));
    const tokens = await this.#askTokens({
      grant_type: "authorization_code",
      code: query.get("code"),
      redirect_uri: ownAddress(),
      code_verifier: begun.verifier,
    });
    this.#checkIdentity(tokens.id_token, begun.nonce);
    return new Session(this, tokens);
  }

  /** New tokens for a refresh token. */
  refresh(refresh_token) {
    return this.#askTokens({ grant_type: "refresh_token", refresh_token });
  }

  async #askTokens(fields) {
    const body = new URLSearchParams({ ...fields, client_id: this.#settings.client_id });
    const place = this.#found.token_endpoint;
    const words = `No token came from ${new URL(place).origin}. Where it is another origin than the issuer's, OIDC_TOKEN_ORIGIN must name it.`;
    const tokens = await ask(place, { method: "POST", body }, words);
    if (!tokens.access_token) throw new SignInError("The identity provider gave no access token.");
    return tokens;
  }

  // It came from the token endpoint itself, so that its signature need not be checked (OpenID
  // Connect Core, 3.1.3.7).
  #checkIdentity(token, nonce) {
    const { iss, aud, nonce: told } = claimsOf(token ?? "");
    const ours = [aud].flat().includes(this.#settings.client_id);
    const theirs = String(iss).replace(/\/$/, "") === this.#settings.issuer.replace(/\/$/, "");
    if (!ours || !theirs || told !== nonce)
      throw new SignInError("The identity provider's answer belongs to another sign-in: try again.");
  }
}

class Session {
  #issuer;
  #access;
  #refresh;
  #endsAt;
  #renewAt;
  #renewing = null;
  #timer;

  constructor(issuer, tokens) {
    this.#issuer = issuer;
    this.#keep(tokens);
    if (!this.#refresh) this.#timer = setInterval(() => this.#leaveInTime(), LOOK_EVERY_MS);
  }

  /** A bearer that is valid. Rejects with a SignInError where there is none any more. */
  async token() {
    if (Date.now() < this.#renewAt) return this.#access;
    this.#renewing ??= this.#renew().finally(() => (this.#renewing = null));
    return this.#renewing;
  }

  /** Forget the tokens. */
  end() {
    clearInterval(this.#timer);
    this.#access = this.#refresh = undefined;
    this.#renewAt = this.#endsAt = 0;
  }

  #keep({ access_token, refresh_token, expires_in }) {
    const now = Date.now();
    const lasts = expires_in > 0 ? expires_in * 1000 : (claimsOf(access_token).exp ?? 0) * 1000 - now;
    this.#access = access_token;
    this.#refresh = refresh_token ?? this.#refresh;
    this.#endsAt = now + lasts;
    this.#renewAt = this.#endsAt - Math.min(EARLY_MS, lasts / 2);
  }

  async #renew() {
    const isValid = () => Date.now() < this.#endsAt;
    if (this.#refresh) {
      try {
        this.#keep(await this.#issuer.refresh(this.#refresh));
        return this.#access;
      } catch (error) {
        if (isValid()) return this.#access; // it is tried again with the next call
        if (!error.code) throw error; // nobody has answered
        this.#refresh = undefined;
      }
    }
    return isValid() ? this.#access : this.#issuer.leave({ silent: true });
  }

  // The way to the issuer loads the page anew: not while somebody types, unless time runs out.
  #leaveInTime() {
    const now = Date.now();
    if (now < this.#renewAt) return;
    const isTyping = document.activeElement?.matches("input, textarea, select, dialog *");
    if (isTyping && now < this.#endsAt - LATEST_MS) return;
    clearInterval(this.#timer);
    this.#issuer.leave({ silent: true });
  }
}

// Take what has been kept for the way back, and the code out of the address: each is good once.
function takeReturn() {
  const query = new URLSearchParams(location.search);
  const begun = JSON.parse(sessionStorage.getItem(BEGUN) ?? "null");
  sessionStorage.removeItem(BEGUN);
  history.replaceState(null, "", ownAddress() + (begun?.hash ?? ""));
  return { query, begun };
}

function ownAddress() {
  return location.origin + location.pathname;
}

function refusal(code, description) {
  const words = REFUSALS[code] ?? `The identity provider refused: ${code}.`;
  return new SignInError(description ? `${words} (${description})` : words, code);
}

async function ask(place, request, otherwise) {
  let answer, said;
  try {
    answer = await fetch(place, { ...request, credentials: "omit", signal: AbortSignal.timeout(15_000) });
    said = await answer.json();
  } catch {
    throw Object.assign(new SignInError(otherwise), { isUnanswered: true });
  }
  if (answer.ok && said) return said;
  throw said?.error ? refusal(String(said.error), said.error_description) : new SignInError(otherwise);
}

function isSafe(url) {
  try {
    const { protocol, hostname } = new URL(url);
    return protocol === "https:" || (protocol === "http:" && isLoopback(hostname));
  } catch {
    return false;
  }
}

/** Whether a host is this machine. */
export function isLoopback(hostname = location.hostname) {
  return ["127.0.0.1", "localhost", "[::1]"].includes(hostname);
}

/** The claims that a JWT says it has, unchecked; none of what is no JWT. */
export function claimsOf(token) {
  try {
    const part = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (c) => c.charCodeAt(0)))) ?? {};
  } catch {
    return {};
  }
}

function makeSecret() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

async function hash(text) {
  return base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))));
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
