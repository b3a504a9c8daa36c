// The checks of the permit, newest first, each with its receipt.
import { call } from "../api.js";
import { h, put } from "../dom.js";
import { attempt } from "../problems.js";
import { instant, text } from "../texts.js";

const PAGE = 10;

export class CheckList {
  constructor({ token, list }) {
    this.token = token;
    this.list = list;
    this.shown = PAGE;
    this.phones = [];
  }

  /** Lists among the checks when each phone was added: it can show the permit as well. */
  setPhones(phones) {
    this.phones = phones;
    this.refresh();
  }

  async refresh() {
    const path = `/v1/me/checks?limit=${this.shown}`;
    const answer = await call("GET", path, { token: this.token }).catch(() => null);
    if (answer) this.show(answer);
  }

  show({ checks, unreadable, next_before }) {
    const oldest = next_before && checks.length > 0 ? Date.parse(checks.at(-1).checked_at) : -Infinity;
    const phones = this.phones.filter(({ bound_at }) => Date.parse(bound_at) >= oldest);
    const entries = [
      ...checks.map((check) => ({ at: Date.parse(check.checked_at), element: this.one(check) })),
      ...phones.map((phone) => ({ at: Date.parse(phone.bound_at), element: added(phone) })),
    ].sort((one, other) => other.at - one.at);
    const more = () => {
      this.shown = Math.min(this.shown + PAGE, 100);
      this.refresh();
    };
    put(
      this.list,
      checks.length + unreadable.length === 0 && h("li", { class: "soft" }, text("me.no_checks")),
      unreadable.length > 0 && h("li", { class: "soft" }, text("me.unreadable_checks", { count: unreadable.length })),
      ...entries.map(({ element }) => element),
      next_before &&
        this.shown < 100 &&
        h("li", {}, h("button", { type: "button", class: "button button--quiet", onclick: more }, text("me.more"))),
    );
  }

  one(check) {
    const isGood = check.outcome === "effective";
    const fields = (check.fields ?? []).map((name) => text(`fields.${name}`)).join(text("site.comma"));
    return h(
      "li",
      { class: "look" },
      h("p", { class: "row row--apart" }, h("b", {}, text(`scenarios.${check.scenario}`)), h("span", { class: `chip chip--${isGood ? "good" : "bad"}` }, text(`outcomes.${check.outcome}`))),
      h("p", { class: "soft small" }, `${instant(check.checked_at)} · ${text(`tracks.${check.track}`)} · `, h("span", { class: "code" }, check.verifier ?? "–")),
      check.reason && h("p", { class: "small" }, text(`reasons.${check.reason}`)),
      h("p", { class: "small" }, fields ? text("me.shown_fields", { fields }) : text("me.shown_nothing")),
      this.receipt(check.check_id),
    );
  }

  receipt(id) {
    const place = h("div", { class: "receipt" });
    const details = h("details", { class: "small" }, h("summary", {}, text("me.receipt")), place);
    details.addEventListener("toggle", async () => {
      if (!details.open || place.querySelector(".receipt__text")) return;
      await attempt(place, async () => {
        const answer = await call("GET", `/v1/me/receipts/${id}`, { token: this.token });
        put(place, h("p", { class: "soft" }, text("me.receipt_text")), h("p", { class: "code receipt__text", tabindex: "0" }, answer.receipt));
      });
    });
    return details;
  }
}

function added({ device, bound_at }) {
  return h(
    "li",
    { class: "look", "data-device": device },
    h("p", { class: "row row--apart" }, h("b", {}, text("me.phone_bound")), h("span", { class: "code small soft" }, device.slice(0, 8))),
    h("p", { class: "soft small" }, instant(bound_at)),
  );
}
