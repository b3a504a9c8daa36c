// The holder's page: the face, a live code, the checks, and this phone's key.
import { Problem, call } from "./api.js";
import { noticeOf } from "./problems.js";
import { byId, h, put } from "./dom.js";
import { faceOf, termLine } from "./face.js";
import { DeviceList } from "./me/devices.js";
import { LiveCode } from "./me/code.js";
import { offerClaim } from "./me/claim.js";
import { reminderFor } from "./me/reminder.js";
import { CheckList } from "./me/checks.js";
import { deviceOf } from "./device.js";
import { listOfReads } from "./reads.js";
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
let checks = null;
let devices = null;

signIn("holder", byId("signin"), (value) => {
  token = value;
  holder = claims(value).sub;
  checks = new CheckList({ token, list: byId("looked") });
  devices = new DeviceList({ token, holder, list: byId("devices"), news: byId("devices-news"), changed: answered, unbound: () => code?.renew(), listed: (phones) => checks.setPhones(phones) });
  listen("/v1/me/live", {
    token,
    onEvent: (name, content) => (name === "permit" ? changed(content) : checked(content.position)),
    onState: (state, problem) => (state === "refused" ? say(problem) : showLight(state)),
  });
});

const say = (problem) => put(byId("problem"), noticeOf(problem));

/** After a new check the code on the screen may be used up. */
function checked(position) {
  if (position === lastCheck) return; // of a new connection: a page that asks by itself keeps the session alive
  checks.refresh();
  if (lastCheck !== null && position > lastCheck) code?.used();
  lastCheck = position;
}

const listReads = () => listOfReads({ get: (path) => call("GET", path, { token }), path: "/v1/me/reads", list: "reads", none: text("me.no_reads") });

/** Shows the state in a command's response, which arrives before the stream's event. */
function answered(answer) {
  return changed({ ...answer, today: permit.today });
}

async function changed(now) {
  if (permit && now.as_of_position < permit.as_of_position) return;
  const isOff = ["ended", "use_suspended"].includes(now.electronic.status);
  const version = `${now.version} ${isOff}`;
  const isNew = permit?.permit_number !== now.permit_number;
  if (!isNew && faceVersion === version && permit.today === now.today) return; // the same again, as in `checked`
  if (isNew) shown = null;
  permit = now;
  try {
    if (faceVersion !== version) {
      const path = `/v1/permits/${now.permit_number}/electronic`;
      const face = await call("GET", path, { token });
      if (permit !== now) return;
      faceVersion = version;
      await listReads();
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

/** Replaces the reminder only if it differs, since it is read out. */
function remind(now) {
  const reminder = reminderFor(now);
  if (byId("reminder").textContent !== (reminder.textContent ?? "")) put(byId("reminder"), reminder);
}

/** Shows a code if this phone has a key, else the claim; a notice if the permit is not effective. */
async function decideWhatToShow() {
  const { status } = permit.electronic;
  const device = status === "unclaimed" ? null : await deviceOf(holder);
  devices.refresh({ permit, own: device });
  if (["ended", "use_suspended"].includes(status)) show("nothing");
  else show(device ? "code" : "claim", device);
}

/** Draws only if something else is to be shown: a code stays until it is replaced. */
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
