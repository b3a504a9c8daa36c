// Dialogs for commands that need further details, and a second look before those that end a permit.
// A dialog stays open until its command is recorded: what was typed is kept, also over a new sign-in.
import { byId, h, put } from "../dom.js";
import { refuse, submit, watch } from "../fields.js";
import { normalised } from "../numbers.js";
import { text } from "../texts.js";
import { abandon, unfinished } from "../writes.js";

const LAST_CHARACTERS = 4;
const OTHER_DIVISION = "other";
const CORRECTABLE = ["name", "citizen_id_number", "birth_date", "sex", "hukou_address"];

/**
 * Each form: `fields(permit, face, body)` returns its fields, filled in from what was sent before, or with
 * what is on record; `bodyOf(elements, face)` returns the request's body, or null if there is nothing to
 * send and the form says so. `isEnd`: the permit ends by it.
 */
const FORMS = {
  report_loss: {
    fields: ({ today }, _, { lost_on } = {}) => [field("lost_on", { label: "counter.loss_since", hint: "counter.loss_hint", type: "date", max: today, value: lost_on })],
    bodyOf: ({ lost_on }) => (lost_on.value ? { lost_on: lost_on.value } : {}),
  },
  replace: {
    fields: (_, __, { reason = "damaged", old_card_returned = true } = {}) => [
      choice("reason", "counter.replace_reason", ["damaged", "details_changed", "office_error"], "counter.replace_", reason),
      h("label", { class: "tick" }, h("input", { type: "checkbox", name: "old_card_returned", checked: old_card_returned }), text("counter.replace_returned")),
    ],
    bodyOf: ({ reason, old_card_returned }) => ({ reason: reason.value, old_card_returned: old_card_returned.checked }),
  },
  change_address: {
    fields: ({ today }, face, body) => address(today, face, body),
    bodyOf: ({ division, other_division, address: line, moved_on }) => ({
      residence: { division: division.value === OTHER_DIVISION ? other_division.value.trim() : division.value, address: line.value.trim() },
      moved_on: moved_on.value,
    }),
  },
  correct_identity: {
    fields: ({ today }, face, body = {}) => corrections(today, { ...face, ...body }),
    bodyOf: (elements, face) => {
      const changed = CORRECTABLE.filter((name) => elements[name].value.trim() !== (face[name] ?? ""));
      if (changed.length) return Object.fromEntries(changed.map((name) => [name, elements[name].value.trim()]));
      refuse(elements.name, text("field_errors.no_correction"));
      return null;
    },
  },
  cancel: {
    isEnd: true,
    fields: (_, __, { reason = "moved_away" } = {}) => [choice("reason", "counter.cancel_reason", ["moved_away", "local_hukou", "deceased", "renounced"], "counter.cancel_", reason)],
    bodyOf: ({ reason }) => ({ reason: reason.value }),
  },
  void: {
    isEnd: true,
    fields: (_, __, { finding = "" } = {}) => [
      h("div", { class: "field" }, h("label", { for: "d-finding" }, text("counter.void_finding")), lines("finding", finding), h("span", { class: "field__hint", id: "d-finding-hint" }, text("counter.void_hint"))),
    ],
    bodyOf: ({ finding }) => ({ finding: finding.value.trim() }),
  },
};

export const hasForm = (name) => name in FORMS;

/** Asks for a command's details; `send(body)` resolves once it is recorded, and throws a Problem otherwise. */
export function ask(name, { permit, face, path, token, send }) {
  const { fields, bodyOf, isEnd = false } = FORMS[name];
  const before = unfinished(path, token);
  const dialog = byId("dialog");
  const problem = h("div", { id: "dialog-problem", role: "alert" });
  const form = h(
    "form",
    { class: "stack stack--tight", id: "dialog-form", autocomplete: "off" },
    h("h2", { id: "dialog-title" }, text(`counter.${name}_title`)),
    isEnd ? secondLook(name, permit, face) : h("p", { class: "soft small" }, text(`counter.${name}_text`)),
    ...fields(permit, face, before?.body),
    isEnd ? confirmation() : null,
    problem,
    h(
      "div",
      { class: "row" },
      h("button", { class: isEnd ? "button button--danger" : "button", id: "dialog-send" }, text(`counter.${name}_button`)),
      h("button", { type: "button", class: "button button--quiet", id: "dialog-close", onclick: () => dialog.close() }, text("counter.cancel_dialog")),
    ),
  );
  watch(form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { elements } = form;
    if (isEnd && normalised(elements.confirmed.value) !== permit.permit_number.slice(-LAST_CHARACTERS)) {
      return refuse(elements.confirmed, text("field_errors.confirmed"));
    }
    const body = bodyOf(elements, face);
    const work = async () => {
      await send(body);
      dialog.close();
    };
    return body && submit(form, { place: problem, work, fieldFor: (place) => fieldOf(elements, place) });
  });
  dialog.onclose = () => {
    abandon(path, token);
    if (unfinished(path, token)) put(byId("problem"), unknown());
  };
  put(dialog, form);
  if (before) put(problem, before.isUnknown ? unknown() : h("p", { class: "notice notice--warn" }, text("errors.not_sent")));
  dialog.showModal();
}

