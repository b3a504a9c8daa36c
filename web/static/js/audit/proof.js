// Verifies in the browser that an event is in the log: RFC 9162 §2.1.3.2 and C2SP tlog-proof.
import { text } from "../texts.js";

const WIDTH = 256;
const utf8 = new TextEncoder();

/** Returns whether the proof holds, and a message about it; `token` reads the entry. */
export async function prove(position, token) {
  if (!globalThis.crypto?.subtle) return { holds: false, message: text("audit.no_crypto") };
  try {
    const [proof, keys] = await Promise.all([asked(`/tlog/proof/${position}`, { prefer: "wait=5" }), asked("/tlog/key")]);
    const { index, path, note } = parsed(await proof.text());
    const [origin, stated, root] = note.split("\n");
    const size = Number(stated);
    const leaf = await digest(0, await entryOf(index, size, token));
    if (index !== position - 1 || (await rootOf(leaf, index, size, path)) !== root) return { holds: false, message: text("audit.false_proof") };
    const signed = await isSigned(note, origin, (await keys.text()).split("\n").filter(Boolean));
    if (signed === false) return { holds: false, message: text("audit.false_signature") };
    return { holds: true, message: text(signed ? "audit.in_log" : "audit.in_log_unsigned", { size, origin }) };
  } catch {
    return { holds: false, message: text("audit.no_proof") };
  }
}

async function asked(path, headers = {}) {
  const answer = await fetch(path, { headers, credentials: "omit" });
  if (!answer.ok) throw new Error(path);
  return answer;
}

function parsed(proof) {
  const at = proof.indexOf("\n\n");
  const [, index, ...path] = proof.slice(0, at).split("\n");
  return { index: Number(index.slice("index ".length)), path: path.map(bytes), note: proof.slice(at + 2) };
}

/** Reads an entry from its bundle, where each is preceded by its length in two bytes. */
async function entryOf(index, size, token) {
  const number = Math.floor(index / WIDTH);
  const width = Math.min(size - number * WIDTH, WIDTH);
  const digits = String(number).padStart(Math.ceil(String(number).length / 3) * 3, "0");
  const groups = digits.match(/.{3}/g).map((group, n, all) => (n < all.length - 1 ? `x${group}` : group));
  const path = `/tlog/tile/entries/${groups.join("/")}${width < WIDTH ? `.p/${width}` : ""}`;
  const answer = await asked(path, { authorization: `Bearer ${token}` });
  const bundle = new DataView(await answer.arrayBuffer());
  let at = 0;
  for (let n = 0; n < index % WIDTH; n += 1) at += 2 + bundle.getUint16(at);
  return new Uint8Array(bundle.buffer, at + 2, bundle.getUint16(at));
}

async function rootOf(leaf, index, size, path) {
  let [at, last, found] = [index, size - 1, leaf];
  for (const sibling of path) {
    if (last === 0) return null;
    if (at % 2 === 1 || at === last) {
      found = await digest(1, sibling, found);
      while (at % 2 === 0 && at !== 0) [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
    } else {
      found = await digest(1, found, sibling);
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
      const own = [...signature.slice(0, 4)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
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

async function digest(prefix, ...parts) {
  const all = [Uint8Array.of(prefix), ...parts];
  const whole = new Uint8Array(all.reduce((sum, part) => sum + part.length, 0));
  all.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
}

const bytes = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
