// Who has signed in. A credential is an access token, or the session of this browser's cookie, as the
// service describes it: then the script never has a token.
const name = (role) => `permit-ledger.token.${role}`;
const CASE = "permit-ledger.case";

export const token = (role) => sessionStorage.getItem(name(role));
export const keep = (role, value) => sessionStorage.setItem(name(role), value);
export const forget = (role) => sessionStorage.removeItem(name(role));

/** Returns the claims of a credential, for display only; the service verifies it. */
export function claims(credential) {
  if (typeof credential !== "string") return credential;
  try {
    const [, payload] = credential.split(".");
    const bytes = atob(payload.replace(/-/g, "+").replace(/_/g, "/"));
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (c) => c.charCodeAt(0))));
  } catch {
    return {};
  }
}

/** Returns how a request carries a credential: {headers, credentials}. */
export function carried(credential) {
  if (!credential) return { headers: {}, credentials: "omit" };
  if (typeof credential === "string") return { headers: { authorization: `Bearer ${credential}` }, credentials: "omit" };
  const headers = { "x-csrf-token": credential.csrf_token };
  if (credential.namedCase) headers["audit-case"] = asBytes(credential.namedCase);
  return { headers, credentials: "same-origin" };
}

/** A header's value has bytes only: the text in UTF-8, a character for each byte. */
const asBytes = (value) => Array.from(new TextEncoder().encode(value), (byte) => String.fromCharCode(byte)).join("");

/** Returns the secret that a proof of this phone's key is bound to (`ath`). */
export const boundTo = (credential) => (typeof credential === "string" ? credential : credential.csrf_token);

/** The case that an investigator has named in this tab. */
export const namedCase = () => sessionStorage.getItem(CASE);
export const nameCase = (value) => sessionStorage.setItem(CASE, value);
export const forgetCase = () => sessionStorage.removeItem(CASE);

let signedInAs = null;

/** Remembers the role of this page, for `renew`. */
export const enter = (role) => {
  signedInAs = role;
};

/** Forgets this page's token and shows the sign-in again. */
export function renew() {
  if (signedInAs) forget(signedInAs);
  location.reload();
}
