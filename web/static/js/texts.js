// The catalogue of texts embedded in the page.
const catalogue = JSON.parse(document.getElementById("texts").textContent);

export const locale = document.documentElement.lang;

/** Returns the text at "section.key", with {names} filled in; the key itself if there is none. */
export function text(key, values = {}) {
  const [section, ...rest] = key.split(".");
  const found = catalogue[section]?.[rest.join(".")];
  if (found === undefined) return rest.join(".");
  return found.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** Whether the catalogue has a text. */
export function has(key) {
  const [section, ...rest] = key.split(".");
  return catalogue[section]?.[rest.join(".")] !== undefined;
}

const dates = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeZone: "UTC" });
const instants = new Intl.DateTimeFormat(locale, {
  dateStyle: "medium",
  timeStyle: "short",
  timeZone: "Asia/Shanghai",
});
const numbers = new Intl.NumberFormat(locale);

/** Formats a legal date (YYYY-MM-DD), which has no time zone. */
export const day = (iso) => (iso ? dates.format(new Date(`${iso}T00:00:00Z`)) : "–");

/** Formats an instant in Shanghai time. */
export const instant = (iso) => instants.format(new Date(iso));

export const number = (value) => numbers.format(value);

const shares = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 });

/** Formats a share from 0 to 1. */
export const percent = (value) => shares.format(value);
