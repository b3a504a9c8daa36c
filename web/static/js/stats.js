// The statistics: figures, charts and tables, updated whenever new ones are published.
import { call } from "./api.js";
import { byId, put } from "./dom.js";
import { listen } from "./stream.js";
import { day, number, percent, text } from "./texts.js";
import { showChart } from "./stats/chart.js";
import { rowsOf, showTable } from "./stats/table.js";

const CHARTS = {
  in_force_by_district: "in_force",
  electronic_adoption: "adoption",
  endorsement_outcomes: "endorsements",
  endorsements_due: "due",
  delivery_times: "delivery",
  losses: "losses",
  checks_answered: "checks",
  station_throughput: "throughput",
};

let wanted = false;
let isAsking = false;

listen("/v1/stats/live", { onEvent: (name) => name === "stats" && ask() });
ask();

/** Loads the newest statistics, and again if others were published meanwhile. */
async function ask() {
  wanted = true;
  if (isAsking) return;
  isAsking = true;
  while (wanted) {
    wanted = false;
    try {
      show(await call("GET", "/v1/stats"));
      byId("unpublished").hidden = true;
    } catch (problem) {
      byId("unpublished").hidden = problem.status !== 503;
    }
  }
  isAsking = false;
}

function show(stats) {
  const least = number(stats.count_min);
  put(byId("lead"), text("stats.lead", { least }));
  put(byId("as-of"), `${text("stats.as_of", { position: number(stats.as_of_position) })} · ${text("stats.for_day", { day: day(stats.today) })}`);
  byId("parked").hidden = !stats.parked;
  put(byId("parked"), text("stats.parked", { count: number(stats.parked) }));
  showFigures(stats);
  for (const [name, question] of Object.entries(stats.questions)) {
    const section = byId(name);
    if (!section) continue;
    showTable(section, question, stats);
    if (CHARTS[name]) showChart(section, stats.charts[CHARTS[name]]);
  }
}

function showFigures(stats) {
  const now = rowsOf(stats.questions.losses).at(-1);
  const thisMonth = stats.today.slice(0, 7);
  const full = rowsOf(stats.questions.endorsement_outcomes).find((row) => row.month.slice(0, 7) < thisMonth);
  const shown = (value, format) => (value === null || value === undefined ? "–" : format(value));
  put(byId("figure-in_force"), shown(now?.in_force, number));
  put(byId("figure-on_time"), shown(full?.on_time_share, percent));
  put(byId("figure-lost_rate"), shown(now?.lost_per_1000, number));
  put(byId("figure-checks"), number(stats.as_of_checks));
}
