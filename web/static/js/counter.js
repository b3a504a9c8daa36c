// The registrar's counter: the station's work list; find or issue a permit, then act; both tracks are
// updated live.
import { Problem, call } from "./api.js";
import { serviceNow } from "./clock.js";
import { actionsFor, bodyOf, commandOf, doneOf, pathOf } from "./counter/actions.js";
import { ask, hasForm } from "./counter/forms.js";
import { prepareIssue } from "./counter/issue.js";
import { printSlip } from "./counter/slip.js";
import { showTracks } from "./counter/tracks.js";
import { WorkList } from "./counter/work_list.js";
import { byId, h, put } from "./dom.js";
import { refuse, submit, unmarkAll, watch } from "./fields.js";
import { PERMIT_LENGTH, isPermitNumber, normalised } from "./numbers.js";
import { attempt, noticeOf, wholeWordsOf } from "./problems.js";
import { claims } from "./session.js";
import { isDevelopment, signIn, signOut } from "./signin.js";
import { listen, show as showLight } from "./stream.js";
import { text } from "./texts.js";
import { settle, unfinishedUnder, write } from "./writes.js";

const HAPPENED_MAX = 8;
const NEW_CARD = ["issue", "reissue", "replace"];
const fees = JSON.parse(byId("counter").dataset.fees);
let token = null;
let stream = null;
let permit = null;
let face = null;
let work = null;
let resumed = null; // the command that was not completed before a reload
const happened = [];

signIn("registrar", byId("signin"), async (value) => {
  token = value;
  byId("counter").hidden = false;
  byId("find").append(
    h("p", { class: "row row--apart small soft" }, text("counter.registered_office", { station: station() }), signOut()),
  );
  work = new WorkList({ token, open });
  prepareIssue({ token, issued, showForm });
  resume();
  if (byId("issue").hidden && !resumed) work.refresh();
  if (isDevelopment) await offerPeople();
});

watch(byId("find"));
byId("find").addEventListener("submit", (event) => {
  event.preventDefault();
  find(byId("citizen").value);
});
byId("new").addEventListener("click", () => {
  showForm();
  byId("issue").querySelector("input").focus();
});
byId("back").addEventListener("click", showWork);

const station = () => claims(token).station ?? "–";

async function offerPeople() {
  const { people } = await call("GET", "/v1/dev/people").catch(() => ({ people: [] }));
  if (!people.length) return;
  const choose = (person) => () => {
    byId("citizen").value = person.citizen_id_number;
    find(person.citizen_id_number);
  };
  const list = people.map((person) =>
    h("li", {}, h("button", { type: "button", class: "person", onclick: choose(person) }, h("b", {}, person.name), h("span", { class: "code small soft" }, person.citizen_id_number))),
  );
  put(byId("people"), h("h3", { class: "label" }, text("counter.try")), h("ul", { class: "people" }, ...list));
}

/** Opens a permit by its number; finds a person by theirs, sent as typed: the service decides which notations are valid. */
async function find(typed) {
  const field = byId("citizen");
  if (!typed.trim()) return refuse(field, text("field_errors.no_number"));
  const permit_number = normalised(typed);
  if (isPermitNumber(permit_number)) return open({ permit_number });
  if (permit_number.length === PERMIT_LENGTH) return refuse(field, text("field_errors.permit_number"));
  const search = async () => {
    const { permits } = await call("POST", "/v1/permits/searches", { token, body: { citizen_id_number: typed } });
    if (permits.length) return open(permits[0]);
    return showNone();
  };
  return submit(byId("find"), { place: byId("problem"), work: search, fieldFor: () => field });
}

function showNone() {
  leave();
  byId("empty").hidden = false;
  put(byId("empty"), h("p", { role: "status" }, text("counter.none")));
}

function showForm() {
  leave();
  byId("issue").hidden = false;
}

function showWork() {
  leave();
  byId("work-list").hidden = false;
  work.refresh();
}

