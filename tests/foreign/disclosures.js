// Verifies opened fields of events, as docs/evidence.md describes them and with nothing else: a line
// of JSON each, with the contents of an event's files in Base64. Answers "ok", or why not.
"use strict";
const crypto = require("node:crypto");
const readline = require("node:readline");

const LENGTH = 32;
const sha256 = (bytes) => crypto.createHash("sha256").update(bytes).digest();

function require_(holds, what) {
  if (!holds) throw new Error(what);
}

/** The stored bytes are those that the entry in the log commits to. */
function isInLog({ entry, details, state }) {
  require_(sha256(details).toString("hex") === JSON.parse(entry).commitment, "details");
  require_(sha256(state).toString("hex") === JSON.parse(details).state, "state");
}

function digestsOf(stored) {
  const text = stored.sealed?.digests;
  require_(typeof text === "string", "no digests");
  const joined = Buffer.from(text, "base64");
  require_(joined.toString("base64") === text && joined.length % LENGTH === 0, "digests");
  const found = new Set();
  for (let at = 0; at < joined.length; at += LENGTH) found.add(joined.toString("hex", at, at + LENGTH));
  return found;
}

/** Whether there is nothing at the field's place in the stored bytes, and objects, if anything, lead there. */
function isMissing(stored, name) {
  let inner = stored;
  for (const step of name.split(".")) {
    if (inner === null || typeof inner !== "object" || Array.isArray(inner)) return false;
    if (!Object.hasOwn(inner, step)) return true;
    inner = inner[step];
  }
  return false;
}

function verify({ entry, details, state, disclosures }) {
  isInLog({ entry, details, state });
  const stored = JSON.parse(state);
  const digests = digestsOf(stored);
  const names = new Set();
  let at = 0;
  while (at < disclosures.length) {
    const end = disclosures.indexOf(0x0a, at);
    require_(end >= 0, "line end");
    const line = disclosures.subarray(at, end);
    at = end + 1;
    require_(digests.has(sha256(line).toString("hex")), "digest");
    const items = JSON.parse(line.toString("utf8"));
    require_(Array.isArray(items) && items.length === 3, "items");
    const [salt, name] = items;
    require_(typeof salt === "string" && /^[0-9a-f]{32}$/.test(salt), "salt");
    require_(typeof name === "string" && /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/.test(name), "name");
    require_(isMissing(stored, name), "in the clear");
    for (const other of names) require_(other !== name && !other.startsWith(`${name}.`) && !name.startsWith(`${other}.`), "twice");
    names.add(name);
  }
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const asked = Object.entries(JSON.parse(line)).map(([name, text]) => [name, Buffer.from(text, "base64")]);
  let answer = "ok";
  try {
    verify(Object.fromEntries(asked));
  } catch (error) {
    answer = JSON.stringify(String(error.message));
  }
  process.stdout.write(`${answer}\n`);
});
