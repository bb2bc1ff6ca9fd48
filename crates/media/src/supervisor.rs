//! Watches over one call: opens the gate when it is proved, ends the call when it must end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc as std_mpsc;
use std::time::{Duration, Instant};

use rtc::peer_connection::transport::{RTCDtlsTransportState, RTCIceCandidateType};
use rtc::rtp;
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use rtc::statistics::report::RTCStatsReportEntry;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{RTCIceConnectionState, RTCPeerConnectionState, StatsSelector};

use crate::BLOCK;
use crate::binding;
use crate::desk::Seat;
use crate::error::{FailReason, MediaEvent};
use crate::leg::{Inbound, Outbound, VoiceNews};
use crate::length::Length;
use crate::paths::{Paths, own_addresses};
use crate::peer::{Peer, PictureEnds};
use crate::session::{Sources, Vouched};
use crate::stats::Shared;
use crate::usage::{Held, Hold, Usage};
use crate::video_packets;
use crate::video_studio::VideoOut;
use crate::video_track::{VideoNews, VideoPart};

/// How often levels are told.
const LEVELS: Duration = Duration::from_millis(200);
/// How often the path is looked at.
const CHECKS: Duration = Duration::from_secs(1);
/// How long finding a path and securing it may take together.
const SETUP: Duration = Duration::from_secs(20);
/// How long an interrupted call looks for its path.
const RECONNECT: Duration = Duration::from_secs(10);
/// How long a listener may keep us from telling it something.
const TELLING: Duration = Duration::from_secs(2);
/// How long releasing may take.
const RELEASING: Duration = Duration::from_secs(5);

/// What the engine and the owner tell the supervisor.
pub(crate) enum Signal {
    Candidate(String),
    Ice(RTCIceConnectionState),
    Connection(RTCPeerConnectionState),
    Track(Arc<dyn TrackRemote>),
    /// All our candidates were told.
    Gathered,
    /// Both descriptions are known.
    Settled,
    /// The engine refused the peer's certificate in the handshake.
    CertificateRefused,
    EngineBroke,
}

pub(crate) struct Supervisor {
    pub(crate) peer: Peer,
    pub(crate) shared: Arc<Shared>,
    pub(crate) vouched: Vouched,
    pub(crate) events: mpsc::Sender<MediaEvent>,
    pub(crate) signals: mpsc::Receiver<Signal>,
    pub(crate) news: mpsc::Receiver<VoiceNews>,
    pub(crate) outbound: Option<mpsc::Receiver<Outbound>>,
    pub(crate) inbound: std_mpsc::SyncSender<Inbound>,
    pub(crate) voice: Option<Seat>,
    pub(crate) video: Arc<VideoPart>,
    pub(crate) screen: Arc<VideoPart>,
    /// The sources of the peer's screen, as its description says.
    pub(crate) their_screen: Sources,
    pub(crate) video_news: mpsc::Receiver<VideoNews>,
    pub(crate) frames: Option<mpsc::Receiver<VideoOut>>,
    pub(crate) screen_frames: Option<mpsc::Receiver<VideoOut>>,
    pub(crate) stop: CancellationToken,
    pub(crate) closed: watch::Sender<bool>,
    pub(crate) usage: Arc<Usage>,
    pub(crate) call: Hold,
    pub(crate) stage: Stage,
    pub(crate) paths: Paths,
}

/// How far the media are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stage {
    /// Waiting for the descriptions.
    Negotiating,
    /// Looking for a path.
    Searching { until: Instant },
    /// A path exists; the handshake runs.
    Securing { until: Instant },
    /// Voice flows.
    Live,
    /// The path is lost for now.
    Interrupted { until: Instant },
}

/// What a step of the supervisor says about the call.
type Verdict = Result<(), FailReason>;

impl Supervisor {
    pub(crate) async fn run(mut self) {
        let task = self.usage.hold(Held::Task);
        let stop = self.stop.clone();
        let mut levels = tokio::time::interval(LEVELS);
        let mut checks = tokio::time::interval(CHECKS);
        levels.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        checks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let verdict = loop {
            let verdict = tokio::select! {
                biased;
                () = stop.cancelled() => break Ok(()),
                signal = self.signals.recv() => match signal {
                    Some(signal) => self.on_signal(signal).await,
                    None => break Ok(()),
                },
                news = self.news.recv() => match news {
                    Some(news) => { self.on_news(news).await; Ok(()) }
                    // The voice thread ended before we asked it to.
                    None => break Err(FailReason::Engine),
                },
                Some(news) = self.video_news.recv() => { self.on_video_news(news).await; Ok(()) }
                _ = levels.tick() => { self.tell_levels(); self.choose_length(); self.look_at_paths().await; Ok(()) }
                _ = checks.tick() => self.check().await,
            };
            if verdict.is_err() {
                break verdict;
            }
        };
        self.release(verdict, task).await;
    }

