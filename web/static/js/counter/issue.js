// The application form: fills it in, sends it, and shows all errors at once.
import { serviceToday } from "../clock.js";
import { byId, h, put } from "../dom.js";
import { refuse, submit, watch } from "../fields.js";
import { isYoung } from "../id_cards/checklist.js";
import { isDevelopment } from "../signin.js";
import { text } from "../texts.js";
import { unfinished, write } from "../writes.js";
import { madeUpPerson } from "./made_up.js";

const PATH = "/v1/permits";

const PORTRAIT_PX = [360, 504];
const PORTRAIT_BYTES_MAX = 64 * 1024;
const QUALITIES = [0.85, 0.7, 0.5, 0.3];

/** The path of each form field in the request. */
const PLACES = {
  name: "holder.name",
  citizen_id_number: "holder.citizen_id_number",
  birth_date: "holder.birth_date",
  sex: "holder.sex",
  ethnicity: "holder.ethnicity",
  hukou_address: "holder.hukou_address",
  portrait: "holder",
  division: "residence.division",
  address: "residence.address",
  residence_registered_on: "residence_registered_on",
  ground: "ground",
  guardian_name: "guardian.name",
  guardian_number: "guardian.citizen_id_number",
};

export function prepareIssue({ token, issued, showForm }) {
  const form = byId("issue");
  let portrait = null; // of a form that was filled in again, since a file input can't be set
  const fieldFor = (place) => form.elements[Object.keys(PLACES).find((name) => [PLACES[name], `holder.${name}`].includes(place))];
  watch(form);
  const requireGuardian = () => {
    const isChild = isYoung(form, serviceToday());
    for (const name of ["guardian_name", "guardian_number"]) form.elements[name].required = isChild;
    byId("guardian-hint").hidden = !isChild;
    if (isChild) byId("guardian").open = true;
  };
  form.addEventListener("input", requireGuardian);
  form.addEventListener("reset", () => setTimeout(requireGuardian));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const work = async () => {
      const file = form.elements.portrait.files[0];
      const picture = file ? await base64(file) : portrait;
      if (file && !picture) return refuse(form.elements.portrait, text("field_errors.portrait"));
      const answer = await write(PATH, { token, body: application(new FormData(form), picture ?? undefined), isKept: true });
      portrait = null;
      form.reset();
      return issued(answer);
    };
    submit(form, { place: byId("issue-problem"), work, fieldFor });
  });
  const fill = (values) => {
    for (const [name, value] of Object.entries(values)) form.elements[name].value = value;
    requireGuardian();
  };
  byId("made-up").hidden = !isDevelopment;
  byId("made-up").addEventListener("click", () => fill(madeUpPerson()));
  const before = unfinished(PATH, token);
  if (!before) return;
  const { portrait: picture, ...holder } = before.body.holder;
  const { residence, guardian, residence_registered_on = "", ground } = before.body;
  portrait = picture ?? null;
  fill({ ...holder, ...residence, residence_registered_on, ground, guardian_name: guardian?.name ?? "", guardian_number: guardian?.citizen_id_number ?? "" });
  put(byId("issue-problem"), h("p", { class: "notice notice--warn" }, text(before.isUnknown ? "errors.unknown_outcome" : "errors.not_sent")));
  showForm();
}

function application(data, portrait) {
  const given = (name) => data.get(name)?.trim() || undefined;
  const hasGuardian = given("guardian_name") || given("guardian_number");
  return {
    holder: {
      name: given("name") ?? "",
      sex: given("sex") ?? "",
      ethnicity: given("ethnicity") ?? "",
      birth_date: given("birth_date") ?? "",
      citizen_id_number: given("citizen_id_number") ?? "",
      hukou_address: given("hukou_address") ?? "",
      portrait,
    },
    residence: { division: given("division") ?? "", address: given("address") ?? "" },
    residence_registered_on: given("residence_registered_on"),
    ground: given("ground"),
    guardian: hasGuardian
      ? { name: given("guardian_name") ?? "", citizen_id_number: given("guardian_number") ?? "" }
      : undefined,
  };
}

/** Converts a picture to a JPEG within the size limit, in base64; null if the file is no picture. */
async function base64(file) {
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) return null;
  const [width, height] = PORTRAIT_PX;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // JPEG has no transparency, and would show black instead
  context.fillRect(0, 0, width, height);
  const scale = Math.max(width / bitmap.width, height / bitmap.height);
  const [w, t] = [bitmap.width * scale, bitmap.height * scale];
  context.drawImage(bitmap, (width - w) / 2, (height - t) / 2, w, t);
  for (const quality of QUALITIES) {
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality });
    if (blob.size <= PORTRAIT_BYTES_MAX) {
      const bytes = new Uint8Array(await blob.arrayBuffer());
      return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
    }
  }
  return null;
}
