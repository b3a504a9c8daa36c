// The holder's phone: the face, a live code, who looked, and this phone's own key.
import { Problem, call } from "./api.js";
import { noticeOf } from "./problems.js";
import { byId, h, put } from "./dom.js";
import { faceOf, termLine } from "./face.js";
import { showDevices } from "./me/devices.js";
import { LiveCode } from "./me/code.js";
import { offerClaim } from "./me/claim.js";
import { reminderFor } from "./me/reminder.js";
import { Looked } from "./me/looked.js";
import { deviceOf } from "./device.js";
import { claims } from "./session.js";
import { signIn } from "./signin.js";
import { listen, show as showLight } from "./stream.js";
import { text } from "./texts.js";

let token = null;
let holder = null;
let permit = null;
let faceVersion = null;
let code = null;
let shown = null;
let lastCheck = null;
let looked = null;

signIn("holder", byId("signin"), (value) => {
  token = value;
  holder = claims(value).sub;
  looked = new Looked({ token, list: byId("looked") });
  listen("/v1/me/live", {
    token,
    heard: (name, content) => (name === "permit" ? changed(content) : checked(content.position)),
    told: (state, problem) => (state === "refused" ? say(problem) : showLight(state)),
  });
});

const say = (problem) => put(byId("problem"), noticeOf(problem));

/** Somebody has looked since the last time: the code on the screen may be dead. */
function checked(position) {
  looked.refresh();
  if (lastCheck !== null && position > lastCheck) code?.used();
  lastCheck = position;
}

/** What a command has answered is known before the stream tells of it. */
function answered(answer) {
  return changed({ ...answer, today: permit.today });
}

async function changed(now) {
  if (permit && now.as_of_position < permit.as_of_position) return;
  if (permit?.permit_number !== now.permit_number) shown = null;
  permit = now;
  try {
    const isOff = ["ended", "use_suspended"].includes(now.electronic.status);
    const version = `${now.version} ${isOff}`;
    if (faceVersion !== version) {
      const path = `/v1/permits/${now.permit_number}/electronic`;
      const face = await call("GET", path, { token });
      if (permit !== now) return;
      faceVersion = version;
      put(byId("face"), faceOf(face, { permit: now, isOff }));
    }
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    say(error);
  }
  byId("permit").hidden = false;
  remind(now);
  put(byId("term"), termLine(now, now.today));
  await decideWhatToShow();
}

/** Only what is new is put there: it is read out. */
function remind(now) {
  const reminder = reminderFor(now);
  if (byId("reminder").textContent !== (reminder.textContent ?? "")) put(byId("reminder"), reminder);
}

/** A code where this phone can show one; the claim where it can't yet; words where nothing helps. */
async function decideWhatToShow() {
  const { status } = permit.electronic;
  const device = status === "unclaimed" ? null : await deviceOf(holder);
  showDevices({ place: byId("devices"), token, holder, permit, device, changed: answered });
  if (["ended", "use_suspended"].includes(status)) show("nothing");
  else show(device ? "code" : "claim", device);
}

/** Nothing is drawn anew while it is the same that is shown: a code stays until it is replaced. */
function show(what, device = null) {
  if (what === shown) return;
  shown = what;
  code?.stop();
  code = null;
  const place = byId("show");
  if (what === "nothing") put(place, h("h2", {}, text("me.show")), h("p", { class: "notice notice--bad" }, text("me.no_effect")));
  if (what === "claim") offerClaim({ place, token, holder, permit, claimed: answered });
  if (what === "code") {
    code = new LiveCode({ token, permit, device, place, unbound: () => show("claim"), signedOut: say });
    code.start();
  }
}
