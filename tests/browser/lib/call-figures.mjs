// A call between two peer connections of Chromium through the system's default devices, for `./dev bench call` to compare with.
// Prints one line of JSON when somebody can be heard, holds the call until its input ends, then prints what it took.
import { createServer } from 'node:http';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const calls = Number(process.argv[2] ?? 11);
const page = `<!doctype html><title>call</title><script>
async function call(stream) {
  const a = new RTCPeerConnection(), b = new RTCPeerConnection();
  const early = { a: [], b: [] };
  const give = (to, name) => (event) => {
    if (!event.candidate) return;
    if (to.remoteDescription) to.addIceCandidate(event.candidate); else early[name].push(event.candidate);
  };
  a.onicecandidate = give(b, 'b');
  b.onicecandidate = give(a, 'a');
  a.addTrack(stream.getAudioTracks()[0], stream);
  const audio = new Audio();
  audio.autoplay = true;
  b.ontrack = (event) => { audio.srcObject = event.streams[0]; };
  await a.setLocalDescription(await a.createOffer());
  const accepted = performance.now();
  await b.setRemoteDescription(a.localDescription);
  early.b.forEach((candidate) => b.addIceCandidate(candidate));
  await b.setLocalDescription(await b.createAnswer());
  await a.setRemoteDescription(b.localDescription);
  early.a.forEach((candidate) => a.addIceCandidate(candidate));
  for (;;) {
    const report = await b.getStats();
    for (const entry of report.values()) {
      // A sample has left the jitter buffer for the speaker.
      if (entry.type === 'inbound-rtp' && entry.jitterBufferEmittedCount > 0) return { a, b, audio, ms: performance.now() - accepted };
    }
    if (performance.now() - accepted > 20000) throw new Error('no sound');
    await new Promise((done) => setTimeout(done, 2));
  }
}
async function calls(count) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const took = [];
  for (let n = 0; n < count; n += 1) {
    if (window.last) { window.last.a.close(); window.last.b.close(); window.last.audio.srcObject = null; }
    window.last = await call(stream);
    took.push(window.last.ms);
  }
  return took;
}
</script>`;

/** Megabytes of all processes of a browser, what they share counted once. */
function memory(profile) {
  let kilobytes = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      if (!command.includes(profile)) continue;
      const pss = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
      kilobytes += Number(pss?.[1] ?? 0);
    } catch { /* it ended meanwhile */ }
  }
  return kilobytes / 1024;
}

const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end(page));
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const profile = mkdtempSync(join(tmpdir(), 'parlance-call-'));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  // A driven browser is mute otherwise.
  ignoreDefaultArgs: ['--mute-audio'],
  args: ['--no-sandbox', '--use-fake-ui-for-media-stream', '--autoplay-policy=no-user-gesture-required'],
  env: { ...process.env },
});
try {
  const tab = await context.newPage();
  await tab.goto(`http://127.0.0.1:${server.address().port}/`);
  const setup = await tab.evaluate((count) => calls(count), calls);
  console.log(JSON.stringify({ setup }));
  await new Promise((done) => process.stdin.on('end', done).on('close', done).resume());
  console.log(JSON.stringify({ memory: memory(profile) }));
} finally {
  await context.close();
  server.close();
  rmSync(profile, { recursive: true, force: true });
}
