// Claims the electronic permit (申领): confirms the details, has the face compared, then binds the key.
// The identity provider compares it, which takes the browser away from this page and back: what was
// confirmed is kept meanwhile in the tab's storage, and the claim then goes on by itself, once.
import { Problem } from "../api.js";
import { deviceFor, proof } from "../device.js";
import { h, put } from "../dom.js";
import { attempt } from "../problems.js";
import { compareFace, hasProvider, isDevelopment, signInFailed } from "../signin.js";
import { text } from "../texts.js";
import { write } from "../writes.js";

const STORED_AS = "permit-ledger.claim";
const AWAY_MS_MAX = 600_000;

export function offerClaim({ place, token, holder, permit, claimed }) {
  let faceMatch = null;
  const begun = takeBegun(holder, permit);
  let isResumed = Boolean(begun);
  const problem = h("div", { role: "alert" });
  const right = h("input", { type: "checkbox", id: "right" });
  right.checked = begun?.confirmed ?? false;
  const compared = h("span", { role: "status" });
  const compare = h("button", { type: "button", class: "button button--quiet", id: "compare" }, text("me.claim_face"));
  compare.addEventListener("click", () => {
    faceMatch = { provider: "development", score: 0.99, matched: true };
    compare.hidden = true;
    put(compared, h("span", { class: "chip chip--good" }, text("me.claim_face_done")));
  });
  const send = async () => {
    const device = await deviceFor(holder);
    const body = { confirmed: right.checked, face_match: faceMatch ?? undefined, device_key: device.jwk };
    const path = `/v1/permits/${permit.permit_number}/electronic/claims`;
    const headers = { DPoP: await proof(device, { method: "POST", path, token }) };
    return write(path, { token, body, headers });
  };
  const claim = (event) => {
    event.preventDefault();
    const mayLeave = hasProvider && !isResumed;
    isResumed = false;
    return attempt(problem, async () => {
      try {
        await claimed(await send());
      } catch (error) {
        if (!(error instanceof Problem && error.needsStepUp && mayLeave)) throw error;
        keepBegun({ holder, permit: permit.permit_number, confirmed: right.checked, at: Date.now() });
        compareFace();
      }
    });
  };
  const how = isDevelopment ? "dev" : hasProvider ? "provider" : "none";
  const form = h(
    "form",
    { class: "stack", onsubmit: claim },
    h("h2", {}, text("me.claim_title")),
    h("p", { class: "soft" }, text("me.claim_text")),
    h("div", { class: "stack stack--tight" }, isDevelopment && compare, compared, h("p", { class: "soft small" }, text(`me.claim_face_${how}`))),
    h("label", { class: "tick", for: "right" }, right, h("span", {}, text("me.claim_right"))),
    problem,
    h("button", { class: "button button--wide", id: "claim" }, text("me.claim")),
    h("p", { class: "soft small" }, text("me.wrong")),
  );
  put(place, form);
  if (begun && !signInFailed()) form.requestSubmit();
}

function keepBegun(begun) {
  sessionStorage.setItem(STORED_AS, JSON.stringify(begun));
}

/** Returns the claim that was begun before this page was left, if it is this one, and forgets it. */
function takeBegun(holder, permit) {
  const stored = sessionStorage.getItem(STORED_AS);
  sessionStorage.removeItem(STORED_AS);
  try {
    const begun = JSON.parse(stored);
    const isOurs = begun.holder === holder && begun.permit === permit.permit_number;
    return isOurs && Math.abs(Date.now() - begun.at) < AWAY_MS_MAX ? begun : null;
  } catch {
    return null;
  }
}
