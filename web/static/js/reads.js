// Registrars' reads, for the holder and for the audit, page by page.
import { byId, h } from "./dom.js";
import { withMore } from "./pages.js";
import { instant, text } from "./texts.js";

/** `list` is the id of the list; its button for more is `more-` and the id. */
export async function listOfReads({ get, path, list, none }) {
  await withMore({
    list: byId(list),
    more: byId(`more-${list}`),
    none: [h("li", { class: "soft" }, none)],
    page: async (before) => {
      const answer = await get(before ? `${path}?before=${before}` : path);
      return [answer.reads.map(readOf), answer.next_before];
    },
  });
}

function readOf(read) {
  return h(
    "li",
    { class: "look" },
    h("p", { class: "row row--apart" }, h("b", {}, text(`registrar_reads.${read.what}`)), h("span", { class: "soft small" }, instant(read.read_at))),
    h("p", { class: "small" }, text("registrar_reads.by", { station: read.station, reader: read.reader })),
  );
}
