// The live code: requested with a proof of this phone's key, replaced before it expires, and removed
// if it can't be replaced. Its age is measured by elapsed time, so a wrong clock on the phone does not
// matter.
import { call } from "../api.js";
import { proof } from "../device.js";
import { byId, h, put, say, svg } from "../dom.js";
import { refuse, watch } from "../fields.js";
import { normalised } from "../numbers.js";
import { wordsOf } from "../problems.js";
import { drawQr } from "../qr.js";
import { locale, text } from "../texts.js";

const RETRY_MS = 2000;
const TICK_MS = 250;
const RING = 100;
const PROOFS_REFUSED_MAX = 2;
const CHALLENGE = /^[0-9]{8}$/;

export class LiveCode {
  constructor({ token, permit, device, place, unbound, signedOut }) {
    Object.assign(this, { token, permit, device, place, unbound, signedOut });
    this.challenge = null;
    this.proofsRefused = 0;
    this.madeAt = null;
    this.diesAt = 0;
    this.life_ms = 1;
    this.timer = null;
    this.turn = 0;
    this.clock = new Intl.DateTimeFormat(locale, { timeStyle: "medium", hour12: false, timeZone: "Asia/Shanghai" });
    this.woken = () => document.visibilityState === "visible" && this.renew();
  }

  start() {
    this.draw();
    this.ticker = setInterval(() => this.tick(), TICK_MS);
    document.addEventListener("visibilitychange", this.woken);
    navigator.wakeLock?.request("screen").catch(() => {});
    this.renew();
  }

  stop() {
    this.turn += 1;
    clearInterval(this.ticker);
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.woken);
  }

  /** Requests another code now; does nothing while the page is hidden. */
  async renew() {
    clearTimeout(this.timer);
    if (document.visibilityState !== "visible") return;
    this.turn += 1;
    const turn = this.turn;
    const path = `/v1/permits/${this.permit.permit_number}/electronic/display-codes`;
    const asked = performance.now();
    try {
      const headers = { DPoP: await proof(this.device, { method: "POST", path, token: this.token }) };
      const body = this.challenge ? { challenge: this.challenge } : {};
      const code = await call("POST", path, { token: this.token, headers, body });
      if (turn !== this.turn) return;
      this.proofsRefused = 0;
      this.madeAt = Date.parse(code.issued_at) - asked;
      this.life_ms = Date.parse(code.expires_at) - Date.parse(code.issued_at);
      this.diesAt = asked + this.life_ms;
      this.show(code);
      this.timer = setTimeout(() => this.renew(), code.refresh_after_s * 1000);
    } catch (error) {
      if (turn !== this.turn) return;
      this.failed(error);
    }
  }

  failed(error) {
    if (error.isSignedOut) return this.signedOut(error);
    if (error.isBadProof) {
      this.proofsRefused += 1;
      // The proof may have had a wrong time; the response has brought the service's time.
      return this.proofsRefused < PROOFS_REFUSED_MAX ? this.renew() : this.unbound();
    }
    if (error.status === 422 || (error.status === 409 && this.challenge)) {
      this.answerChallenge(null);
      return put(byId("challenge-problem"), wordsOf(error));
    }
    say(byId("code-state"), error.status ? wordsOf(error) : text("me.offline"));
    this.timer = setTimeout(() => this.renew(), RETRY_MS);
    return undefined;
  }

  /** After a check this code may be used up, and a challenge is answered only once. */
  used() {
    if (this.challenge) this.answerChallenge(null);
    else this.renew();
  }

  answerChallenge(digits) {
    this.challenge = digits;
    put(byId("challenge-problem"));
    say(byId("challenge-state"), digits ? text("me.challenge_done", { challenge: digits }) : "");
    byId("challenge-clear").hidden = !digits;
    this.renew();
  }

  show(code) {
    const picture = code.qr_svg && drawQr(code.qr_svg, text("me.code_label"));
    put(byId("qr"), picture ?? h("span", {}));
    byId("qr").dataset.url = code.url;
    put(byId("code-text"), code.code.replace(/(.{13})(?=.)/g, "$1 "));
    say(byId("code-state"), "");
    this.tick();
  }

  tick() {
    const left_ms = this.diesAt - performance.now();
    const seconds = Math.max(0, Math.ceil(left_ms / 1000));
    if (left_ms <= 0 && byId("qr").dataset.url) {
      put(byId("qr"));
      delete byId("qr").dataset.url;
      put(byId("code-text"));
    }
    say(byId("seconds"), seconds ? text("me.seconds", { seconds }) : text("me.new_code"));
    byId("ring").setAttribute("stroke-dashoffset", String(RING - (Math.max(0, left_ms) / this.life_ms) * RING));
    if (this.madeAt !== null) say(byId("clock"), this.clock.format(new Date(this.madeAt + performance.now())));
  }

  draw() {
    const edge = { x: 2, y: 2, width: 96, height: 96, rx: 9, pathLength: RING };
    const form = h(
      "form",
      { class: "stack stack--tight" },
      h("div", { class: "field" }, h("label", { for: "challenge-digits" }, text("me.challenge_label")), h("input", { class: "input number", id: "challenge-digits", inputmode: "numeric", maxlength: 20, required: true, autocomplete: "off", placeholder: "0000 0000" })),
      h("button", { class: "button" }, text("me.challenge_use")),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const digits = normalised(byId("challenge-digits").value);
      if (!CHALLENGE.test(digits)) return refuse(byId("challenge-digits"), text("field_errors.challenge"));
      return this.answerChallenge(digits);
    });
    watch(form);
    put(
      this.place,
      h("h2", {}, text("me.show")),
      h("p", { class: "soft" }, text("me.show_text")),
      h(
        "div",
        { class: "code-frame" },
        svg("svg", { class: "code-frame__ring", viewBox: "0 0 100 100", "aria-hidden": "true" }, svg("rect", { ...edge, class: "ring-back" }), svg("rect", { ...edge, id: "ring", class: "ring-left", "stroke-dasharray": RING, "stroke-dashoffset": RING })),
        h("div", { class: "code-frame__qr", id: "qr" }),
      ),
      h("div", { class: "tide", "aria-hidden": "true" }, h("i", {}), h("i", {}), h("b", { class: "number", id: "clock" })),
      h("p", { class: "row row--apart" }, h("b", { class: "number", id: "seconds", role: "timer" }), h("span", { class: "soft small", id: "challenge-state", role: "status" })),
      h("p", { class: "code small soft code-text", id: "code-text" }),
      h("p", { id: "code-state", role: "status" }),
      h("button", { type: "button", class: "button button--quiet", id: "challenge-clear", hidden: true, onclick: () => this.answerChallenge(null) }, text("me.challenge_clear")),
      h("details", { class: "challenge" }, h("summary", {}, text("me.challenge")), form, h("p", { id: "challenge-problem", role: "alert", class: "small" })),
    );
  }
}
