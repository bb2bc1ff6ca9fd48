// An issuer that speaks no OpenID Connect, for tests of IdP proxies: node pass-office.mjs PORT [HOST]
//
// Whoever wants an attestation takes a ticket, a person fills it in at the desk, and the office signs it:
//   POST /tickets {nonce, audience}     -> {ticket, url}
//   GET  /tickets/TICKET                -> {state: "open" | "issued" | "refused" | "expired", assertion?}
//   GET  /desk/TICKET                   -> a page that asks for a name and a one-time PIN
//   POST /desk/TICKET name=…&pin=…      (or refuse=1)
//   GET  /.well-known/jwks.json         -> its key
// PORT 0 picks a free port. Prints "OP <issuer>" when it listens. PINs come from a sheet of paper: ben's are
// 100001, 100002…, alice's 200001…, and each is good once.
import { createHash, randomBytes, sign } from 'node:crypto';
import { createServer } from 'node:http';
import { newKey, publicJwk } from './new-key.mjs';

const TICKET_LIFE = 10 * 60_000;
const TICKETS = 1_000;
const ATTEMPTS = 5;

const privateKey = newKey('ed25519');
const jwk = { ...publicJwk(privateKey), alg: 'EdDSA', use: 'sig', kid: randomBytes(8).toString('hex') };
const sheet = (first) => new Set(Array.from({ length: 50 }, (_, index) => String(first + index)));
const sheets = new Map([['ben', sheet(100_001)], ['alice', sheet(200_001)]]);
const tickets = new Map();

const server = createServer((request, response) => {
  answer(request).then(
    ({ status = 200, type = 'application/json', body = '' }) => {
      const html = type.startsWith('text/html');
      const text = html ? body : JSON.stringify(body);
      response.writeHead(status, {
        'content-type': type,
        'content-length': Buffer.byteLength(text),
        'cache-control': 'no-store',
        ...(html ? { 'content-security-policy': "default-src 'none'; form-action 'self'; frame-ancestors 'none'" } : {}),
      });
      response.end(text);
    },
    () => response.writeHead(500).end(),
  );
});
server.keepAliveTimeout = 0; // or a request meets the end of an idle connection
await new Promise((ready) => server.listen(Number(process.argv[2] || 0), '127.0.0.1', ready));
const issuer = `http://${process.argv[3] || '127.0.0.1'}:${server.address().port}`;

async function read(request) {
  let text = '';
  for await (const piece of request) {
    text += piece;
    if (text.length > 4096) throw new Error('too long');
  }
  return text;
}

async function answer(request) {
  const [, place, id] = new URL(request.url, issuer).pathname.split('/');
  if (request.url === '/.well-known/jwks.json') return { body: { keys: [jwk] } };
  if (place === 'tickets' && request.method === 'POST') return open(JSON.parse(await read(request)));
  const ticket = tickets.get(id);
  if (!ticket) return { status: 404, body: {} };
  if (ticket.state === 'open' && Date.now() > ticket.until) ticket.state = 'expired';
  if (place === 'tickets') return { body: { state: ticket.state, ...(ticket.assertion && { assertion: ticket.assertion }) } };
  if (place !== 'desk') return { status: 404, body: {} };
  if (request.method === 'POST') fillIn(ticket, new URLSearchParams(await read(request)));
  return { type: 'text/html; charset=utf-8', body: desk(ticket) };
}

function open({ nonce, audience }) {
  const good = (text) => typeof text === 'string' && text.length > 0 && text.length <= 256;
  if (!good(nonce) || !good(audience) || tickets.size >= TICKETS) return { status: 400, body: {} };
  const id = randomBytes(16).toString('base64url');
  tickets.set(id, { state: 'open', nonce, audience, attempts: 0, until: Date.now() + TICKET_LIFE });
  return { body: { ticket: id, url: `${issuer}/desk/${id}` } };
}

function fillIn(ticket, form) {
  if (ticket.state !== 'open') return;
  if (form.get('refuse')) {
    ticket.state = 'refused';
  } else if (sheets.get(form.get('name'))?.delete(form.get('pin'))) {
    ticket.state = 'issued';
    ticket.assertion = assertion(form.get('name'), ticket);
  } else if (++ticket.attempts >= ATTEMPTS) {
    ticket.state = 'refused';
  }
}

function assertion(name, { nonce, audience }) {
  const now = Math.floor(Date.now() / 1000);
  const sub = createHash('sha256').update(name).digest('hex').slice(0, 16);
  const claims = { iss: issuer, sub: `${name}-${sub}`, aud: audience, nonce, iat: now, exp: now + 3600 };
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'EdDSA', kid: jwk.kid, typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${sign(null, Buffer.from(signed), privateKey).toString('base64url')}`;
}

function desk({ state, attempts }) {
  const words = {
    open: `<form method="post">${attempts ? '<p role="alert">That is not the next PIN of that name.</p>' : ''}
<p><label>Name <input name="name" required autocomplete="off"></label></p>
<p><label>PIN <input name="pin" required autocomplete="one-time-code" inputmode="numeric"></label></p>
<p><button>Give me my pass</button> <button name="refuse" value="1" formnovalidate>No</button></p></form>`,
    issued: '<p>Your pass is issued. You can close this window.</p>',
    refused: '<p>No pass was issued. You can close this window.</p>',
    expired: '<p>This ticket is too old. You can close this window.</p>',
  };
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Pass office</title><h1>Pass office</h1>${words[state]}</html>`;
}

console.log('OP', issuer);

// Ends with the program that started it: its end of the pipe closes.
if (process.env.FOLLOW_STDIN) process.stdin.on('end', () => process.exit(0)).resume();
