// Verifies in the browser that an event is in the log: RFC 9162 §2.1.3.2 and C2SP tlog-proof.
import { carried } from "../session.js";
import { text } from "../texts.js";

const WIDTH = 256;
const utf8 = new TextEncoder();

/** Returns whether the proof of an event of a permit holds, and a message about it; of one with `stored` bytes
 * and `disclosures` also the fields that these open. `credential` reads its entry where that is not public. */
export async function prove(event, number, credential) {
  if (!globalThis.crypto?.subtle) return { holds: false, message: text("audit.no_crypto") };
  try {
    const [proof, keys] = await Promise.all([asked(`/tlog/proof/${event.position}`, { headers: { prefer: "wait=5" } }), asked("/tlog/key")]);
    const { index, path, note } = parsed(await proof.text());
    const [origin, stated, root] = note.split("\n");
    const size = Number(stated);
    const entry = await entryOf(index, size, credential);
    const leaf = await digest(Uint8Array.of(0), entry);
    if (index !== event.position - 1 || (await rootOf(leaf, index, size, path)) !== root) return { holds: false, message: text("audit.false_proof") };
    if (!(await isAbout(entry, event, number))) return { holds: false, message: text("audit.false_details") };
    const signed = await isSigned(note, origin, (await keys.text()).split("\n").filter(Boolean));
    if (signed === false) return { holds: false, message: text("audit.false_signature") };
    const opened = event.disclosures?.length ? await openedBy(event.disclosures, event.stored) : [];
    return { holds: true, message: text(signed ? "audit.in_log" : "audit.in_log_unsigned", { size, origin }), opened };
  } catch {
    return { holds: false, message: text("audit.no_proof") };
  }
}

async function asked(path, options = {}) {
  const answer = await fetch(path, { credentials: "omit", ...options });
  if (!answer.ok) throw new Error(path);
  return answer;
}

function parsed(proof) {
  const at = proof.indexOf("\n\n");
  const [, index, ...path] = proof.slice(0, at).split("\n");
  return { index: Number(index.slice("index ".length)), path: path.map(bytes), note: proof.slice(at + 2) };
}

/** Reads an entry from its bundle, where each is preceded by its length in two bytes. */
async function entryOf(index, size, credential) {
  const number = Math.floor(index / WIDTH);
  const width = Math.min(size - number * WIDTH, WIDTH);
  const digits = String(number).padStart(Math.ceil(String(number).length / 3) * 3, "0");
  const groups = digits.match(/.{3}/g).map((group, n, all) => (n < all.length - 1 ? `x${group}` : group));
  const path = `/tlog/tile/entries/${groups.join("/")}${width < WIDTH ? `.p/${width}` : ""}`;
  // One from before entries were commitments names permits, and needs a credential.
  const answer = await asked(path).catch(() => asked(path, carried(credential)));
  const bundle = new DataView(await answer.arrayBuffer());
  let at = 0;
  for (let n = 0; n < index % WIDTH; n += 1) at += 2 + bundle.getUint16(at);
  return new Uint8Array(bundle.buffer, at + 2, bundle.getUint16(at));
}

/** Whether the entry commits to the event's details, and these are of the event as it is shown, of this permit. */
async function isAbout(entry, event, number) {
  const said = JSON.parse(new TextDecoder().decode(entry));
  const details = JSON.parse(event.details);
  const commitment = hex(await digest(utf8.encode(event.details)));
  if (said.commitment ? said.commitment !== commitment : JSON.stringify(said) !== event.details) return false;
  if (event.stored && details.state !== hex(await digest(utf8.encode(event.stored)))) return false;
  return details.stream === number && details.position === event.position && details.version === event.version && details.topic === event.type;
}

/** Returns the fields that disclosures open, with whether each is one that was sealed in the stored bytes. */
async function openedBy(disclosures, stored) {
  const joined = hex(bytes(JSON.parse(stored).sealed?.digests ?? ""));
  const digests = joined.match(/.{64}/g) ?? [];
  return Promise.all(
    disclosures.map(async (line) => {
      const [, name, value] = JSON.parse(line);
      return { name, value, holds: digests.includes(hex(await digest(utf8.encode(line)))) };
    }),
  );
}

async function rootOf(leaf, index, size, path) {
  let [at, last, found] = [index, size - 1, leaf];
  for (const sibling of path) {
    if (last === 0) return null;
    if (at % 2 === 1 || at === last) {
      found = await digest(Uint8Array.of(1), sibling, found);
      while (at % 2 === 0 && at !== 0) [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
    } else {
      found = await digest(Uint8Array.of(1), found, sibling);
    }
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  return last === 0 ? btoa(String.fromCharCode(...found)) : null;
}

/** Returns whether the note is signed; null if this browser does not support Ed25519. */
async function isSigned(note, origin, keys) {
  const at = note.lastIndexOf("\n\n");
  const message = utf8.encode(note.slice(0, at + 1));
  const lines = note.slice(at + 2).split("\n").filter((line) => line.startsWith(`— ${origin} `));
  for (const key of keys) {
    const [, id, encoded] = /^[^+]+\+([0-9a-f]{8})\+(.+)$/.exec(key);
    for (const line of lines) {
      const signature = bytes(line.split(" ")[2]);
      const own = hex(signature.slice(0, 4));
      if (own !== id) continue;
      let imported;
      try {
        imported = await crypto.subtle.importKey("raw", bytes(encoded).slice(1), "Ed25519", false, ["verify"]);
      } catch {
        return null;
      }
      if (await crypto.subtle.verify("Ed25519", imported, signature.slice(4), message)) return true;
    }
  }
  return false;
}

async function digest(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
}

const hex = (found) => [...found].map((byte) => byte.toString(16).padStart(2, "0")).join("");

const bytes = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
