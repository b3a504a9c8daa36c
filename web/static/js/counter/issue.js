// The application form: fills, sends, and says everything that is wrong at once.
import { Problem, call } from "../api.js";
import { byId, h, put } from "../dom.js";
import { isDevelopment } from "../signin.js";
import { madeUpPerson } from "./made_up.js";

const PORTRAIT_PX = [360, 504];
const PORTRAIT_BYTES_MAX = 64 * 1024;
const QUALITIES = [0.85, 0.7, 0.5, 0.3];

export function prepareIssue({ token, issued }) {
  const form = byId("issue");
  let key = crypto.randomUUID(); // one a form: sending it again can't issue twice
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    put(byId("issue-problem"));
    try {
      const body = await application(new FormData(form));
      const answer = await call("POST", "/v1/permits", { token, body, headers: { "idempotency-key": key } });
      key = crypto.randomUUID();
      form.reset();
      issued(answer);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.status !== 0) key = crypto.randomUUID();
      put(byId("issue-problem"), h("p", { class: "notice notice--bad" }, error.told));
    }
  });
  byId("made-up").hidden = !isDevelopment;
  byId("made-up").addEventListener("click", () => {
    for (const [name, value] of Object.entries(madeUpPerson())) form.elements[name].value = value;
  });
}

async function application(data) {
  const given = (name) => data.get(name)?.trim() || undefined;
  const picture = data.get("portrait");
  return {
    holder: {
      name: given("name") ?? "",
      sex: given("sex") ?? "",
      ethnicity: given("ethnicity") ?? "",
      birth_date: given("birth_date") ?? "",
      citizen_id_number: given("citizen_id_number") ?? "",
      hukou_address: given("hukou_address") ?? "",
      portrait: picture?.size ? await base64(picture) : undefined,
    },
    residence: { division: given("division") ?? "", address: given("address") ?? "" },
    residence_registered_on: given("residence_registered_on"),
    ground: given("ground"),
    guardian: given("guardian_name")
      ? { name: given("guardian_name"), citizen_id_number: given("guardian_number") ?? "" }
      : undefined,
  };
}

/** A picture as a JPEG that is small enough, base64. */
async function base64(file) {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Problem(422, { code: "INVALID_REQUEST" });
  });
  const [width, height] = PORTRAIT_PX;
  const canvas = new OffscreenCanvas(width, height);
  const scale = Math.max(width / bitmap.width, height / bitmap.height);
  const [w, t] = [bitmap.width * scale, bitmap.height * scale];
  canvas.getContext("2d").drawImage(bitmap, (width - w) / 2, (height - t) / 2, w, t);
  for (const quality of QUALITIES) {
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality });
    if (blob.size <= PORTRAIT_BYTES_MAX) {
      const bytes = new Uint8Array(await blob.arrayBuffer());
      return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
    }
  }
  throw new Problem(413, { code: "TOO_LARGE" });
}
