//! What the peer and the path say about our picture and voice: wishes for key frames, losses, delays, and the peer's clocks.
//!
//! All of it comes in RTCP, which the engine keeps to itself; this listens on its way.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rtc::interceptor::{
    BandwidthEstimator, CongestionControlBuilder, Interceptor, Packet, PacketReport, Registry, Slot, StreamInfo,
    TaggedPacket,
};
use rtc::peer_connection::configuration::interceptor_registry::{configure_nack, configure_twcc};
use rtc::peer_connection::configuration::media_engine::MediaEngine;
use rtc::rtcp;
use rtc::rtcp::goodbye::Goodbye;
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::sender_report::SenderReport;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use video::{Arrivals, LipSync, Passed};

use crate::SAMPLE_RATE;
use crate::length::{LengthChoice, VoiceReport};
use crate::video_track::{CLOCK, Which};

/// Above everything of the engine's own, so that what it repairs or repeats is seen once.
const SLOT: usize = 14_000;
const UNKNOWN: u32 = u32::MAX;

/// What was heard last.
#[derive(Debug)]
pub(crate) struct Feedback {
    pub(crate) opened: Instant,
    camera: Stream,
    screen: Stream,
    lost_permille: AtomicU32,
    arrivals: Mutex<Arrivals>,
    sync: Mutex<LipSync>,
    voice: Mutex<LengthChoice>,
}

/// What was heard of one picture.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    key_wanted: AtomicBool,
    goodbye: AtomicBool,
    /// Pictures that were shown since then.
    since_goodbye: AtomicU32,
    /// The source of the peer's picture; 0 while it is not known.
    theirs: AtomicU32,
}

impl Feedback {
    /// Times are counted from `opened`.
    pub(crate) fn new(opened: Instant) -> Self {
        Self {
            opened,
            camera: Stream::default(),
            screen: Stream::default(),
            lost_permille: AtomicU32::new(UNKNOWN),
            arrivals: Mutex::default(),
            sync: Mutex::default(),
            voice: Mutex::default(),
        }
    }

    /// Adds what hears it to an engine, and what a picture needs: repeats, and reports of when packets arrived.
    pub(crate) fn listen(
        self: &Arc<Self>,
        registry: Registry,
        engine: &mut MediaEngine,
        own_ssrcs: OwnSources,
    ) -> rtc::shared::error::Result<Registry> {
        let registry = configure_twcc(configure_nack(registry, engine), engine)?;
        let estimator = Told { feedback: Arc::clone(self) };
        let listener = Listener::new(Arc::clone(self), own_ssrcs);
        Ok(registry
            // Without the engine's pacer: voice would wait in it behind the picture.
            .with(Slot::CongestionControl, CongestionControlBuilder::new(estimator).build())
            .with(Slot::from(SLOT), listener))
    }

    pub(crate) fn stream(&self, which: Which) -> &Stream {
        match which {
            Which::Camera => &self.camera,
            Which::Screen => &self.screen,
        }
    }

