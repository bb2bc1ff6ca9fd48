//! Frames to packets and back: sends ours, spread over time, and reads the peer's.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc as std_mpsc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc::rtcp::goodbye::Goodbye;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtp;
use tokio::sync::mpsc;
use video::{Codec, CodecError, CodecKind, Decoder, Freeze, FreezeChange, Picture};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

use crate::codecs;
use crate::usage::Held;
use crate::video_assembly::{Assembled, Assembly};
use crate::video_studio::{FrameOut, VideoOut};
use crate::video_track::{CLOCK, PictureState, Shown, VideoPart, Which};

/// Payload of one packet: with all heads it fits every path.
const MTU: usize = 1_140;
/// How much faster than the estimate packets leave: a key frame is sent soon, and voice passes between its packets.
const SPREAD_PERCENT: u64 = 130;
/// A wait shorter than this is left for the next: timers are no finer.
const SHORTEST_WAIT: Duration = Duration::from_millis(4);
/// A packet waits no longer, whatever the estimate.
const LONGEST_WAIT: Duration = Duration::from_millis(200);
/// How often holes and key frames are looked after.
const TICK: Duration = Duration::from_millis(20);
/// Key frames are asked for no more often.
const BETWEEN_WISHES: Duration = Duration::from_millis(300);
/// Frames that may wait for the decoder.
const FRAMES: usize = 8;
/// How often the peer's picture is looked at.
const LOOK: Duration = Duration::from_millis(40);
/// A picture that does not move for so long is gone.
const GONE_MS: u64 = 4_000;
/// A screen stands still for long, and comes again every two seconds even then.
const SCREEN_GONE_MS: u64 = 10_000;

/// Sends our frames while the gate is open.
pub(crate) async fn send(
    part: Arc<VideoPart>,
    track: Arc<TrackLocalStaticRTP>,
    ssrc: u32,
    mut frames: mpsc::Receiver<VideoOut>,
) {
    let mut sequence_number = getrandom::u32().unwrap_or_default() as u16;
    let first_timestamp = getrandom::u32().unwrap_or_default();
    let Some((payload_type, codec)) = part.format().map(|(number, codec)| (*number, codec.kind())) else { return };
    let mut payloader = codecs::payloader(codec);
    while let Some(out) = frames.recv().await {
        if !part.shared.gate.is_open() {
            continue;
        }
        let VideoOut::Frame(FrameOut { frame, taken, estimate }) = out else {
            // RFC 3550, 6.6. The same source begins again when the camera does.
            let goodbye = Goodbye { sources: vec![ssrc], reason: Bytes::new() };
            let _ = track.write_rtcp(vec![Box::new(goodbye)]).await;
            continue;
        };
        let ticks = taken.saturating_duration_since(part.opened).as_micros() * u128::from(CLOCK) / 1_000_000;
        // Wraps by design.
        let timestamp = first_timestamp.wrapping_add(ticks as u32);
        let Ok(payloads) = payloader.payload(MTU, &frame.data) else { continue };
        let last = payloads.len().saturating_sub(1);
        for (idx, payload) in payloads.into_iter().enumerate() {
            // What is late waits here; meanwhile the camera leaves pictures out. Voice never passes through here.
            // Packets of two pictures take turns.
            let now = Instant::now();
            let wait = part.path.reserve(now, takes(estimate, payload.len())).saturating_duration_since(now);
            if wait >= SHORTEST_WAIT {
                tokio::time::sleep(wait.min(LONGEST_WAIT)).await;
            }
            let marker = idx == last;
            let header = rtp::Header {
                version: 2,
                marker,
                payload_type,
                sequence_number,
                timestamp,
                ssrc,
                ..Default::default()
            };
            sequence_number = sequence_number.wrapping_add(1);
            let _ = track.write_rtp(rtp::Packet { header, payload }).await;
        }
        part.counters.sent_frames.fetch_add(1, Ordering::Relaxed);
        part.counters.sent_keys.fetch_add(u64::from(frame.key), Ordering::Relaxed);
    }
}

/// IP, UDP, SRTP and its extension.
const HEADS: usize = 60;

