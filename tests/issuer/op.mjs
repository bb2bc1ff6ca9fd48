// A certified OpenID Provider on loopback for tests: node op.mjs PORT [DOMAIN]
//
// PORT 0 picks a free port. Prints "OP <issuer>" when it listens. Everything is in memory: a restart
// rotates the keys. Users are alice and ben (any other name too), with any password.
// Environment: ALG (RS256 | ES256 | EdDSA) signs id_tokens, IDTTL their life in seconds,
// CLIENT_SECRET makes the client a confidential one, NO_REVOCATION=1 leaves the revocation endpoint out,
// KEY_BINDING offers to bind keys to id_tokens (see key-binding.mjs).
import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import { Provider } from 'oidc-provider';
import { bindKeys, offersBinding, proofOptions } from './key-binding.mjs';
import { newJwk } from './new-key.mjs';

const domain = process.argv[3] || 'idp.test';
const server = createServer();
server.keepAliveTimeout = 0; // or a request meets the end of an idle connection
await new Promise((ready) => server.listen(Number(process.argv[2] || 0), '127.0.0.1', ready));
const issuer = `http://127.0.0.1:${server.address().port}`;

const key = (type, options, alg) => ({
  ...newJwk(type, options),
  use: 'sig',
  alg,
  kid: randomUUID(),
});
const names = { alice: 'Alice Adams', ben: 'Ben Brown' };
const secret = process.env.CLIENT_SECRET;
const jwks = { keys: [
  key('rsa', { modulusLength: 2048 }, 'RS256'),
  key('ec', { namedCurve: 'P-256' }, 'ES256'),
  key('ed25519', {}, 'EdDSA'),
] };

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'parlance',
    application_type: 'native', // accepts any loopback port (RFC 8252, section 7.3)
    ...(secret
      ? { client_secret: secret, token_endpoint_auth_method: 'client_secret_basic' }
      : { token_endpoint_auth_method: 'none' }),
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    redirect_uris: ['http://127.0.0.1/cb'],
    id_token_signed_response_alg: process.env.ALG || 'RS256',
  }],
  jwks,
  pkce: { required: () => true },
  scopes: ['openid', 'offline_access', 'profile', 'email', ...(offersBinding ? ['bound_key'] : [])],
  claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
  conformIdTokenClaims: false, // profile and e-mail claims stand in the id_token itself
  async findAccount(_context, id) {
    return {
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@${domain}`, email_verified: true, preferred_username: id, name: names[id] ?? id }),
    };
  },
  features: {
    devInteractions: { enabled: true },
    revocation: { enabled: !process.env.NO_REVOCATION },
    dPoP: proofOptions,
  },
  // One use each: whoever shows an old refresh token ends them all.
  rotateRefreshToken: true,
  cookies: { keys: ['loopback-tests-only'] },
  ttl: { IdToken: Number(process.env.IDTTL || 3600), Session: 3600, Grant: 3600, Interaction: 600, AccessToken: 3600 },
});
bindKeys(provider, jwks);
provider.on('server_error', (_context, error) => console.error('server_error', error));
server.on('request', provider.callback());
// Whoever started it may listen no longer when the library has something to say.
process.stdout.on('error', () => {});
console.log('OP', issuer);

// Ends with the program that started it: its end of the pipe closes.
if (process.env.FOLLOW_STDIN) process.stdin.on('end', () => process.exit(0)).resume();
