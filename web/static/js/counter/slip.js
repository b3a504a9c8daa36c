// The receipt of a command, for its holder: what was done, when and where. It names no person.
import { byId, h, put } from "../dom.js";
import { day, instant, number, text } from "../texts.js";

/** Prints a receipt. `done`: {name, what, answer, station, at, due}; `due` is the day that a card is due, if one was made. */
export function printSlip(done) {
  const { answer } = done;
  const facts = [
    ["slip.at", instant(done.at)],
    ["slip.station", done.station],
    ["face.permit_number", answer.permit_number],
    ["face.card_serial", number(answer.physical.card_serial)],
    ["face.valid_until", day(answer.valid_until)],
    done.due && ["slip.due", day(done.due)],
    done.fee !== null && ["slip.fee", `¥${done.fee}`],
    ["slip.position", number(answer.as_of_position)],
  ];
  put(
    byId("slip"),
    h("header", { class: "slip__head" }, h("p", {}, text("site.name")), h("h1", {}, text("slip.title"))),
    h("p", { class: "slip__what" }, text(`counter.action_${done.name}`)),
    h("p", {}, done.what),
    h("dl", { class: "slip__facts" }, ...facts.filter(Boolean).map(([key, value]) => h("div", {}, h("dt", {}, text(key)), h("dd", { class: "number" }, value)))),
    done.isNewCard && done.name !== "issue" ? h("p", {}, text("slip.new_card")) : null,
    h("p", { class: "slip__foot" }, text("slip.foot", { position: number(answer.as_of_position) })),
  );
  window.print();
}
