// The overview: positions, lag, today's events and their rate.
import { byId, h, put, svg } from "./dom.js";
import { listen } from "./stream.js";
import { day, number, text } from "./texts.js";

const WINDOW_S = 60;
const BAR_S = 2;
const bars = new Array(WINDOW_S / BAR_S).fill(0);
let position = null;

listen("/v1/live", { onEvent: (name, pulse) => name === "pulse" && show(pulse) });
setInterval(() => {
  bars.shift();
  bars.push(0);
  draw();
}, BAR_S * 1000);
draw();

function show(pulse) {
  const kinds = merge(pulse.events_today);
  const total = kinds.reduce((sum, [, times]) => sum + times, 0);
  put(byId("log-position"), number(pulse.log_position));
  put(byId("views-position"), number(pulse.views_position));
  put(byId("lag"), number(pulse.lag_events));
  put(byId("today"), number(total));
  put(byId("day"), day(pulse.today));
  if (position !== null && pulse.log_position > position) {
    bars[bars.length - 1] += pulse.log_position - position;
    draw();
  }
  position = pulse.log_position;
  if (kinds.length) put(byId("kinds"), ...kinds.map(([kind, times]) => bar(kind, times, kinds[0][1])));
  else put(byId("kinds"), h("li", { class: "soft" }, text("overview.nothing_yet")));
}

/** Adds up the versions of each kind; the most frequent first. */
function merge(counts) {
  const kinds = new Map();
  for (const [topic, times] of Object.entries(counts)) {
    const kind = topic.replace(/\.v\d+$/, "");
    kinds.set(kind, (kinds.get(kind) ?? 0) + times);
  }
  return [...kinds].sort(([, a], [, b]) => b - a);
}

function bar(kind, times, most) {
  return h(
    "li",
    { class: "kind" },
    h("span", {}, text(`kinds.${kind}`)),
    svg("svg", { class: "kind__bar", "aria-hidden": "true" }, svg("rect", { width: `${(times / most) * 100}%`, height: "100%", rx: 3 })),
    h("b", { class: "number" }, number(times)),
  );
}

function draw() {
  const width = 600 / bars.length;
  const most = Math.max(4, ...bars);
  put(
    byId("rate"),
    ...bars.map((value, index) => {
      const height = value ? Math.max(6, (value / most) * 60) : 0;
      return svg("rect", { x: index * width + 2, y: 64 - height, width: width - 4, height, rx: 2 });
    }),
  );
}
