// Adds OpenID Connect Key Binding to oidc-provider, which knows DPoP but not the binding of id_tokens.
//
// KEY_BINDING=on       binds the key of the proof: `cnf.jwk` and the header's `typ`
//             draft    the same, with the `typ` of the specification's draft 00
//             nonce    the same, and wants a nonce of its own in every proof (RFC 9449, section 8)
//             silent   offers it and gives plain tokens
//             foreign  binds a key that nobody showed it
import { createHash, createPrivateKey, randomBytes } from 'node:crypto';
import { CompactSign, decodeJwt, decodeProtectedHeader } from 'jose';
import { errors } from 'oidc-provider';
import { newKey, publicJwk } from './new-key.mjs';

const mode = process.env.KEY_BINDING;
export const offersBinding = Boolean(mode);
export const proofOptions = {
  enabled: true,
  ...(mode === 'nonce' ? { nonceSecret: randomBytes(32), requireNonce: () => true } : {}),
};

const sha256 = (text) => createHash('sha256').update(text).digest('base64url');

/** The key to bind, if this token request is one that asks for it and proves possession. */
function boundKey(ctx) {
  const { AuthorizationCode: code, RefreshToken: refresh } = ctx.oidc.entities;
  const source = code ?? refresh;
  const proof = ctx.get('dpop');
  if (!proof || !source?.scopes.has('bound_key')) return undefined;
  if (code) {
    if (!code.dpopJkt) return undefined; // a proof for access tokens alone
    // oidc-provider has checked the proof itself and that its key is the one of dpop_jkt.
    if (decodeJwt(proof).c_hash !== sha256(ctx.oidc.params.code)) throw new errors.InvalidGrant('c_hash is not of this code');
  }
  return decodeProtectedHeader(proof).jwk;
}

export function bindKeys(provider, jwks) {
  if (!mode || mode === 'silent') return;
  const { IdToken } = provider;
  const plain = IdToken.prototype.issue;
  IdToken.prototype.issue = async function issue(options) {
    const jwk = options?.use === 'idtoken' && this.ctx?.oidc.route === 'token' ? boundKey(this.ctx) : undefined;
    if (!jwk) return plain.call(this, options);
    const foreign = publicJwk(newKey('ed25519'));
    this.set('cnf', { jwk: mode === 'foreign' ? foreign : jwk });
    const token = await plain.call(this, options);
    // The same claims once more, under a header that says what they are.
    const header = { ...decodeProtectedHeader(token), typ: mode === 'draft' ? 'id_token+cnf' : 'dpop+id_token' };
    const own = jwks.keys.find(({ kid }) => kid === header.kid);
    const payload = Buffer.from(token.split('.')[1], 'base64url');
    return new CompactSign(payload).setProtectedHeader(header).sign(createPrivateKey({ key: own, format: 'jwk' }));
  };
}
