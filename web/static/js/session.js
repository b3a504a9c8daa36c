// The sign-ins of this tab: one token per role.
const name = (role) => `permit-ledger.token.${role}`;

export const token = (role) => sessionStorage.getItem(name(role));
export const keep = (role, value) => sessionStorage.setItem(name(role), value);
export const forget = (role) => sessionStorage.removeItem(name(role));

/** Returns a token's unverified claims, for display only; the service verifies the token. */
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

/** Remembers the role of this page, for `renew`. */
export const enter = (role) => {
  signedInAs = role;
};

/** Forgets this page's token and shows the sign-in again. */
export function renew() {
  if (signedInAs) forget(signedInAs);
  location.reload();
}
