// The challenge for high-risk scenarios: digits that the holder's phone has to answer. The seconds are
// visible; only the start, the last seconds and the end are read out.
import { call } from "../api.js";
import { byId, h, put, say } from "../dom.js";
import { attempt } from "../problems.js";
import { text } from "../texts.js";

const TICK_MS = 500;
const NEAR_END_S = 10;

export class Challenge {
  constructor({ token, place, scenario }) {
    Object.assign(this, { token, place, scenario });
    this.forget();
  }

  /** The open digits for the chosen scenario, if any. */
  get current() {
    const isOpen = this.digits && this.diesAt > performance.now() && this.askedFor === this.scenario()?.value;
    return isOpen ? this.digits : null;
  }

  forget(why = "") {
    clearInterval(this.ticker);
    this.digits = null;
    say(byId("challenge-said"), why);
    this.draw();
    if (why) this.place.prepend(h("p", { class: "small" }, why));
  }

  ask() {
    const asked = performance.now();
    this.askedFor = this.scenario().value;
    return attempt(byId("challenge-problem"), async () => {
      const body = { scenario: this.askedFor };
      const { challenge } = await call("POST", "/v1/verifications/challenges", { token: this.token, body });
      this.digits = challenge;
      this.diesAt = asked + this.place.dataset.lifeS * 1000;
      this.isEndSaid = false;
      clearInterval(this.ticker);
      this.ticker = setInterval(() => this.tick(), TICK_MS);
      say(byId("challenge-said"), text("verify.challenge_said", { digits: grouped(challenge), seconds: this.place.dataset.lifeS }));
      this.draw();
    });
  }

  draw() {
    put(byId("challenge-problem"));
    const isHighRisk = this.scenario()?.dataset.highRisk === "yes";
    if (!isHighRisk) return put(this.place);
    const ask = h("button", { type: "button", class: "button button--quiet", id: "ask-challenge", onclick: () => this.ask() }, text("verify.challenge"));
    if (!this.current) return put(this.place, h("p", { class: "soft small" }, text("verify.challenge_text")), ask);
    this.left = h("span", { class: "soft small number", id: "challenge-left", role: "timer", "aria-live": "off" });
    put(this.place, h("div", { class: "notice" }, h("p", { class: "small" }, text("verify.challenge_show")), h("p", { class: "digits number", id: "digits" }, grouped(this.digits)), this.left));
    return this.tick();
  }

  tick() {
    const seconds = Math.ceil((this.diesAt - performance.now()) / 1000);
    if (seconds <= 0) return this.forget(text("verify.challenge_gone"));
    say(this.left, text("verify.challenge_left", { seconds }));
    if (seconds > NEAR_END_S || this.isEndSaid) return undefined;
    this.isEndSaid = true;
    return say(byId("challenge-said"), text("verify.challenge_left", { seconds }));
  }
}

const grouped = (digits) => digits.replace(/(.{4})/, "$1 ");
