// Makes signing keys as JWKs: newJwk('ed25519').
//
// By way of PEM on purpose. A key object that comes straight from generateKeyPairSync shares a lock with the job that
// made it; when the garbage collector ends the job during export({ format: 'jwk' }), which holds the lock, Node.js
// waits for itself for ever (seen in 20.20: one start in a hundred).
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';

/** A fresh private key as a key object that no job knows. */
export function newKey(type, options = {}) {
  const pem = { type: 'pkcs8', format: 'pem' };
  const { privateKey } = generateKeyPairSync(type, {
    ...options,
    privateKeyEncoding: pem,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  return createPrivateKey(privateKey);
}

/** A fresh private key as JWK. */
export const newJwk = (type, options) => newKey(type, options).export({ format: 'jwk' });

/** The public half of a key object as JWK. */
export const publicJwk = (key) => createPublicKey(key).export({ format: 'jwk' });
