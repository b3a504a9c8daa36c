// The investigator's page: one permit over time, its history, its checks, and the audit reads.
import { call } from "./api.js";
import { listChecks } from "./audit/checks.js";
import { chosen } from "./audit/disclosing.js";
import { save } from "./audit/evidence.js";
import { listErasures } from "./audit/erasures.js";
import { listEvents } from "./audit/events.js";
import { listReads } from "./audit/reads.js";
import { Travel } from "./audit/travel.js";
import { byId, put } from "./dom.js";
import { refuse, watch } from "./fields.js";
import { isPermitNumber, normalised, unescaped } from "./numbers.js";
import { attempt } from "./problems.js";
import { listOfReads } from "./reads.js";
import { claims } from "./session.js";
import { signIn, signOut } from "./signin.js";
import { text } from "./texts.js";

let token = null;
let travel = null;
const get = (path, options = {}) => call("GET", path, { token, ...options });

signIn("investigator", byId("signin"), async (value) => {
  token = value;
  byId("audit").hidden = false;
  const { case: ofToken, namedCase } = claims(value);
  put(byId("case"), text("audit.case", { case: ofToken ?? namedCase ?? "–" }));
  put(byId("out"), signOut());
  travel = new Travel({ get, trying });
  const asked = normalised(unescaped(location.hash.slice(1)));
  if (asked) await open(asked);
  await trying(() => listReads(get, null));
  await trying(() => listErasures(token, trying));
});

watch(byId("find"));
byId("find").addEventListener("submit", (event) => {
  event.preventDefault();
  open(normalised(byId("permit-number").value));
});

byId("evidence").addEventListener("click", () =>
  trying(async () => {
    byId("evidence").disabled = true;
    try {
      await save({ token, number: byId("shown-number").textContent, at: travel.at, fields: chosen() });
    } finally {
      byId("evidence").disabled = false;
    }
    await listReads(get, byId("shown-number").textContent);
  }),
);

async function open(number) {
  byId("opened").hidden = true;
  put(byId("problem"));
  if (!number) return refuse(byId("permit-number"), text("field_errors.no_number"));
  byId("permit-number").value = number;
  return trying(async () => {
    await travel.open(number).catch((problem) => mistyped(number, problem));
    put(byId("shown-number"), number);
    byId("opened").hidden = false;
    history.replaceState(null, "", `#${number}`);
    await listEvents(get, number, token);
    await listChecks(get, number);
    await listOfReads({ get, path: `/v1/audit/permits/${number}/registrar-reads`, list: "registrar-reads", none: text("audit.no_registrar_reads") });
    await listReads(get, number);
  });
}

/** Distinguishes a mistyped number from a valid one without a permit. */
function mistyped(number, problem) {
  if (problem.code === "UNKNOWN_PERMIT" && !isPermitNumber(number)) refuse(byId("permit-number"), text("field_errors.permit_number"));
  throw problem;
}

function trying(work) {
  return attempt(byId("problem"), work);
}
