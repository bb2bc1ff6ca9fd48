/** Starts the programs of the tests, each with a log, and lets none outlive us. */
import { spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const TARGET = process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target');
const START_MS = 120_000;
const GRACE_MS = 8_000;

const running = new Set();

// Whatever ends us ends them, too; a group may be gone already.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
process.on('exit', () => running.forEach((child) => kill(child, 'SIGKILL')));

/** A program of this workspace, as cargo built it. */
export function ours(name) {
  const path = join(TARGET, 'debug', name);
  if (!existsSync(path)) throw new Error(`${path} is missing: cargo build -p node -p cli`);
  return path;
}

/** Node.js: the one that runs us. */
export const nodeJs = process.execPath;

/** Starts a program in a group of its own; resolves with what `find` takes from a line it prints. */
export async function start(logs, name, command, args, { env = {}, cwd = ROOT } = {}, find = (line) => line) {
  mkdirSync(logs, { recursive: true });
  const path = join(logs, `${name}.log`);
  const log = createWriteStream(path, { flags: 'a' });
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    detached: true,
    stdio: ['ignore', 'pipe', openSync(path, 'a')],
  });
  running.add(child);
  let timer;
  const found = await new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${name} was not ready after ${START_MS / 1000} s; see ${path}`)), START_MS);
    child.on('error', reject);
    child.on('exit', (code, signal) => reject(new Error(`${name} ended (${code ?? signal}); see ${path}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      log.write(`${line}\n`);
      const value = find(line);
      if (value) resolve(value);
    });
  }).finally(() => clearTimeout(timer));
  return { found, stop: () => stop(child) };
}

async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return void running.delete(child);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  kill(child, 'SIGTERM');
  const timer = setTimeout(() => kill(child, 'SIGKILL'), GRACE_MS);
  await ended;
  clearTimeout(timer);
  running.delete(child);
}

function kill(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It ended by itself.
  }
}

/** Ends everything that still runs. */
export const stopAll = () => Promise.all([...running].map(stop));
