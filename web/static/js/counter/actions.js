// What can be done with a permit as it stands. The service decides; this only offers what makes sense.
import { byId, h, put } from "../dom.js";
import { day, text } from "../texts.js";

const REASONS = ["damaged", "details_changed", "office_error"];

export function actionsFor(permit, act) {
  if (["ended", "voided"].includes(permit.status)) return [];
  const serial = (answer) => ({ serial: answer.physical.card_serial });
  const simple = (name, path, body, told, kind = "button button--quiet") =>
    h("button", { type: "button", class: kind, "data-action": name, onclick: () => act(path, body, told) }, text(`counter.action_${name}`));
  const endorse = (name, card_presented) =>
    simple(name, "endorsements", { card_presented }, (answer) => text("counter.done_endorse", { until: day(answer.valid_until) }), "button");
  if (permit.physical.status === "reported_lost") {
    return [
      simple("reissue", "reissues", {}, (answer) => text("counter.done_reissue", serial(answer)), "button"),
      simple("lift", "loss-lifts", {}, (answer) => text("counter.done_lift", serial(answer))),
    ];
  }
  return [
    endorse("endorse", "card"),
    simple("deliver", "card-deliveries", {}, (answer) => text("counter.done_deliver", serial(answer))),
    h("button", { type: "button", class: "button button--quiet", "data-action": "replace", onclick: () => replace(act) }, text("counter.action_replace")),
    simple("loss", "loss-reports", {}, (answer) => text("counter.done_loss", serial(answer)), "button button--risky"),
  ];
}

function replace(act) {
  const dialog = byId("dialog");
  const reason = h("select", { class: "input", id: "reason" }, ...REASONS.map((name) => h("option", { value: name }, text(`counter.replace_${name}`))));
  const returned = h("input", { type: "checkbox", id: "returned", checked: true });
  const send = (event) => {
    event.preventDefault();
    dialog.close();
    const body = { reason: reason.value, old_card_returned: returned.checked };
    act("replacements", body, (answer) => text("counter.done_replace", { serial: answer.physical.card_serial }));
  };
  put(
    dialog,
    h(
      "form",
      { class: "stack", onsubmit: send },
      h("h2", { id: "dialog-title" }, text("counter.replace_title")),
      h("div", { class: "field" }, h("label", { for: "reason" }, text("counter.replace_reason")), reason),
      h("label", { class: "tick" }, returned, text("counter.replace_returned")),
      h(
        "div",
        { class: "row" },
        h("button", { class: "button" }, text("counter.replace_button")),
        h("button", { type: "button", class: "button button--quiet", onclick: () => dialog.close() }, text("counter.cancel")),
      ),
    ),
  );
  dialog.showModal();
}
