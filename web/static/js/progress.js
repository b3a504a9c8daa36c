// How far an application is, for whoever has the receipt. The number stays in the fragment: it goes into
// no address that a server or another page is told.
import { Problem, call } from "./api.js";
import { byId, h, put } from "./dom.js";
import { asReceipt, dueLine, grouped, steps } from "./id_cards/stages.js";

byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const receipt = asReceipt(byId("receipt").value);
  if (location.hash.slice(1) === receipt) show(receipt);
  else location.hash = receipt;
});
addEventListener("hashchange", carried);
carried();

function carried() {
  const receipt = asReceipt(decodeURIComponent(location.hash.slice(1)));
  if (!receipt) return;
  byId("receipt").value = grouped(receipt);
  show(receipt);
}

async function show(receipt) {
  put(byId("problem"));
  byId("found").hidden = true;
  try {
    const found = await call("GET", `/v1/id-card-applications/${encodeURIComponent(receipt)}/progress`);
    byId("found").hidden = false;
    put(byId("found"), h("p", { class: "code soft" }, grouped(found.receipt_number)), dueLine(found), steps(found));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    put(byId("problem"), h("p", { class: "notice notice--bad" }, error.told));
  }
}
