// A small OpenID provider, oidc-provider, with one client and these accounts, whose claims are in ID tokens.
// node oidc_provider.mjs LIBRARY '{"port", "client", "accounts"}'; prints "ready" once it serves.
const [library, given] = process.argv.slice(2);
const { port, client, accounts } = JSON.parse(given);
const { default: Provider } = await import(library);

const claimsOf = (id) => ({ sub: id, ...accounts[id] });
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [client],
  conformIdTokenClaims: false, // claims of the scope "profile" in the ID token
  claims: { openid: ["sub"], profile: [...new Set(Object.values(accounts).flatMap(Object.keys))] },
  features: { devInteractions: { enabled: true }, backchannelLogout: { enabled: true } },
  findAccount: (_context, id) => (accounts[id] ? { accountId: id, claims: () => claimsOf(id) } : undefined),
  async loadExistingGrant({ oidc }) {
    const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
    grant.addOIDCScope("openid profile");
    await grant.save();
    return grant;
  },
  // Its own refuses addresses of this machine.
  fetch: (url, { dispatcher: _, ...options }) => globalThis.fetch(url, options),
});
provider.listen(port, "127.0.0.1", () => console.log("ready"));
