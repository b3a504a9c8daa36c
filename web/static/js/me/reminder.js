// The most urgent reminder for the holder today.
import { h } from "../dom.js";
import { day, text } from "../texts.js";

const DAY_MS = 86_400_000;
const SOON_DAYS = 45;
const daysBetween = (from, to) => Math.round((Date.parse(to) - Date.parse(from)) / DAY_MS);

export function reminderFor(permit) {
  const { opens, closes } = permit.endorsement_window;
  if (["ended", "voided"].includes(permit.status)) return notice("bad", "remind_ended");
  if (permit.status === "use_suspended") return notice("bad", "remind_suspended", { until: day(permit.valid_until) });
  const notices = [];
  if (permit.physical.status === "reported_lost") notices.push(notice("warn", "remind_lost"));
  const left = daysBetween(permit.today, closes);
  if (permit.today >= opens) notices.push(notice("warn", "remind_open", { closes: day(closes), days: left + 1 }));
  else if (daysBetween(permit.today, opens) <= SOON_DAYS) {
    notices.push(h("p", { class: "notice" }, text("me.remind_opens", { opens: day(opens), closes: day(closes) })));
  }
  return notices.length ? h("div", { class: "stack stack--tight" }, ...notices) : "";
}

function notice(tone, name, values = {}) {
  const more = text(`me.${name}_text`, values);
  return h(
    "div",
    { class: `notice notice--${tone}` },
    h("p", {}, h("b", {}, text(`me.${name}`, values))),
    more === `${name}_text` ? null : h("p", { class: "small" }, more),
  );
}
