// The verifier's page: a scenario, a card or code to check, and an unmistakable answer.
import { Problem, call } from "./api.js";
import { byId, h, put, say } from "./dom.js";
import { refuse, watch } from "./fields.js";
import { codeIn, isPermitNumber, normalised, oursIn, unescaped } from "./numbers.js";
import { noticeOf } from "./problems.js";
import { claims } from "./session.js";
import { signIn, signOut } from "./signin.js";
import { prepareTabs } from "./tabs.js";
import { text } from "./texts.js";
import { showAnswer, showFailure } from "./verify/answer.js";
import { prepareBatch } from "./verify/batch.js";
import { Camera } from "./verify/camera.js";
import { Challenge } from "./verify/challenge.js";
import { listOwnChecks } from "./verify/own_checks.js";

const SERIAL = /^[1-9][0-9]{0,3}$/;
let token = null;
let camera = null;
let challenge = null;
let chooseTab = null;
let listOwn = null;
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
  byId("scenarios").append(h("p", { class: "scenarios__out" }, signOut()));
  challenge = new Challenge({ token, place: byId("challenge"), scenario });
  camera = new Camera({ token, video: byId("video"), onFound: scanned, onState: showCamera, onFailed: failed });
  chooseTab = prepareTabs(["camera", "card", "typed", "batch"], () => camera.stop());
  byId("own").hidden = false;
  listOwn = listOwnChecks({ token });
  prepareBatch({ token, scenario: () => scenario()?.value ?? "", checked: () => listOwn() });
  offerCarried();
});

byId("scenarios").addEventListener("change", () => challenge?.draw());
byId("camera").addEventListener("click", () => (camera.isOn ? camera.stop() : camera.start()));
for (const name of ["card", "typed"]) watch(byId(`panel-${name}`));
byId("panel-card").addEventListener("submit", (event) => {
  event.preventDefault();
  const permit_number = normalised(byId("number").value);
  const serial = normalised(byId("serial").value);
  if (!permit_number) return refuse(byId("number"), text("field_errors.no_number"));
  if (!SERIAL.test(serial)) return refuse(byId("serial"), text("field_errors.card_serial"));
  const card_code = normalised(byId("card-code").value);
  return check({ track: "physical", permit_number, card_serial: Number(serial), ...(card_code ? { card_code } : {}) });
});
byId("panel-typed").addEventListener("submit", (event) => {
  event.preventDefault();
  const code = codeIn(byId("code").value);
  if (!code) return refuse(byId("code"), text("field_errors.no_number"));
  return checkCode(code);
});

function scenarios() {
  return [...document.querySelectorAll("input[name=scenario]")];
}

function scenario() {
  return scenarios().find((choice) => choice.checked);
}

/** Takes the first permit or live code among the texts of a picture; returns whether there was one. */
function scanned(values) {
  const ours = values.map(oursIn).find(Boolean);
  if (!ours) return false;
  camera.stop();
  if (ours.code) checkCode(ours.code);
  else typeCard(ours.permitNumber);
  return true;
}

/** Fills in a scanned card's number; its serial has to be read from the card. */
function typeCard(number) {
  chooseTab("card");
  byId("number").value = number;
  byId("serial").focus();
  byId("serial").select();
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
    const answer = await call("POST", "/v1/verifications", { token, body });
    const isMistyped = asked.track === "physical" && answer.reason === "unknown_permit" && !isPermitNumber(asked.permit_number);
    showAnswer(answer, isMistyped ? text("verify.mistyped") : undefined);
    if (asked.challenge) challenge.forget();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    showFailure(error); // an unknown outcome is never shown as effective
    if (error.isSignedOut) failed(error);
  } finally {
    isChecking = false;
    byId("code").value = "";
    listOwn();
  }
}

function showCamera(state) {
  byId("finder").dataset.state = camera?.isOn ? "on" : "off";
  say(byId("camera-state"), text(`verify.camera_${state}`));
  say(byId("camera"), text(camera?.isOn ? "verify.camera_stop" : "verify.camera_start"));
}

function failed(problem) {
  put(byId("problem"), noticeOf(problem));
}

/** Offers a code that a phone's own camera has opened: it is in the fragment, and is used once. */
function offerCarried() {
  const carried = unescaped(location.hash.slice(1));
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
