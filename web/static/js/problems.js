// Messages for refusals and errors, in the page's language. The service's own English messages are for
// developers and are not shown.
import { Problem } from "./api.js";
import { h, put } from "./dom.js";
import { renew } from "./session.js";
import { day, has, text } from "./texts.js";

/** Returns a sentence or two, listing everything that is missing. */
export function wordsOf(problem) {
  if (problem.isUnknown) return text("errors.unknown_outcome");
  const { code, document = {} } = problem;
  if (!has(`errors.${code}`)) return [text("errors.other"), reference(problem)].join(" ");
  const said = [text(`errors.${code}`, { opens: day(document.opens), stage: stageOf(document) })];
  if (document.missing) {
    const missing = document.missing.map((name) => text(has(`missing.${name}`) ? `missing.${name}` : "missing.other"));
    said.push(text("counter.missing", { missing: [...new Set(missing)].join(text("site.comma")) }));
  }
  if (code === "INTERNAL") said.push(reference(problem));
  return said.join(" ");
}

/** Returns the message with the errors of all fields, for pages that don't show the fields. */
export function wholeWordsOf(problem) {
  const errors = problem.document?.errors ?? [];
  return [wordsOf(problem), ...new Set(errors.map(wordsOfField))].join(" ");
}

/** Returns the message for a field that the service did not accept. */
export function wordsOfField({ field, code }) {
  const name = nameOf(field);
  if (has(`field_errors.${name}`)) return text(`field_errors.${name}`);
  return text(has(`errors.${code}`) && code !== "INVALID_REQUEST" ? `errors.${code}` : "field_errors.other");
}

/** Returns the last name in a path like "holder.birth_date" or "materials.0". */
export const nameOf = (field) => field.split(".").findLast((part) => !/^\d+$/.test(part)) ?? "";

/** Returns a notice, with a link to sign in if the sign-in has expired. */
export function noticeOf(problem, words = wordsOf(problem)) {
  const again = () => h("p", {}, h("button", { type: "button", class: "button button--quiet", "data-action": "sign-in-again", onclick: renew }, text("signin.again")));
  return h("div", { class: problem.isUnknown ? "notice notice--warn" : "notice notice--bad" }, h("p", {}, words), problem.isSignedOut ? again() : null);
}

/** Runs `work` and shows a problem at `place`, replacing what was shown there. */
export async function attempt(place, work) {
  put(place);
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return void put(place, noticeOf(error, wholeWordsOf(error)));
  }
}

const reference = ({ correlationId }) => (correlationId ? text("errors.reference", { id: correlationId }) : "");
const stageOf = ({ stage }) => (stage && has(`stages.${stage}`) ? text(`stages.${stage}`) : "–");
