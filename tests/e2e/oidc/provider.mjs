// The real oidc-provider on loopback, with its own development pages for signing in:
// node provider.mjs PORT REDIRECT_URI [HOST]. Whoever signs in as NAME is NAME@calls.test.
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

const [port, redirectUri, host = '127.0.0.1'] = process.argv.slice(2);
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const people = {
  olga: { groups: ['leads', 'everybody'], verified: true },
  ivan: { groups: ['everybody'], verified: true },
  eve: { groups: ['leads'], verified: false },
};

const provider = new Provider(`http://${host}:${port}`, {
  clients: [
    {
      client_id: 'calls',
      client_secret: 'a secret of the tests',
      redirect_uris: [redirectUri],
      grant_types: ['authorization_code'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_basic',
    },
  ],
  scopes: ['openid', 'profile', 'email', 'groups'],
  claims: {
    openid: ['sub'],
    email: ['email', 'email_verified'],
    profile: ['name'],
    groups: ['groups', 'teams'],
  },
  pkce: { required: () => true },
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256' }] },
  cookies: { keys: ['a key of the tests'] },
  findAccount: (_, name) => ({
    accountId: name,
    claims: () => {
      const person = people[name] ?? { groups: [], verified: true };
      return {
        sub: name,
        name,
        email: `${name}@calls.test`,
        email_verified: person.verified,
        groups: person.groups,
        teams: ['Продажи'],
      };
    },
  }),
});
provider.on('server_error', (_, error) => console.error(error));
provider.listen(Number(port), '127.0.0.1', () => console.log('serves'));
