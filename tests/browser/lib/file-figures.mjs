// A data channel between two peer connections of one Chromium page, for `./dev bench files` to compare with: as many bytes as a
// file has, in messages as long as ours. Prints one line of JSON: how long each run took, and what the browser used for it.
import { createServer } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { cpu } from './usage.mjs';

const [bytes, runs] = [Number(process.argv[2]), Number(process.argv[3] ?? 3)];
const page = `<!doctype html><title>file</title><script>
const MESSAGE = 16 * 1024, ON_THE_WAY = 4 * 1024 * 1024;
async function give(bytes) {
  const a = new RTCPeerConnection(), b = new RTCPeerConnection();
  a.onicecandidate = ({ candidate }) => candidate && b.addIceCandidate(candidate);
  b.onicecandidate = ({ candidate }) => candidate && a.addIceCandidate(candidate);
  const giver = a.createDataChannel('pieces', { negotiated: true, id: 0 });
  const taker = b.createDataChannel('pieces', { negotiated: true, id: 0 });
  taker.binaryType = 'arraybuffer';
  const opened = Promise.all([giver, taker].map((channel) => new Promise((done) => { channel.onopen = done; })));
  await a.setLocalDescription();
  await b.setRemoteDescription(a.localDescription);
  await b.setLocalDescription();
  await a.setRemoteDescription(b.localDescription);
  await opened;
  let came = 0;
  const whole = new Promise((done) => {
    taker.onmessage = ({ data }) => { came += data.byteLength; if (came >= bytes) done(); };
  });
  const message = new Uint8Array(MESSAGE), begun = performance.now();
  giver.bufferedAmountLowThreshold = ON_THE_WAY / 2;
  for (let sent = 0; sent < bytes; sent += MESSAGE) {
    if (giver.bufferedAmount > ON_THE_WAY) await new Promise((done) => { giver.onbufferedamountlow = done; });
    giver.send(sent + MESSAGE <= bytes ? message : message.subarray(0, bytes - sent));
  }
  await whole;
  const took = (performance.now() - begun) / 1000;
  a.close();
  b.close();
  return took;
}
</script>`;

const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end(page));
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const profile = mkdtempSync(join(tmpdir(), 'parlance-file-'));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  // A page without a microphone names its addresses in a way that only multicast DNS resolves.
  args: ['--no-sandbox', '--disable-features=WebRtcHideLocalIpsWithMdns'],
});
try {
  const tab = await context.newPage();
  await tab.goto(`http://127.0.0.1:${server.address().port}/`);
  const seconds = [], used = [];
  for (let run = 0; run < runs; run += 1) {
    const before = cpu(profile);
    seconds.push(await tab.evaluate((bytes) => give(bytes), bytes));
    used.push(cpu(profile) - before);
  }
  console.log(JSON.stringify({ seconds, cpu: used }));
} finally {
  await context.close();
  server.close();
  rmSync(profile, { recursive: true, force: true });
}
