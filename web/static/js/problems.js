// The words for what was refused or went wrong, in the page's language. What the
// service says in English for programs' authors is not shown.
import { Problem } from "./api.js";
import { h, put } from "./dom.js";
import { renew } from "./session.js";
import { day, has, text } from "./texts.js";

/** A sentence or two; everything that is missing at once. */
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

/** The same with what is wrong with each field, for where the fields aren't on the page. */
export function wholeWordsOf(problem) {
  const errors = problem.document?.errors ?? [];
  return [wordsOf(problem), ...new Set(errors.map(wordsOfField))].join(" ");
}

/** What is wrong with a field that the service has not accepted. */
export function wordsOfField({ field, code }) {
  const name = nameOf(field);
  if (has(`field_errors.${name}`)) return text(`field_errors.${name}`);
  return text(has(`errors.${code}`) && code !== "INVALID_REQUEST" ? `errors.${code}` : "field_errors.other");
}

/** The last name in "holder.birth_date" or "materials.0". */
export const nameOf = (field) => field.split(".").findLast((part) => !/^\d+$/.test(part)) ?? "";

/** A notice; with the way back in where the sign-in has expired. */
export function noticeOf(problem, words = wordsOf(problem)) {
  const again = () => h("p", {}, h("button", { type: "button", class: "button button--quiet", "data-action": "sign-in-again", onclick: renew }, text("signin.again")));
  return h("div", { class: problem.isUnknown ? "notice notice--warn" : "notice notice--bad" }, h("p", {}, words), problem.isSignedOut ? again() : null);
}

/** Does what was asked for; a problem is said at `place`, and what was said there before is gone. */
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
