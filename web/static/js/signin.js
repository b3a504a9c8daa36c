// Signing in: at the organisation's identity provider; in development mode by choosing a person; and where
// there is neither, with a token.
import { Problem, call } from "./api.js";
import { refuse, watch } from "./fields.js";
import { h, put } from "./dom.js";
import { wholeWordsOf } from "./problems.js";
import { claims, enter, forget, forgetCase, keep, nameCase, namedCase, renew, token } from "./session.js";
import { has, text } from "./texts.js";
import { forgetWrites } from "./writes.js";

const SCOPES = { registrar: "permits:write", verifier: "verify", holder: "holder", investigator: "audit:read" };
const WAY_IN = document.body.dataset.wayIn;
export const isDevelopment = WAY_IN === "development";
export const hasProvider = WAY_IN === "provider";
let session = null;
let hasFailed = false;

/** Shows the sign-in at `place` until a credential is there, then calls `entered(credential)`. */
export async function signIn(role, place, entered) {
  await null; // not before the page's own module has been evaluated
  if (hasProvider) return atProvider(role, place, entered);
  const known = token(role);
  if (known && isFor(known, role)) {
    enter(role);
    put(place);
    return entered(known);
  }
  forget(role);
  const problem = h("p", { role: "alert" });
  const use = (value) => {
    if (!isFor(value, role)) return showProblem(problem, text("signin.bad_token"));
    keep(role, value);
    enter(role);
    put(place);
    return entered(value);
  };
  const ways = isDevelopment ? await development(role, use, problem) : [production(use)];
  const panel = h(
    "section",
    { class: "panel stack signin", "aria-labelledby": "signin-title" },
    h("h2", { id: "signin-title" }, text(`signin.title_${role}`)),
    ...ways,
    problem,
  );
  panel.querySelectorAll("form").forEach(watch);
  put(place, panel);
}

/** A button that signs out and reloads the page. */
export function signOut() {
  const leave = () => {
    forgetWrites();
    if (session) return leaveProvider();
    return renew();
  };
  return h("button", { type: "button", class: "button button--quiet", onclick: leave }, text("signin.out"));
}

/** Requests a development token for a role. */
export async function developmentToken(role, more = {}) {
  return (await call("POST", "/v1/dev/tokens", { body: { role, ...more } })).access_token;
}

/** Whether a token is for this role. The service checks its expiry, since clocks here may be wrong. */
function isFor(value, role) {
  const { scope } = claims(value);
  return typeof scope === "string" && scope.split(" ").includes(SCOPES[role]);
}

async function atProvider(role, place, entered) {
  const words = failure();
  const said = words && notice(words);
  if (document.body.dataset.session !== "yes") return put(place, panelOf(role, said, way(role)));
  try {
    session = await call("GET", "/auth/session", { credentials: "same-origin" });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (!error.isSignedOut) return put(place, panelOf(role, notice(wholeWordsOf(error)), way(role)));
    return put(place, panelOf(role, said, way(role)));
  }
  if (!session.scopes.includes(SCOPES[role])) {
    const other = text("signin.other_role", { name: session.name ?? session.sub, role: text(`signin.role_${session.role}`) });
    return put(place, panelOf(role, h("p", { class: "notice notice--warn" }, other), signOut()));
  }
  enter(role);
  if (role === "investigator" && !session.case && !namedCase()) return put(place, panelOf(role, caseForm(place, entered)));
  if (!session.case) session.namedCase = namedCase();
  put(place, said);
  return entered(session);
}

/** Leaves for the provider, which is asked to compare the face, and comes back to this page. */
export const compareFace = () => location.assign(`${address()}&step_up=face`);

/** Whether this page was opened by a sign-in that failed. */
export const signInFailed = () => hasFailed;

const address = () => `/auth/sign-in?next=${encodeURIComponent(location.pathname)}`;

/** Returns the words for the failed sign-in that the address names, if any. */
export function failure() {
  const [, code] = /^#sign-in=([a-z_]+)$/.exec(location.hash) ?? [];
  if (!code) return null;
  hasFailed = true;
  history.replaceState(null, "", location.pathname);
  return text(has(`signin.failed_${code}`) ? `signin.failed_${code}` : "signin.failed_refused");
}

const notice = (words) => h("p", { role: "alert", class: "notice notice--bad" }, words);

function way(role) {
  return h(
    "div",
    { class: "stack stack--tight" },
    h("p", { class: "soft" }, text(role === "holder" ? "signin.provider_holder" : "signin.provider")),
    h("a", { class: "button", id: "sign-in", href: address() }, text("signin.go")),
  );
}

