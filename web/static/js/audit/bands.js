// Draws both tracks as bands over true time, and every event with its two instants.
import { h, svg } from "../dom.js";
import { tone } from "../face.js";
import { day, instant, text } from "../texts.js";

const WIDTH_MIN = 260;
const ROW = 34;
const GAP = 40;
const TOP = 34;
const LATE_MS = 86_400_000;
const LETTER = 8.5;

export const bandAt = (bands, ms) => bands.findLast((band) => Date.parse(band.since) <= ms);

/** Returns the picture, for a width of `room` pixels, and a legend. */
export function drawBands({ bands, marks, from, now, at, known, room }) {
  const wide = Math.max(room - 16, WIDTH_MIN);
  const x = (ms) => ((Math.min(Math.max(ms, from), now) - from) / (now - from || 1)) * wide;
  const rows = ["physical", "electronic"].map((track, n) => row(track, TOP + n * (ROW + GAP), bands, x, now));
  const bottom = TOP + 2 * ROW + GAP;
  const picture = svg(
    "svg",
    { class: "bands", viewBox: `-8 0 ${wide + 16} ${bottom + 34}`, role: "img", "aria-label": described(bands) },
    svg("defs", {}, svg("pattern", { id: "hatch", width: 9, height: 9, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, svg("line", { class: "band__hatch", x1: 0, y1: 0, x2: 0, y2: 9 }))),
    ...rows.flat(),
    ...marks.map((mark) => drawMark(mark, x, known, bottom)),
    svg("line", { class: "cursor", x1: x(at), x2: x(at), y1: TOP - 20, y2: bottom + 8 }),
    svg("text", { class: "bands__day", x: 0, y: bottom + 28 }, day(shanghaiDay(from))),
    svg("text", { class: "bands__day", x: wide, y: bottom + 28, "text-anchor": "end" }, day(shanghaiDay(now))),
  );
  return [picture, legend(bands)];
}

function row(track, y, bands, x, now) {
  const parts = merged(track, bands, now).flatMap(({ since, until, status, effective }) => {
    const [left, width] = [x(since), Math.max(x(until) - x(since), 1)];
    const place = { x: left, y, width, height: ROW, rx: 5 };
    const name = text(`statuses.${status}`);
    const fits = width > [...name].length * LETTER * (name.charCodeAt(0) > 255 ? 1.7 : 1) + 14;
    return [
      svg("rect", { class: `band band--${tone(status)}`, "data-band": track, ...place }, svg("title", {}, `${name}, ${instant(since)} – ${instant(until)}`)),
      effective ? null : svg("rect", { fill: "url(#hatch)", "pointer-events": "none", ...place }),
      fits ? svg("text", { class: "band__name", x: left + 9, y: y + ROW / 2 + 4 }, name) : null,
    ];
  });
  return [svg("text", { x: 0, y: y - 9 }, text(`tracks.${track}`)), ...parts];
}

/** Merges neighbouring bands of one track: a band ends when either track changes. */
function merged(track, bands, now) {
  const found = [];
  for (const band of bands) {
    const since = Date.parse(band.since);
    const until = band.until ? Date.parse(band.until) : now;
    const [status, effective, card] = [band[track], band[`${track}_effective`], band.card_serial];
    const last = found.at(-1);
    if (last && last.status === status && last.effective === effective && last.card === card) last.until = until;
    else found.push({ since, until, status, effective, card });
  }
  return found.filter((band) => band.since <= now);
}

function drawMark(mark, x, known, bottom) {
  const [real, recorded] = [Date.parse(mark.true_from), Date.parse(mark.recorded_at)];
  const isLate = recorded - real > LATE_MS;
  const kind = text(`kinds.${mark.type.replace(/\.v\d+$/, "")}`);
  const y = bottom + 4;
  return svg(
    "g",
    { class: `mark${isLate ? " mark--late" : ""}${recorded > known ? " mark--unknown" : ""}` },
    svg("title", {}, text("audit.mark", { kind, real: instant(real), recorded: instant(recorded) })),
    svg("line", { class: "mark", x1: x(real), x2: x(real), y1: TOP - 4, y2: y }),
    isLate ? svg("line", { class: "mark__lag", x1: x(real), x2: x(recorded), y1: y, y2: y }) : null,
    svg("circle", { class: "mark__head", cx: x(real), cy: y, r: 5 }),
  );
}

function legend(bands) {
  const statuses = new Set(bands.flatMap((band) => [band.physical, band.electronic]));
  return h(
    "p",
    { class: "legend" },
    ...[...statuses].map((status) => h("span", { class: tone(status) ? `chip chip--${tone(status)}` : "chip" }, text(`statuses.${status}`))),
    h("span", {}, text("audit.hatched")),
    h("span", {}, text("audit.late")),
  );
}

const described = (bands) =>
  bands.map((band) => text("audit.band", { since: instant(band.since), physical: text(`statuses.${band.physical}`), electronic: text(`statuses.${band.electronic}`) })).join(" ");

const shanghaiDay = (ms) => new Date(ms + 8 * 3_600_000).toISOString().slice(0, 10);
