// The answer to a question as a table.
import { h, put } from "../dom.js";
import { day, has, number, percent, text } from "../texts.js";

const KEYS = new Set(["day", "month", "division", "station", "scenario", "track", "outcome", "reason", "what", "pattern"]);

const division = (code) => (code && has(`divisions.${code}`) ? text(`divisions.${code}`) : (code ?? "–"));
const named = (section, name) => (has(`${section}.${name}`) ? text(`${section}.${name}`) : name);

const SAID = {
  day,
  month: (value) => value.slice(0, 7),
  division,
  station: (value) => [division(value.split("-")[0]), ...value.split("-").slice(1)].join(" "),
  scenario: (value) => named("scenarios", value),
  track: (value) => named("tracks", value),
  outcome: (value) => named("outcomes", value),
  reason: (value) => (value ? named("reasons", value) : ""),
  what: (value) => named("kinds", `permit.${value}`),
  pattern: (value) => named("stats_patterns", value),
};

/** Returns the rows of a question as objects, by column name. */
export const rowsOf = (question) =>
  question.rows.map((row) => Object.fromEntries(question.columns.map((column, index) => [column, row[index]])));

export function showTable(section, question, stats) {
  const least = number(stats.count_min);
  const note = section.querySelector(".question__note");
  const count = number(question.rows_left_out);
  put(note, question.rows_left_out ? text("stats.rows_left_out", { count, least }) : "");
  const place = section.querySelector(".question__rows");
  if (!question.rows.length) return void put(place, h("p", { class: "soft small" }, text("stats.nothing")));
  const few = text("stats.few", { least });
  put(
    place,
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ...question.columns.map((column) => h("th", { scope: "col", class: KEYS.has(column) ? null : "is-number" }, text(`stats_columns.${column}`))))),
      h("tbody", {}, ...question.rows.map((row) => h("tr", {}, ...row.map((value, index) => cell(question.columns[index], value, few))))),
    ),
  );
}

function cell(column, value, few) {
  if (SAID[column]) return h("td", {}, SAID[column](value));
  let said = few;
  if (value !== null) said = column.endsWith("_share") ? percent(value) : number(value);
  return h("td", { class: "is-number" }, said);
}