    async fn on_signal(&mut self, signal: Signal) -> Verdict {
        match signal {
            Signal::Candidate(candidate) => self.tell(MediaEvent::Candidate(candidate)).await,
            Signal::Track(track) => self.read_track(track).await,
            Signal::CertificateRefused => return Err(FailReason::FingerprintMismatch),
            Signal::EngineBroke => return Err(FailReason::Engine),
            Signal::Settled => {
                if matches!(self.stage, Stage::Negotiating) {
                    self.stage = Stage::Searching { until: Instant::now() + SETUP };
                }
            }
            Signal::Ice(RTCIceConnectionState::Connected | RTCIceConnectionState::Completed) => {
                if let Stage::Searching { until } = self.stage {
                    self.stage = Stage::Securing { until };
                    tracing::debug!("a path was found");
                    self.tell(MediaEvent::PathFound).await;
                }
            }
            Signal::Ice(_) | Signal::Gathered => {}
            Signal::Connection(state) => return self.on_connection(state).await,
        }
        Ok(())
    }

    async fn on_connection(&mut self, state: RTCPeerConnectionState) -> Verdict {
        match (state, self.stage) {
            (RTCPeerConnectionState::Connected, Stage::Interrupted { .. }) => {
                self.stage = Stage::Live;
                self.tell(MediaEvent::Resumed).await;
            }
            (RTCPeerConnectionState::Connected, Stage::Live) => {}
            (RTCPeerConnectionState::Connected, _) => return self.on_secured().await,
            (RTCPeerConnectionState::Disconnected, Stage::Live) => {
                self.interrupt(Instant::now()).await;
            }
            (RTCPeerConnectionState::Failed, stage) => return Err(lost_at(stage)),
            (RTCPeerConnectionState::Closed, _) => return Err(FailReason::PeerLeft),
            _ => {}
        }
        Ok(())
    }

    /// The handshake is complete. Nothing was played or sent yet; now it is decided whether it may.
    async fn on_secured(&mut self) -> Verdict {
        tracing::debug!("the handshake is complete");
        let shown = self.shown_certificates().await.ok_or(FailReason::NotSecured)?;
        let vouched = self.vouched.lock().expect("no holder of this lock can panic").clone();
        let fingerprint = binding::verify(&shown, &vouched).map_err(|_| FailReason::FingerprintMismatch)?;
        self.send_voice().await?;
        let (picture, screen) = (self.peer.picture.clone(), self.peer.screen.clone());
        let (frames, screen_frames) = (self.frames.take(), self.screen_frames.take());
        self.send_picture(&self.video, picture, frames);
        self.send_picture(&self.screen, screen, screen_frames);
        if !self.shared.gate.open() {
            return Err(FailReason::Engine);
        }
        self.stage = Stage::Live;
        tracing::debug!("the gate is open");
        self.paths.begin(Instant::now());
        self.tell(MediaEvent::SecuredBy { fingerprint }).await;
        self.tell(MediaEvent::Connected).await;
        Ok(())
    }

    async fn shown_certificates(&self) -> Option<Vec<Vec<u8>>> {
        let transport = self.peer.sender.transport().await.ok()??;
        transport.get_remote_certificates().await.ok()
    }

    async fn on_news(&mut self, news: VoiceNews) {
        let event = match news {
            VoiceNews::FirstAudio { after_ms } => {
                tracing::debug!(after_ms, "the first sound was played");
                MediaEvent::FirstAudio { after_ms }
            }
            VoiceNews::Device(direction, state) => MediaEvent::Device { direction, state },
        };
        self.tell(event).await;
    }

    async fn on_video_news(&mut self, news: VideoNews) {
        let event = match news {
            VideoNews::Camera(state) => MediaEvent::Camera(state),
            VideoNews::Picture(state) => MediaEvent::Picture(state),
            VideoNews::Screen(state) => MediaEvent::Screen(state),
        };
        self.tell(event).await;
    }

    fn tell_levels(&self) {
        let (input, output) = (self.shared.input.read(), self.shared.output.read());
        self.shared.input_level.store(input.to_bits(), Ordering::Relaxed);
        self.shared.output_level.store(output.to_bits(), Ordering::Relaxed);
        if self.shared.gate.is_open() {
            let _ = self.events.try_send(MediaEvent::Level { input, output });
        }
    }

    /// Lets the voice thread send packets as long as the road likes them.
    fn choose_length(&self) {
        let (feedback, now) = (&self.video.feedback, Instant::now());
        let rate = self.video.path.rate_while_sending(now);
        let length = feedback.voice_length(|choice| choice.now(feedback.ms(now), rate));
        self.shared.short.store(length == Length::Short, Ordering::Relaxed);
    }

