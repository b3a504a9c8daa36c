// Talks to the service of the same origin. Every failure is a Problem.
import { learnTime } from "./clock.js";

const TIMEOUT_MS = 15_000;

/** An answer that is none of the good ones; `status` 0 where none came, or not the whole of it. */
export class Problem extends Error {
  constructor(status, document = {}, headers = new Headers()) {
    super(document.code ?? "unreachable");
    this.status = status;
    this.code = document.code ?? "unreachable";
    this.document = document;
    this.correlationId = headers.get("x-correlation-id");
    this.challenge = headers.get("www-authenticate") ?? "";
    /** Whether a write may have been recorded all the same. */
    this.isUnknown = false;
  }

  /** The access token is not good any more, as the service says; a clock here is not asked. */
  get isSignedOut() {
    return this.status === 401 && !this.isBadProof;
  }

  /** The proof of the phone's key was not accepted (RFC 9449 §7.1). */
  get isBadProof() {
    return this.status === 401 && this.challenge.startsWith("DPoP");
  }
}

/** Asks, and gives the parsed JSON of the answer. Throws a Problem. */
export async function call(method, path, { token, body, headers = {}, signal } = {}) {
  const all = { accept: "application/json", ...headers };
  if (token) all.authorization = `Bearer ${token}`;
  const isRaw = body instanceof Blob;
  if (body !== undefined) all["content-type"] = isRaw ? body.type : "application/json";
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: all,
      body: isRaw || body === undefined ? body : JSON.stringify(body),
      cache: "no-store",
      credentials: "omit",
      signal: signal ?? AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new Problem(0);
  }
  learnTime(answer);
  const content = await answer.json().catch(() => null);
  if (!answer.ok) throw new Problem(answer.status, content ?? {}, answer.headers);
  if (content === null) throw new Problem(0); // cut off on the way
  return content;
}
