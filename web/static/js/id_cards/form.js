// The application form: shows what is missing while it is filled in, then the receipt.
import { serviceToday } from "../clock.js";
import { madeUpPerson } from "../counter/made_up.js";
import { byId, h, put } from "../dom.js";
import { submit, watch } from "../fields.js";
import { isDevelopment } from "../signin.js";
import { day, text } from "../texts.js";
import { unfinished, write } from "../writes.js";
import { isYoung, showChecklist } from "./checklist.js";
import { grouped } from "./stages.js";

const OF_EVERYBODY = ["household_register", "employment_proof", "study_proof", "residence_proof"];
const OF_CHILDREN = ["guardian_id_card", "guardian_household_register", "birth_certificate", "guardianship_proof"];
const PATH = "/v1/id-card-applications";
const PLACES = {
  hukou_province: "applicant.hukou_province",
  guardian_name: "guardian.name",
  guardian_number: "guardian.citizen_id_number",
};

export function prepareForm({ token, accepted, showForm }) {
  const form = byId("panel-form");
  let today = serviceToday();
  const update = () => {
    byId("child").hidden = !isYoung(form, today);
    showChecklist(byId("checklist"), form, today);
  };
  const setToday = (date) => {
    today = date;
    form.elements.birth_date.max = date;
    update();
  };
  const fieldFor = (place) => form.elements[Object.keys(PLACES).find((name) => PLACES[name] === place) ?? place.replace(/^applicant\./, "")];
  watch(form);
  form.addEventListener("input", update);
  form.addEventListener("reset", () => setTimeout(update));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const work = async () => {
      const answer = await write(PATH, { token, body: application(form), isKept: true });
      form.reset();
      showReceipt(answer);
      accepted(answer);
    };
    submit(form, { place: byId("form-problem"), work, fieldFor });
  });
  byId("made-up").hidden = !isDevelopment;
  byId("made-up").addEventListener("click", () => {
    fill(form, madeUpPerson());
    update();
  });
  const before = unfinished(PATH, token);
  if (before) {
    fillAgain(form, before.body);
    put(byId("form-problem"), h("p", { class: "notice notice--warn" }, text(before.isUnknown ? "errors.unknown_outcome" : "errors.not_sent")));
    showForm();
  }
  update();
  return { setToday };
}

function fill(form, values) {
  for (const [name, value] of Object.entries(values)) if (form.elements[name]) form.elements[name].value = value;
}

/** Fills in the form with an application that was sent and whose outcome is unknown. */
function fillAgain(form, { applicant, guardian, materials, collection, ...rest }) {
  fill(form, { ...applicant, guardian_name: guardian?.name ?? "", guardian_number: guardian?.citizen_id_number ?? "" });
  for (const name of [...OF_EVERYBODY, ...OF_CHILDREN]) form.elements[name].checked = materials.includes(name);
  for (const name of ["commitment_signed", "ever_held_id_card", "temporary_card_requested"]) form.elements[name].checked = rest[name];
  form.elements.without_photo.checked = rest.proofs_without_photo.length > 0;
  form.elements.relation_unregistered.checked = rest.guardian_relation_registered === false;
  form.elements.collection.value = collection.method;
}

function application(form) {
  const { elements } = form;
  const given = (name) => elements[name].value.trim();
  const child = !byId("child").hidden;
  const materials = [...OF_EVERYBODY, ...(child ? OF_CHILDREN : [])].filter((name) => elements[name].checked);
  return {
    applicant: {
      name: given("name"),
      sex: given("sex"),
      ethnicity: given("ethnicity"),
      birth_date: given("birth_date"),
      citizen_id_number: given("citizen_id_number"),
      hukou_province: given("hukou_province"),
    },
    materials,
    proofs_without_photo: elements.without_photo.checked ? materials.filter((name) => name.endsWith("_proof")) : [],
    guardian: child && (given("guardian_name") || given("guardian_number")) ? { name: given("guardian_name"), citizen_id_number: given("guardian_number") } : undefined,
    guardian_relation_registered: child ? !elements.relation_unregistered.checked : undefined,
    commitment_signed: elements.commitment_signed.checked,
    ever_held_id_card: elements.ever_held_id_card.checked,
    temporary_card_requested: elements.temporary_card_requested.checked,
    collection: { method: form.querySelector("[name=collection]:checked").value },
  };
}

function showReceipt(answer) {
  const place = byId("accepted");
  place.hidden = false;
  const years = answer.card_term_years;
  put(
    place,
    h("p", { class: "eyebrow" }, text("id_cards.accepted")),
    h("p", { class: "receipt__number", id: "receipt-number" }, grouped(answer.receipt_number)),
    h(
      "dl",
      { class: "facts" },
      h("div", {}, h("dt", {}, text("progress.due")), h("dd", { class: "number" }, day(answer.due_date))),
      h("div", {}, h("dt", {}, text("id_cards.fee")), h("dd", { class: "number" }, `¥${answer.fee_yuan}`)),
      h("div", {}, h("dt", {}, text("id_cards.term")), h("dd", {}, years === null ? text("id_cards.long_term") : text("id_cards.years", { years }))),
    ),
    answer.due_date_provisional ? h("p", { class: "small soft" }, text("progress.provisional")) : null,
    ...answer.advice.map((one) => h("p", { class: "notice" }, text("id_cards.advice_for", { material: text(`materials.${one.material}`) }))),
    h("p", { class: "small" }, h("a", { href: `/progress#${answer.receipt_number}` }, text("id_cards.to_progress"))),
  );
  place.scrollIntoView({ block: "nearest" });
}
