// @ts-check

// REST, with a session's token. Refusals become sentences.

const BASE = new URL("../", import.meta.url); // /api/
const ANSWER_WITHIN = 30000; // ms

const WORDS = {
  401: "Your sign-in has ended. Sign in again.",
  403: "You may not do this.",
  404: "There is no such thing, or it is not yours.",
  429: "Too many requests at once. Try again in a moment.",
};
const LOST = "No answer came.";
const UNKNOWN = `${LOST} Whether it was done shows as soon as the link is back.`;

export class Refused extends Error {
  /** @param {number} status @param {string} code @param {string} message */
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export class Api {
  /** @param {{token(): Promise<string>|string}} session
   * @param {() => void} [onEnded] the token was refused */
  constructor(session, onEnded = () => {}) {
    this.session = session;
    this.onEnded = onEnded;
  }

  /** @param {string} path below /api/ @returns {Promise<any>} raises Refused */
  get(path) {
    return this.#call(path, { method: "GET" });
  }

  /** @param {string} path @param {object} body @returns {Promise<any>} raises Refused */
  post(path, body) {
    return this.#call(path, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "Content-Type": "application/json" },
    });
  }

  async #call(path, request) {
    const token = await this.session.token();
    const headers = { ...request.headers, Authorization: `Bearer ${token}` };
    let answer, said;
    try {
      const signal = AbortSignal.timeout(ANSWER_WITHIN);
      answer = await fetch(new URL(path, BASE), { ...request, headers, signal, cache: "no-store" });
      said = await answer.json();
    } catch {
      if (!answer || answer.ok) throw new Refused(0, "no_answer", request.method === "GET" ? LOST : UNKNOWN);
    }
    if (answer.ok) return said;
    if (answer.status === 401) this.onEnded();
    const words = WORDS[answer.status] ?? said?.message;
    const fallback = `The server could not do this (${answer.status}). Try again.`;
    throw new Refused(answer.status, said?.error ?? "unknown", words ?? fallback);
  }
}

/** @param {string} id a part of a path, whatever is in it */
export const part = (id) => encodeURIComponent(id);
