// Glewlwyd, an OpenID Provider by others and in another language (C), on loopback for tests: node glewlwyd.mjs
//
// Needs Debian's packages glewlwyd and sqlite3. Prints "PORTS <port>,<port>…" and "OP <issuer>" when it listens
// on a free port. It compares redirect addresses byte for byte, so the app must listen on one of those ports.
// All it keeps is in a folder of its own that goes with it. Users are alice and ben, with the password "password".
// Environment: ALG (RS256 | ES256 | EdDSA) signs id_tokens, FOLLOW_STDIN=1 ends it with whoever started it.
import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newJwk } from './new-key.mjs';

const SCHEMA = '/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3';
const PLUGIN = 'oidc';
const REDIRECTS = 4;

const folder = mkdtempSync(join(tmpdir(), 'glewlwyd-'));
const [port, ...redirectPorts] = await Promise.all(Array.from({ length: 1 + REDIRECTS }, freePort));
const origin = `http://127.0.0.1:${port}`;
const issuer = `${origin}/api/${PLUGIN}`;

/** Below the ports that the system gives to whoever asks for any: between now and its use nobody takes it. */
function freePort() {
  const port = 20_000 + Math.floor(Math.random() * 12_000);
  const socket = createServer();
  return new Promise((ready) => {
    socket.on('error', () => ready(freePort()));
    socket.listen(port, '127.0.0.1', () => socket.close(() => ready(port)));
  });
}

function configuration() {
  return `
port = ${port}
bind_address = "127.0.0.1"
external_url = "${origin}"
login_url = "login.html"
api_prefix = "api"
static_files_path = "/usr/share/glewlwyd/webapp"
static_files_mime_types = (
  { extension = ".html", mime_type = "text/html" },
  { extension = ".css", mime_type = "text/css" },
  { extension = ".js", mime_type = "application/javascript" },
  { extension = ".json", mime_type = "application/json" }
)
log_mode = "file"
log_level = "ERROR"
log_file = "${folder}/log"
cookie_secure = 0
session_expiration = 3600
session_key = "GLEWLWYD2_SESSION_ID"
admin_scope = "g_admin"
profile_scope = "g_profile"
user_module_path = "/usr/lib/glewlwyd/user"
client_module_path = "/usr/lib/glewlwyd/client"
user_auth_scheme_module_path = "/usr/lib/glewlwyd/scheme"
plugin_module_path = "/usr/lib/glewlwyd/plugin"
hash_algorithm = "SHA512"
database = { type = "sqlite3", path = "${folder}/glewlwyd.db" }
`;
}

/** A key of its own for every start, as a private key set. */
function signingKey() {
  const alg = process.env.ALG || 'RS256';
  const [type, options] = {
    RS256: ['rsa', { modulusLength: 2048 }],
    ES256: ['ec', { namedCurve: 'P-256' }],
    EdDSA: ['ed25519', {}],
  }[alg];
  const jwk = newJwk(type, options);
  return { keys: [{ ...jwk, alg, use: 'sig', kid: randomUUID() }] };
}

const plugin = {
  module: 'oidc',
  name: PLUGIN,
  display_name: 'OpenID Connect',
  parameters: {
    iss: issuer,
    'jwks-private': JSON.stringify(signingKey()),
    'jwks-show': true,
    'jwt-type': 'rsa',
    'jwt-key-size': '256',
    'access-token-duration': 3600,
    'refresh-token-duration': 1_209_600,
    'code-duration': 600,
    'refresh-token-rolling': false,
    'refresh-token-one-use': 'always',
    'allow-non-oidc': false,
    'auth-type-code-enabled': true,
    'auth-type-token-enabled': false,
    'auth-type-id-token-enabled': true,
    'auth-type-refresh-enabled': true,
    'subject-type': 'public',
    'pkce-allowed': true,
    'pkce-required': true,
    'pkce-method-plain-allowed': false,
    'introspection-revocation-allowed': true,
    'introspection-revocation-allow-target-client': true,
    'restrict-scope-client-property': '',
    'allowed-scope': ['openid'],
  },
};

const client = {
  client_id: 'parlance',
  name: 'Parlance',
  confidential: false,
  enabled: true,
  redirect_uri: redirectPorts.map((port) => `http://127.0.0.1:${port}/cb`),
  authorization_type: ['code', 'refresh_token'],
  token_endpoint_auth_method: ['none'],
  scope: [],
};

let session = '';

async function api(method, path, body) {
  const headers = { 'content-type': 'application/json', cookie: session };
  const answer = await fetch(`${origin}/api${path}`, { method, headers, body: body && JSON.stringify(body) });
  session = answer.headers.getSetCookie().map((cookie) => cookie.split(';')[0]).join('; ') || session;
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
}

async function untilItAnswers() {
  for (let attempt = 0; ; attempt++) {
    try {
      await fetch(`${origin}/api/`);
      return;
    } catch (error) {
      if (attempt > 200) throw error;
      await new Promise((later) => setTimeout(later, 50));
    }
  }
}

let server;
function end(code) {
  server?.kill();
  rmSync(folder, { recursive: true, force: true });
  process.exit(code);
}
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => end(0));

try {
  execFileSync('sqlite3', [`${folder}/glewlwyd.db`, `.read ${SCHEMA}`]);
  writeFileSync(join(folder, 'glewlwyd.conf'), configuration());
  // With its parent it ends, however that ends.
  server = spawn('setpriv', ['--pdeathsig', 'TERM', 'glewlwyd', `--config-file=${folder}/glewlwyd.conf`], { stdio: 'ignore' });
  server.on('exit', (code) => end(code ?? 1));
  server.on('error', () => end(1));
  await untilItAnswers();
  await api('POST', '/auth/', { username: 'admin', password: 'password' });
  await api('POST', '/mod/plugin/', plugin);
  await api('POST', '/client/', client);
  for (const [username, name] of [['alice', 'Alice Adams'], ['ben', 'Ben Brown']]) {
    await api('POST', '/user/', { username, name, password: 'password', scope: ['openid'], enabled: true });
  }
  console.log('PORTS', redirectPorts.join());
  console.log('OP', issuer);
} catch (error) {
  console.error(error.message);
  end(1);
}

// Ends with the program that started it: its end of the pipe closes.
if (process.env.FOLLOW_STDIN) process.stdin.on('end', () => end(0)).resume();
