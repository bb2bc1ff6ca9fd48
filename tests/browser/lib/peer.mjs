// One end of a call that nobody of us wrote: a peer connection of Chromium with its fake devices, told what to do by lines of JSON.
// usage: node peer.mjs TONE.wav   The fake microphone says TONE; `ONLY` names the one picture codec it speaks (`video/H264`); `RELAY` (JSON of an RTCIceServer) sends all of it through a relay.
import { createServer } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';
import { counted } from './counter.mjs';

const tone = process.argv[2];
const only = process.env.ONLY ?? null;
const relay = process.env.RELAY ? JSON.parse(process.env.RELAY) : null;
const html = `<!doctype html><title>peer</title><video muted autoplay playsinline></video><canvas data-testid="theirs"></canvas><script>
const video = document.querySelector('video'), canvas = document.querySelector('canvas');
const ears = new AudioContext({ sampleRate: 48000 });
const ear = ears.createAnalyser();
ear.fftSize = 8192;
let peer, onlyCodec;
async function open(relay, only) {
  onlyCodec = only;
  peer = new RTCPeerConnection(relay ? { iceServers: [relay], iceTransportPolicy: 'relay' } : {});
  peer.onicecandidate = ({ candidate }) => candidate && tell({ candidate: JSON.stringify(candidate) });
  peer.onconnectionstatechange = () => tell({ state: peer.connectionState });
  const theirs = new MediaStream();
  peer.ontrack = ({ track }) => {
    theirs.addTrack(track);
    video.srcObject = theirs;
    // What no element plays is not decoded.
    if (track.kind === 'audio') ears.createMediaStreamSource(new MediaStream([track])).connect(ear);
  };
  const sound = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const mine = await navigator.mediaDevices.getUserMedia({ audio: sound, video: { width: 640, height: 360 } });
  mine.getTracks().forEach((track) => peer.addTrack(track, mine));
}
/** Leaves one picture codec in what is said next; what H.264 may be is said by RFC 7742. */
function keepOnly() {
  if (!onlyCodec) return;
  const all = RTCRtpReceiver.getCapabilities('video').codecs;
  const codecs = all.filter(({ mimeType, sdpFmtpLine = '' }) => mimeType === onlyCodec && (mimeType !== 'video/H264' || /packetization-mode=1.*42e01f|42e01f.*packetization-mode=1/.test(sdpFmtpLine)));
  if (codecs.length === 0) throw new Error('this browser has no ' + onlyCodec + ': ' + all.map(({ mimeType }) => mimeType));
  for (const transceiver of peer.getTransceivers()) {
    if (transceiver.receiver.track.kind === 'video') transceiver.setCodecPreferences(codecs);
  }
}
/** What somebody who has one picture codec reads of an offer: of what it names besides, Chromium would send the first, whatever it answered. */
function understood(sdp) {
  if (!onlyCodec) return sdp;
  return sdp.split(/(?=^m=)/m).map((section) => {
    if (!section.startsWith('m=video')) return section;
    const name = onlyCodec.split('/')[1];
    const known = [...section.matchAll(/^a=rtpmap:(\\d+) (\\S+)\\/90000/gm)].filter(([, , codec]) => codec === name).map(([, number]) => number);
    const lines = section.split('\\r\\n').filter((line) => !/^a=(rtpmap|fmtp|rtcp-fb):/.test(line) || known.includes(line.match(/:(\\d+)/)[1]));
    return lines.join('\\r\\n').replace(/^(m=video \\S+ \\S+).*$/m, '$1 ' + known.join(' '));
  }).join('');
}
async function offer(withData) {
  if (withData) peer.createDataChannel('data');
  keepOnly();
  await peer.setLocalDescription(await peer.createOffer());
  return peer.localDescription.sdp;
}
async function answer(sdp) {
  await peer.setRemoteDescription({ type: 'offer', sdp: understood(sdp) });
  keepOnly();
  await peer.setLocalDescription(await peer.createAnswer());
  return peer.localDescription.sdp;
}
/** The loudest frequency, in hertz; 0 in silence. */
function loudest() {
  const bins = new Float32Array(ear.frequencyBinCount);
  ear.getFloatFrequencyData(bins);
  const at = bins.indexOf(Math.max(...bins));
  return bins[at] > -60 ? (at * ears.sampleRate) / ear.fftSize : 0;
}
async function stats() {
  const seen = { hz: loudest(), framesDecoded: 0, framesSent: 0, packets: 0, codecs: [], sends: [], relayed: false };
  const report = await peer.getStats();
  for (const entry of report.values()) {
    if (entry.type === 'inbound-rtp' && entry.kind === 'video') seen.framesDecoded = entry.framesDecoded;
    if (entry.type === 'inbound-rtp' && entry.kind === 'audio') seen.packets = entry.packetsReceived;
    if (entry.type === 'inbound-rtp' && entry.codecId) seen.codecs.push(report.get(entry.codecId)?.mimeType);
    if (entry.type === 'outbound-rtp' && entry.kind === 'video') seen.framesSent = entry.framesSent;
    if (entry.type === 'outbound-rtp' && entry.codecId) seen.sends.push(report.get(entry.codecId)?.mimeType);
    if (entry.type === 'candidate-pair' && entry.nominated) seen.relayed = report.get(entry.localCandidateId)?.candidateType === 'relay';
  }
  if (video.videoWidth > 0) {
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext('2d', { willReadFrequently: true }).drawImage(video, 0, 0);
  }
  return seen;
}
</script>`;

const say = (line) => console.log(JSON.stringify(line));
const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end(html));
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const profile = mkdtempSync(join(tmpdir(), 'parlance-peer-'));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--use-fake-ui-for-media-stream',
    '--use-fake-device-for-media-stream',
    `--use-file-for-fake-audio-capture=${tone}`,
    '--autoplay-policy=no-user-gesture-required',
    '--allow-loopback-in-peer-connection',
  ],
});
try {
  const page = await context.newPage();
  await page.exposeFunction('tell', say);
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  await page.evaluate(([relay, only]) => open(relay, only), [relay, only]);
  const deeds = {
    offer: ({ data }) => page.evaluate((data) => offer(data), data === true).then((sdp) => ({ sdp })),
    answer: ({ sdp }) => page.evaluate((sdp) => answer(sdp), sdp).then((sdp) => ({ sdp })),
    take: ({ sdp }) => page.evaluate((sdp) => peer.setRemoteDescription({ type: 'answer', sdp }), sdp).then(() => ({ taken: true })),
    candidate: ({ candidate }) => page.evaluate((candidate) => peer.addIceCandidate(JSON.parse(candidate)), candidate).then(() => null),
    seen: async () => {
      const seen = await page.evaluate(() => stats());
      return { seen: { ...seen, number: await counted(page, 'theirs') } };
    },
  };
  for await (const line of createInterface({ input: process.stdin })) {
    const deed = JSON.parse(line);
    const answer = await deeds[deed.do](deed).catch((error) => ({ error: String(error) }));
    if (answer) say(answer);
  }
} finally {
  await context.close();
  server.close();
  rmSync(profile, { recursive: true, force: true });
}
