// What time it is for the service. The device's own clock may be wrong by hours or years: nothing is
// decided by it, and proofs that must be of this minute are dated by the service's.
const WHOLE_SECONDS_MS = 1500;

let ahead_ms = 0;

/** Takes the time from an answer's `Date` (RFC 9110 §6.6.1), which counts in whole seconds. */
export function learnTime(answer) {
  const date = Date.parse(answer.headers.get("date") ?? "");
  if (Number.isNaN(date)) return;
  const difference_ms = date - Date.now();
  ahead_ms = Math.abs(difference_ms) < WHOLE_SECONDS_MS ? 0 : difference_ms;
}

/** Milliseconds since 1970, as the service counts them. */
export const serviceNow = () => Date.now() + ahead_ms;
