// Saves the evidence, a zip that can be verified offline, under the name that the service states.
import { Problem } from "../api.js";
import { h } from "../dom.js";
import { carried } from "../session.js";

const TIMEOUT_MS = 60_000;

/** As of an instant, or of now; `fields` are opened in it. */
export async function save({ token, number, at, fields }) {
  const asked = new URLSearchParams();
  if (at) asked.set("at", at);
  if (fields.length) asked.set("disclose", fields);
  let answer;
  try {
    answer = await fetch(`/v1/audit/permits/${number}/evidence?${asked}`, {
      ...carried(token),
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new Problem(0);
  }
  if (!answer.ok) throw new Problem(answer.status, await answer.json().catch(() => ({})), answer.headers);
  const name = /filename="([\w.-]+)"/.exec(answer.headers.get("content-disposition") ?? "")?.[1];
  const address = URL.createObjectURL(await answer.blob());
  const link = h("a", { href: address, download: name ?? `evidence-${number}.zip` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), TIMEOUT_MS);
}
