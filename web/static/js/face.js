// Shows a permit: its face, its status chips and its term.
import { h, svg } from "./dom.js";
import { day, text } from "./texts.js";

const TONES = {
  in_force: "good", issued: "good", active: "good", use_suspended: "warn", reported_lost: "bad",
  superseded: "bad", ended: "bad", voided: "bad", unclaimed: "",
};
const DAY_MS = 86_400_000;

/** The tone of a status: good, warn, bad or none. */
export const tone = (status) => TONES[status] ?? "";

export function chip(status) {
  const own = tone(status);
  return h("span", { class: own ? `chip chip--${own}` : "chip" }, text(`statuses.${status}`));
}

export function effectiveChip(isEffective) {
  const name = isEffective ? "effective" : "not_effective";
  return h("span", { class: `chip chip--${isEffective ? "good" : "bad"}` }, text(`statuses.${name}`));
}

/** An <img> of a portrait in base64, JPEG or PNG; a placeholder if there is none. */
export function portrait(base64, className = "face__portrait") {
  if (!base64) return h("div", { class: className, "aria-hidden": "true" });
  const kind = base64.startsWith("/9j/") ? "jpeg" : "png";
  return h("img", { class: className, alt: text("face.portrait"), src: `data:image/${kind};base64,${base64}` });
}

const hidden = (number) => `${number.slice(0, 6)}••••••••${number.slice(-4)}`;

/** The face of one track; the citizen ID number is covered until the holder uncovers it. */
export function faceOf(face, { permit, isOff = false, canUncover = true } = {}) {
  const number = h("span", { class: "number" }, face.citizen_id_number ? hidden(face.citizen_id_number) : text("face.withheld"));
  const uncover = h("button", { type: "button", class: "face__uncover", "aria-pressed": "false" }, text("face.show_number"));
  uncover.addEventListener("click", () => {
    const isShown = uncover.getAttribute("aria-pressed") === "true";
    uncover.setAttribute("aria-pressed", String(!isShown));
    uncover.textContent = text(isShown ? "face.show_number" : "face.hide_number");
    number.textContent = isShown ? hidden(face.citizen_id_number) : face.citizen_id_number;
  });
  const pair = (name, ...value) => [h("dt", {}, text(`face.${name}`)), h("dd", {}, ...value)];
  const known = (value) => value ?? text("face.withheld");
  return h(
    "article",
    { class: isOff ? "face face--off" : "face" },
    h("h3", { class: "face__title" }, text("face.title"), h("small", { lang: text("site.other_tag") }, text("face.other_title"))),
    h(
      "dl",
      { class: "face__facts" },
      h("dt", { class: "visually-hidden" }, text("face.name")),
      h("dd", { class: "face__name", lang: "zh-CN" }, known(face.name)),
      ...pair("sex", text(`sexes.${face.sex}`)),
      ...pair("birth_date", day(face.birth_date)),
    ),
    portrait(face.portrait),
    h(
      "dl",
      { class: "face__wide" },
      h("div", {}, ...pair("citizen_id_number", number, face.citizen_id_number && canUncover ? uncover : null)),
      h("div", {}, ...pair("valid_until", h("b", { "data-until": true }, day(permit.valid_until)))),
      h("div", {}, ...pair("residence", h("span", { lang: "zh-CN" }, known(face.residence?.address)))),
      h("div", {}, ...pair("hukou_address", h("span", { lang: "zh-CN" }, known(face.hukou_address)))),
    ),
    h(
      "p",
      { class: "face__foot" },
      h("span", { class: "code" }, permit.permit_number),
      h("span", { class: "number" }, `${text("face.card_serial")} `, h("b", { "data-serial": true }, String(permit.physical.card_serial))),
    ),
  );
}

/** Shows today within the year of validity, and when the permit can be endorsed. */
export function termLine(permit, today) {
  const at = (iso) => Date.parse(`${iso}T00:00:00Z`);
  const from = at(permit.valid_from);
  const length = at(permit.valid_until) + DAY_MS - from;
  const share = (iso) => Math.min(Math.max((at(iso) - from) / length, 0), 1) * 100;
  const { opens, closes } = permit.endorsement_window;
  const now = share(today);
  const label = text("term.label", { from: day(permit.valid_from), until: day(permit.valid_until) });
  return h(
    "div",
    { class: "term" },
    h(
      "div",
      { class: "term__track", role: "img", "aria-label": label },
      svg(
        "svg",
        { "aria-hidden": "true" },
        svg("rect", { class: "term__window", x: `${share(opens)}%`, width: `${100 - share(opens)}%`, height: "100%", rx: 5 }),
        svg("rect", { class: "term__gone", width: `${now}%`, height: "100%", rx: 5 }),
        svg("circle", { class: "term__today", cx: `${now}%`, cy: "50%", r: 8 }),
      ),
    ),
    h("p", { class: "term__ends" }, h("span", {}, text("term.from", { day: day(permit.valid_from) })), h("span", {}, text("term.until", { day: day(permit.valid_until) }))),
    h("p", { class: "soft small" }, text("term.window", { opens: day(opens), closes: day(closes) })),
  );
}
