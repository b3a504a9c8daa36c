// Claiming the electronic permit (申领): the details are right, the face was compared, then the key.
import { Problem, call } from "../api.js";
import { deviceFor } from "../device.js";
import { h, put } from "../dom.js";
import { isDevelopment } from "../signin.js";
import { text } from "../texts.js";

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
  const claim = async (event) => {
    event.preventDefault();
    put(problem);
    try {
      const device = await deviceFor(holder);
      const answer = await call("POST", `/v1/permits/${permit.permit_number}/electronic/claims`, {
        token,
        body: { confirmed: right.checked, face_match: faceMatch ?? undefined, device_key: device.jwk },
        headers: { "idempotency-key": crypto.randomUUID() },
      });
      await claimed(answer);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      put(problem, h("p", { class: "notice notice--bad" }, error.told));
    }
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
