// The station's open work: overdue, due soon, cards to be collected.
import { call } from "../api.js";
import { byId, h, put } from "../dom.js";
import { day, number, text } from "../texts.js";
import { grouped } from "./stages.js";

const LISTS = ["overdue", "due_soon", "waiting_for_collection"];
const KINDS = { overdue: "chip chip--bad", due_soon: "chip chip--warn", waiting_for_collection: "chip chip--good" };

export async function showWork({ token, open, opened }) {
  const work = await call("GET", "/v1/id-card-applications", { token });
  put(byId("lists"), ...LISTS.map((name) => list(name, work[name], { open, opened })));
  return work;
}

function list(name, { applications, found }, { open, opened }) {
  return h(
    "section",
    { class: "panel stack stack--tight", "aria-labelledby": `list-${name}`, "data-list": name },
    h("div", { class: "row row--apart" }, h("h2", { id: `list-${name}` }, text(`id_cards.list_${name}`)), h("span", { class: KINDS[name] }, number(found))),
    applications.length
      ? h("ul", { class: "cases" }, ...applications.map((one) => h("li", {}, row(name, one, { open, opened }))))
      : h("p", { class: "soft" }, text("id_cards.list_empty")),
    found > applications.length ? h("p", { class: "small soft" }, text("id_cards.list_first", { count: number(applications.length) })) : null,
  );
}

function row(name, one, { open, opened }) {
  const when = name === "waiting_for_collection" ? text("progress.since", { day: day(one.stage_since) }) : text("id_cards.due_on", { day: day(one.due_date) });
  return h(
    "button",
    { type: "button", class: "case", "aria-current": opened === one.receipt_number ? "true" : null, "data-receipt": one.receipt_number, onclick: () => open(one.receipt_number) },
    h("span", { class: "code" }, grouped(one.receipt_number)),
    h("span", { class: "chip" }, text(`stages.${one.stage}`)),
    h("span", { class: "small soft number" }, `${when} · ${one.accepted_by ?? "–"}`),
  );
}
