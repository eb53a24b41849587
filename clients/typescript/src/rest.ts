// REST calls: what creates is sent again under the same key until it is answered.

const ATTEMPTS = 8;
const ANSWER_WITHIN = 30000; // ms

/** What a REST call was refused with: {error, message, details?}. */
export class WaybillError extends Error {
  name = "WaybillError";
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details?: Record<string, unknown>,
  ) {
    super(message);
  }
}

interface CallOptions {
  url: string | URL;
  api?: string | URL;
  token: string | (() => string | PromiseLike<string>);
  delay: number;
  maxDelay: number;
}

/** Call until there is an answer that stands. No answer, or one that says "later": asked again, as
 *  the key has what was done not be done again. */
export async function call(
  options: CallOptions,
  path: string,
  request: RequestInit,
  attempts = ATTEMPTS,
): Promise<any> {
  const { api, url, token, delay, maxDelay } = options;
  const place = new URL(path, new URL(api ?? url).href.replace(/^ws/, "http"));
  for (let attempt = 1; ; attempt++) {
    const credential = await (typeof token == "function" ? token() : token);
    const headers = { ...request.headers, Authorization: "Bearer " + credential };
    try {
      const signal = AbortSignal.timeout(ANSWER_WITHIN);
      const answer = await fetch(place, { ...request, headers, signal });
      const said = await answer.json();
      if (answer.ok) return said;
      throw new WaybillError(answer.status, said.error, said.message, said.details);
    } catch (error) {
      const status = error instanceof WaybillError ? error.status : 500;
      if ((status < 500 && status != 429) || attempt == attempts) throw error;
    }
    const pause = Math.random() * Math.min(maxDelay, delay * 2 ** attempt);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/** Make an Idempotency-Key. (`crypto.randomUUID` is not to be had on pages without TLS.) */
export function makeKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
