// What can be done with a permit as it stands. The service decides; this only offers what makes sense.
import { h } from "../dom.js";
import { day, text } from "../texts.js";
import { reportLoss, replace } from "./dialogs.js";

export function actionsFor(permit, act) {
  if (["ended", "voided"].includes(permit.status)) return [];
  const serial = (answer) => ({ serial: answer.physical.card_serial });
  const simple = (name, path, body, told, kind = "button button--quiet") =>
    h("button", { type: "button", class: kind, "data-action": name, onclick: () => act(path, body, told) }, text(`counter.action_${name}`));
  const asked = (name, ask, kind = "button button--quiet") =>
    h("button", { type: "button", class: kind, "data-action": name, onclick: () => ask(act) }, text(`counter.action_${name}`));
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
    asked("replace", replace),
    asked("loss", reportLoss, "button button--risky"),
  ];
}
