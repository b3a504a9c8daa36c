// The progress of an application, by its receipt number and the end of the applicant's citizen number.
// The receipt number may come in the fragment, which is sent neither to a server nor to another page.
import { Problem, call } from "./api.js";
import { byId, h, put } from "./dom.js";
import { refuse, watch } from "./fields.js";
import { noticeOf } from "./problems.js";
import { dueLine, grouped, steps } from "./id_cards/stages.js";
import { isReceiptNumber, normalised, unescaped } from "./numbers.js";
import { text } from "./texts.js";

const LAST4 = /^[0-9]{3}[0-9X]$/;

watch(byId("ask"));
byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const receipt = normalised(byId("receipt").value);
  if (!receipt) return refuse(byId("receipt"), text("field_errors.no_number"));
  if (!isReceiptNumber(receipt)) return refuse(byId("receipt"), text("field_errors.receipt"));
  const last4 = normalised(byId("last4").value);
  if (!LAST4.test(last4)) return refuse(byId("last4"), text("field_errors.id_last4"));
  return show(receipt, last4);
});
addEventListener("hashchange", carried);
carried();

function carried() {
  const receipt = normalised(unescaped(location.hash.slice(1)));
  if (!receipt) return;
  byId("receipt").value = grouped(receipt);
  if (isReceiptNumber(receipt)) byId("last4").focus();
  else refuse(byId("receipt"), text("field_errors.receipt"));
}

async function show(receipt, last4) {
  byId("found").hidden = true;
  put(byId("problem"));
  try {
    const found = await call("GET", `/v1/id-card-applications/${encodeURIComponent(receipt)}/progress?id_last4=${last4}`);
    byId("found").hidden = false;
    put(byId("found"), h("p", { class: "code soft" }, grouped(found.receipt_number)), dueLine(found), steps(found));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    put(byId("problem"), error.status === 404 ? noticeOf(error, text("progress.unknown")) : noticeOf(error));
  }
}
