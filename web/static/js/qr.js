// The service's QR picture, taken apart and drawn anew: only the strokes of its one path are used.
import { svg } from "./dom.js";

const STROKES = /^[-\d.\sMmHhVvLlZz]+$/;

/**
 * An <svg> of dark strokes on white, with the quiet zone of four modules that the service has put around
 * them (ISO/IEC 18004); null where the picture is not what it should be.
 */
export function drawQr(picture, label) {
  const box = /viewBox="(0 0 [\d.]+ [\d.]+)"/.exec(picture)?.[1];
  // What is dark comes last.
  const path = [...picture.matchAll(/\sd="([^"]+)"/g)].at(-1)?.[1] ?? "";
  if (!box || !STROKES.test(path)) return null;
  return svg(
    "svg",
    { class: "qr", viewBox: box, role: "img", "aria-label": label, "shape-rendering": "crispEdges" },
    svg("rect", { width: "100%", height: "100%", fill: "#fff" }),
    svg("path", { d: path, stroke: "#000", "stroke-width": 1, fill: "none" }),
  );
}
