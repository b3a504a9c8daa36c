// Lets @sigstore/verify judge proofs of a permit ledger: a line of JSON each, of which it knows
// nothing but what it knows of an entry in Rekor. Answers "ok", or why not.
"use strict";
const crypto = require("node:crypto");
const readline = require("node:readline");
const { verifyTLogInclusion } = require(process.argv[2]);

// A verifier key is name+id+base64(type, Ed25519 public key), by C2SP signed-note.
function authority(vkey) {
  const [name, id, key] = vkey.split("+", 2).concat(vkey.split("+").slice(2).join("+"));
  const raw = Buffer.from(key, "base64").subarray(1);
  const jwk = { kty: "OKP", crv: "Ed25519", x: raw.toString("base64url") };
  return {
    logID: Buffer.from(id, "hex"),
    baseURL: "https://" + name,
    publicKey: crypto.createPublicKey({ key: jwk, format: "jwk" }),
  };
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const asked = JSON.parse(line);
  const tlog = authority(asked.key);
  const entry = {
    logId: { keyId: tlog.logID },
    canonicalizedBody: Buffer.from(asked.entry, "base64"),
    inclusionProof: {
      logIndex: String(asked.index),
      hashes: asked.path.map((hash) => Buffer.from(hash, "base64")),
      checkpoint: { envelope: asked.note },
    },
  };
  let answer = "ok";
  try {
    verifyTLogInclusion(entry, [tlog]);
  } catch (error) {
    answer = JSON.stringify(String(error.message));
  }
  process.stdout.write(answer + "\n");
});
