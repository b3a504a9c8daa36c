// A chart in the page's language, for narrow and wide screens; colours follow the reader's scheme.
import { h, put } from "../dom.js";
import { locale, text } from "../texts.js";

const LANGUAGE = locale.slice(0, 2);
const NARROW = "(max-width: 46rem)";

export function showChart(section, chart) {
  const files = chart?.[LANGUAGE];
  const place = section.querySelector(".question__chart");
  const shown = files?.wide ?? "none";
  if (place.dataset.shown === shown) return;
  place.dataset.shown = shown;
  if (!files) return void put(place, h("p", { class: "soft" }, text("stats.nothing")));
  const address = (name) => `/v1/stats/files/${name}`;
  const title = section.querySelector("h2").textContent;
  put(
    place,
    h(
      "picture",
      {},
      h("source", { media: NARROW, srcset: address(files.narrow) }),
      h("img", { src: address(files.wide), alt: text("stats.chart_of", { title }), decoding: "async" }),
    ),
  );
}
