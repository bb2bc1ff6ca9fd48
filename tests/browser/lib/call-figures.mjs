// A call between two peer connections of Chromium through the system's default devices, for `./dev bench call` to compare with.
// Prints one line of JSON when somebody can be heard, holds the call until its input ends, then prints what it took.
import { createServer } from 'node:http';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { cpu } from './usage.mjs';

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
/** The same with a picture of 1,280 × 720 and 30 a second, one way; it ends with the page. */
async function see(source) {
  const stream = source === 'camera'
    ? await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 1280, height: 720, frameRate: 30 } })
    : painted();
  const a = new RTCPeerConnection(), b = new RTCPeerConnection();
  a.onicecandidate = ({ candidate }) => candidate && b.addIceCandidate(candidate);
  b.onicecandidate = ({ candidate }) => candidate && a.addIceCandidate(candidate);
  stream.getTracks().forEach((track) => a.addTrack(track, stream));
  const video = document.createElement('video');
  Object.assign(video, { autoplay: true, muted: true });
  document.body.append(video);
  b.ontrack = ({ streams }) => { video.srcObject = streams[0]; };
  await a.setLocalDescription();
  await b.setRemoteDescription(a.localDescription);
  await b.setLocalDescription();
  await a.setRemoteDescription(b.localDescription);
  const until = performance.now() + 60000;
  while (video.videoWidth < 1280 && performance.now() < until) await new Promise((done) => setTimeout(done, 50));
  window.seeing = { a, b, video, stream };
  return video.videoWidth;
}
/** A canvas whose brightness stripes spell the time at which it was painted, as milliseconds. */
function painted() {
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width: 1280, height: 720 });
  const pen = canvas.getContext('2d');
  const paint = () => {
    const now = Math.round(performance.now()) & 0xffff;
    for (let bit = 0; bit < 16; bit += 1) {
      pen.fillStyle = (now >> bit) & 1 ? 'white' : 'black';
      pen.fillRect(bit * 80, 0, 80, 720);
    }
  };
  setInterval(paint, 33);
  return canvas.captureStream(30);
}
/** From the painting of a picture until it is there decoded, so many times. */
async function glass(count) {
  const { video } = window.seeing, took = [];
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width: 1280, height: 8 });
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  await new Promise((done) => {
    const look = (now) => {
      pen.drawImage(video, 0, 356, 1280, 8, 0, 0, 1280, 8);
      const { data } = pen.getImageData(0, 0, 1280, 8);
      let painted = 0;
      for (let bit = 0; bit < 16; bit += 1) painted |= Number(data[(4 * 1280 + bit * 80 + 40) * 4] > 128) << bit;
      const ms = (Math.round(now) - painted) & 0xffff;
      // A stripe that was read in the middle of a change is no time.
      if (ms < 2000) took.push(ms);
      if (took.length >= count) done(); else video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
  });
  return took;
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

/** What a picture takes: from the fake camera for the cost, painted for the time. */
async function pictures() {
  const own = mkdtempSync(join(tmpdir(), 'parlance-see-'));
  const seeing = await chromium.launchPersistentContext(own, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream', '--autoplay-policy=no-user-gesture-required'],
  });
  try {
    const watch = async (source) => {
      const tab = await seeing.newPage();
      await tab.goto(`http://127.0.0.1:${server.address().port}/`);
      const width = await tab.evaluate((source) => see(source), source);
      if (width < 1280) throw new Error(`no more than ${width} pixels in a row came`);
      return tab;
    };
    const tab = await watch('camera');
    const [before, begun] = [cpu(own), Date.now()];
    await new Promise((done) => setTimeout(done, 10_000));
    const used = ((cpu(own) - before) * 100_000) / (Date.now() - begun);
    await tab.close();
    const glass = await (await watch('painted')).evaluate(() => glass(200));
    return { cpu: used, glass };
  } finally {
    await seeing.close();
    rmSync(own, { recursive: true, force: true });
  }
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
  await context.close();
  console.log(JSON.stringify(await pictures()));
} finally {
  await context.close();
  server.close();
  rmSync(profile, { recursive: true, force: true });
}