function panelOf(role, ...parts) {
  return h("section", { class: "panel stack signin", "aria-labelledby": "signin-title" }, h("h2", { id: "signin-title" }, text(`signin.title_${role}`)), ...parts);
}

/** Asks for the case that is recorded with each read of this tab. */
function caseForm(place, entered) {
  const field = h("input", { class: "input", id: "signin-case", maxlength: 64, required: true, autocomplete: "off" });
  const name = (event) => {
    event.preventDefault();
    nameCase(field.value.trim());
    session.namedCase = field.value.trim();
    put(place);
    entered(session);
  };
  const form = h(
    "form",
    { class: "stack stack--tight", onsubmit: name },
    h("div", { class: "field" }, h("label", { for: "signin-case" }, text("signin.case")), field),
    h("button", { class: "button" }, text("signin.open_case")),
  );
  watch(form);
  return form;
}

async function leaveProvider() {
  forgetCase();
  try {
    const { location: next } = await call("POST", "/auth/sign-out", { token: session });
    location.assign(next);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    location.assign("/signed-out");
  }
}

function showProblem(problem, message) {
  put(problem, message);
  problem.className = "notice notice--bad";
}

async function development(role, use, problem) {
  const intro = h("p", { class: "soft" }, text("signin.development"));
  const trying = (work) => async (event) => {
    event.preventDefault();
    try {
      await work(event);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      showProblem(problem, wholeWordsOf(error));
    }
  };
  if (role === "investigator") return [intro, investigation(trying, use)];
  if (role !== "holder") {
    const go = trying(async () => use(await developmentToken(role)));
    return [intro, h("button", { type: "button", class: "button", onclick: go }, text(`signin.as_${role}`))];
  }
  const as = async (holder_id) => use(await developmentToken("holder", { holder_id }));
  const { people } = await call("GET", "/v1/dev/people").catch(() => ({ people: [] }));
  const choices = people.map((person) =>
    h(
      "li",
      {},
      h(
        "button",
        {
          type: "button",
          class: "person",
          onclick: trying(() => as(person.holder_id)),
        },
        h("b", {}, person.name),
        h("span", { class: "code small soft" }, person.citizen_id_number),
      ),
    ),
  );
  const field = h("input", { class: "input code", id: "signin-citizen", maxlength: 40, required: true, autocomplete: "off" });
  const search = trying(async () => {
    put(problem);
    if (!field.value.trim()) return refuse(field, text("field_errors.no_number"));
    const registrar = await developmentToken("registrar");
    const body = { citizen_id_number: field.value };
    const { permits } = await call("POST", "/v1/permits/searches", { token: registrar, body });
    if (!permits.length) return showProblem(problem, text("signin.not_found"));
    return as(permits[0].holder_id);
  });
  return [
    intro,
    choices.length
      ? h("div", {}, h("h3", { class: "label" }, text("signin.people")), h("ul", { class: "people" }, ...choices))
      : h("p", { class: "notice" }, text("signin.no_people")),
    h(
      "form",
      { class: "stack stack--tight", onsubmit: search },
      h("div", { class: "field" }, h("label", { for: "signin-citizen" }, text("signin.citizen")), field),
      h("button", { class: "button" }, text("signin.find")),
    ),
  ];
}

/** The investigator's sign-in, with the case that is recorded with each read. */
function investigation(trying, use) {
  const field = h("input", { class: "input", id: "signin-case", maxlength: 64, required: true, autocomplete: "off", value: "2026-A-1" });
  const go = trying(async () => use(await developmentToken("investigator", { case: field.value.trim() })));
  return h(
    "form",
    { class: "stack stack--tight", onsubmit: go },
    h("div", { class: "field" }, h("label", { for: "signin-case" }, text("signin.case")), field),
    h("button", { class: "button" }, text("signin.as_investigator")),
  );
}

function production(use) {
  const field = h("textarea", { class: "input", id: "signin-token", maxlength: 8000, required: true, spellcheck: "false" });
  const paste = (event) => {
    event.preventDefault();
    use(field.value.trim());
  };
  return h(
    "form",
    { class: "stack stack--tight", onsubmit: paste },
    h("p", { class: "soft" }, text("signin.production")),
    h("div", { class: "field" }, h("label", { for: "signin-token" }, text("signin.token")), field),
    h("button", { class: "button" }, text("signin.use")),
  );
}
