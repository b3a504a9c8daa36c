// Signing in: in development mode by choosing a person, else with a token of the organisation.
import { Problem, call } from "./api.js";
import { refuse, watch } from "./fields.js";
import { h, put } from "./dom.js";
import { wholeWordsOf } from "./problems.js";
import { claims, enter, forget, keep, renew, token } from "./session.js";
import { text } from "./texts.js";
import { forgetWrites } from "./writes.js";

const SCOPES = { registrar: "permits:write", verifier: "verify", holder: "holder", investigator: "audit:read" };
export const isDevelopment = document.body.dataset.development === "yes";

/** Shows the sign-in at `place` until a token is accepted, then calls `entered(token)`. */
export async function signIn(role, place, entered) {
  await null; // not before the page's own module has been evaluated
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
    renew();
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
