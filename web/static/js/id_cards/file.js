// One application: its applicant and the possible next steps.
import { byId, h, put } from "../dom.js";
import { watch } from "../fields.js";
import { text } from "../texts.js";
import { dueLine, grouped, steps } from "./stages.js";

const NEXT = {
  accepted: ["dispatches"],
  sent_to_hukou_police: ["approvals", "returns"],
  approved: ["productions"],
  produced: ["arrivals"],
  arrived: ["collections"],
};
const BY = { in_person: ["applicant"], agent: ["agent", "applicant"], mail: ["mail", "applicant"] };
const AGENT = { agent: "agent-name", "agent.name": "agent-name", "agent.citizen_id_number": "agent-number" };
const CHECKS = { applicant: ["receipt_shown", "details_checked", "fingerprint_checked", "signed"], agent: ["receipt_shown", "signed"], mail: [] };

export function showFile(file, act) {
  byId("nothing").hidden = true;
  const place = byId("opened");
  place.hidden = false;
  const person = file.applicant;
  const offered = NEXT[file.stage] ?? [];
  put(
    place,
    h("p", { class: "eyebrow" }, text("id_cards.receipt")),
    h("h2", { class: "receipt__number" }, grouped(file.receipt_number)),
    person ? h("p", {}, h("b", { class: "file__name" }, person.name), " ", h("span", { class: "code small soft" }, person.citizen_id_number)) : h("p", { class: "soft" }, text(`id_cards.person_${file.personal_data}`)),
    file.stage === "arrived" ? null : dueLine(file),
    steps(file),
    file.return_reason ? h("p", { class: "notice notice--bad" }, file.return_reason) : null,
    ...offered.map((what) => step(what, file, act)),
    offered.length ? h("button", { type: "button", class: "button button--risky button--wide", "data-step": "withdrawals", onclick: () => act("withdrawals", {}) }, text("id_cards.step_withdrawals")) : null,
  );
}

function step(what, file, act) {
  if (what === "returns") return returns(act);
  if (what === "collections") return collections(file, act);
  return h("button", { type: "button", class: "button button--wide", "data-step": what, onclick: () => act(what, {}) }, text(`id_cards.step_${what}`));
}

function returns(act) {
  const reason = h("input", { class: "input", id: "return-reason", name: "reason", maxlength: 500, required: true });
  const send = (event) => {
    event.preventDefault();
    act("returns", { reason: reason.value.trim() }, form, () => reason);
  };
  const form = h(
    "form",
    { class: "stack stack--tight", onsubmit: send },
    h("div", { class: "field" }, h("label", { for: "return-reason" }, text("id_cards.return_reason")), reason),
    h("button", { class: "button button--quiet button--wide", "data-step": "returns" }, text("id_cards.step_returns")),
  );
  watch(form);
  return form;
}

function collections(file, act) {
  const by = h("select", { class: "input", id: "by" }, ...BY[file.collection.method].map((name) => h("option", { value: name }, text(`id_cards.by_${name}`))));
  const checks = h("div", { class: "ticks" });
  const agent = (name, label) => h("div", { class: "field" }, h("label", { for: `agent-${name}` }, text(label)), h("input", { class: "input", id: `agent-${name}`, autocomplete: "off" }));
  const update = () =>
    put(
      checks,
      ...(by.value === "agent" ? [agent("name", "id_cards.agent_name"), agent("number", "id_cards.agent_number")] : []),
      ...CHECKS[by.value].map((name) => h("label", { class: "tick" }, h("input", { type: "checkbox", name }), h("span", {}, text(`id_cards.done_${name}`)))),
    );
  by.addEventListener("change", update);
  update();
  const send = (event) => {
    event.preventDefault();
    const done = Object.fromEntries([...checks.querySelectorAll("[type=checkbox]")].map((box) => [box.name, box.checked]));
    const value = (id) => byId(id)?.value.trim();
    const isNamed = by.value === "agent" && (value("agent-name") || value("agent-number"));
    const person = isNamed ? { name: value("agent-name"), citizen_id_number: value("agent-number") } : undefined;
    act("collections", { by: by.value, ...done, agent: person }, form, (place) => byId(AGENT[place] ?? ""));
  };
  const form = h(
    "form",
    { class: "stack stack--tight", onsubmit: send },
    h("div", { class: "field" }, h("label", { for: "by" }, text("id_cards.collected_by")), by),
    checks,
    h("button", { class: "button button--wide", "data-step": "collections" }, text("id_cards.step_collections")),
  );
  watch(form);
  return form;
}
