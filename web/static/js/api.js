// Requests to the service of the same origin. Every failure is a Problem.
import { learnTime } from "./clock.js";
import { carried } from "./session.js";

const TIMEOUT_MS = 15_000;

/** An error response; `status` is 0 if there was none, or it was incomplete. */
export class Problem extends Error {
  constructor(status, document = {}, headers = new Headers()) {
    super(document.code ?? "unreachable");
    this.status = status;
    this.code = document.code ?? "unreachable";
    this.document = document;
    this.correlationId = headers.get("x-correlation-id");
    this.challenge = headers.get("www-authenticate") ?? "";
    /** Whether a write may have been recorded although it failed. */
    this.isUnknown = false;
  }

  /** The service does not accept the access token any more; the device's own clock does not matter. */
  get isSignedOut() {
    return this.status === 401 && !this.isBadProof && !this.needsStepUp;
  }

  /** The service did not accept the DPoP proof (RFC 9449 §7.1). */
  get isBadProof() {
    return this.status === 401 && this.challenge.startsWith("DPoP") && !this.needsStepUp;
  }

  /** The sign-in was too long ago, or has not compared the face (RFC 9470 §3). */
  get needsStepUp() {
    return this.status === 401 && this.challenge.includes('error="insufficient_user_authentication"');
  }
}

/** Sends a request and returns the response's parsed JSON. Throws a Problem. */
export async function call(method, path, { token, body, headers = {}, signal, credentials } = {}) {
  const { headers: own, credentials: ofToken } = carried(token);
  const all = { accept: "application/json", ...headers, ...own };
  const isRaw = body instanceof Blob;
  if (body !== undefined) all["content-type"] = isRaw ? body.type : "application/json";
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: all,
      body: isRaw || body === undefined ? body : JSON.stringify(body),
      cache: "no-store",
      credentials: credentials ?? ofToken,
      signal: signal ?? AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new Problem(0);
  }
  learnTime(answer);
  const content = await answer.json().catch(() => null);
  if (!answer.ok) throw new Problem(answer.status, content ?? {}, answer.headers);
  if (content === null) throw new Problem(0); // the response was cut off
  return content;
}
