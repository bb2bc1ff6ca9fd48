//! What the peer and the path say about our picture: wishes for key frames, losses, delays, and the peer's clocks.
//!
//! All of it comes in RTCP, which the engine keeps to itself; this listens on its way.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rtc::interceptor::{
    BandwidthEstimator, CongestionControlBuilder, Gcc, Interceptor, Packet, PacketReport, Registry, Slot, StreamInfo,
    TaggedPacket,
};
use rtc::peer_connection::configuration::interceptor_registry::{configure_nack, configure_twcc};
use rtc::peer_connection::configuration::media_engine::MediaEngine;
use rtc::rtcp;
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::sender_report::SenderReport;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use video::LipSync;

use crate::SAMPLE_RATE;
use crate::video_track::CLOCK;

/// The estimate's beginning and its bounds, in bits per second.
const BEGIN: f64 = 600_000.0;
const LEAST: f64 = 60_000.0;
const MOST: f64 = 6_000_000.0;
/// Above everything of the engine's own, so that what it repairs or repeats is seen once.
const SLOT: usize = 14_000;
const UNKNOWN: u32 = u32::MAX;

/// What was heard last.
#[derive(Debug)]
pub(crate) struct Feedback {
    key_wanted: AtomicBool,
    delay_based: AtomicU32,
    lost_permille: AtomicU32,
    sync: Mutex<LipSync>,
}

impl Default for Feedback {
    fn default() -> Self {
        Self {
            key_wanted: AtomicBool::new(false),
            delay_based: AtomicU32::new(UNKNOWN),
            lost_permille: AtomicU32::new(UNKNOWN),
            sync: Mutex::default(),
        }
    }
}

impl Feedback {
    /// Adds what hears it to an engine, and what a picture needs: repeats, and reports of when packets arrived.
    pub(crate) fn listen(
        self: &Arc<Self>,
        registry: Registry,
        engine: &mut MediaEngine,
        own_ssrc: u32,
    ) -> rtc::shared::error::Result<Registry> {
        let registry = configure_twcc(configure_nack(registry, engine), engine)?;
        let estimator = Told { gcc: Gcc::new(BEGIN, LEAST, MOST), feedback: Arc::clone(self) };
        let listener = Listener { feedback: Arc::clone(self), own_ssrc, ..Listener::default() };
        Ok(registry
            // Without the engine's pacer: voice would wait in it behind the picture.
            .with(Slot::CongestionControl, CongestionControlBuilder::new(estimator).build())
            .with(Slot::from(SLOT), listener))
    }

    /// Whether the peer wishes a key frame; asked once for each wish.
    pub(crate) fn take_key_wish(&self) -> bool {
        self.key_wanted.swap(false, Ordering::AcqRel)
    }

    /// Gives a wish back that could not be fulfilled.
    pub(crate) fn wish_key(&self) {
        self.key_wanted.store(true, Ordering::Release);
    }

    /// What the delays of our packets say, in bits per second.
    pub(crate) fn delay_based(&self) -> Option<u32> {
        known(&self.delay_based)
    }

    /// What the peer missed of our picture; asked once for each report.
    pub(crate) fn take_lost_permille(&self) -> Option<u32> {
        Some(self.lost_permille.swap(UNKNOWN, Ordering::AcqRel)).filter(|value| *value != UNKNOWN)
    }

    /// The peer's clocks.
    pub(crate) fn sync<T>(&self, work: impl FnOnce(&mut LipSync) -> T) -> T {
        work(&mut self.sync.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn known(value: &AtomicU32) -> Option<u32> {
    Some(value.load(Ordering::Acquire)).filter(|value| *value != UNKNOWN)
}

/// The estimator of the engine, that tells what it thinks.
struct Told {
    gcc: Gcc,
    feedback: Arc<Feedback>,
}

impl BandwidthEstimator for Told {
    fn on_reports(&mut self, now: Instant, reports: &[PacketReport]) {
        self.gcc.on_reports(now, reports);
        // Its loss half knows no difference between a bad and a full path; ours is in `video::Estimate`.
        self.feedback.delay_based.store(self.gcc.delay_based_bitrate() as u32, Ordering::Release);
    }

    fn target_bitrate(&self) -> f64 {
        self.gcc.target_bitrate()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.gcc.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.gcc.poll_timeout()
    }
}

/// Hears RTCP and passes everything on.
#[derive(Default)]
struct Listener {
    feedback: Arc<Feedback>,
    own_ssrc: u32,
    voice: Option<u32>,
    picture: Option<u32>,
    read: VecDeque<TaggedPacket>,
    written: VecDeque<TaggedPacket>,
}

impl Listener {
    fn hear(&self, packet: &dyn rtcp::Packet) {
        let packet = packet.as_any();
        if let Some(pli) = packet.downcast_ref::<PictureLossIndication>() {
            if pli.media_ssrc == self.own_ssrc {
                self.feedback.wish_key();
            }
        } else if let Some(fir) = packet.downcast_ref::<FullIntraRequest>() {
            if fir.fir.iter().any(|entry| entry.ssrc == self.own_ssrc) {
                self.feedback.wish_key();
            }
        } else if let Some(report) = packet.downcast_ref::<ReceiverReport>() {
            self.hear_losses(&report.reports);
        } else if let Some(report) = packet.downcast_ref::<SenderReport>() {
            self.hear_losses(&report.reports);
            let ssrc = Some(report.ssrc);
            self.feedback.sync(|sync| {
                if ssrc == self.voice {
                    sync.on_voice_report(report.rtp_time, report.ntp_time, SAMPLE_RATE);
                } else if ssrc == self.picture {
                    sync.on_picture_report(report.rtp_time, report.ntp_time, CLOCK);
                }
            });
        }
    }

    fn hear_losses(&self, reports: &[ReceptionReport]) {
        if let Some(ours) = reports.iter().find(|report| report.ssrc == self.own_ssrc) {
            let permille = u32::from(ours.fraction_lost) * 1_000 / 256;
            self.feedback.lost_permille.store(permille, Ordering::Release);
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
        let stream = if info.clock_rate == CLOCK { &mut self.picture } else { &mut self.voice };
        *stream = Some(info.ssrc);
    }

    fn unbind_remote_stream(&mut self, _info: &StreamInfo) {}
}