/// How long a packet holds back the next.
fn takes(estimate: u32, length: usize) -> Duration {
    let bits = (length + HEADS) as u64 * 8;
    let per_second = u64::from(estimate.max(1)) * SPREAD_PERCENT / 100;
    Duration::from_micros(bits * 1_000_000 / per_second.max(1)).min(LONGEST_WAIT)
}

/// Reads the peer's picture. Behind a gate that is not open it is dropped unread.
pub(crate) async fn receive(part: Arc<VideoPart>, track: Arc<dyn TrackRemote>) {
    let mut reader = Reader {
        part,
        track,
        assembly: Assembly::of(CodecKind::Vp8),
        codec: None,
        decoder: None,
        wants_key: false,
        hole: false,
        wished: None,
    };
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = reader.track.poll() => match event {
                Some(TrackRemoteEvent::OnRtpPacket(packet)) => reader.on_packet(&packet),
                Some(TrackRemoteEvent::OnEnded) | None => return,
                Some(_) => {}
            },
            _ = ticks.tick() => reader.pass_on(),
        }
        reader.wish_key().await;
    }
}

/// A frame for the decoder.
struct Frame {
    codec: Codec,
    data: Bytes,
    timestamp: u32,
    /// One before it is missing.
    after_hole: bool,
}

struct Reader {
    part: Arc<VideoPart>,
    track: Arc<dyn TrackRemote>,
    assembly: Assembly,
    /// What the packets in there carry.
    codec: Option<Codec>,
    decoder: Option<std_mpsc::SyncSender<Frame>>,
    wants_key: bool,
    /// Something is missing before the next frame; the decoder is told with it.
    hole: bool,
    wished: Option<Instant>,
}

