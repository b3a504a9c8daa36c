// Talks to the service of the same origin; every failure is a Problem with a text for people.
import { day, has, text } from "./texts.js";

const TIMEOUT_MS = 15_000;

export class Problem extends Error {
  constructor(status, document = {}) {
    super(document.code ?? "unreachable");
    this.status = status;
    this.code = document.code ?? "unreachable";
    this.document = document;
  }

  /** What a person is told; what is missing is named at once. */
  get told() {
    const known = has(`errors.${this.code}`) ? this.code : "other";
    const told = [text(`errors.${known}`, { opens: day(this.document.opens) })];
    if (known === "other" && this.document.detail) told.push(this.document.detail);
    if (this.document.missing) {
      const missing = this.document.missing.map((name) => text(`missing.${name}`));
      told.push(text("counter.missing", { missing: missing.join(", ") }));
    }
    for (const error of this.document.errors ?? []) told.push(`${error.field}: ${error.reason}`);
    return told.join(" ");
  }
}

let ahead_ms = 0;

/** What time it is for the service, whatever this machine's clock says; whole seconds. */
export const serverNow = () => Date.now() + ahead_ms;

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
  const date = Date.parse(answer.headers.get("date") ?? "");
  if (!Number.isNaN(date)) ahead_ms = Math.abs(date - Date.now()) < 1500 ? 0 : date - Date.now();
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(answer.status, content);
  return content;
}
