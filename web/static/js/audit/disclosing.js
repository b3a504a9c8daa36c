// The fields of the holder that are opened with proof, in evidence and beside an event.
import { byId, h } from "../dom.js";
import { has, text } from "../texts.js";

/** Returns the names of the fields that are chosen. */
export const chosen = () => [...byId("disclose").querySelectorAll("input:checked")].map((box) => box.value);

/** Shows opened fields, each with whether it is proved. */
export function openedFields(fields) {
  const lines = fields.map(({ name, value, holds }) =>
    h(
      "li",
      { "data-field": name },
      h("span", { class: `chip chip--${holds ? "good" : "bad"}` }, text(holds ? "audit.field_proved" : "audit.not_proved")),
      h("span", {}, h("span", { class: "soft" }, labelOf(name)), " ", h("b", {}, value === null ? "–" : String(value))),
    ),
  );
  return h("ul", { class: "opened" }, ...lines);
}

/** Of "identity.name" the label of "name", of "guardian.name" those of both. */
function labelOf(name) {
  const own = name.replace(/^identity\./, "");
  const [outer, ...inner] = own.split(".");
  if (has(`disclosures.${own}`) || !inner.length) return text(`disclosures.${own}`);
  return `${text(`disclosures.${outer}`)} · ${text(`disclosures.${inner.join(".")}`)}`;
}
