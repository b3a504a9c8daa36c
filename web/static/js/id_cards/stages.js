// Draws the stages of an application: done, current and to come.
import { h } from "../dom.js";
import { day, text } from "../texts.js";

export const WAY = ["accepted", "sent_to_hukou_police", "approved", "produced", "arrived", "collected"];
const ENDS = { returned: 2 };

export const grouped = (receipt) => receipt.replace(/(.{4})(?=.)/g, "$1 ");

export function steps({ stage, stage_since }) {
  const at = WAY.indexOf(stage);
  const since = stage_since ? h("span", { class: "small soft" }, ` ${text("progress.since", { day: day(stage_since) })}`) : null;
  const step = (name, state) =>
    h("li", { class: "step", "data-state": state, "aria-current": ["now", "end"].includes(state) ? "step" : null }, h("span", {}, text(`stages.${name}`), ["now", "end"].includes(state) ? since : null));
  if (at < 0) return h("ol", { class: "steps" }, ...WAY.slice(0, ENDS[stage] ?? 1).map((name) => step(name, "done")), step(stage, "end"));
  const state = (n) => (n < at || (n === at && stage === "collected") ? "done" : n === at ? "now" : "next");
  return h("ol", { class: "steps" }, ...WAY.map((name, n) => step(name, state(n))));
}

/** When the card is due; nothing is due of an ended application. */
export function dueLine({ stage, due_date, due_date_provisional }) {
  if (["returned", "withdrawn", "collected", "arrived"].includes(stage)) return h("p", { class: "due" }, text(`progress.told_${stage}`));
  return h(
    "div",
    {},
    h("p", { class: "soft small" }, text("progress.due")),
    h("p", { class: "due number" }, day(due_date)),
    due_date_provisional ? h("p", { class: "small soft" }, text("progress.provisional")) : null,
  );
}
