// The registrar's counter: find or issue a permit, then act; both tracks are updated live.
import { Problem, call } from "./api.js";
import { actionsFor } from "./counter/actions.js";
import { prepareIssue } from "./counter/issue.js";
import { showTracks } from "./counter/tracks.js";
import { byId, h, put } from "./dom.js";
import { refuse, submit, unmarkAll, watch } from "./fields.js";
import { attempt, noticeOf, wholeWordsOf } from "./problems.js";
import { claims } from "./session.js";
import { isDevelopment, signIn, signOut } from "./signin.js";
import { listen, show as showLight } from "./stream.js";
import { text } from "./texts.js";
import { write } from "./writes.js";

const HAPPENED_MAX = 8;
let token = null;
let stream = null;
let permit = null;
const happened = [];

signIn("registrar", byId("signin"), async (value) => {
  token = value;
  byId("counter").hidden = false;
  byId("find").append(
    h("p", { class: "row row--apart small soft" }, text("counter.registered_office", { station: claims(value).station ?? "–" }), signOut()),
  );
  prepareIssue({ token, issued, showForm });
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

/** Sends the number as typed: the service decides which notations are valid. */
async function find(citizen_id_number) {
  const field = byId("citizen");
  if (!citizen_id_number.trim()) return refuse(field, text("field_errors.no_number"));
  const work = async () => {
    const { permits } = await call("POST", "/v1/permits/searches", { token, body: { citizen_id_number } });
    leave();
    if (permits.length) return open(permits[0]);
    byId("empty").hidden = false;
    return put(byId("empty"), h("p", { role: "status" }, text("counter.none")));
  };
  return submit(byId("find"), { place: byId("problem"), work, fieldFor: () => field });
}

function showForm() {
  leave();
  byId("issue").hidden = false;
}

function issued(answer) {
  open(answer);
  note(text("counter.done_issue", { number: answer.permit_number }), answer.as_of_position);
}

function leave() {
  stream?.stop();
  unmarkAll(byId("find"));
  byId("issue").hidden = true;
  byId("empty").hidden = true;
  byId("opened").hidden = true;
  put(byId("problem"));
}

function open(found) {
  leave();
  permit = null;
  happened.length = 0;
  put(byId("happened"));
  byId("opened").hidden = false;
  if (matchMedia("(max-width: 60rem)").matches) byId("work").scrollIntoView();
  stream = listen(`/v1/permits/${found.permit_number}/live`, {
    token,
    onEvent: (_, now) => changed(now),
    onState: (state, problem) => (state === "refused" ? put(byId("problem"), noticeOf(problem)) : showLight(state)),
  });
}

/** Shows a new state; the notice about the last command is kept. */
async function changed(now) {
  if (permit && now.as_of_position < permit.as_of_position) return;
  permit = now;
  try {
    const path = `/v1/permits/${now.permit_number}/physical`;
    const face = await call("GET", path, { token });
    if (permit !== now) return; // it has changed again meanwhile
    showTracks(now, face);
    put(byId("actions"), ...actionsFor(now, act));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    put(byId("problem"), noticeOf(error, wholeWordsOf(error)));
  }
}

/** Sends a command and notes its result; the tracks are updated by the stream. */
function act(path, body, done) {
  return attempt(byId("problem"), async () => {
    const answer = await write(`/v1/permits/${permit.permit_number}/${path}`, { token, body });
    note(done(answer), answer.as_of_position);
  });
}

function note(message, position) {
  happened.unshift([message, position]);
  happened.length = Math.min(happened.length, HAPPENED_MAX);
  put(
    byId("happened"),
    ...happened.map(([what, at]) =>
      h("li", { class: "row row--apart" }, h("span", {}, what), h("span", { class: "soft small number" }, text("counter.position", { position: at }))),
    ),
  );
}
