// Requests to erase a holder, which wait for a second officer: approve or withdraw.
import { call } from "../api.js";
import { byId, h, put } from "../dom.js";
import { claims } from "../session.js";
import { instant, text } from "../texts.js";
import { write } from "../writes.js";

/** Lists them for callers with the right; `trying` shows the problems of their buttons. */
export async function listErasures(token, trying) {
  if (!mayErase(token)) return;
  byId("erasures-panel").hidden = false;
  const { requests, unreadable } = await call("GET", "/v1/audit/erasures", { token });
  const again = () => listErasures(token, trying);
  put(
    byId("erasures"),
    unreadable.length > 0 && h("li", { class: "notice notice--warn" }, text("audit.erasures_unreadable", { numbers: unreadable.join(" ") })),
    requests.length + unreadable.length === 0 && h("li", { class: "soft" }, text("audit.no_erasures")),
    ...requests.map((one) => requestOf(one, token, trying, again)),
  );
}

function mayErase(token) {
  const { scope, scopes } = claims(token);
  return (scopes ?? scope?.split(" ") ?? []).includes("erase");
}

function requestOf(request, token, trying, again) {
  const { legal_basis, case: of_case } = request;
  const path = `/v1/audit/holders/${request.holder_id}/erasures`;
  const [officer] = request.approvals;
  const isOwn = officer === claims(token).sub;
  const erase = () => trying(() => write(path, { token, body: { legal_basis, case: of_case } }).then(again));
  const withdraw = () => trying(() => call("DELETE", path, { token }).then(again));
  const buttons = h("div", { class: "row" });
  const first = () => [
    isOwn ? null : h("button", { type: "button", class: "button", "data-action": "approve", onclick: second }, text("audit.erasure_approve")),
    h("button", { type: "button", class: "button button--quiet", "data-action": "withdraw", onclick: withdraw }, text("audit.erasure_withdraw")),
  ];
  // It can't be undone: a second look before the last step.
  const second = () =>
    put(
      buttons,
      h("p", { class: "notice notice--warn", role: "alert" }, text("audit.erasure_final")),
      h("button", { type: "button", class: "button button--risky", "data-action": "erase", onclick: erase }, text("audit.erasure_erase")),
      h("button", { type: "button", class: "button button--quiet", onclick: () => put(buttons, ...first()) }, text("audit.erasure_back")),
    );
  put(buttons, ...first());
  return h(
    "li",
    { class: "stack stack--tight" },
    h("div", { class: "row row--apart" }, h("b", { class: "code" }, request.permit_numbers.join(" ")), h("span", { class: "small soft" }, text("audit.erasure_until", { until: instant(request.expires_at) }))),
    h("p", { class: "small" }, text("audit.erasure_by", { who: officer, case: of_case, basis: legal_basis })),
    buttons,
  );
}
