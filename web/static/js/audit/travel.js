// Two dials: true at, and known at. The bands change with the second.
import { byId, h, put } from "../dom.js";
import { chip, effectiveChip } from "../face.js";
import { day, instant, text } from "../texts.js";
import { bandAt, drawBands } from "./bands.js";

const STEPS = 1000;
const SETTLED_MS = 350;
const MINUTE_MS = 60_000;
const SHANGHAI_MS = 8 * 60 * MINUTE_MS;

/** Formats an instant for a datetime-local field, in Shanghai time. */
const local = (ms) => new Date(ms + SHANGHAI_MS).toISOString().slice(0, 19);
const parsed = (value) => Date.parse(`${value.length === 16 ? `${value}:00` : value}+08:00`);

export class Travel {
  constructor({ get, trying }) {
    this.get = get;
    this.trying = trying;
    for (const dial of ["at", "known"]) {
      byId(dial).addEventListener("input", () => this.turned(dial));
      byId(`${dial}-text`).addEventListener("change", () => this.typed(dial));
    }
    new ResizeObserver(() => this.timeline && this.draw()).observe(byId("bands"));
  }

  /** The instant that is shown, for evidence; null for now. */
  get at() {
    return this.times.at >= this.now ? null : new Date(this.times.at).toISOString();
  }

  async open(number) {
    this.number = number;
    const timeline = await this.get(`/v1/audit/permits/${number}/timeline`);
    this.timeline = timeline;
    this.whole = timeline;
    this.now = Date.parse(timeline.now);
    this.from = Math.min(...timeline.bands.slice(0, 1).map((band) => Date.parse(band.since)), this.now - MINUTE_MS);
    this.times = { at: this.now, known: this.now };
    for (const dial of ["at", "known"]) this.place(dial);
    this.draw();
    await this.ask();
  }

  turned(dial) {
    const share = byId(dial).valueAsNumber / STEPS;
    this.set(dial, this.from + share * (this.now - this.from));
    byId(`${dial}-text`).value = local(this.times[dial]);
  }

  typed(dial) {
    const wanted = parsed(byId(`${dial}-text`).value);
    if (Number.isNaN(wanted)) return this.place(dial);
    this.set(dial, Math.min(Math.max(wanted, this.from), this.now));
    this.place(dial);
  }

  /** Moves the cursor at once; asks the service when the dial has not moved for a moment. */
  set(dial, ms) {
    this.times[dial] = ms;
    this.draw();
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.trying(() => this.settled(dial)), SETTLED_MS);
  }

  async settled(dial) {
    if (dial === "known") {
      const known = new Date(this.times.known).toISOString();
      const isNow = this.times.known >= this.now;
      const asked = `/v1/audit/permits/${this.number}/timeline?known_at=${known}`;
      if (isNow) this.timeline = this.whole;
      else this.timeline = this.isBefore(this.now, this.times.known) ? { bands: [] } : await this.get(asked);
      this.draw();
    }
    await this.ask();
  }

  place(dial) {
    byId(dial).value = ((this.times[dial] - this.from) / (this.now - this.from)) * STEPS;
    byId(`${dial}-text`).value = local(this.times[dial]);
  }

  draw() {
    const { at, known } = this.times;
    const drawn = drawBands({ bands: this.timeline.bands, marks: this.whole.marks, from: this.from, now: this.now, at, known, room: byId("bands").clientWidth });
    put(byId("bands"), ...drawn);
    const band = bandAt(this.timeline.bands, at);
    byId("at").setAttribute("aria-valuetext", `${instant(at)}: ${band ? text(`statuses.${band.status}`) : text("audit.nothing")}`);
    byId("known").setAttribute("aria-valuetext", instant(known));
  }

  async ask() {
    const { at, known } = this.times;
    if (this.isBefore(at, known)) return put(byId("state"), h("p", { class: "notice" }, text("audit.nothing")));
    const asked = {};
    if (at < this.now) asked.at = new Date(at).toISOString();
    if (known < this.now) asked.known_at = new Date(known).toISOString();
    const state = await this.get(`/v1/audit/permits/${this.number}/state?${new URLSearchParams(asked)}`);
    if (at !== this.times.at || known !== this.times.known) return; // a dial was moved meanwhile
    put(byId("state"), ...shown(state));
  }

  /** Whether it is before the permit was issued, or before that was recorded: then there is no state. */
  isBefore(at, known) {
    const [first] = this.whole.marks;
    return at < Date.parse(first.true_from) || known < Date.parse(first.recorded_at);
  }
}

function shown(state) {
  const track = (name, ...more) =>
    h(
      "section",
      { class: "then__track", "data-track": name },
      h("h3", {}, text(`tracks.${name}`)),
      h("p", { class: "row" }, chip(state[name].status), effectiveChip(state[name].effective)),
      ...more,
    );
  const fact = (name, value) => h("div", {}, h("dt", {}, text(`face.${name}`)), h("dd", {}, value));
  const person = state.identity;
  return [
    h("p", { class: "small soft" }, text("audit.then", { at: instant(state.at), known: instant(state.known_at), version: state.known_version })),
    h(
      "div",
      { class: "then" },
      track("physical", h("dl", { class: "facts" }, fact("card_serial", String(state.physical.card_serial))), state.identity_stale && h("p", { class: "small" }, text("reasons.identity_stale"))),
      track("electronic", h("dl", { class: "facts" }, fact("card_serial", String(state.electronic.card_serial)))),
    ),
    h(
      "dl",
      { class: "facts" },
      fact("valid_until", day(state.valid_until)),
      fact("issued_on", day(state.issued_on)),
      fact("name", person?.name ?? text("face.withheld")),
      fact("citizen_id_number", person?.citizen_id_number ?? text("face.withheld")),
      fact("residence", state.residence.address ?? text("face.withheld")),
    ),
  ];
}
