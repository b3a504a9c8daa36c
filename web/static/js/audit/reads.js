// The audit reads, including refused ones.
import { byId, h } from "../dom.js";
import { instant, text } from "../texts.js";
import { withMore } from "../pages.js";

export async function listReads(get, number) {
  await withMore({
    list: byId("reads"),
    more: byId("more-reads"),
    none: [h("li", { class: "soft" }, text("audit.no_reads"))],
    page: async (before) => {
      const asked = new URLSearchParams();
      if (number) asked.set("subject", number);
      if (before) asked.set("before", before);
      const answer = await get(`/v1/audit/reads?${asked}`);
      return [answer.reads.map(readOf), answer.next_before];
    },
  });
}

function readOf(read) {
  const tone = read.outcome === "answered" ? "good" : "bad";
  return h(
    "li",
    {},
    h("div", { class: "row row--apart" }, h("b", {}, text(`audit.read_${read.what}`)), h("span", { class: "small soft" }, instant(read.read_at))),
    h("p", { class: "row small" }, h("span", {}, text("audit.read_by", { who: read.reader, case: read.case ?? "–" })), read.subject ? h("span", { class: "code" }, read.subject) : null, h("span", { class: `chip chip--${tone}` }, text(`audit.outcome_${read.outcome}`))),
  );
}
