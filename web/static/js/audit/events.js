// The permit's whole history: who, where, when, and the changed values before and after.
import { byId, h, put } from "../dom.js";
import { instant, text } from "../texts.js";
import { prove } from "./proof.js";
import { withMore } from "../pages.js";

export async function listEvents(get, number, token) {
  await withMore({
    list: byId("events"),
    more: byId("more-events"),
    page: async (after) => {
      const answer = await get(`/v1/audit/permits/${number}/events?after=${after ?? 0}`);
      return [answer.events.map((event) => eventOf(event, token)), answer.next_after];
    },
  });
}

function eventOf(event, token) {
  const when = event.recorded_at ? instant(event.recorded_at) : "?";
  const isBackdated = event.true_from && Date.parse(event.recorded_at) - Date.parse(event.true_from) > 60_000;
  return h(
    "li",
    { class: event.readable ? "event" : "event event--unreadable" },
    h("div", { class: "row row--apart" }, h("b", {}, kind(event.type)), proofButton(event, token)),
    h("p", { class: "small soft" }, text("audit.recorded", { when, position: event.position }), isBackdated ? ` · ${text("audit.true_from", { when: instant(event.true_from) })}` : null),
    h("p", { class: "small" }, text("audit.by", { actor: event.actor ?? "–", station: event.station ?? "–", policy: event.policy_version ?? "–" })),
    event.reason ? h("p", { class: "notice notice--bad small" }, event.reason) : null,
    event.withheld ? h("p", { class: "small soft" }, text(`audit.withheld_${event.withheld}`)) : null,
    event.changes?.length ? changesOf(event.changes) : null,
  );
}

const kind = (type) => text(`kinds.${type.replace(/\.v\d+$/, "")}`);

function changesOf(changes) {
  const lines = changes.map((change) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, change.field),
      change.withheld ? h("td", { class: "soft" }, text("face.withheld")) : h("td", {}, change.from === null ? null : h("del", {}, shown(change.from)), change.from === null ? null : " → ", shown(change.to)),
    ),
  );
  return h("details", {}, h("summary", { class: "small" }, text("audit.changed", { count: changes.length })), h("table", { class: "changes" }, h("tbody", {}, ...lines)));
}

const shown = (value) => (value === null ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value));

function proofButton(event, token) {
  const outcome = h("p", { class: "small", role: "status" });
  const button = h("button", { type: "button", class: "proof" }, text("audit.prove"));
  button.addEventListener("click", async () => {
    button.disabled = true;
    const { holds, message } = await prove(event, token);
    button.replaceWith(h("span", { class: `chip chip--${holds ? "good" : "bad"}`, title: message }, text(holds ? "audit.proved" : "audit.not_proved")));
    put(outcome, message);
  });
  return h("span", { class: "row" }, button, outcome);
}
