// For high-risk purposes: digits that the holder's own phone has to answer.
import { Problem, call } from "../api.js";
import { h, put } from "../dom.js";
import { text } from "../texts.js";

export class Challenge {
  constructor({ token, place, scenario }) {
    Object.assign(this, { token, place, scenario });
    this.forget();
  }

  /** The digits that are open for the chosen purpose, if any. */
  get current() {
    const isOpen = this.digits && this.diesAt > performance.now() && this.askedFor === this.scenario()?.value;
    return isOpen ? this.digits : null;
  }

  forget() {
    clearInterval(this.ticker);
    this.digits = null;
    this.draw();
  }

  async ask() {
    const asked = performance.now();
    this.askedFor = this.scenario().value;
    try {
      const body = { scenario: this.askedFor };
      const { challenge } = await call("POST", "/v1/verifications/challenges", { token: this.token, body });
      this.digits = challenge;
      this.diesAt = asked + this.place.dataset.lifeS * 1000;
      clearInterval(this.ticker);
      this.ticker = setInterval(() => this.tick(), 500);
      this.draw();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      put(this.place, h("p", { class: "notice notice--bad", role: "alert" }, error.told));
    }
  }

  draw() {
    const isHighRisk = this.scenario()?.dataset.highRisk === "yes";
    if (!isHighRisk) return put(this.place);
    const ask = h("button", { type: "button", class: "button button--quiet", id: "ask-challenge", onclick: () => this.ask() }, text("verify.challenge"));
    if (!this.current) return put(this.place, h("p", { class: "soft small" }, text("verify.challenge_text")), ask);
    this.left = h("span", { class: "soft small number" });
    put(
      this.place,
      h("div", { class: "notice", role: "status" }, h("p", { class: "small" }, text("verify.challenge_show")), h("p", { class: "digits number", id: "digits" }, this.digits.replace(/(.{4})/, "$1 ")), this.left),
    );
    return this.tick();
  }

  tick() {
    const seconds = Math.ceil((this.diesAt - performance.now()) / 1000);
    if (seconds > 0) return put(this.left, text("verify.challenge_left", { seconds }));
    this.forget();
    return this.place.prepend(h("p", { class: "small", role: "status" }, text("verify.challenge_gone")));
  }
}
