// The service's time. The device's own clock may be wrong by hours or years, so nothing depends on it;
// proofs that must be recent are dated by the service's clock.
const WHOLE_SECONDS_MS = 1500;

let ahead_ms = 0;

/** Reads the time from a response's `Date` (RFC 9110 §6.6.1), which has whole seconds. */
export function learnTime(answer) {
  const date = Date.parse(answer.headers.get("date") ?? "");
  if (Number.isNaN(date)) return;
  const difference_ms = date - Date.now();
  ahead_ms = Math.abs(difference_ms) < WHOLE_SECONDS_MS ? 0 : difference_ms;
}

/** Milliseconds since 1970, by the service's clock. */
export const serviceNow = () => Date.now() + ahead_ms;

const SHANGHAI_MS = 8 * 60 * 60 * 1000;

/** The legal date, by the service's clock. */
export const serviceToday = () => new Date(serviceNow() + SHANGHAI_MS).toISOString().slice(0, 10);
