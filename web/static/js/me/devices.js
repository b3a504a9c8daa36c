// This phone and the number of others; revokes phones that were sold or lost.
import { forgetDevice } from "../device.js";
import { byId, h, put } from "../dom.js";
import { attempt } from "../problems.js";
import { signOut } from "../signin.js";
import { text } from "../texts.js";
import { write } from "../writes.js";

export function showDevices({ place, token, holder, permit, device, changed }) {
  const count = text("me.devices_count", { count: permit.electronic.devices });
  if (device && place.querySelector(".notice:not([hidden]) #revoke-yes")) {
    place.querySelector(".devices-count").textContent = count; // an open dialog stays
    return;
  }
  const ask = h("button", { type: "button", class: "button button--risky", id: "revoke" }, text("me.revoke"));
  const sure = h("div", { class: "notice notice--warn", hidden: true });
  const revoke = () =>
    attempt(byId("devices-problem"), async () => {
      const body = { device: device.thumbprint };
      const answer = await write(`/v1/permits/${permit.permit_number}/electronic/device-revocations`, { token, body });
      await forgetDevice(holder);
      await changed(answer);
    });
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
    h("p", { class: "soft small devices-count" }, count),
    device && ask,
    sure,
    h("p", {}, signOut()),
  );
}
