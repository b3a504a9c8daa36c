// Dialogs for actions that need further details.
import { byId, h, put } from "../dom.js";
import { watch } from "../fields.js";
import { text } from "../texts.js";

const REASONS = ["damaged", "details_changed", "office_error"];

export function replace(act) {
  const reason = h("select", { class: "input", id: "reason" }, ...REASONS.map((name) => h("option", { value: name }, text(`counter.replace_${name}`))));
  const returned = h("input", { type: "checkbox", id: "returned", checked: true });
  const fields = [
    h("div", { class: "field" }, h("label", { for: "reason" }, text("counter.replace_reason")), reason),
    h("label", { class: "tick" }, returned, text("counter.replace_returned")),
  ];
  ask("replace", fields, () => {
    const body = { reason: reason.value, old_card_returned: returned.checked };
    act("replacements", body, (answer) => text("counter.done_replace", { serial: answer.physical.card_serial }));
  });
}

export function reportLoss(permit, act) {
  const since = h("input", { class: "input", id: "lost-on", name: "lost_on", type: "date", max: permit.today, "aria-describedby": "lost-on-hint" });
  const fields = [
    h("div", { class: "field" }, h("label", { for: "lost-on" }, text("counter.loss_since")), since, h("p", { class: "field__hint", id: "lost-on-hint" }, text("counter.loss_hint"))),
  ];
  ask("loss", fields, () => {
    const body = since.value ? { lost_on: since.value } : {};
    act("loss-reports", body, (answer) => text("counter.done_loss", { serial: answer.physical.card_serial }));
  });
}

function ask(name, fields, send) {
  const dialog = byId("dialog");
  const submit = (event) => {
    event.preventDefault();
    dialog.close();
    send();
  };
  const form = h(
    "form",
    { class: "stack", onsubmit: submit },
    h("h2", { id: "dialog-title" }, text(`counter.${name}_title`)),
    ...fields,
    h(
      "div",
      { class: "row" },
      h("button", { class: "button" }, text(`counter.${name}_button`)),
      h("button", { type: "button", class: "button button--quiet", onclick: () => dialog.close() }, text("counter.cancel")),
    ),
  );
  watch(form);
  put(dialog, form);
  dialog.showModal();
}
