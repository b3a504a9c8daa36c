// Redraws the service's QR picture from its parts: only the strokes of its one path are used.
import { svg } from "./dom.js";

const STROKES = /^[-\d.\sMmHhVvLlZz]+$/;

/**
 * Returns an <svg> of dark strokes on white, with the quiet zone of four modules around them
 * (ISO/IEC 18004); null if the picture is not as expected.
 */
export function drawQr(picture, label) {
  const box = /viewBox="(0 0 [\d.]+ [\d.]+)"/.exec(picture)?.[1];
  // The dark path comes last.
  const path = [...picture.matchAll(/\sd="([^"]+)"/g)].at(-1)?.[1] ?? "";
  if (!box || !STROKES.test(path)) return null;
  return svg(
    "svg",
    { class: "qr", viewBox: box, role: "img", "aria-label": label, "shape-rendering": "crispEdges" },
    svg("rect", { width: "100%", height: "100%", fill: "#fff" }),
    svg("path", { d: path, stroke: "#000", "stroke-width": 1, fill: "none" }),
  );
}
