// A list of cards, checked at once: one card a line. Every line gets an answer of its own.
import { Problem, call } from "../api.js";
import { byId, h, put, say } from "../dom.js";
import { portrait } from "../face.js";
import { refuse, watch } from "../fields.js";
import { PERMIT_LENGTH, isPermitNumber, normalised } from "../numbers.js";
import { noticeOf, wordsOf } from "../problems.js";
import { day, number, text } from "../texts.js";
import { reasonOf } from "./answer.js";

const LINES_MAX = 100;
const SERIAL = /^[1-9][0-9]{0,3}$/;
const BETWEEN = /[\s,;，；、]+/;

/** `scenario()` is the purpose that is chosen; `checked()` is called after a batch was answered. */
export function prepareBatch({ token, scenario, checked }) {
  const form = byId("panel-batch");
  const field = byId("batch-lines");
  watch(form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const written = field.value.split("\n").map(cardIn);
    const lines = written.filter(Boolean);
    if (!lines.length) return refuse(field, text("field_errors.no_number"));
    if (lines.length > LINES_MAX) return refuse(field, text("field_errors.batch_too_long", { most: LINES_MAX }));
    const wrong = written.findIndex((card) => card && !card.card_serial);
    if (wrong >= 0) return refuse(field, text("field_errors.batch_line", { line: wrong + 1 }));
    const send = byId("batch-send");
    send.disabled = true;
    put(byId("batch-problem"));
    try {
      const body = { checks: lines.map((card) => ({ scenario: scenario(), track: "physical", ...card })) };
      const { checks } = await call("POST", "/v1/verifications/batches", { token, body });
      show(lines, checks);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      put(byId("batch-rows"));
      byId("batch-table").hidden = true;
      say(byId("batch-summary"), "");
      put(byId("batch-problem"), noticeOf(error));
    } finally {
      send.disabled = false;
    }
    return checked();
  });
}

/** Returns the card in a line: its number, which may be in groups, then its serial (1 if there is none) and its code. */
export function cardIn(line) {
  const words = line.split(BETWEEN).map(normalised).filter(Boolean);
  if (!words.length) return null;
  let permit_number = words.shift();
  while (words.length && permit_number.length + words[0].length <= PERMIT_LENGTH) permit_number += words.shift();
  const [serial = "1", card_code, ...rest] = words;
  const card_serial = SERIAL.test(serial) && !rest.length ? Number(serial) : null;
  return { permit_number, card_serial, ...(card_code ? { card_code } : {}) };
}

function show(lines, checks) {
  const kinds = checks.map(kindOf);
  const count = (kind) => number(kinds.filter((each) => each === kind).length);
  byId("batch-table").hidden = false;
  put(byId("batch-rows"), ...checks.map((answer, place) => row(lines[place], answer, kinds[place])));
  say(byId("batch-summary"), text("verify.batch_summary", { good: count("effective"), bad: count("not_effective"), open: count("undetermined") }));
}

const kindOf = ({ outcome, reason }) => (outcome === "effective" ? "effective" : outcome && reason !== "undetermined" ? "not_effective" : "undetermined");
const TONES = { effective: "good", not_effective: "bad", undetermined: "warn" };

function row(card, answer, kind) {
  const { permit = {} } = answer;
  return h(
    "tr",
    { "data-kind": kind },
    h("th", { scope: "row" }, h("span", { class: "code" }, card.permit_number), h("span", { class: "small soft number" }, text("verify.batch_card", { serial: card.card_serial }))),
    h("td", {}, h("span", { class: `chip chip--${TONES[kind]}` }, text(`answer.${kind}`)), kind === "effective" ? null : h("span", { class: "small" }, whyNot(card, answer))),
    h(
      "td",
      {},
      kind === "effective"
        ? h("div", { class: "batch__person" }, permit.portrait ? portrait(permit.portrait, "batch__portrait") : null, h("span", { lang: "zh-CN" }, permit.name), h("span", { class: "small soft number" }, text("term.until", { day: day(permit.valid_until) })))
        : null,
    ),
  );
}

function whyNot(card, answer) {
  if (!answer.outcome) return wordsOf(new Problem(answer.status, answer));
  if (answer.reason === "unknown_permit" && !isPermitNumber(card.permit_number)) return text("verify.mistyped");
  return reasonOf(answer);
}
