//! Opens the media of calls.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Instant;

use call::Tone;
use screen::{ScreenError, Source};
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;
use video::{CameraInfo, Picture};

use crate::AudioConfig;
use crate::check::MicrophoneCheck;
use crate::codecs::{self, Library};
use crate::config::{Microphone, NetworkConfig, Speaker};
use crate::desk::Desk;
use crate::device::{self, DeviceInfo};
use crate::error::{MediaError, MediaEvent};
use crate::leg::{INBOUND, Leg, Queues};
use crate::net::CallRuntime;
use crate::note::Recorder;
use crate::paths::Paths;
use crate::peer::Peer;
use crate::relay::{RelayServer, Relays};
use crate::session::{CallMedia, Parts, Sources, Vouched};
use crate::share::ScreenShare;
use crate::stats::Shared;
use crate::supervisor::{Stage, Supervisor};
use crate::tone::{Sound, TonePlayer};
use crate::usage::{Held, InUse, Usage};
use crate::video_feedback::Feedback;
use crate::video_track::{VideoPart, Which};

/// Calls that may be open at once: the five legs of a joint call and of one that is on hold, and those that are closing.
pub const OPEN_CALLS: usize = 12;
/// What the engine may tell us before we look.
const SIGNALS: usize = 256;
/// Device news and first sounds.
const NEWS: usize = 32;
/// Voice frames that may wait for the network: 320 ms of short ones.
const OUTBOUND: usize = 32;

/// Opens the media of calls. One for each runtime.
pub struct MediaEngine {
    config: Mutex<AudioConfig>,
    relays: Mutex<Vec<RelayServer>>,
    usage: Arc<Usage>,
    /// What direct connections hold, apart from calls.
    direct: Arc<Usage>,
    h264: Library,
    /// One microphone and one speaker for all calls.
    pub(crate) desk: Arc<Desk>,
}

impl MediaEngine {
    /// Makes an engine; nothing is opened yet.
    pub fn new(config: AudioConfig) -> Arc<Self> {
        Arc::new(Self {
            config: Mutex::new(config),
            relays: Mutex::default(),
            usage: Arc::default(),
            direct: Arc::default(),
            h264: Library::default(),
            desk: Arc::default(),
        })
    }

    /// What the next call will use.
    pub fn config(&self) -> AudioConfig {
        self.config.lock().expect("no holder of this lock can panic").clone()
    }

    /// Changes what the next call will use.
    pub fn set_config(&self, config: AudioConfig) {
        *self.config.lock().expect("no holder of this lock can panic") = config;
    }

    /// Names the relays that the next call may use beside those of its configuration.
    pub fn set_relays(&self, relays: Vec<RelayServer>) {
        *self.relays.lock().expect("no holder of this lock can panic") = relays;
    }

    /// Opens the media of a call: sockets and devices, with everything behind a closed gate.
    ///
    /// Must be called on a tokio runtime. The last event is always [`MediaEvent::Closed`].
    pub async fn open_call(&self, id: impl Into<String>, events: Sender<MediaEvent>) -> Result<CallMedia, MediaError> {
        self.open_with(&self.desk, self.config_of_call(), None, id, events).await
    }

    /// Opens the media of a call that rings here, all but the microphone: that is heard when the offer is accepted.
    pub async fn open_ringing(
        &self,
        id: impl Into<String>,
        events: Sender<MediaEvent>,
    ) -> Result<CallMedia, MediaError> {
        let mut config = self.config_of_call();
        let microphone = std::mem::replace(&mut config.microphone, Microphone::Silence);
        self.open_with(&self.desk, config, Some(microphone), id, events).await
    }

    fn config_of_call(&self) -> AudioConfig {
        let mut config = self.config();
        config.network.relays.extend(self.relays.lock().expect("no holder of this lock can panic").iter().cloned());
        config
    }

    /// How a call, or a direct connection, may reach its peer.
    pub(crate) fn network_of_call(&self) -> NetworkConfig {
        self.config_of_call().network
    }

    pub(crate) fn direct_usage(&self) -> &Arc<Usage> {
        &self.direct
    }

