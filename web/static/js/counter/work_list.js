// The station's work list: a tab for each list, with its size; a tap opens the permit.
import { call } from "../api.js";
import { byId, h, put, say } from "../dom.js";
import { chip } from "../face.js";
import { withMore } from "../pages.js";
import { attempt } from "../problems.js";
import { prepareTabs } from "../tabs.js";
import { day, number, text } from "../texts.js";

const LISTS = {
  closing: "window=closing",
  open: "window=open",
  overdue: "window=overdue",
  waiting_for_collection: "status=waiting_for_collection",
};
const PAGE = 20;
const COUNTED_MAX = 1000; // by the service

export class WorkList {
  constructor({ token, open }) {
    this.token = token;
    this.open = open;
    this.chosen = "closing";
    prepareTabs(Object.keys(LISTS), (name) => {
      this.chosen = name;
      byId("work-panel").setAttribute("aria-labelledby", `tab-${name}`);
      this.refresh();
    });
  }

  refresh() {
    const name = this.chosen;
    const page = async (before) => {
      const more = before ? `&before=${encodeURIComponent(before)}` : "";
      const answer = await call("GET", `/v1/permits?${LISTS[name]}&limit=${PAGE}${more}`, { token: this.token });
      if (answer.counts) showCounts(answer.counts);
      return [answer.permits.map((permit) => this.row(name, permit)), answer.next_before];
    };
    const none = [h("li", { class: "soft" }, text("counter.list_empty"))];
    return attempt(byId("problem"), () => withMore({ list: byId("work-rows"), more: byId("work-more"), page, none, isCurrent: () => name === this.chosen }));
  }

  row(name, permit) {
    const { closes } = permit.endorsement_window;
    const when = {
      waiting_for_collection: () => text("counter.row_waiting", { serial: permit.physical.card_serial, day: day(permit.card_due_on) }),
      overdue: () => text("counter.row_overdue", { day: day(closes) }),
    }[name] ?? (() => text("counter.row_closes", { day: day(closes) }));
    const state = permit.physical.status === "reported_lost" ? "reported_lost" : permit.status;
    return h(
      "li",
      {},
      h(
        "button",
        { type: "button", class: "entry", "data-permit": permit.permit_number, onclick: () => this.open(permit) },
        h("span", { class: "code" }, permit.permit_number),
        chip(state),
        h("span", { class: "small soft number" }, when()),
      ),
    );
  }
}

function showCounts(counts) {
  for (const [name, count] of Object.entries(counts)) {
    const place = byId(`count-${name}`);
    if (place) say(place, count >= COUNTED_MAX ? `${number(count)}+` : number(count));
  }
}
