// The checker: what for, what to check, and one answer that can't be misread.
import { Problem, call } from "./api.js";
import { byId, h, put } from "./dom.js";
import { claims } from "./session.js";
import { signIn, signOut } from "./signin.js";
import { text } from "./texts.js";
import { showAnswer, showFailure } from "./verify/answer.js";
import { Camera } from "./verify/camera.js";
import { Challenge } from "./verify/challenge.js";
import { prepareTabs } from "./verify/tabs.js";

let token = null;
let camera = null;
let challenge = null;
let isChecking = false;

signIn("verifier", byId("signin"), (value) => {
  token = value;
  const registered = claims(value).scenarios ?? [];
  for (const choice of scenarios()) {
    choice.disabled = !registered.includes(choice.value);
    choice.closest("label").hidden = choice.disabled;
  }
  const first = scenarios().find((choice) => !choice.disabled);
  if (first) first.checked = true;
  byId("check").hidden = false;
  byId("scenarios").append(h("p", { class: "scenarios__out" }, signOut("verifier")));
  challenge = new Challenge({ token, place: byId("challenge"), scenario });
  camera = new Camera({ token, video: byId("video"), found: scanned, told: cameraIs });
  prepareTabs(["camera", "card", "typed"], () => camera.stop());
  offerCarried();
});

byId("scenarios").addEventListener("change", () => challenge?.draw());
byId("camera").addEventListener("click", () => (camera.isOn ? camera.stop() : camera.start()));
byId("panel-card").addEventListener("submit", (event) => {
  event.preventDefault();
  const permit_number = byId("number").value.replace(/[\s-]/g, "").toUpperCase();
  check({ track: "physical", permit_number, card_serial: Number(byId("serial").value) });
});
byId("panel-typed").addEventListener("submit", (event) => {
  event.preventDefault();
  checkCode(codeIn(byId("code").value));
});

function scenarios() {
  return [...document.querySelectorAll("input[name=scenario]")];
}

function scenario() {
  return scenarios().find((choice) => choice.checked);
}

/** The code in an address as QR codes hold it, or a code by itself. */
function codeIn(value) {
  const bare = value.trim();
  const found = /^https?:\/\/[^/]+\/v\/([^/?#]+)$/i.exec(bare);
  return (found ? found[1] : bare).replace(/\s/g, "").toUpperCase();
}

function scanned(value) {
  if (!/^https?:\/\/[^/]+\/v\/[^/?#]+$/i.test(value)) {
    put(byId("camera-state"), text("verify.camera_other"));
    return false;
  }
  camera.stop();
  checkCode(codeIn(value));
  return true;
}

function checkCode(code) {
  const digits = challenge.current;
  check({ track: "electronic", code, ...(digits ? { challenge: digits } : {}) });
}

async function check(asked) {
  if (isChecking || !scenario()) return;
  isChecking = true;
  put(byId("problem"));
  try {
    const body = { scenario: scenario().value, ...asked };
    showAnswer(await call("POST", "/v1/verifications", { token, body }));
    if (asked.challenge) challenge.forget();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    showFailure(error); // whatever can't be known is not good
  } finally {
    isChecking = false;
    byId("code").value = "";
  }
}

function cameraIs(state) {
  byId("finder").dataset.state = state;
  put(byId("camera-state"), text(`verify.camera_${state}`));
  put(byId("camera"), text(state === "on" ? "verify.camera_stop" : "verify.camera_start"));
}

/** A code that a phone's own camera has opened comes behind the "#", and is used once. */
function offerCarried() {
  const carried = decodeURIComponent(location.hash.slice(1));
  if (!carried) return;
  history.replaceState(null, "", location.pathname);
  const use = () => {
    put(byId("problem"));
    checkCode(codeIn(carried));
  };
  put(
    byId("problem"),
    h("div", { class: "notice" }, h("p", {}, text("verify.carried")), h("p", {}, h("button", { type: "button", class: "button", id: "carried", onclick: use }, text("verify.carried_check")))),
  );
  byId("check").before(byId("problem"));
}
