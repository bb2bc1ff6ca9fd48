/** A network that changes what a domain publishes: passes everything on, but alters the source of its packages. */
import { createServer, request as ask } from 'node:http';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, ours, start } from './programs.mjs';

export const TAMPERED = 't.localhost';

/** Starts a domain behind such a network; resolves with the port apps have to use. */
export async function tamperedDomain(world) {
  let target = 0;
  const server = createServer((request, response) => {
    const { method, url, headers } = request;
    const inner = ask({ host: '127.0.0.1', port: target, method, path: url, headers }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('end', () => {
        const body = altered(answer.headers['content-type'] ?? '', Buffer.concat(parts));
        const { 'transfer-encoding': _, ...rest } = answer.headers;
        response.writeHead(answer.statusCode, { ...rest, 'content-length': body.length });
        response.end(body);
      });
    });
    inner.on('error', () => response.writeHead(502).end());
    request.pipe(inner);
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  server.unref();
  const { port } = server.address();
  const data = join(world.folder, `node-${TAMPERED}`);
  mkdirSync(data, { recursive: true, mode: 0o700 });
  // The node prints its origin, which is ours; so that we know where it listens, it is told a port.
  target = await freePort();
  const origin = `http://${TAMPERED}:${port}`;
  // A protocol nobody else here speaks: apps keep sources by their hash, and would not ask for a known one.
  const args = ['--data', data, 'serve', '--domain', TAMPERED, '--wire', 'sse2', '--port', String(target), '--origin', origin, '--packages', join(ROOT, 'hyperties/dist')];
  await start(world.logs, `node-${TAMPERED}`, ours('parlance-node'), args, {}, (line) => line.startsWith('parlance-node ready'));
  return port;
}

/** One letter of a program is another one; its length stays the same. */
function altered(type, body) {
  if (!type.includes('javascript')) return body;
  const at = body.indexOf('return');
  if (at >= 0) body.write('reTurn', at);
  return body;
}

function freePort() {
  const server = createServer();
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
