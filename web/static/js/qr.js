// The service's QR picture, taken apart and drawn anew: only the strokes of its one path are used.
import { svg } from "./dom.js";

const CUT = 2;
const STROKES = /^[-\d.\sMmHhVvLlZz]+$/;

/** An <svg> of dark strokes on white; null where the picture is not what it should be. */
export function drawQr(picture, label) {
  const box = /viewBox="([\d.\s]+)"/.exec(picture)?.[1];
  // What is dark comes last.
  const path = [...picture.matchAll(/\sd="([^"]+)"/g)].at(-1)?.[1] ?? "";
  if (!box || !STROKES.test(path)) return null;
  return svg(
    "svg",
    { viewBox: cropped(box), role: "img", "aria-label": label, "shape-rendering": "crispEdges" },
    svg("rect", { width: "100%", height: "100%", fill: "#fff" }),
    svg("path", { d: path, stroke: "#0a1412", "stroke-width": 1, fill: "none" }),
  );
}

/** Two modules of the quiet zone are cut off: the white frame around the picture makes up for them. */
function cropped(box) {
  const [, , width, height] = box.split(/\s+/).map(Number);
  return `${CUT} ${CUT} ${width - 2 * CUT} ${height - 2 * CUT}`;
}
