// The permit's checks, each with the answer that would be given today for that instant.
import { byId, h } from "../dom.js";
import { instant, text } from "../texts.js";
import { withMore } from "../pages.js";

export async function listChecks(get, number) {
  await withMore({
    list: byId("checks"),
    more: byId("more-checks"),
    none: [h("li", { class: "soft" }, text("audit.no_checks"))],
    page: async (before) => {
      const answer = await get(`/v1/audit/permits/${number}/checks${before ? `?before=${before}` : ""}`);
      return [answer.checks.map(checkOf), answer.next_before];
    },
  });
}

const outcomeOf = (one) => {
  const outcome = text(`outcomes.${one.outcome}`);
  return one.reason ? `${outcome}: ${text(`reasons.${one.reason}`)}` : outcome;
};

function checkOf(check) {
  const tone = check.outcome === "effective" ? "good" : "bad";
  return h(
    "li",
    {},
    h("div", { class: "row row--apart" }, h("span", { class: `chip chip--${tone}` }, outcomeOf(check)), h("span", { class: "small soft" }, instant(check.checked_at))),
    h("p", { class: "small" }, text("audit.checked_by", { who: check.verifier ?? text("face.withheld"), scenario: text(`scenarios.${check.scenario}`), track: text(`tracks.${check.track}`) })),
    ["wrong", "missing"].includes(check.card_code) ? h("p", { class: "notice notice--warn small" }, text(`audit.card_code_${check.card_code}`)) : null,
    check.differs ? h("p", { class: "notice notice--warn small" }, text("audit.differs", { today: outcomeOf(check.today) })) : null,
    check.relied_on ? h("p", { class: "notice notice--bad small" }, text("audit.relied_on")) : null,
  );
}