const unknown = () => h("p", { class: "notice notice--warn" }, text("errors.unknown_outcome"));

function fieldOf(elements, place) {
  const name = place.replace(/^residence\./, "");
  return name === "division" && elements.division?.value === OTHER_DIVISION ? elements.other_division : elements[name];
}

/** States whose permit it is and what will happen, before what can't be undone. */
function secondLook(name, permit, face) {
  return h(
    "div",
    { class: "notice notice--bad" },
    h(
      "dl",
      { class: "facts" },
      h("div", {}, h("dt", {}, text("face.permit_number")), h("dd", { class: "code" }, permit.permit_number)),
      h("div", {}, h("dt", {}, text("face.name")), h("dd", { lang: "zh-CN" }, face.name ?? text("face.withheld"))),
    ),
    h("p", {}, text(`counter.${name}_text`)),
  );
}

function confirmation() {
  const input = h("input", { class: "input code", id: "d-confirmed", name: "confirmed", required: true, maxlength: 12, autocomplete: "off", autocapitalize: "characters", spellcheck: "false" });
  return h("div", { class: "field" }, h("label", { for: "d-confirmed" }, text("counter.confirm_number")), input);
}

function address(today, face, body) {
  const named = [...byId("f-division").options].map(({ value, textContent }) => [value, textContent]);
  const chosen = body?.residence.division ?? face.residence.division;
  const isOther = !named.some(([code]) => code === chosen);
  const other = field("other_division", { label: "counter.division_code", hint: "counter.division_code_hint", value: isOther ? chosen : "", inputmode: "numeric", maxlength: 40 });
  other.hidden = !isOther;
  const select = h(
    "select",
    { class: "input", id: "d-division", name: "division", lang: "zh-CN" },
    ...named.map(([code, words]) => h("option", { value: code, selected: code === chosen }, words)),
    h("option", { value: OTHER_DIVISION, lang: document.documentElement.lang, selected: isOther }, text("counter.division_other")),
  );
  select.addEventListener("change", () => (other.hidden = select.value !== OTHER_DIVISION));
  return [
    h("div", { class: "field" }, h("label", { for: "d-division" }, text("counter.division")), select),
    other,
    field("address", { label: "counter.address", maxlength: 400, required: true, value: body?.residence.address }),
    field("moved_on", { label: "counter.moved_on", hint: "counter.moved_on_hint", type: "date", min: "1900-01-01", max: today, required: true, value: body?.moved_on ?? today }),
  ];
}

function corrections(today, person) {
  const sexes = ["1", "2", "0", "9"].filter((code) => ["1", "2", person.sex].includes(code));
  return [
    field("name", { label: "face.name", maxlength: 100, required: true, value: person.name, lang: "zh-CN" }),
    field("citizen_id_number", { label: "face.citizen_id_number", maxlength: 40, required: true, spellcheck: "false", value: person.citizen_id_number }),
    field("birth_date", { label: "face.birth_date", type: "date", min: "1900-01-01", max: today, required: true, value: person.birth_date }),
    choice("sex", "face.sex", sexes, "sexes.", person.sex),
    field("hukou_address", { label: "face.hukou_address", maxlength: 400, required: true, value: person.hukou_address, lang: "zh-CN" }),
  ];
}

function field(name, { label, hint, ...more }) {
  const id = `d-${name}`;
  return h(
    "div",
    { class: "field" },
    h("label", { for: id }, text(label)),
    h("input", { class: "input", id, name, autocomplete: "off", "aria-describedby": hint && `${id}-hint`, ...more }),
    hint ? h("span", { class: "field__hint", id: `${id}-hint` }, text(hint)) : null,
  );
}

function lines(name, value) {
  const area = h("textarea", { class: "input input--words", id: `d-${name}`, name, required: true, maxlength: 2000, rows: 3, "aria-describedby": `d-${name}-hint` });
  area.value = value;
  return area;
}

function choice(name, label, values, texts, chosen) {
  const options = values.map((value) => h("option", { value, selected: value === chosen }, text(`${texts}${value}`)));
  return h("div", { class: "field" }, h("label", { for: `d-${name}` }, text(label)), h("select", { class: "input", id: `d-${name}`, name }, ...options));
}
