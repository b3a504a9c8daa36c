// The phones that can show the permit: announces one that was added elsewhere, and removes any of them.
import { call } from "../api.js";
import { forgetDevice } from "../device.js";
import { byId, h, put } from "../dom.js";
import { attempt } from "../problems.js";
import { signOut } from "../signin.js";
import { instant, text } from "../texts.js";
import { write } from "../writes.js";

const ANNOUNCED_FOR_MS = 30 * 24 * 60 * 60 * 1000;

export class DeviceList {
  constructor({ token, holder, list, news, changed, unbound, listed }) {
    Object.assign(this, { token, holder, list, news, changed, unbound, listed });
    this.shown = null;
  }

  /** Shows the phones as of this version of the permit; `own` is this phone's key, if it has one. */
  async refresh({ permit, own }) {
    const wanted = `${permit.version} ${own?.thumbprint}`;
    if (wanted === this.shown) return;
    const answer = await call("GET", "/v1/me/devices", { token: this.token }).catch(() => null);
    if (!answer) return;
    this.shown = wanted;
    const bound = answer.devices.find(({ device }) => device === own?.thumbprint);
    this.show(answer, permit, bound);
    this.listed(answer.devices);
    if (own && !bound) this.unbound();
  }

  show({ devices }, permit, own) {
    const isOwn = (each) => each === own;
    const ends = Date.parse(permit.today) - ANNOUNCED_FOR_MS;
    const others = own ? devices.filter((each) => !isOwn(each) && Date.parse(each.bound_at) > ends) : [];
    put(this.news, ...others.map((each) => this.announcement(each, permit)));
    put(
      this.list,
      h("p", {}, text(own ? "me.this_phone" : "me.other_phone")),
      h("p", { class: "soft small devices-count" }, text("me.devices_count", { count: devices.length })),
      h("ul", { class: "stack stack--tight plain" }, ...devices.map((each) => this.one(each, permit, isOwn(each)))),
      h("p", {}, signOut()),
    );
  }

  announcement(each, permit) {
    return h(
      "div",
      { class: "notice notice--warn", "data-device": each.device },
      h("p", {}, h("b", {}, text("me.phone_added", { at: instant(each.bound_at) }))),
      h("p", { class: "small" }, text("me.phone_added_text")),
      ...this.removal(each, permit, text("me.revoke_other")),
    );
  }

  one(each, permit, isOwn) {
    const name = text(isOwn ? "me.phone_this" : "me.phone_other");
    return h(
      "li",
      { class: "look", "data-device": each.device },
      h("p", { class: "row row--apart" }, h("b", {}, name), h("span", { class: "code small soft" }, each.device.slice(0, 8))),
      h("p", { class: "soft small" }, text("me.phone_since", { at: instant(each.bound_at) })),
      ...this.removal(each, permit, text(isOwn ? "me.revoke" : "me.revoke_other"), isOwn),
    );
  }

  /** A button, and the question that it asks. */
  removal({ device }, permit, label, isOwn = false) {
    const ask = h("button", { type: "button", class: "button button--risky", id: isOwn ? "revoke" : undefined }, label);
    const sure = h("div", { class: "notice notice--warn", hidden: true });
    const answer = (isSure) => {
      sure.hidden = true;
      ask.hidden = false;
      if (isSure) this.remove(device, permit, isOwn);
      else ask.focus();
    };
    const yes = h("button", { type: "button", class: "button button--risky", id: isOwn ? "revoke-yes" : undefined, onclick: () => answer(true) }, text("me.revoke_yes"));
    put(
      sure,
      h("p", {}, text(isOwn ? "me.revoke_sure" : "me.revoke_other_sure")),
      h("p", { class: "row" }, yes, h("button", { type: "button", class: "button button--quiet", onclick: () => answer(false) }, text("me.cancel"))),
    );
    ask.addEventListener("click", () => {
      ask.hidden = true;
      sure.hidden = false;
      yes.focus();
    });
    return [ask, sure];
  }

  remove(device, permit, isOwn) {
    return attempt(byId("devices-problem"), async () => {
      const path = `/v1/permits/${permit.permit_number}/electronic/device-revocations`;
      const answer = await write(path, { token: this.token, body: { device } });
      if (isOwn) await forgetDevice(this.holder);
      await this.changed(answer);
    });
  }
}
