// Tabs as in WAI-ARIA: arrow keys move, and only the selected tab is in the tab order.
import { byId } from "./dom.js";

/**
 * Returns a function that selects a tab by its name; `chosen(name)` is called for each selection. Tabs
 * may share one panel, or have a panel each.
 */
export function prepareTabs(names, chosen) {
  const tabs = names.map((name) => byId(`tab-${name}`));
  const choose = (index) => {
    tabs.forEach((tab, place) => {
      tab.setAttribute("aria-selected", String(place === index));
      tab.tabIndex = place === index ? 0 : -1;
      const panel = byId(`panel-${names[place]}`);
      if (panel) panel.hidden = place !== index;
    });
    chosen(names[index]);
  };
  tabs.forEach((tab, index) => {
    tab.addEventListener("click", () => choose(index));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = (index + step + tabs.length) % tabs.length;
      choose(next);
      tabs[next].focus();
    });
  });
  return (name) => choose(names.indexOf(name));
}
