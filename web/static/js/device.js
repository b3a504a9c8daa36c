// This phone's key: generated and kept by the browser; not extractable, not even by this page.
import { serviceNow } from "./clock.js";
import { boundTo } from "./session.js";

const DATABASE = "permit-ledger";
const STORE = "devices";
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256" };
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" };
const utf8 = new TextEncoder();

/** Returns a holder's key on this phone: {keys, jwk, thumbprint}; null if there is none. */
export async function deviceOf(holder) {
  const keys = await inStore("readonly", (store) => store.get(holder));
  return keys ? describe(keys) : null;
}

/** Returns the key, generated if necessary; it is stored before its public part is sent. */
export async function deviceFor(holder) {
  const known = await deviceOf(holder);
  if (known) return known;
  const keys = await crypto.subtle.generateKey(ALGORITHM, false, ["sign", "verify"]);
  await inStore("readwrite", (store) => store.put(keys, holder));
  return describe(keys);
}

export const forgetDevice = (holder) => inStore("readwrite", (store) => store.delete(holder));

/** Makes a DPoP proof (RFC 9449) for one request to this origin. */
export async function proof(device, { method, path, token }) {
  const header = { typ: "dpop+jwt", alg: "ES256", jwk: device.jwk };
  const payload = {
    jti: crypto.randomUUID(),
    htm: method,
    htu: location.origin + path,
    iat: Math.floor(serviceNow() / 1000),
    ath: await digest(boundTo(token)),
  };
  const signed = `${encoded(JSON.stringify(header))}.${encoded(JSON.stringify(payload))}`;
  const signature = await crypto.subtle.sign(SIGNATURE, device.keys.privateKey, utf8.encode(signed));
  return `${signed}.${base64url(signature)}`;
}

async function describe(keys) {
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", keys.publicKey);
  const thumbprint = await digest(JSON.stringify({ crv, kty, x, y })); // RFC 7638
  return { keys, jwk: { kty, crv, x, y }, thumbprint };
}

const digest = async (value) => base64url(await crypto.subtle.digest("SHA-256", utf8.encode(value)));
const encoded = (value) => base64url(utf8.encode(value));

function base64url(bytes) {
  const characters = Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte));
  return btoa(characters.join("")).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

async function inStore(mode, work) {
  const database = await asked(indexedDB.open(DATABASE, 1), (request) => request.result.createObjectStore(STORE));
  try {
    return await asked(work(database.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    database.close();
  }
}

function asked(request, upgrade) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onupgradeneeded = () => upgrade?.(request);
  });
}
