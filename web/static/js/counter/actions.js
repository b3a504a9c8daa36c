// The commands that a permit allows now, as the service says, each with its button and its message.
import { h } from "../dom.js";
import { day, text } from "../texts.js";

const GROUPS = {
  card: ["endorse", "deliver_card", "reissue", "lift_loss", "replace", "report_loss"],
  details: ["change_address", "correct_identity"],
  end: ["cancel", "void"],
};
const PATHS = {
  endorse: "endorsements",
  deliver_card: "deliveries",
  reissue: "reissues",
  lift_loss: "loss-lifts",
  replace: "replacements",
  report_loss: "loss-reports",
  change_address: "address-changes",
  correct_identity: "identity-corrections",
  cancel: "cancellations",
  void: "voidings",
};
const KINDS = { endorse: "button", reissue: "button", deliver_card: "button", report_loss: "button button--risky", cancel: "button button--risky", void: "button button--risky" };
const NEW_CARD = 2; // the serial of the first card that has replaced another

export const pathOf = (permit, name) => `/v1/permits/${permit.permit_number}/${PATHS[name]}`;

/** Returns the permit's number and the command of an address, or null. */
export function commandOf(path) {
  const [, number, last] = /^\/v1\/permits\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
  const name = Object.keys(PATHS).find((each) => PATHS[each] === last);
  return name ? { permit_number: number, name } : null;
}

/** Returns groups of buttons; `act(name)` is called by each. */
export function actionsFor(permit, act) {
  const commands = permit.commands ?? [];
  const button = (name) => h("button", { type: "button", class: KINDS[name] ?? "button button--quiet", "data-action": name, onclick: () => act(name) }, text(`counter.action_${name}`));
  return Object.entries(GROUPS).flatMap(([group, names]) => {
    const offered = names.filter((name) => commands.includes(name));
    if (!offered.length) return [];
    return [h("div", { class: "acts", role: "group", "aria-label": text(`counter.acts_${group}`) }, ...offered.map(button))];
  });
}

/** The body of a command that needs no form. A reissue's receipt stands for a card that waits to be collected. [P9] */
export function bodyOf(name, face) {
  if (name !== "endorse") return {};
  const isWaiting = face.card_delivered_on === null && face.card_serial >= NEW_CARD;
  return { card_presented: isWaiting ? "reissue_receipt" : "card" };
}

/** Says what a command has come to, from its answer. */
export function doneOf(name, answer) {
  return text(`counter.done_${name}`, { serial: answer.physical.card_serial, until: day(answer.valid_until), number: answer.permit_number });
}
