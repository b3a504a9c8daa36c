// The account's own checks, the newest first, from a day on.
import { call } from "../api.js";
import { byId, h } from "../dom.js";
import { withMore } from "../pages.js";
import { attempt } from "../problems.js";
import { instant, text } from "../texts.js";
import { reasonOf } from "./answer.js";

const PAGE = 10;
let asked = 0;

/** Lists the checks; returns a function that does it again. */
export function listOwnChecks({ token }) {
  const refresh = () => {
    const [mine, since] = [(asked += 1), byId("own-since").value];
    const page = async (before) => {
      const query = new URLSearchParams({ limit: PAGE });
      if (since) query.set("since", `${since}T00:00:00+08:00`);
      if (before) query.set("before", before);
      const answer = await call("GET", `/v1/verifications?${query}`, { token });
      return [answer.checks.map(rowOf), answer.next_before];
    };
    const none = [h("li", { class: "soft" }, text("verify.own_none"))];
    return attempt(byId("problem"), () => withMore({ list: byId("own-checks"), more: byId("own-more"), page, none, isCurrent: () => mine === asked }));
  };
  byId("own-since").addEventListener("change", refresh);
  refresh();
  return refresh;
}

function rowOf(check) {
  const isGood = check.outcome === "effective";
  return h(
    "li",
    { class: "own" },
    h("span", { class: "code" }, check.permit_number ?? "–"),
    h("span", { class: `chip chip--${isGood ? "good" : "bad"}` }, text(`outcomes.${check.outcome}`)),
    h("span", { class: "small soft" }, [instant(check.checked_at), text(`scenarios.${check.scenario}`), text(`tracks.${check.track}`)].join(" · ")),
    check.reason ? h("span", { class: "small" }, reasonOf(check)) : null,
  );
}
