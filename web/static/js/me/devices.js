// This phone, and how many others there are; a phone that is sold or lost loses its right here.
import { Problem, call } from "../api.js";
import { forgetDevice } from "../device.js";
import { h, put } from "../dom.js";
import { signOut } from "../signin.js";
import { text } from "../texts.js";

export function showDevices({ place, token, holder, permit, device, changed }) {
  const ask = h("button", { type: "button", class: "button button--risky", id: "revoke" }, text("me.revoke"));
  const problem = h("div", { role: "alert" });
  const sure = h("div", { class: "notice notice--warn", hidden: true });
  const revoke = async () => {
    try {
      const answer = await call("POST", `/v1/permits/${permit.permit_number}/electronic/device-revocations`, {
        token,
        body: { device: device.thumbprint },
        headers: { "idempotency-key": crypto.randomUUID() },
      });
      await forgetDevice(holder);
      await changed(answer);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      put(problem, h("p", { class: "notice notice--bad" }, error.told));
    }
  };
  const answer = (isSure) => {
    sure.hidden = true;
    ask.hidden = false;
    if (isSure) revoke();
    else ask.focus();
  };
  const yes = h("button", { type: "button", class: "button button--risky", id: "revoke-yes", onclick: () => answer(true) }, text("me.revoke_yes"));
  put(
    sure,
    h("p", {}, text("me.revoke_sure")),
    h("p", { class: "row" }, yes, h("button", { type: "button", class: "button button--quiet", onclick: () => answer(false) }, text("me.cancel"))),
  );
  ask.addEventListener("click", () => {
    ask.hidden = true;
    sure.hidden = false;
    yes.focus();
  });
  put(
    place,
    h("p", {}, text(device ? "me.this_phone" : "me.other_phone")),
    h("p", { class: "soft small" }, text("me.devices_count", { count: permit.electronic.devices })),
    device && ask,
    sure,
    problem,
    h("p", {}, signOut("holder")),
  );
}
