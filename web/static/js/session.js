// Who is signed in, in this tab only: a token a role.
const name = (role) => `permit-ledger.token.${role}`;

export const token = (role) => sessionStorage.getItem(name(role));
export const keep = (role, value) => sessionStorage.setItem(name(role), value);
export const forget = (role) => sessionStorage.removeItem(name(role));

/** The claims of a token, unverified: for showing only; the service is what judges. */
export function claims(value) {
  try {
    const [, payload] = value.split(".");
    const bytes = atob(payload.replace(/-/g, "+").replace(/_/g, "/"));
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (c) => c.charCodeAt(0))));
  } catch {
    return {};
  }
}

let signedInAs = null;

/** Notes whose page this is, for `renew`. */
export const enter = (role) => {
  signedInAs = role;
};

/** Back to the way in, which the token of this page has not led to any more. */
export function renew() {
  if (signedInAs) forget(signedInAs);
  location.reload();
}
