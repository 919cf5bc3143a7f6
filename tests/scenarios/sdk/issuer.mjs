// Runs a real OpenID provider on loopback whose clients get signed access tokens, or such as only it can read, and whose people log in by any name, and prints its
// URL. Each line on standard
// input is a command: `rotate` gives it another key and forgets the first; `claims JSON` has its tokens say that over what they would
// say; `end` closes it.

import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const require = createRequire(process.env.SLUICE_TEST_NODE_MODULES + "/");
const { Provider } = await import(pathToFileURL(require.resolve("oidc-provider")));

// Its notices must not stand among our words.
console.info = console.error;

const key = (kid) => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), kid, use: "sig", alg: "RS256" };
};

let handle;
let claims = {};
const server = createServer((request, response) => handle(request, response));
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const serve = (kid) => {
    const provider = new Provider(issuer, {
      jwks: { keys: [key(kid)] },
      clients: [
        {
          client_id: "batch",
          client_secret: "secret-of-the-tests",
          grant_types: ["client_credentials"],
          redirect_uris: [],
          response_types: [],
        },
        {
          client_id: "sluice-cli",
          application_type: "native",
          token_endpoint_auth_method: "none",
          grant_types: ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"],
          redirect_uris: ["http://127.0.0.1/"],
          response_types: ["code"],
        },
      ],
      scopes: ["openid", "inference", "groups"],
      claims: { openid: ["sub"], groups: ["groups"] },
      conformIdTokenClaims: false,
      // Everybody is of the group that their name begins with: `admins-ada`.
      findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, groups: [sub.split("-")[0]] }) }),
      cookies: { keys: ["of the tests"] },
      formats: {
        customizers: {
          jwt: (_, __, token) => {
            Object.assign(token.payload, claims);
          },
        },
      },
      features: {
        deviceFlow: { enabled: true },
        introspection: { enabled: true },
        revocation: { enabled: true },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          defaultResource: (_, client) => (client.clientId === "batch" ? "https://ai.example.com" : undefined),
          useGrantedResource: () => true,
          // What is after the last slash is whom its tokens are for, and only we can read them.
          getResourceServerInfo: (_, resource) => ({
            scope: "inference",
            audience: resource === "https://ai.example.com" ? "sluice" : resource.split("/").pop(),
            accessTokenFormat: resource === "https://ai.example.com" ? "jwt" : "opaque",
            accessTokenTTL: 600,
          }),
        },
      },
    });
    handle = provider.callback();
  };
  serve("first");
  console.log(issuer);
  createInterface({ input: process.stdin }).on("line", (line) => {
    if (line === "rotate") {
      serve("second");
      console.log("rotated");
    } else if (line.startsWith("claims ")) {
      claims = JSON.parse(line.slice("claims ".length));
      console.log("said");
    } else if (line === "end") {
      process.exit(0);
    }
  });
});
