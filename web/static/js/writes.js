// Writes that take effect once, even if their response is lost. Each intent, an address and a body, has
// one Idempotency-Key until its outcome is known. The keys are in the tab's storage, to survive a reload:
// with a digest of the body, or with the body itself if a form needs it to fill itself in again.
import { Problem, call } from "./api.js";
import { claims } from "./session.js";

const STORED_AS = "permit-ledger.unknown-outcomes";
const KEPT_MAX = 50;
const KEPT_FOR_MS = 24 * 60 * 60 * 1000;
const NOT_DECIDED = new Set([401, 403, 407, 408, 425, 429]);
const OF_ONE_THING = 4; // parts of an address: "", "v1", "permits", its number
const utf8 = new TextEncoder();

let intents = stored();

/** Sends a write and returns its response. Throws a Problem; with `isUnknown` the write can be resent. */
export async function write(path, { token, body = {}, headers = {}, isKept = false }) {
  const by = claims(token).sub;
  const name = await digest(JSON.stringify([by, path, body]));
  const known = intents[name];
  const intent = { by, path, key: crypto.randomUUID(), ...known, at: Date.now(), isUnknown: true };
  if (isKept) intent.body = body;
  intents[name] = intent;
  store();
  try {
    const answer = await call("POST", path, { token, body, headers: { ...headers, "idempotency-key": intent.key } });
    forget((each) => each.key === intent.key || isAnsweredBy(each, intent));
    return answer;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (NOT_DECIDED.has(error.status)) intent.isUnknown = known?.isUnknown ?? false;
    else if (error.status >= 400 && error.status < 500) forget((each) => each.key === intent.key);
    error.isUnknown = intent.isUnknown && name in intents;
    store();
    throw error;
  }
}

/** Returns the write of a form whose outcome is unknown: {body, isUnknown}, or null. */
export function unfinished(path, token) {
  const by = claims(token).sub;
  return Object.values(intents).findLast((each) => each.path === path && each.by === by && each.body) ?? null;
}

/** Returns the last such write to an address under `prefix`: {path, body, isUnknown}, or null. */
export function unfinishedUnder(prefix, token) {
  const by = claims(token).sub;
  return Object.values(intents).findLast((each) => each.path.startsWith(prefix) && each.by === by && each.body) ?? null;
}

/** Forgets a form's write that was not recorded, because its form was closed. */
export const abandon = (path, token) => forgetAt(path, token, ({ isUnknown }) => !isUnknown);

/** Forgets a form's write whose outcome is shown by the permit's state. */
export const settle = (path, token) => forgetAt(path, token, () => true);

function forgetAt(path, token, isSettled) {
  const by = claims(token).sub;
  forget((each) => each.path === path && each.by === by && each.body && isSettled(each));
}

export const forgetWrites = () => forget(() => true);

/** Whether an intent is settled by a later response for the same permit or application. */
function isAnsweredBy(earlier, intent) {
  const thing = ({ path }) => path.split("/").slice(0, OF_ONE_THING).join("/");
  return intent.path.split("/").length > OF_ONE_THING && thing(earlier) === thing(intent);
}

function forget(isSettled) {
  intents = Object.fromEntries(Object.entries(intents).filter(([, each]) => !isSettled(each)));
  store();
}

function store() {
  const recent = Object.entries(intents).filter(([, { at }]) => Math.abs(Date.now() - at) < KEPT_FOR_MS);
  intents = Object.fromEntries(recent.slice(-KEPT_MAX));
  try {
    sessionStorage.setItem(STORED_AS, JSON.stringify(intents));
  } catch {
    // Storage is full or disabled: the keys last as long as the page.
  }
}

function stored() {
  try {
    return JSON.parse(sessionStorage.getItem(STORED_AS)) ?? {};
  } catch {
    return {};
  }
}

async function digest(value) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", utf8.encode(value)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
