// The counter for first identity cards: a form, the station's work, and one application at a time.
import { Problem, call } from "./api.js";
import { byId, h, put } from "./dom.js";
import { showFile } from "./id_cards/file.js";
import { prepareForm } from "./id_cards/form.js";
import { asReceipt } from "./id_cards/stages.js";
import { showWork } from "./id_cards/work.js";
import { claims } from "./session.js";
import { signIn, signOut } from "./signin.js";
import { text } from "./texts.js";

const TABS = ["work", "form"];
let token = null;
let opened = null;

signIn("registrar", byId("signin"), async (value) => {
  token = value;
  byId("desk").hidden = false;
  put(byId("who"), h("span", {}, text("counter.registered_office", { station: claims(value).station ?? "–" })), signOut("registrar"));
  prepareForm({ token, accepted: (answer) => trying(() => refresh(answer.as_of_position)) });
  await trying(() => refresh());
});

for (const name of TABS) byId(`tab-${name}`).addEventListener("click", () => choose(name));
byId("everywhere").addEventListener("change", () => trying(() => refresh()));
byId("find").addEventListener("submit", (event) => {
  event.preventDefault();
  open(asReceipt(byId("receipt").value));
});

function choose(chosen) {
  for (const name of TABS) {
    byId(`tab-${name}`).setAttribute("aria-selected", String(name === chosen));
    byId(`panel-${name}`).hidden = name !== chosen;
  }
}

const refresh = (min_position) => showWork({ token, min_position, everywhere: byId("everywhere").checked, open, opened });

async function open(receipt) {
  await trying(async () => {
    const file = await call("GET", `/v1/id-card-applications/${encodeURIComponent(receipt)}`, { token });
    opened = receipt;
    showFile(file, act);
    for (const row of document.querySelectorAll(".case")) row.setAttribute("aria-current", String(row.dataset.receipt === receipt));
    if (matchMedia("(max-width: 60rem)").matches) byId("side").scrollIntoView();
  });
}

/** One step, and the lists after it. */
async function act(what, body) {
  await trying(async () => {
    const answer = await call("POST", `/v1/id-card-applications/${opened}/${what}`, { token, body, headers: { "idempotency-key": crypto.randomUUID() } });
    await open(opened);
    await refresh(answer.as_of_position);
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
