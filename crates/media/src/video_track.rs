//! The picture of a call: its place in the description, its threads, and what they share.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use call::PictureCodec;
use rtc::media_stream::MediaStreamTrack;
use rtc::rtp_transceiver::rtp_sender::{RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind};
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use video::{CameraChoice, CameraError, Codec, CodecKind, Picture};

use crate::codecs::{described, shared as in_common};
use crate::share::ScreenShare;
use crate::stats::Shared;
use crate::usage::{Held, Usage};
use crate::video_feedback::{Feedback, Stream};
use crate::video_path::PicturePath;
use crate::video_sending::SendingThread;
use crate::video_studio::VideoOut;
use crate::{video_camera, video_screen};

/// Ticks of a picture's timestamps in a second (RFC 7741).
pub(crate) const CLOCK: u32 = 90_000;
/// Pictures that may wait for the network.
const OUTBOUND: usize = 2;

/// Which of the two pictures of a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Camera,
    Screen,
}

/// A picture to be drawn; always the newest.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The picture.
    pub picture: Arc<Picture>,
    /// Counts what was shown in this call, from 1.
    pub number: u64,
    /// When it was there to be drawn.
    pub at: Instant,
}

/// How our camera is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CameraState {
    /// It gives pictures.
    On {
        /// What people call it.
        name: String,
    },
    /// It is switched off.
    Off,
    /// It gives none; the call goes on.
    Failed(CameraError),
}

/// How the peer's picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PictureState {
    /// It moves.
    Moving,
    /// It stands still though it should move.
    Frozen,
    /// Nothing comes any more.
    Gone,
}

/// What the threads of the picture have to tell.
pub(crate) enum VideoNews {
    Camera(CameraState),
    Picture(PictureState),
    Screen(PictureState),
}

/// Figures of the picture of a call.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VideoStats {
    /// The codec of what is sent, once something was.
    pub sent_codec: Option<&'static str>,
    /// Frames sent.
    pub sent_frames: u64,
    /// Key frames among them.
    pub sent_keys: u64,
    /// Size of what is sent; 0 while nothing is.
    pub sent_width: u32,
    /// Rows of what is sent.
    pub sent_height: u32,
    /// Bits per second our encoder is held to.
    pub sent_rate: u32,
    /// What the path is thought to carry, in bits per second.
    pub estimate: u32,
    /// The codec of the peer's picture, once there was one.
    pub codec: Option<&'static str>,
    /// Frames of the peer that were decoded.
    pub decoded: u64,
    /// Size of the peer's picture; 0 while there is none.
    pub width: u32,
    /// Rows of the peer's picture.
    pub height: u32,
    /// Frames of the peer that were given up, damaged or refused.
    pub missed: u64,
    /// Key frames we asked for.
    pub asked_keys: u64,
    /// Times the peer's picture stood still.
    pub freezes: u64,
    /// How long it stood still in all.
    pub frozen_ms: u64,
    /// How far the picture is ahead of the voice (negative: behind), once known.
    pub ahead_ms: Option<i64>,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sent_frames: AtomicU64,
    pub(crate) sent_keys: AtomicU64,
    pub(crate) sent_width: AtomicU32,
    pub(crate) sent_height: AtomicU32,
    pub(crate) sent_rate: AtomicU32,
    pub(crate) estimate: AtomicU32,
    pub(crate) decoded: AtomicU64,
    pub(crate) width: AtomicU32,
    pub(crate) height: AtomicU32,
    pub(crate) missed: AtomicU64,
    pub(crate) asked_keys: AtomicU64,
    pub(crate) freezes: AtomicU64,
    pub(crate) frozen_ms: AtomicU64,
}

/// What the threads and tasks of one of a call's pictures share.
pub(crate) struct VideoPart {
    pub(crate) which: Which,
    pub(crate) path: Arc<PicturePath>,
    /// It is read already.
    pub(crate) watching: AtomicBool,
    pub(crate) shared: Arc<Shared>,
    pub(crate) feedback: Arc<Feedback>,
    pub(crate) counters: Counters,
    pub(crate) opened: Instant,
    pub(crate) out: mpsc::Sender<VideoOut>,
    pub(crate) news: mpsc::Sender<VideoNews>,
    pub(crate) usage: Arc<Usage>,
    /// Both descriptions have it.
    pub(crate) agreed: AtomicBool,
    /// What it may be encoded with.
    codecs: Vec<Codec>,
    /// What both sides have of that, and the numbers of its packets; we send the first. It stays for all of the call.
    formats: OnceLock<Vec<(u8, Codec)>>,
    /// What the peer's last picture was decoded with.
    decoded_with: Mutex<Option<CodecKind>>,
    pub(crate) own: watch::Sender<Option<Shown>>,
    pub(crate) theirs: watch::Sender<Option<Shown>>,
    /// The decoder cannot go on without a key frame.
    pub(crate) decoder_lost: AtomicBool,
    sending: Mutex<Option<SendingThread>>,
    decoding: Mutex<Option<JoinHandle<()>>>,
}