    /// Milliseconds since the call was opened.
    pub(crate) fn ms(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.opened).as_millis()).unwrap_or(u64::MAX)
    }

    /// What the peer told of each of our packets.
    pub(crate) fn arrivals<T>(&self, work: impl FnOnce(&mut Arrivals) -> T) -> T {
        work(&mut self.arrivals.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the peer missed of our picture; asked once for each report.
    pub(crate) fn take_lost_permille(&self) -> Option<u32> {
        Some(self.lost_permille.swap(UNKNOWN, Ordering::AcqRel)).filter(|value| *value != UNKNOWN)
    }

    /// How long our voice packets should be.
    pub(crate) fn voice_length<T>(&self, work: impl FnOnce(&mut LengthChoice) -> T) -> T {
        work(&mut self.voice.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The peer's clocks.
    pub(crate) fn sync<T>(&self, work: impl FnOnce(&mut LipSync) -> T) -> T {
        work(&mut self.sync.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Stream {
    /// Whether the peer wishes a key frame.
    pub(crate) fn wants_key(&self) -> bool {
        self.key_wanted.load(Ordering::Acquire)
    }

    /// Whether the peer wishes a key frame; asked once for each wish.
    pub(crate) fn take_key_wish(&self) -> bool {
        self.key_wanted.swap(false, Ordering::AcqRel)
    }

    /// Gives a wish back that could not be fulfilled.
    pub(crate) fn wish_key(&self) {
        self.key_wanted.store(true, Ordering::Release);
    }

    /// Whether the peer said that no more pictures come; asked once for each time.
    pub(crate) fn take_goodbye(&self) -> bool {
        self.goodbye.swap(false, Ordering::AcqRel)
    }

    /// A picture was shown: those on their way may follow a goodbye, more than so many mean that it is taken back.
    pub(crate) fn outlive_goodbye(&self, on_their_way: u32) {
        if !self.goodbye.load(Ordering::Acquire) {
            self.since_goodbye.store(0, Ordering::Relaxed);
        } else if self.since_goodbye.fetch_add(1, Ordering::Relaxed) >= on_their_way {
            self.goodbye.store(false, Ordering::Release);
        }
    }

    /// Which source of the peer's it is.
    pub(crate) fn comes_from(&self, ssrc: u32) {
        self.theirs.store(ssrc, Ordering::Release);
    }

    fn is_from(&self, ssrc: u32) -> bool {
        ssrc != 0 && self.theirs.load(Ordering::Acquire) == ssrc
    }
}

/// The sources of what we send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnSources {
    pub(crate) voice: u32,
    pub(crate) camera: u32,
    pub(crate) screen: u32,
}

/// Stands in the place of an estimator of the engine's, and only notes what it is shown; the thought about it is
/// [`video::Estimate`].
struct Told {
    feedback: Arc<Feedback>,
}

impl BandwidthEstimator for Told {
    fn on_reports(&mut self, now: Instant, reports: &[PacketReport]) {
        let opened = self.feedback.opened;
        let us = |at: Instant| u64::try_from(at.saturating_duration_since(opened).as_micros()).unwrap_or(u64::MAX);
        self.feedback.arrivals(|arrivals| {
            for report in reports {
                let arrival = report.arrival.filter(|_| report.arrived);
                arrivals.push(
                    us(now) / 1_000,
                    Passed {
                        left_us: us(report.departure),
                        arrived_us: arrival.and_then(|at| u64::try_from(at.as_micros()).ok()),
                        bytes: u32::try_from(report.size).unwrap_or(u32::MAX),
                    },
                );
            }
        });
    }

    /// Nobody asks: nothing of the engine's paces or limits by it.
    fn target_bitrate(&self) -> f64 {
        f64::MAX
    }
}

/// Hears RTCP and passes everything on.
struct Listener {
    feedback: Arc<Feedback>,
    own: OwnSources,
    voice: Option<u32>,
    read: VecDeque<TaggedPacket>,
    written: VecDeque<TaggedPacket>,
}

impl Listener {
    fn new(feedback: Arc<Feedback>, own: OwnSources) -> Self {
        let (read, written) = (VecDeque::new(), VecDeque::new());
        Self { feedback, own, voice: None, read, written }
    }

    /// What is known of our own picture with this source.
    fn own(&self, ssrc: u32) -> Option<&Stream> {
        match ssrc {
            ssrc if ssrc == self.own.camera => Some(&self.feedback.camera),
            ssrc if ssrc == self.own.screen => Some(&self.feedback.screen),
            _ => None,
        }
    }

    fn hear(&self, packet: &dyn rtcp::Packet) {
        let packet = packet.as_any();
        if let Some(pli) = packet.downcast_ref::<PictureLossIndication>() {
            self.own(pli.media_ssrc).into_iter().for_each(Stream::wish_key);
        } else if let Some(fir) = packet.downcast_ref::<FullIntraRequest>() {
            fir.fir.iter().filter_map(|entry| self.own(entry.ssrc)).for_each(Stream::wish_key);
        } else if let Some(goodbye) = packet.downcast_ref::<Goodbye>() {
            for stream in [&self.feedback.camera, &self.feedback.screen] {
                if goodbye.sources.iter().any(|ssrc| stream.is_from(*ssrc)) {
                    stream.goodbye.store(true, Ordering::Release);
                }
            }
        } else if let Some(report) = packet.downcast_ref::<ReceiverReport>() {
            self.hear_losses(&report.reports);
        } else if let Some(report) = packet.downcast_ref::<SenderReport>() {
            self.hear_losses(&report.reports);
            let is_camera = self.feedback.camera.is_from(report.ssrc);
            self.feedback.sync(|sync| {
                if Some(report.ssrc) == self.voice {
                    sync.on_voice_report(report.rtp_time, report.ntp_time, SAMPLE_RATE);
                } else if is_camera {
                    sync.on_picture_report(report.rtp_time, report.ntp_time, CLOCK);
                }
            });
        }
    }

    fn hear_losses(&self, reports: &[ReceptionReport]) {
        let lost_permille = |report: &ReceptionReport| u32::from(report.fraction_lost) * 1_000 / 256;
        let ours = reports.iter().filter(|report| self.own(report.ssrc).is_some());
        if let Some(permille) = ours.map(lost_permille).max() {
            self.feedback.lost_permille.store(permille, Ordering::Release);
        }
        for report in reports.iter().filter(|report| report.ssrc == self.own.voice) {
            let jitter_ms = report.jitter / (SAMPLE_RATE / 1_000);
            let heard = VoiceReport { lost_permille: lost_permille(report), jitter_ms };
            let (at_ms, reached) = (self.feedback.ms(Instant::now()), report.last_sequence_number);
            self.feedback.voice_length(|choice| choice.observe(at_ms, reached, heard));
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Listener {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(compound) = &packet.message.packet {
            compound.iter().for_each(|packet| self.hear(packet.as_ref()));
        }
        self.read.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.read.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.written.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.written.pop_front()
    }
}

impl Interceptor for Listener {
    fn bind_local_stream(&mut self, _info: &StreamInfo) {}

    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}

    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        // Which of two pictures is which, the descriptions say.
        if info.clock_rate != CLOCK {
            self.voice = Some(info.ssrc);
        }
    }

    fn unbind_remote_stream(&mut self, _info: &StreamInfo) {}
}
