// The full-screen answer: colour, word and shape agree.
import { byId, h, put, svg } from "../dom.js";
import { portrait } from "../face.js";
import { wholeWordsOf } from "../problems.js";
import { day, has, instant, number, text } from "../texts.js";

const SHAPES = {
  // A circle with a tick, an octagon with a cross, a triangle with a mark: distinct without colour.
  effective: [["circle", { cx: 60, cy: 60, r: 54 }], ["path", { class: "cut", d: "M34 62l18 18 36-40" }]],
  not_effective: [["path", { d: "M38 8h44l30 30v44l-30 30H38L8 82V38z" }], ["path", { class: "cut", d: "M40 40l40 40M80 40l-40 40" }]],
  undetermined: [["path", { d: "M60 8l54 100H6z" }], ["path", { class: "cut", d: "M60 44v30M60 90v1" }]],
};
const SHORT = ["valid_until", "sex", "birth_date", "ethnicity"];
const LONG = ["citizen_id_number", "residence", "hukou_address"];

/** Shows a check's answer; only the outcome "effective" is good. `why` replaces the reason's text. */
export function showAnswer(answer, why = reasonOf(answer)) {
  const kind = answer.outcome === "effective" ? "effective" : answer.reason === "undetermined" ? "undetermined" : "not_effective";
  const { permit = {} } = answer;
  const message = kind === "effective" ? text("answer.compare") : why;
  show(kind, message, kind === "effective" ? person(permit) : null, [
    `${text("answer.purpose")}: ${text(`scenarios.${answer.scenario}`)}`,
    text(`tracks.${answer.track}`),
    text("answer.checked_at", { time: instant(answer.checked_at) }),
    text("answer.position", { position: number(answer.as_of_position) }),
  ]);
}

/** Shows that there was no answer, as undetermined. */
export function showFailure(problem) {
  show("undetermined", wholeWordsOf(problem), null, []);
}

export const reasonOf = ({ reason }) => text(has(`reasons.${reason}`) ? `reasons.${reason}` : "reasons.other");

function person(permit) {
  return h(
    "div",
    { class: "answer__person" },
    portrait(permit.portrait, "answer__portrait"),
    h("p", { class: "answer__name", lang: "zh-CN" }, permit.name),
    facts("facts answer__facts", SHORT, permit),
    facts("facts answer__facts answer__long", LONG, permit),
  );
}

function facts(className, names, permit) {
  const there = names.filter((name) => permit[name] !== undefined);
  if (there.length === 0) return null;
  const one = (name) => h("div", {}, h("dt", {}, text(`face.${name}`)), h("dd", {}, shown(name, permit[name])));
  return h("dl", { class: className }, ...there.map(one));
}

function shown(name, value) {
  if (name === "ethnicity") return text(`ethnicities.${value}`);
  if (name === "sex") return text(`sexes.${value}`);
  if (name === "residence") return value?.address ?? "–";
  if (["birth_date", "valid_until"].includes(name)) return day(value);
  return value ?? "–";
}

function show(kind, message, who, remarks) {
  const dialog = byId("answer");
  dialog.dataset.kind = kind;
  put(
    dialog,
    h(
      "div",
      { class: "answer__inner" },
      h(
        "header",
        { class: "answer__head" },
        svg("svg", { class: "answer__shape", viewBox: "0 0 120 120", "aria-hidden": "true" }, ...SHAPES[kind].map(([name, properties]) => svg(name, properties))),
        h("h2", { id: "answer-title", class: "answer__word" }, text(`answer.${kind}`)),
      ),
      h("p", { class: "answer__told" }, message),
      who,
      h("ul", { class: "answer__remarks" }, ...remarks.map((remark) => h("li", {}, remark))),
      h("div", { class: "answer__bar" }, h("button", { type: "button", class: "button button--wide answer__again", id: "again", autofocus: true, onclick: () => dialog.close() }, text("answer.again"))),
    ),
  );
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}