    pub(crate) async fn open_with(
        &self,
        desk: &Arc<Desk>,
        config: AudioConfig,
        held_microphone: Option<Microphone>,
        id: impl Into<String>,
        events: Sender<MediaEvent>,
    ) -> Result<CallMedia, MediaError> {
        let opened = Instant::now();
        let full = MediaError::TooManyCalls { limit: OPEN_CALLS };
        let call = self.usage.hold_up_to(Held::Call, OPEN_CALLS).ok_or(full)?;
        let shared = Arc::new(Shared::default());
        let (signals, signals_in) = tokio::sync::mpsc::channel(SIGNALS);

        let no_sockets = || MediaError::Engine("open its sockets");
        let relays = Relays::new(&config.network.relays, config.network.net.as_ref()).map_err(|_| no_sockets())?;
        let relays = Arc::new(relays);
        let runtime = CallRuntime::new(&config.network, Arc::clone(&relays), Arc::clone(&self.usage), signals.clone());
        let feedback = Arc::new(Feedback::new(opened));
        let codecs = self.h264.codecs(config.h264, &config.openh264);
        let kinds = codecs::kinds(&codecs);
        let peer = Peer::open(&config.network, &relays, runtime, signals.clone(), &feedback, &kinds)
            .await
            .map_err(|_| no_sockets())?;

        let (inbound, inbound_in) = mpsc::sync_channel(INBOUND);
        let (outbound, outbound_in) = tokio::sync::mpsc::channel(OUTBOUND);
        let (news, news_in) = tokio::sync::mpsc::channel(NEWS);
        let (video_news, video_news_in) = tokio::sync::mpsc::channel(NEWS);
        let path = Arc::default();
        let picture = |which| {
            let (shared, feedback, news) = (Arc::clone(&shared), Arc::clone(&feedback), video_news.clone());
            VideoPart::new(which, &path, codecs.clone(), shared, feedback, news, Arc::clone(&self.usage))
        };
        let ((video, frames), (screen, screen_frames)) = (picture(Which::Camera), picture(Which::Screen));
        let their_screen = Sources::default();
        let queues = Queues { inbound: inbound_in, outbound, news };
        let loopback = config.network.include_loopback;
        let leg = Leg::new(queues, Arc::clone(&shared), opened).map_err(|_| MediaError::Engine("open its codec"))?;
        let (seat, orders) = desk.sit(config, held_microphone.is_some(), leg, &self.usage)?;

        let stop = CancellationToken::new();
        let (closed_out, closed) = tokio::sync::watch::channel(false);
        let vouched = Vouched::default();
        let supervisor = Supervisor {
            peer: peer.clone(),
            shared: Arc::clone(&shared),
            vouched: Arc::clone(&vouched),
            events,
            signals: signals_in,
            news: news_in,
            outbound: Some(outbound_in),
            inbound,
            voice: Some(seat),
            video: Arc::clone(&video),
            screen: Arc::clone(&screen),
            their_screen: Arc::clone(&their_screen),
            video_news: video_news_in,
            frames: Some(frames),
            screen_frames: Some(screen_frames),
            stop: stop.clone(),
            closed: closed_out,
            usage: Arc::clone(&self.usage),
            call,
            stage: Stage::Negotiating,
            paths: Paths::new(opened),
        };
        tokio::spawn(supervisor.run());
        let id = id.into();
        Ok(CallMedia::new(Parts {
            id,
            peer,
            shared,
            video,
            screen,
            their_screen,
            held_microphone,
            vouched,
            loopback,
            signals,
            orders,
            stop,
            closed,
        }))
    }

    /// Plays a tone until the result is dropped: ringing on the ring device, all else on the speaker.
    pub fn play_tone(&self, tone: Tone) -> TonePlayer {
        let config = self.config();
        let ring = config.ring.filter(|_| tone == Tone::Ring);
        TonePlayer::start(Sound::Tone(tone), &ring.unwrap_or(config.speaker), &self.usage)
    }

    /// Plays a short tune again and again on a speaker, until the result is dropped, so that it can be judged.
    pub fn test_speaker(&self, speaker: &Speaker) -> TonePlayer {
        TonePlayer::start(Sound::Tune, speaker, &self.usage)
    }

    /// Listens to a microphone without a call, until the result is dropped.
    pub fn test_microphone(&self, microphone: Microphone) -> MicrophoneCheck {
        MicrophoneCheck::start(microphone, self.config().processing, &self.usage)
    }

    /// Records a voice note from the microphone that calls use, until it is ended or dropped.
    pub fn record_note(&self) -> Result<Recorder, MediaError> {
        let config = self.config();
        Recorder::start(config.microphone, config.processing, &self.usage)
    }

    /// The microphones and speakers there are.
    pub async fn devices(&self) -> Vec<DeviceInfo> {
        tokio::task::spawn_blocking(device::list).await.unwrap_or_default()
    }

    /// The cameras there are, the one the system would choose first.
    pub async fn cameras(&self) -> Vec<CameraInfo> {
        tokio::task::spawn_blocking(video::cameras).await.unwrap_or_default()
    }

    /// What can be shown of this device's screens now. Nothing is looked at.
    pub async fn screens(&self) -> Result<Vec<Source>, ScreenError> {
        let screens = self.config().screen;
        waited_for(move || screens.list()).await
    }

    /// What a source looks like now, small: for the person who chooses, and for nobody else.
    pub async fn screen_preview(&self, id: &str) -> Result<Picture, ScreenError> {
        let (screens, id) = (self.config().screen, id.to_owned());
        waited_for(move || screens.preview(&id)).await
    }

    /// Begins to look at what somebody chose, for [`CallMedia::set_screen`] of as many calls as are to show it.
    pub async fn share_screen(&self, id: &str) -> Result<ScreenShare, ScreenError> {
        ScreenShare::begin(self.config().screen, id.to_owned(), &self.usage).await
    }

    /// What all calls hold at this moment.
    pub fn in_use(&self) -> InUse {
        self.usage.now()
    }
}

/// A window system that does not answer is not waited for.
async fn waited_for<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ScreenError> + Send + 'static,
) -> Result<T, ScreenError> {
    match tokio::time::timeout(crate::share::PATIENCE, tokio::task::spawn_blocking(work)).await {
        Ok(Ok(result)) => result,
        _ => Err(ScreenError::Unusable),
    }
}

impl std::fmt::Debug for MediaEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MediaEngine").field("in_use", &self.in_use()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
