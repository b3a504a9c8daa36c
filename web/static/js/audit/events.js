// The permit's whole history: who, where, when, and the changed values before and after.
import { byId, h, put } from "../dom.js";
import { withMore } from "../pages.js";
import { instant, text } from "../texts.js";
import { chosen, openedFields } from "./disclosing.js";
import { prove } from "./proof.js";

export async function listEvents(get, number, token) {
  /** The event with what proves the fields that are chosen. */
  const withProofs = async (event, fields) => {
    const asked = new URLSearchParams({ after: event.version - 1, limit: 1, disclose: fields });
    const { events } = await get(`/v1/audit/permits/${number}/events?${asked}`);
    return { ...event, stored: events[0]?.stored, disclosures: events[0]?.disclosures };
  };
  await withMore({
    list: byId("events"),
    more: byId("more-events"),
    page: async (after) => {
      const answer = await get(`/v1/audit/permits/${number}/events?after=${after ?? 0}`);
      return [answer.events.map((event) => eventOf(event, { number, token, withProofs })), answer.next_after];
    },
  });
}

function eventOf(event, asking) {
  const when = event.recorded_at ? instant(event.recorded_at) : "?";
  const isBackdated = event.true_from && Date.parse(event.recorded_at) - Date.parse(event.true_from) > 60_000;
  const proof = h("div", { class: "stack stack--tight small", role: "status" });
  return h(
    "li",
    { class: event.readable ? "event" : "event event--unreadable" },
    h("div", { class: "row row--apart" }, h("b", {}, kind(event.type)), proofButton(event, asking, proof)),
    h("p", { class: "small soft" }, text("audit.recorded", { when, position: event.position }), isBackdated ? ` · ${text("audit.true_from", { when: instant(event.true_from) })}` : null),
    h("p", { class: "small" }, text("audit.by", { actor: event.actor ?? "–", station: event.station ?? "–", policy: event.policy_version ?? "–" })),
    event.reason ? h("p", { class: "notice notice--bad small" }, event.reason) : null,
    event.withheld ? h("p", { class: "small soft" }, text(`audit.withheld_${event.withheld}`)) : null,
    event.changes?.length ? changesOf(event.changes) : null,
    proof,
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

/** A button that verifies the event, and the chosen fields in it; what it found is put into `proof`. */
function proofButton(event, { number, token, withProofs }, proof) {
  const verdict = h("span", {});
  const button = h("button", { type: "button", class: "proof" }, text("audit.prove"));
  button.addEventListener("click", async () => {
    button.disabled = true;
    const fields = chosen();
    const asked = fields.length ? await withProofs(event, fields).catch(() => null) : event;
    const { holds, message, opened } = asked ? await prove(asked, number, token) : { holds: false, message: text("audit.no_proof") };
    put(verdict, h("span", { class: `chip chip--${holds ? "good" : "bad"}`, title: message }, text(holds ? "audit.proved" : "audit.not_proved")));
    const said = [h("p", {}, message)];
    if (holds && opened.length) said.push(openedFields(opened));
    if (holds && fields.length && !opened.length && !event.withheld) said.push(h("p", {}, text(asked.disclosures ? "audit.none_to_open" : "audit.no_disclosures")));
    if (holds) said.push(h("p", { class: "soft" }, text("audit.only_stated")));
    put(proof, ...said);
    button.disabled = false;
  });
  return h("span", { class: "row" }, verdict, button);
}
