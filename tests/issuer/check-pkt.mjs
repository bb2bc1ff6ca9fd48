// Verifies a person's evidence with libraries that are not ours: node check-pkt.mjs JWKS < token.json
//
// JWKS is the issuer's key set: its URL, or the set itself as JSON. Standard input is one PK token, or evidence
// {tokens, renewals?, chain} as it travels. Of each token it checks what OpenPubkey's own verifier checks: the
// issuer's signature, the client's signature by the key in its claims, and that the nonce is
// base64url(SHA3-256(base64url(claims))), claims re-serialised with sorted members as OpenPubkey's Go code does
// it. Of evidence also the renewals, and that the chain begins, is linked and is signed as documented, as far as
// that can be told without its rules. Prints "OK <sub>".
import { createHash, createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createLocalJWKSet, createRemoteJWKSet, compactVerify, generalVerify, importJWK } from 'jose';

const fail = (why) => { console.log('REFUSED', why); process.exit(1); };
const sorted = (value) => (value && typeof value === 'object' && !Array.isArray(value)
  ? Object.fromEntries(Object.keys(value).sort().map((name) => [name, sorted(value[name])]))
  : value);
const b64u = (bytes) => Buffer.from(bytes).toString('base64url');
const sha256 = (text) => b64u(createHash('sha256').update(text).digest());
const json = (text) => JSON.parse(Buffer.from(text, 'base64url'));
const ed25519 = (x) => createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
const signed = (x, context, text, signature) =>
  verify(null, Buffer.from(context + text), ed25519(x), Buffer.from(signature, 'base64url'));

const [where] = process.argv.slice(2);
const issuerKeys = where.startsWith('{') ? createLocalJWKSet(JSON.parse(where)) : createRemoteJWKSet(new URL(where));

async function checkToken(text) {
  const token = JSON.parse(text);
  const [op, cic] = token.signatures;
  if (token.signatures.length !== 2 || json(cic.protected).typ !== 'CIC') fail('form');
  const single = (signature) => ({ payload: token.payload, signatures: [signature] });
  const { payload } = await generalVerify(single(op), issuerKeys).catch((error) => fail(`issuer: ${error.code}`));
  const claims = json(cic.protected);
  const upk = await importJWK(claims.upk, claims.alg);
  await generalVerify(single(cic), upk).catch((error) => fail(`client: ${error.code}`));
  const nonce = b64u(createHash('sha3-256').update(b64u(JSON.stringify(sorted(claims)))).digest());
  const said = JSON.parse(Buffer.from(payload));
  if (said.nonce !== nonce) fail('nonce');
  return { hash: sha256(text), said, claims };
}

/** Hashes, links and root keys; who may sign what is for those who know the rules. */
function checkChain(chain) {
  const roots = [];
  let prev;
  chain.forEach((text, seq) => {
    const [payload, signature] = text.split('.');
    const entry = json(payload);
    if (entry.seq !== seq || entry.prev !== prev) fail(`chain: link ${seq}`);
    if (entry.type === 'genesis' || entry.type === 'reset') roots.push(entry.body.irk);
    const own = (entry.by ?? 'irk') === 'irk';
    if (own && !roots.some((key) => signed(key, 'parlance-sigchain-v1\n', payload, signature))) fail(`chain: ${seq}`);
    if (entry.type === 'rotate_irk') roots.push(entry.body.irk);
    prev = sha256(text);
  });
  return roots;
}

async function checkRenewal(text, tokens, roots) {
  const [hash, ...rest] = text.split('.');
  const signature = rest.pop();
  const token = tokens.find((one) => one.hash === hash) ?? fail('renewal: no token');
  const { payload } = await compactVerify(rest.join('.'), issuerKeys).catch((error) => fail(`renewal: ${error.code}`));
  const said = JSON.parse(Buffer.from(payload));
  for (const name of ['iss', 'aud', 'sub']) if (said[name] !== token.said[name]) fail(`renewal: ${name}`);
  if (said.iat <= token.said.iat) fail('renewal: iat');
  const text0 = `${hash}.${rest.join('.')}`;
  if (!roots.some((key) => signed(key, 'parlance-renewal-v1\n', text0, signature))) fail('renewal: root key');
}

const input = readFileSync(0, 'utf8');
const read = JSON.parse(input);
const tokens = [];
for (const text of read.tokens ?? [input]) tokens.push(await checkToken(text));
if (read.chain) {
  const roots = checkChain(read.chain);
  for (const { claims } of tokens) {
    if (claims.dfi.v !== 1 || claims.dfi.chain !== sha256(read.chain[0])) fail('token of another chain');
    if (!roots.includes(claims.upk.x)) fail('token of another root key');
  }
  for (const text of read.renewals ?? []) await checkRenewal(text, tokens, roots);
}
console.log('OK', tokens[0].said.sub);
