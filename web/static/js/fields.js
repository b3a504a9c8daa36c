// Shows a form's errors at its fields, in the page's language: those that the browser finds before
// sending, and those that the service returns.
import { Problem } from "./api.js";
import { h, put } from "./dom.js";
import { nameOf, noticeOf, wordsOf, wordsOfField } from "./problems.js";
import { has, text } from "./texts.js";

const FIELDS = "input, select, textarea";

/** Shows a form's validation errors at its fields, instead of the browser's own bubbles. */
export function watch(form) {
  form.addEventListener(
    "invalid",
    (event) => {
      event.preventDefault();
      const isFirst = !form.querySelector("[aria-invalid]");
      mark(event.target, wordsOfValidity(event.target));
      if (isFirst) event.target.focus();
    },
    true,
  );
  const clear = (event) => event.target.matches(FIELDS) && unmark(event.target);
  form.addEventListener("input", clear);
  form.addEventListener("change", clear);
  form.addEventListener("reset", () => unmarkAll(form));
  // The browser validates on click, before "submit": earlier marks are removed first.
  form.addEventListener("click", (event) => event.target.closest("button:not([type=button])") && unmarkAll(form), true);
}

/** Shows an error at a field. */
export function mark(field, words) {
  unmark(field);
  const id = `${field.id}-error`;
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", [id, field.getAttribute("aria-describedby")].filter(Boolean).join(" "));
  field.after(h("span", { class: "field__error", id }, words));
  const folded = field.closest("details");
  if (folded) folded.open = true;
}

/** Shows an error at a field and focuses it. */
export function refuse(field, words) {
  mark(field, words);
  field.focus();
}

/**
 * Runs `work` and shows its errors: at the fields that `fieldFor` returns for the service's names, and
 * the others at `place`.
 */
export async function submit(form, { place, work, fieldFor }) {
  put(place);
  unmarkAll(form);
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    showIn(place, error, fieldFor);
  }
}

function showIn(place, problem, fieldFor) {
  const elsewhere = [];
  const marked = [];
  for (const error of problem.document.errors ?? []) {
    const field = fieldFor(error.field) ?? fieldFor(nameOf(error.field));
    if (!field || field.closest("[hidden]")) elsewhere.push(wordsOfField(error));
    else if (!marked.includes(field)) marked.push(field) && mark(field, wordsOfField(error));
  }
  const isAllMarked = marked.length > 0 && elsewhere.length === 0;
  put(place, noticeOf(problem, isAllMarked ? text("errors.marked") : [wordsOf(problem), ...new Set(elsewhere)].join(" ")));
  marked[0]?.focus();
}

function wordsOfValidity(field) {
  if (field.validity.valueMissing) return text(field.classList.contains("code") ? "field_errors.no_number" : "field_errors.nothing");
  const name = field.dataset.field ?? field.name;
  return text(has(`field_errors.${name}`) ? `field_errors.${name}` : "field_errors.other");
}

function unmark(field) {
  if (!field.hasAttribute("aria-invalid")) return;
  const id = `${field.id}-error`;
  document.getElementById(id)?.remove();
  field.removeAttribute("aria-invalid");
  const others = (field.getAttribute("aria-describedby") ?? "").split(" ").filter((each) => each && each !== id);
  if (others.length) field.setAttribute("aria-describedby", others.join(" "));
  else field.removeAttribute("aria-describedby");
}

/** Removes the errors at the fields of a form. */
export const unmarkAll = (form) => form.querySelectorAll("[aria-invalid]").forEach(unmark);