function issued(answer) {
  open(answer);
  note("issue", answer);
}

function leave() {
  stream?.stop();
  unmarkAll(byId("find"));
  for (const id of ["issue", "empty", "opened", "work-list"]) byId(id).hidden = true;
  put(byId("problem"));
}

function open(found) {
  leave();
  [permit, face] = [null, null];
  happened.length = 0;
  for (const id of ["happened", "summary", "actions", "tracks"]) put(byId(id));
  byId("opened").hidden = false;
  if (matchMedia("(max-width: 60rem)").matches) byId("work").scrollIntoView();
  stream = listen(`/v1/permits/${found.permit_number}/live`, {
    token,
    onEvent: (_, now) => changed(now),
    onState: (state, problem) => (state === "refused" ? refused(problem) : showLight(state)),
  });
}

function refused(problem) {
  if (problem.code === "UNKNOWN_PERMIT") return showNone();
  return put(byId("problem"), noticeOf(problem));
}

/** Shows a new state; the notice about the last command is kept. */
async function changed(now) {
  if (permit && now.as_of_position < permit.as_of_position) return;
  // The same again, of a new connection: a page that asks by itself would keep the session alive.
  if (face?.version === now.version && permit?.today === now.today) return;
  permit = now;
  try {
    const path = `/v1/permits/${now.permit_number}/physical`;
    const seen = await call("GET", path, { token });
    if (permit !== now) return; // it has changed again meanwhile
    face = seen;
    showTracks(now, face);
    put(byId("actions"), ...actionsFor(now, act));
    if (now.personal_data === "restricted") put(byId("actions"), h("p", { class: "notice notice--warn" }, text("errors.HOLDER_RESTRICTED")));
    for (const done of happened.filter(({ answer }) => answer.version === face.version)) complete(done);
    if (resumed?.permit_number === now.permit_number) takeUp(resumed.name);
    resumed = null;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    put(byId("problem"), noticeOf(error, wholeWordsOf(error)));
  }
}

/** Sends a command, after its form if it has one, and notes its result; the tracks are updated by the stream. */
function act(name) {
  const path = pathOf(permit, name);
  const send = async (body, isKept) => note(name, await write(path, { token, body, isKept }), body);
  put(byId("problem"));
  if (hasForm(name)) return ask(name, { permit, face, path, token, send: (body) => send(body, true) });
  return attempt(byId("problem"), () => send(bodyOf(name, face), false));
}

/** Opens the form again that a reload has closed before its command was recorded. */
function resume() {
  const before = unfinishedUnder("/v1/permits/", token);
  resumed = before && commandOf(before.path);
  if (resumed) open(resumed);
}

/** Shows the form again, unless the permit's state shows that there is nothing left to do. */
function takeUp(name) {
  if (permit.commands.includes(name)) act(name);
  else settle(pathOf(permit, name), token);
}

function note(name, answer, body = {}) {
  const fee = body.reason === "office_error" ? fees.office_error : (fees[name] ?? null);
  const done = { name, answer, fee, what: doneOf(name, answer), station: station(), at: new Date(serviceNow()).toISOString(), due: null };
  done.isNewCard = NEW_CARD.includes(name);
  happened.unshift(done);
  happened.length = Math.min(happened.length, HAPPENED_MAX);
  if (face?.version === answer.version) complete(done);
  put(byId("happened"), ...happened.map(entry));
}

/** Adds what the permit's card says: when the command was recorded, and when a new card is due. */
function complete(done) {
  done.at = face.updated_at;
  done.due = done.isNewCard ? face.card_due_on : null;
}

function entry(done) {
  return h(
    "li",
    { class: "row row--apart" },
    h("span", {}, done.what),
    h("span", { class: "row" }, h("span", { class: "soft small number" }, text("counter.position", { position: done.answer.as_of_position })), h("button", { type: "button", class: "button button--quiet button--small", "data-action": "print", onclick: () => printSlip(done) }, text("slip.print"))),
  );
}
