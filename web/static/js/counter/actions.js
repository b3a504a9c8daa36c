// The actions offered for a permit's current state. The service decides whether they are allowed.
import { h } from "../dom.js";
import { day, text } from "../texts.js";
import { reportLoss, replace } from "./dialogs.js";

export function actionsFor(permit, act) {
  if (["ended", "voided"].includes(permit.status)) return [];
  const serial = (answer) => ({ serial: answer.physical.card_serial });
  const offered = (name, onclick, kind = "button button--quiet") => h("button", { type: "button", class: kind, "data-action": name, onclick }, text(`counter.action_${name}`));
  const simple = (name, path, body, done, kind) => offered(name, () => act(path, body, done), kind);
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
    offered("replace", () => replace(act)),
    offered("loss", () => reportLoss(permit, act), "button button--risky"),
  ];
}
