// Claims the electronic permit (申领): confirms the details, compares the face, then binds the key.
import { deviceFor, proof } from "../device.js";
import { h, put } from "../dom.js";
import { attempt } from "../problems.js";
import { isDevelopment } from "../signin.js";
import { text } from "../texts.js";
import { write } from "../writes.js";

export function offerClaim({ place, token, holder, permit, claimed }) {
  let faceMatch = null;
  const problem = h("div", { role: "alert" });
  const right = h("input", { type: "checkbox", id: "right" });
  const compared = h("span", { role: "status" });
  const compare = h("button", { type: "button", class: "button button--quiet", id: "compare", disabled: !isDevelopment }, text("me.claim_face"));
  compare.addEventListener("click", () => {
    faceMatch = { provider: "development", score: 0.99, matched: true };
    compare.hidden = true;
    put(compared, h("span", { class: "chip chip--good" }, text("me.claim_face_done")));
  });
  const claim = (event) => {
    event.preventDefault();
    return attempt(problem, async () => {
      const device = await deviceFor(holder);
      const body = { confirmed: right.checked, face_match: faceMatch ?? undefined, device_key: device.jwk };
      const path = `/v1/permits/${permit.permit_number}/electronic/claims`;
      const headers = { DPoP: await proof(device, { method: "POST", path, token }) };
      await claimed(await write(path, { token, body, headers }));
    });
  };
  put(
    place,
    h(
      "form",
      { class: "stack", onsubmit: claim },
      h("h2", {}, text("me.claim_title")),
      h("p", { class: "soft" }, text("me.claim_text")),
      h("div", { class: "stack stack--tight" }, compare, compared, h("p", { class: "soft small" }, text(isDevelopment ? "me.claim_face_dev" : "me.claim_face_none"))),
      h("label", { class: "tick", for: "right" }, right, h("span", {}, text("me.claim_right"))),
      problem,
      h("button", { class: "button button--wide", id: "claim" }, text("me.claim")),
      h("p", { class: "soft small" }, text("me.wrong")),
    ),
  );
}
