// Both tracks side by side, from one document, so that they show the same instant.
import { byId, h, put } from "../dom.js";
import { chip, effectiveChip, faceOf, termLine } from "../face.js";
import { day, text } from "../texts.js";

let before = null;

export function showTracks(permit, face) {
  const isSame = before?.permit_number === permit.permit_number;
  put(
    byId("summary"),
    h(
      "div",
      { class: "row row--apart" },
      h("div", {}, h("p", { class: "eyebrow" }, text("face.permit_number")), h("h2", { class: "code summary__number" }, permit.permit_number)),
      h("div", { class: "row" }, chip(permit.status), h("span", { class: "soft small number" }, text("counter.version", { version: permit.version }))),
    ),
    termLine(permit, permit.today),
  );
  put(
    byId("tracks"),
    track("physical", permit, face, isSame && differs(permit, "physical")),
    track("electronic", permit, face, isSame && differs(permit, "electronic")),
  );
  before = permit;
}

const differs = (permit, name) =>
  JSON.stringify(before[name]) !== JSON.stringify(permit[name]) || before.valid_until !== permit.valid_until;

function track(name, permit, face, hasChanged) {
  const of = permit[name];
  const facts = [
    ["card_serial", String(of.card_serial)],
    ["valid_until", day(permit.valid_until)],
  ];
  return h(
    "section",
    { class: hasChanged ? "panel track track--changed" : "panel track", id: `track-${name}`, "aria-label": text(`tracks.${name}`), "data-track": name },
    h("div", { class: "row row--apart" }, h("h3", {}, text(`tracks.${name}`)), h("div", { class: "row" }, chip(of.status), effectiveChip(of.effective))),
    faceOf(face, { permit, isOff: !of.effective, canUncover: name === "physical" }),
    h(
      "dl",
      { class: "facts" },
      ...facts.map(([key, value]) => h("div", {}, h("dt", {}, text(`face.${key}`)), h("dd", { class: "number", "data-fact": key }, value))),
      name === "electronic"
        ? h("div", {}, h("dt", {}, text("me.devices")), h("dd", { class: "number" }, text("counter.devices", { count: of.devices })))
        : [
            h("div", {}, h("dt", {}, text("face.issued_on")), h("dd", { class: "number" }, day(face.issued_on))),
            h("div", {}, h("dt", {}, text("counter.card_code")), h("dd", { class: "code", "data-fact": "card_code" }, face.card_code)),
          ],
    ),
  );
}