impl Reader {
    fn on_packet(&mut self, packet: &rtp::Packet) {
        if !self.part.shared.gate.is_open() {
            self.part.shared.turned_away.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let (header, now) = (&packet.header, self.part.ms(Instant::now()));
        let Some(codec) = self.part.codec_of(header.payload_type).cloned() else {
            self.part.shared.turned_away.fetch_add(1, Ordering::Relaxed);
            return;
        };
        self.take_up(codec);
        let of_use = self.assembly.push(now, header.sequence_number, header.timestamp, header.marker, &packet.payload);
        self.part.shared.turned_away.fetch_add(u64::from(!of_use), Ordering::Relaxed);
        self.pass_on();
    }

    /// Frames of another codec follow: what waits of the old is of no use.
    fn take_up(&mut self, codec: Codec) {
        let kind = codec.kind();
        if self.codec.as_ref().map(Codec::kind) == Some(kind) {
            return;
        }
        if self.codec.replace(codec).is_some() {
            self.miss();
        }
        self.assembly = Assembly::of(kind);
    }

    fn pass_on(&mut self) {
        let now = self.part.ms(Instant::now());
        while let Some(assembled) = self.assembly.pop(now) {
            match assembled {
                Assembled::Missed => self.miss(),
                Assembled::Frame { data, timestamp } => {
                    let Some(codec) = self.codec.clone() else { continue };
                    let frame = Frame { codec, data, timestamp, after_hole: std::mem::take(&mut self.hole) };
                    if !self.decode(frame) {
                        self.miss();
                    }
                }
            }
        }
        self.wants_key |= self.part.decoder_lost.swap(false, Ordering::AcqRel);
    }

    fn miss(&mut self) {
        self.part.counters.missed.fetch_add(1, Ordering::Relaxed);
        self.wants_key = true;
        self.hole = true;
    }

    fn decode(&mut self, frame: Frame) -> bool {
        if self.decoder.is_none() {
            let (sender, frames) = std_mpsc::sync_channel(FRAMES);
            let (part, hold) = (Arc::clone(&self.part), self.part.usage.hold(Held::Thread));
            let work = move || {
                let _hold = hold;
                priority::pictures();
                show(&part, &frames);
            };
            let Ok(thread) = std::thread::Builder::new().name("picture".to_owned()).spawn(work) else { return false };
            self.part.set_decoding(thread);
            self.decoder = Some(sender);
        }
        self.decoder.as_ref().is_some_and(|decoder| decoder.try_send(frame).is_ok())
    }

    async fn wish_key(&mut self) {
        let now = Instant::now();
        if !self.wants_key || self.wished.is_some_and(|at| now.saturating_duration_since(at) < BETWEEN_WISHES) {
            return;
        }
        let Some(media_ssrc) = self.track.ssrcs().await.first().copied() else { return };
        self.wants_key = false;
        self.wished = Some(now);
        let wish = PictureLossIndication { sender_ssrc: 0, media_ssrc };
        if self.track.write_rtcp(vec![Box::new(wish)]).await.is_ok() {
            self.part.counters.asked_keys.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The picture thread: decodes, keeps in step with the voice, shows the newest.
fn show(part: &VideoPart, frames: &std_mpsc::Receiver<Frame>) {
    let mut decoders = Vec::new();
    let (mut freeze, mut number, mut last_ms) = (Freeze::default(), 0, None);
    let is_screen = part.which == Which::Screen;
    let gone_ms = if is_screen { SCREEN_GONE_MS } else { GONE_MS };
    while !part.shared.is_stopping() {
        match frames.recv_timeout(LOOK) {
            Ok(frame) => {
                match decode(&mut decoders, &frame) {
                    Ok(Some(picture)) => {
                        let now = part.ms(Instant::now());
                        let wait =
                            part.feedback.sync(|sync| if is_screen { 0 } else { sync.wait_ms(now, frame.timestamp) });
                        // Frames behind this one wait in a short queue meanwhile.
                        std::thread::sleep(Duration::from_millis(wait));
                        let at = Instant::now();
                        number += 1;
                        part.stream().outlive_goodbye(FRAMES as u32);
                        let counters = &part.counters;
                        counters.decoded.store(number, Ordering::Relaxed);
                        part.decodes(frame.codec.kind());
                        counters.width.store(picture.width(), Ordering::Relaxed);
                        counters.height.store(picture.height(), Ordering::Relaxed);
                        part.theirs.send_replace(Some(Shown { picture: Arc::new(picture), number, at }));
                        let began = last_ms.replace(part.ms(at)).is_none();
                        if !is_screen && freeze.on_picture(part.ms(at)).is_some() || began {
                            part.tell_picture(PictureState::Moving);
                        }
                        let (count, frozen_ms) = freeze.sum();
                        counters.freezes.store(count, Ordering::Relaxed);
                        counters.frozen_ms.store(frozen_ms, Ordering::Relaxed);
                    }
                    Ok(None) => {}
                    Err(error) => {
                        if error != CodecError::NeedsKey {
                            part.counters.missed.fetch_add(1, Ordering::Relaxed);
                        }
                        part.decoder_lost.store(true, Ordering::Release);
                    }
                }
            }
            Err(std_mpsc::RecvTimeoutError::Timeout) => {
                let now = part.ms(Instant::now());
                let left = part.stream().take_goodbye();
                if last_ms.is_some_and(|at| left || now.saturating_sub(at) > gone_ms) {
                    last_ms = None;
                    freeze.rest();
                    part.counters.width.store(0, Ordering::Relaxed);
                    part.counters.height.store(0, Ordering::Relaxed);
                    part.theirs.send_replace(None);
                    part.tell_picture(PictureState::Gone);
                }
                if freeze.tick(now) == Some(FreezeChange::Frozen) {
                    part.tell_picture(PictureState::Frozen);
                }
            }
            Err(std_mpsc::RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Decodes a frame with the decoder of its codec. The others stay: a peer that changes back and forth costs no more.
fn decode(decoders: &mut Vec<(CodecKind, Decoder)>, frame: &Frame) -> Result<Option<Picture>, CodecError> {
    let kind = frame.codec.kind();
    if !decoders.iter().any(|(known, _)| *known == kind) {
        decoders.push((kind, Decoder::new(&frame.codec)?));
    }
    let mut fitting = decoders.iter_mut().filter(|(known, _)| *known == kind);
    let (_, decoder) = fitting.next().ok_or(CodecError::Open)?;
    if frame.after_hole {
        decoder.miss();
    }
    decoder.decode(&frame.data)
}
