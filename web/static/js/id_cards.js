// The counter for first identity cards: the form, the station's open work, and one application.
import { call } from "./api.js";
import { byId, h, put } from "./dom.js";
import { refuse, submit, watch } from "./fields.js";
import { showFile } from "./id_cards/file.js";
import { prepareForm } from "./id_cards/form.js";
import { showWork } from "./id_cards/work.js";
import { isReceiptNumber, normalised } from "./numbers.js";
import { attempt } from "./problems.js";
import { claims } from "./session.js";
import { signIn, signOut } from "./signin.js";
import { text } from "./texts.js";
import { write } from "./writes.js";

const TABS = ["work", "form"];
let token = null;
let opened = null;

signIn("registrar", byId("signin"), async (value) => {
  token = value;
  byId("desk").hidden = false;
  put(byId("who"), h("span", {}, text("counter.registered_office", { station: claims(value).station ?? "–" })), signOut());
  const form = prepareForm({ token, accepted: (answer) => trying(() => refresh()), showForm: () => choose("form") });
  await trying(async () => form.setToday((await refresh()).today));
});

for (const name of TABS) byId(`tab-${name}`).addEventListener("click", () => choose(name));
watch(byId("find"));
byId("find").addEventListener("submit", (event) => {
  event.preventDefault();
  const [field, receipt] = [byId("receipt"), normalised(byId("receipt").value)];
  if (!receipt) return refuse(field, text("field_errors.no_number"));
  if (!isReceiptNumber(receipt)) return refuse(field, text("field_errors.receipt"));
  return open(receipt);
});

function choose(chosen) {
  for (const name of TABS) {
    byId(`tab-${name}`).setAttribute("aria-selected", String(name === chosen));
    byId(`panel-${name}`).hidden = name !== chosen;
  }
}

const refresh = () => showWork({ token, open, opened });

const open = (receipt) => trying(() => show(receipt));

async function show(receipt) {
  const file = await call("GET", `/v1/id-card-applications/${encodeURIComponent(receipt)}`, { token });
  opened = receipt;
  showFile(file, act);
  for (const row of document.querySelectorAll(".case")) row.setAttribute("aria-current", String(row.dataset.receipt === receipt));
  if (matchMedia("(max-width: 60rem)").matches) byId("side").scrollIntoView();
}

/** Takes a step and updates the lists; errors are shown at the fields of `form`, if given. */
function act(what, body, form = byId("opened"), fieldFor = () => null) {
  const work = async () => {
    const answer = await write(`/v1/id-card-applications/${opened}/${what}`, { token, body });
    await show(opened);
    await refresh();
  };
  return submit(form, { place: byId("problem"), work, fieldFor });
}

const trying = (work) => attempt(byId("problem"), work);