    async fn look_at_paths(&mut self) {
        if !matches!(self.stage, Stage::Live | Stage::Interrupted { .. }) {
            return;
        }
        let (heard, now) = (self.shared.arrived.load(Ordering::Relaxed), Instant::now());
        let wanted = self.paths.look(own_addresses(), heard, now);
        match self.stage {
            // Voice is the surest sign, and the first.
            Stage::Interrupted { .. } if self.paths.hears(now) => {
                self.stage = Stage::Live;
                self.tell(MediaEvent::Resumed).await;
            }
            Stage::Live if wanted => self.interrupt(now).await,
            _ => {}
        }
        if wanted {
            self.tell(MediaEvent::PathWanted).await;
        }
    }

    async fn interrupt(&mut self, now: Instant) {
        self.stage = Stage::Interrupted { until: now + RECONNECT };
        self.tell(MediaEvent::Interrupted).await;
    }

    async fn tell(&self, event: MediaEvent) {
        if tokio::time::timeout(TELLING, self.events.send(event)).await.is_err() {
            tracing::warn!("nobody reads the events of a call");
        }
    }

    /// Looks at what no event tells: deadlines, a peer that closed, the round trip.
    async fn check(&mut self) -> Verdict {
        let now = Instant::now();
        match self.stage {
            Stage::Searching { until } | Stage::Securing { until } | Stage::Interrupted { until } if now >= until => {
                return Err(lost_at(self.stage));
            }
            Stage::Live | Stage::Interrupted { .. } => {}
            _ => return Ok(()),
        }
        if let Ok(Some(transport)) = self.peer.sender.transport().await
            && matches!(transport.state().await, Ok(RTCDtlsTransportState::Closed))
        {
            return Err(FailReason::PeerLeft);
        }
        let report = self.peer.connection.get_stats(now, StatsSelector::None).await;
        let Some(pair) = report.candidate_pairs().find(|pair| pair.nominated) else { return Ok(()) };
        self.shared.bytes_in.store(pair.bytes_received, Ordering::Relaxed);
        self.shared.bytes_out.store(pair.bytes_sent, Ordering::Relaxed);
        let ends = [&pair.local_candidate_id, &pair.remote_candidate_id];
        let is_relay = |entry: &RTCStatsReportEntry| match entry {
            RTCStatsReportEntry::LocalCandidate(end) | RTCStatsReportEntry::RemoteCandidate(end) => {
                // The engine puts a word before the name that the pair has for it.
                let is_end = ends.iter().any(|name| !name.is_empty() && end.stats.id.ends_with(name.as_str()));
                is_end && end.candidate_type == RTCIceCandidateType::Relay
            }
            _ => false,
        };
        self.shared.relayed.store(1 + u32::from(report.iter().any(is_relay)), Ordering::Relaxed);
        let round_trip = Some(pair.current_round_trip_time);
        if let Some(seconds) = round_trip.filter(|seconds| (0.0..60.0).contains(seconds)) {
            self.shared.round_trip_us.store((seconds * 1e6) as u32, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Reads the peer's voice and pictures. A call has one voice, one camera and one screen; more tracks are not read.
    async fn read_track(&mut self, track: Arc<dyn TrackRemote>) {
        if track.kind().await == RtpCodecKind::Video {
            return self.read_picture(track).await;
        }
        if self.shared.reading.swap(true, Ordering::AcqRel) {
            return;
        }
        let (video, inbound, stop) = (Arc::clone(&self.video), self.inbound.clone(), self.stop.clone());
        let hold = self.usage.hold(Held::Task);
        tokio::spawn(async move {
            let _hold = hold;
            stop.run_until_cancelled(receive(track, video, inbound)).await;
        });
    }

    async fn read_picture(&mut self, track: Arc<dyn TrackRemote>) {
        let ssrcs = track.ssrcs().await;
        let part = {
            let theirs = self.their_screen.lock().expect("no holder of this lock can panic");
            if ssrcs.iter().any(|ssrc| theirs.contains(ssrc)) { &self.screen } else { &self.video }
        };
        if part.watching.swap(true, Ordering::AcqRel) {
            return;
        }
        ssrcs.first().into_iter().for_each(|ssrc| part.stream().comes_from(*ssrc));
        let (part, stop) = (Arc::clone(part), self.stop.clone());
        let hold = self.usage.hold(Held::Task);
        tokio::spawn(async move {
            let _hold = hold;
            stop.run_until_cancelled(video_packets::receive(part, track)).await;
        });
    }

    /// Starts the task that sends one of our pictures, if both descriptions have it.
    fn send_picture(&self, part: &Arc<VideoPart>, ends: PictureEnds, frames: Option<mpsc::Receiver<VideoOut>>) {
        let (Some(frames), true) = (frames, part.agreed.load(Ordering::Acquire)) else { return };
        let (part, stop) = (Arc::clone(part), self.stop.clone());
        let hold = self.usage.hold(Held::Task);
        tokio::spawn(async move {
            let _hold = hold;
            stop.run_until_cancelled(video_packets::send(part, ends.track, ends.ssrc, frames)).await;
        });
    }

    /// Starts the task that sends our voice, with the payload type both sides agreed on.
    async fn send_voice(&mut self) -> Verdict {
        let Some(outbound) = self.outbound.take() else {
            return Ok(());
        };
        let parameters = self.peer.sender.get_parameters().await.map_err(|_| FailReason::Engine)?;
        let codec = parameters.rtp_parameters.codecs.first().ok_or(FailReason::Engine)?;
        let payload_type = codec.payload_type;
        let (peer, shared, stop) = (self.peer.clone(), Arc::clone(&self.shared), self.stop.clone());
        let hold = self.usage.hold(Held::Task);
        tokio::spawn(async move {
            let _hold = hold;
            stop.run_until_cancelled(send(peer, shared, outbound, payload_type)).await;
        });
        Ok(())
    }

    /// Silences everything first, then releases everything, then says so.
    async fn release(mut self, verdict: Verdict, task: Hold) {
        self.shared.gate.shut();
        self.shared.stopping.store(true, Ordering::Release);
        self.stop.cancel();
        if let Err(reason) = verdict {
            tracing::info!(reason = reason.code(), "the media of a call failed");
            self.tell(MediaEvent::Failed { reason }).await;
        }
        if self.peer.connection.close().await.is_err() {
            tracing::debug!("the connection was closed already");
        }
        if let Some(voice) = self.voice.take() {
            let (video, screen) = (Arc::clone(&self.video), Arc::clone(&self.screen));
            let joined = tokio::task::spawn_blocking(move || {
                video.end();
                screen.end();
                voice.leave();
            });
            if tokio::time::timeout(RELEASING, joined).await.is_err() {
                tracing::warn!("a sound device does not let go");
            }
        }
        let Self { peer, events, closed, call, .. } = self;
        drop((peer, call, task));
        let _ = tokio::time::timeout(TELLING, events.send(MediaEvent::Closed)).await;
        let _ = closed.send(true);
    }
}

fn lost_at(stage: Stage) -> FailReason {
    match stage {
        Stage::Negotiating | Stage::Searching { .. } => FailReason::NoRoute,
        Stage::Securing { .. } => FailReason::NotSecured,
        Stage::Live | Stage::Interrupted { .. } => FailReason::Dropped,
    }
}

/// Passes voice packets to the voice thread. Behind a gate that is not open they are dropped unread.
async fn receive(track: Arc<dyn TrackRemote>, video: Arc<VideoPart>, inbound: std_mpsc::SyncSender<Inbound>) {
    let shared = &video.shared;
    while let Some(event) = track.poll().await {
        match event {
            TrackRemoteEvent::OnRtpPacket(packet) => {
                shared.arrived.fetch_add(1, Ordering::Relaxed);
                let (sequence, timestamp) = (packet.header.sequence_number, packet.header.timestamp);
                // It is heard after the delay that evens the path out; pictures wait for that.
                let delay_ms = u64::from(shared.delay_us.load(Ordering::Relaxed) / 1_000);
                video.feedback.sync(|sync| sync.on_played(video.ms(Instant::now()) + delay_ms, timestamp));
                let voice = Inbound { at: Instant::now(), sequence, timestamp, payload: packet.payload };
                if !shared.gate.is_open() || inbound.try_send(voice).is_err() {
                    shared.turned_away.fetch_add(1, Ordering::Relaxed);
                }
            }
            TrackRemoteEvent::OnEnded => break,
            _ => {}
        }
    }
}

/// Sends our voice while the gate is open.
async fn send(peer: Peer, shared: Arc<Shared>, mut outbound: mpsc::Receiver<Outbound>, payload_type: u8) {
    let first_sequence = getrandom::u32().unwrap_or_default();
    let first_timestamp = getrandom::u32().unwrap_or_default();
    while let Some(Outbound { payload, sequence, block, begins }) = outbound.recv().await {
        if !shared.gate.is_open() {
            continue;
        }
        // Both counters wrap by design.
        let header = rtp::Header {
            version: 2,
            marker: begins,
            payload_type,
            sequence_number: first_sequence.wrapping_add(sequence) as u16,
            timestamp: first_timestamp.wrapping_add(block.wrapping_mul(BLOCK as u32)),
            ssrc: peer.ssrc,
            ..Default::default()
        };
        if peer.track.write_rtp(rtp::Packet { header, payload }).await.is_ok() {
            shared.sent.fetch_add(1, Ordering::Relaxed);
        }
    }
}
