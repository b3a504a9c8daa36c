// Makes elements without markup in strings: no received data is ever parsed as HTML.
const SVG = "http://www.w3.org/2000/svg";

/** h("p", { class: "soft", onclick }, "text", child, …); null and false are skipped. */
export function h(name, properties = {}, ...children) {
  return fill(document.createElement(name), properties, children);
}

/** The same for SVG. */
export function svg(name, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, name), properties, children);
}

/** Replaces the content of an element. */
export function put(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== false));
  return element;
}

/** Sets an element's text if it differs, since a live region is read out on every change. */
export function say(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

export const byId = (id) => document.getElementById(id);

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === false || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  put(element, ...children);
  return element;
}
