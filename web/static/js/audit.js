// The investigator's page: one permit through time, its history, who checked it, who looked here.
import { Problem, call } from "./api.js";
import { listChecks } from "./audit/checks.js";
import { save } from "./audit/evidence.js";
import { listEvents } from "./audit/events.js";
import { listReads } from "./audit/reads.js";
import { Travel } from "./audit/travel.js";
import { byId, h, put } from "./dom.js";
import { claims } from "./session.js";
import { signIn, signOut } from "./signin.js";
import { text } from "./texts.js";

let token = null;
let travel = null;
const get = (path, options = {}) => call("GET", path, { token, ...options });

signIn("investigator", byId("signin"), async (value) => {
  token = value;
  byId("audit").hidden = false;
  put(byId("case"), text("audit.case", { case: claims(value).case ?? "–" }));
  put(byId("out"), signOut("investigator"));
  travel = new Travel({ get, trying });
  const asked = location.hash.slice(1).toUpperCase();
  if (/^[0-9A-Z]{12}$/.test(asked)) await open(asked);
  await trying(() => listReads(get, null));
});

byId("find").addEventListener("submit", (event) => {
  event.preventDefault();
  open(byId("permit-number").value.trim().toUpperCase());
});

byId("evidence").addEventListener("click", () =>
  trying(async () => {
    byId("evidence").disabled = true;
    try {
      await save(token, byId("shown-number").textContent, travel.at);
    } finally {
      byId("evidence").disabled = false;
    }
    await listReads(get, byId("shown-number").textContent);
  }),
);

async function open(number) {
  byId("opened").hidden = true;
  byId("permit-number").value = number;
  await trying(async () => {
    await travel.open(number);
    put(byId("shown-number"), number);
    byId("opened").hidden = false;
    history.replaceState(null, "", `#${number}`);
    await listEvents(get, number);
    await listChecks(get, number);
    await listReads(get, number);
  });
}

async function trying(work) {
  put(byId("problem"));
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    put(byId("problem"), h("p", { class: "notice notice--bad" }, error.told));
  }
}
