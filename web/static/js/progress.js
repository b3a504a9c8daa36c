// The progress of an application, by its receipt number. The number stays in the fragment, which is
// sent neither to a server nor to another page.
import { call } from "./api.js";
import { byId, h, put } from "./dom.js";
import { refuse, watch } from "./fields.js";
import { dueLine, grouped, steps } from "./id_cards/stages.js";
import { isReceiptNumber, normalised, unescaped } from "./numbers.js";
import { attempt } from "./problems.js";
import { text } from "./texts.js";

watch(byId("ask"));
byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const receipt = normalised(byId("receipt").value);
  if (!receipt) return refuse(byId("receipt"), text("field_errors.no_number"));
  if (location.hash.slice(1) === receipt) show(receipt);
  else location.hash = receipt;
  return undefined;
});
addEventListener("hashchange", carried);
carried();

function carried() {
  const receipt = normalised(unescaped(location.hash.slice(1)));
  if (!receipt) return;
  byId("receipt").value = grouped(receipt);
  show(receipt);
}

function show(receipt) {
  byId("found").hidden = true;
  put(byId("problem"));
  if (!isReceiptNumber(receipt)) return refuse(byId("receipt"), text("field_errors.receipt"));
  return attempt(byId("problem"), async () => {
    const found = await call("GET", `/v1/id-card-applications/${encodeURIComponent(receipt)}/progress`);
    byId("found").hidden = false;
    put(byId("found"), h("p", { class: "code soft" }, grouped(found.receipt_number)), dueLine(found), steps(found));
  });
}
