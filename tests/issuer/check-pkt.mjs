// Verifies a PK token with a JOSE library that is not ours: node check-pkt.mjs JWKS-URL < token.json
//
// Checks what OpenPubkey's own verifier checks: the issuer's signature, the client's signature by the key in
// its claims, and that the nonce is base64url(SHA3-256(base64url(claims))), claims re-serialised with sorted
// members as OpenPubkey's Go code does it. Prints "OK <sub>".
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRemoteJWKSet, generalVerify, importJWK } from 'jose';

const fail = (why) => { console.log('REFUSED', why); process.exit(1); };
const sorted = (value) => (value && typeof value === 'object' && !Array.isArray(value)
  ? Object.fromEntries(Object.keys(value).sort().map((name) => [name, sorted(value[name])]))
  : value);
const b64u = (bytes) => Buffer.from(bytes).toString('base64url');

const token = JSON.parse(readFileSync(0, 'utf8'));
const header = (signature) => JSON.parse(Buffer.from(signature.protected, 'base64url'));
const [op, cic] = token.signatures;
if (token.signatures.length !== 2 || header(cic).typ !== 'CIC') fail('form');

const single = (signature) => ({ payload: token.payload, signatures: [signature] });
const issuerKeys = createRemoteJWKSet(new URL(process.argv[2]));
const { payload } = await generalVerify(single(op), issuerKeys).catch((error) => fail(`issuer: ${error.code}`));
const claims = header(cic);
const upk = await importJWK(claims.upk, claims.alg);
await generalVerify(single(cic), upk).catch((error) => fail(`client: ${error.code}`));

const text = b64u(JSON.stringify(sorted(claims)));
const nonce = b64u(createHash('sha3-256').update(text).digest());
const said = JSON.parse(Buffer.from(payload));
if (said.nonce !== nonce) fail('nonce');
console.log('OK', said.sub);
