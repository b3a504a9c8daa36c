// Shows which materials are present and missing while the form is filled in. The service decides.
import { h, put } from "../dom.js";
import { text } from "../texts.js";

const PROOFS = ["employment_proof", "study_proof", "residence_proof"];
const MONTHS_A_YEAR = 12;
export const CHILD_BELOW = 16;

/** Age in full years on a day; both dates are YYYY-MM-DD. */
export function age(birth, today) {
  const [year, month, date] = birth.split("-").map(Number);
  const [y, m, d] = today.split("-").map(Number);
  return Math.floor((y * MONTHS_A_YEAR + m - (year * MONTHS_A_YEAR + month) - (d < date ? 1 : 0)) / MONTHS_A_YEAR);
}

/** Returns [text, state] for each line of the checklist. */
export function lines(form, today) {
  const ticked = (name) => form.elements[name].checked;
  const filled = (name) => form.elements[name].value.trim() !== "";
  const isChild = isYoung(form, today);
  const anyOf = (names, key) => [text(`id_cards.${key}`), names.some(ticked) ? "there" : "missing"];
  const one = (name) => [text(`materials.${name}`), ticked(name) ? "there" : "missing"];
  const entries = [];
  if (form.elements.hukou_province.value === "99") entries.push([text("errors.NOT_INTERPROVINCIAL"), "bad"]);
  if (ticked("ever_held_id_card")) entries.push([text("errors.NOT_FIRST"), "bad"]);
  if (ticked("temporary_card_requested")) entries.push([text("errors.NOT_AVAILABLE"), "bad"]);
  entries.push(one("household_register"));
  if (isChild) {
    entries.push(anyOf(PROOFS.slice(1), "any_proof_child"));
    entries.push([text("missing.guardian"), filled("guardian_name") && filled("guardian_number") ? "there" : "missing"]);
    entries.push(one("guardian_id_card"), one("guardian_household_register"));
    if (ticked("relation_unregistered")) entries.push(anyOf(["birth_certificate", "guardianship_proof"], "any_relation"));
  } else {
    entries.push(anyOf(PROOFS, "any_proof"));
  }
  entries.push([text("missing.commitment_letter"), ticked("commitment_signed") ? "there" : "missing"]);
  if (ticked("without_photo")) entries.push([text("id_cards.advice_photo"), "advice"]);
  return entries;
}

export const isYoung = (form, today) => Boolean(form.elements.birth_date.value) && age(form.elements.birth_date.value, today) < CHILD_BELOW;

export function showChecklist(place, form, today) {
  const states = { there: "id_cards.is_there", missing: "id_cards.is_missing", bad: "id_cards.is_bad", advice: "id_cards.is_advice" };
  put(
    place,
    ...lines(form, today).map(([what, state]) => h("li", { "data-state": state }, h("span", {}, what, h("span", { class: "visually-hidden" }, ` (${text(states[state])})`)))),
  );
}