impl VideoPart {
    /// The part, and the frames that are to be sent.
    pub(crate) fn new(
        which: Which,
        path: &Arc<PicturePath>,
        codecs: Vec<Codec>,
        shared: Arc<Shared>,
        feedback: Arc<Feedback>,
        news: mpsc::Sender<VideoNews>,
        usage: Arc<Usage>,
    ) -> (Arc<Self>, mpsc::Receiver<VideoOut>) {
        let (out, frames) = mpsc::channel(OUTBOUND);
        let part = Self {
            which,
            path: Arc::clone(path),
            watching: AtomicBool::new(false),
            shared,
            opened: feedback.opened,
            feedback,
            counters: Counters::default(),
            out,
            news,
            usage,
            agreed: AtomicBool::new(false),
            codecs,
            formats: OnceLock::new(),
            decoded_with: Mutex::default(),
            own: watch::Sender::new(None),
            theirs: watch::Sender::new(None),
            decoder_lost: AtomicBool::new(false),
            sending: Mutex::default(),
            decoding: Mutex::default(),
        };
        (Arc::new(part), frames)
    }

    /// Switches the camera on, or off with none. A camera that was on is let go of first.
    pub(crate) fn set_camera(self: &Arc<Self>, choice: Option<CameraChoice>) {
        let mut sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        let before = sending.take().map(SendingThread::stop);
        if self.shared.is_stopping() {
            return;
        }
        self.path.switch(Which::Camera, choice.is_some());
        let (part, hold) = (Arc::clone(self), self.usage.hold(Held::Thread));
        *sending = SendingThread::start("camera", before, hold, move |stop| video_camera::work(&part, choice, stop));
    }

    /// Shows something of a screen, or nothing more with none.
    pub(crate) fn set_screen(self: &Arc<Self>, share: Option<ScreenShare>) {
        let mut sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        let before = sending.take().map(SendingThread::stop);
        if self.shared.is_stopping() || share.is_none() && before.is_none() {
            return;
        }
        self.path.switch(Which::Screen, share.is_some());
        let (part, hold) = (Arc::clone(self), self.usage.hold(Held::Thread));
        *sending = SendingThread::start("screen-out", before, hold, move |stop| video_screen::work(&part, share, stop));
    }

    /// Reads what the peer's description says of this picture.
    pub(crate) fn agree(&self, theirs: &[(PictureCodec, u8)]) {
        let formats = in_common(&self.codecs, theirs);
        self.agreed.store(!formats.is_empty(), Ordering::Release);
        if !formats.is_empty() {
            let _ = self.formats.set(formats);
        }
    }

    /// What we send, and the number of its packets.
    pub(crate) fn format(&self) -> Option<&(u8, Codec)> {
        self.formats.get()?.first()
    }

    /// What the peer's packets with this number carry.
    pub(crate) fn codec_of(&self, payload_type: u8) -> Option<&Codec> {
        self.formats.get()?.iter().find(|(number, _)| *number == payload_type).map(|(_, codec)| codec)
    }

    /// What was heard of this picture.
    pub(crate) fn stream(&self) -> &Stream {
        self.feedback.stream(self.which)
    }

    /// Notes what the peer's picture is decoded with.
    pub(crate) fn decodes(&self, kind: CodecKind) {
        *self.decoded_with.lock().unwrap_or_else(PoisonError::into_inner) = Some(kind);
    }

    pub(crate) fn set_decoding(&self, thread: JoinHandle<()>) {
        *self.decoding.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
    }

    /// Ends the threads and waits for them. Blocks.
    pub(crate) fn end(&self) {
        let sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = sending.map(SendingThread::stop) {
            let _ = thread.join();
        }
        let decoding = self.decoding.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = decoding {
            let _ = thread.join();
        }
    }

    pub(crate) fn ms(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.opened).as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn tell(&self, news: VideoNews) {
        let _ = self.news.try_send(news);
    }

    pub(crate) fn tell_picture(&self, state: PictureState) {
        self.tell(match self.which {
            Which::Camera => VideoNews::Picture(state),
            Which::Screen => VideoNews::Screen(state),
        });
    }

    pub(crate) fn stats(&self) -> VideoStats {
        let counters = &self.counters;
        let long = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let short = |counter: &AtomicU32| counter.load(Ordering::Relaxed);
        let sent = self.format().filter(|_| long(&counters.sent_frames) > 0);
        let decoded_with = *self.decoded_with.lock().unwrap_or_else(PoisonError::into_inner);
        VideoStats {
            sent_codec: sent.map(|(_, codec)| codec.kind().name()),
            codec: decoded_with.map(CodecKind::name),
            sent_frames: long(&counters.sent_frames),
            sent_keys: long(&counters.sent_keys),
            sent_width: short(&counters.sent_width),
            sent_height: short(&counters.sent_height),
            sent_rate: short(&counters.sent_rate),
            estimate: short(&counters.estimate),
            decoded: long(&counters.decoded),
            width: short(&counters.width),
            height: short(&counters.height),
            missed: long(&counters.missed),
            asked_keys: long(&counters.asked_keys),
            freezes: long(&counters.freezes),
            frozen_ms: long(&counters.frozen_ms),
            ahead_ms: self.feedback.sync(|sync| sync.apart_ms()),
        }
    }
}

/// One of our pictures, which may be encoded in these ways; the first is what it begins with.
pub(crate) fn picture_track(which: Which, ssrc: u32, kinds: &[CodecKind]) -> MediaStreamTrack {
    let encoding = |kind: &CodecKind| RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
        codec: described(*kind),
        ..Default::default()
    };
    // A stream of its own, or a browser would take both for one picture that goes with the voice.
    let (stream, track) = match which {
        Which::Camera => ("call", "picture"),
        Which::Screen => ("screen", "screen"),
    };
    let (stream, track, label) = (stream.to_owned(), track.to_owned(), track.to_owned());
    MediaStreamTrack::new(stream, track, label, RtpCodecKind::Video, kinds.iter().map(encoding).collect())
}
