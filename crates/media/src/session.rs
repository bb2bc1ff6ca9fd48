//! The media of one call, as its owner holds them.

use std::future::Future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, Weak, mpsc};

use call::{Candidate, Fingerprint, MediaKind, Sdp};
use rtc::peer_connection::configuration::RTCOfferOptions;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use video::{CameraChoice, CodecKind};
use webrtc::peer_connection::RTCSessionDescription;

use crate::codec;
use crate::config::{Microphone, Speaker, VoiceProcessing};
use crate::error::MediaError;
use crate::negotiation::{Negotiation, bare, vouched};
use crate::peer::{Peer, PictureEnds};
use crate::relay::is_stand_in;
use crate::share::ScreenShare;
use crate::stats::{CallStats, Shared};
use crate::supervisor::Signal;
use crate::video_track::{Shown, VideoPart, VideoStats};
use crate::voice::VoiceOrder;

/// The media of one call. Clones are the same call; when the last is dropped, it closes.
#[derive(Clone)]
pub struct CallMedia {
    inner: Arc<Inner>,
}

struct Inner {
    id: String,
    peer: Peer,
    shared: Arc<Shared>,
    video: Arc<VideoPart>,
    screen: Arc<VideoPart>,
    their_screen: Sources,
    negotiation: tokio::sync::Mutex<Negotiation>,
    /// The microphone of a call that is not accepted yet.
    held_microphone: Mutex<Option<Microphone>>,
    vouched: Vouched,
    loopback: bool,
    signals: tokio::sync::mpsc::Sender<Signal>,
    orders: mpsc::Sender<VoiceOrder>,
    stop: CancellationToken,
    closed: tokio::sync::watch::Receiver<bool>,
}

/// A call that is not kept open by this.
pub(crate) struct WeakCallMedia(Weak<Inner>);

impl WeakCallMedia {
    pub(crate) fn upgrade(&self) -> Option<CallMedia> {
        self.0.upgrade().map(|inner| CallMedia { inner })
    }
}

/// The fingerprints of the peer's sealed description, as the supervisor needs them.
pub(crate) type Vouched = Arc<Mutex<Vec<Fingerprint>>>;

/// The sources of the peer's screen.
pub(crate) type Sources = Arc<Mutex<Vec<u32>>>;

/// What a session is made of.
pub(crate) struct Parts {
    pub(crate) id: String,
    pub(crate) peer: Peer,
    pub(crate) shared: Arc<Shared>,
    pub(crate) video: Arc<VideoPart>,
    pub(crate) screen: Arc<VideoPart>,
    pub(crate) their_screen: Sources,
    pub(crate) held_microphone: Option<Microphone>,
    pub(crate) vouched: Vouched,
    pub(crate) loopback: bool,
    pub(crate) signals: tokio::sync::mpsc::Sender<Signal>,
    pub(crate) orders: mpsc::Sender<VoiceOrder>,
    pub(crate) stop: CancellationToken,
    pub(crate) closed: tokio::sync::watch::Receiver<bool>,
}

impl CallMedia {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { id, peer, shared, video, screen, their_screen, .. } = parts;
        let Parts { held_microphone, vouched, loopback, signals, orders, stop, closed, .. } = parts;
        let negotiation = tokio::sync::Mutex::default();
        let held_microphone = Mutex::new(held_microphone);
        Self {
            inner: Arc::new(Inner {
                id,
                peer,
                shared,
                video,
                screen,
                their_screen,
                negotiation,
                held_microphone,
                vouched,
                loopback,
                signals,
                orders,
                stop,
                closed,
            }),
        }
    }

    pub(crate) fn downgrade(&self) -> WeakCallMedia {
        WeakCallMedia(Arc::downgrade(&self.inner))
    }

    /// The call's name, as it was given.
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// Makes the offer of a call we place.
    pub async fn create_offer(&self) -> Result<String, MediaError> {
        self.check_open()?;
        self.inner.negotiation.lock().await.offer()?;
        let connection = Arc::clone(&self.inner.peer.connection);
        contained("make an offer", async move {
            let offer = connection.create_offer(None).await?;
            let text = bare(&offer.sdp);
            connection.set_local_description(offer).await?;
            Ok(text)
        })
        .await
    }

    /// Looks for another path: makes an offer that the peer answers with [`accept_offer`], and whose
    /// answer goes into [`accept_answer`]. Voice goes on where it can until the new path stands.
    ///
    /// [`accept_offer`]: Self::accept_offer
    /// [`accept_answer`]: Self::accept_answer
    pub async fn restart(&self) -> Result<String, MediaError> {
        self.check_open()?;
        self.inner.negotiation.lock().await.offer_again()?;
        let connection = Arc::clone(&self.inner.peer.connection);
        contained("look for another path", async move {
            let again = RTCOfferOptions { ice_restart: true };
            let offer = connection.create_offer(Some(again)).await?;
            let text = bare(&offer.sdp);
            connection.set_local_description(offer).await?;
            Ok(text)
        })
        .await
    }

    /// Makes the answer to the offer of a call that rings (out of the sealed object!), so that it is there when
    /// somebody accepts. Nothing is sent to the peer before that: its candidates wait, and ours are the owner's to hold.
    pub async fn prepare_answer(&self, sdp: &str) -> Result<(), MediaError> {
        self.check_open()?;
        let mut negotiation = self.inner.negotiation.lock().await;
        let offer = negotiation.read_offer(sdp)?;
        let answer = self.answer(&offer).await?;
        negotiation.prepared(sdp, answer);
        Ok(())
    }

    /// Reads the offer of a call that came in (out of the sealed object!) and makes the answer, or gives the
    /// one that was prepared. From here on the microphone is heard.
    pub async fn accept_offer(&self, sdp: &str) -> Result<String, MediaError> {
        self.check_open()?;
        let mut negotiation = self.inner.negotiation.lock().await;
        let (offer, answer) = match negotiation.take_prepared(sdp)? {
            Some(prepared) => prepared,
            None => {
                let offer = negotiation.read_offer(sdp)?;
                let answer = self.answer(&offer).await?;
                (offer, answer)
            }
        };
        if let Some(microphone) = self.held_microphone().take() {
            let _ = self.inner.orders.send(VoiceOrder::Microphone(microphone));
        }
        self.settle(negotiation.waiting(&offer)).await;
        Ok(answer)
    }

    /// The answer to an offer whose candidates are not used yet.
    async fn answer(&self, offer: &Sdp) -> Result<String, MediaError> {
        self.trust(offer);
        let connection = Arc::clone(&self.inner.peer.connection);
        let text = bare(offer.text());
        let (pictures, useless) = (self.chosen(), self.useless(offer));
        contained("read the offer", async move {
            connection.set_remote_description(RTCSessionDescription::offer(text)?).await?;
            expect(pictures).await?;
            for ends in useless {
                connection.remove_track(&ends.sender).await?;
            }
            let answer = connection.create_answer(None).await?;
            let text = bare(&answer.sdp);
            connection.set_local_description(answer).await?;
            Ok(text)
        })
        .await
    }

    fn held_microphone(&self) -> MutexGuard<'_, Option<Microphone>> {
        self.inner.held_microphone.lock().expect("no holder of this lock can panic")
    }

    /// Reads the answer to our offer (out of the sealed object!).
    pub async fn accept_answer(&self, sdp: &str) -> Result<(), MediaError> {
        self.check_open()?;
        let mut negotiation = self.inner.negotiation.lock().await;
        let sdp = negotiation.read_answer(sdp)?;
        self.trust(&sdp);
        let connection = Arc::clone(&self.inner.peer.connection);
        let text = sdp.text().to_owned();
        let pictures = self.chosen();
        contained("read the answer", async move {
            expect(pictures).await?;
            connection.set_remote_description(RTCSessionDescription::answer(text)?).await
        })
        .await?;
        self.settle(negotiation.waiting(&sdp)).await;
        Ok(())
    }

    /// Reads a candidate of the peer: a browser's JSON or a bare line. It may come early.
    pub async fn add_candidate(&self, candidate: &str) -> Result<(), MediaError> {
        self.check_open()?;
        let candidate = self.inner.negotiation.lock().await.candidate(candidate)?;
        match candidate {
            Some(candidate) => self.use_candidate(candidate).await,
            None => Ok(()),
        }
    }

    /// Sends silence instead of our voice, or our voice again.
    pub fn set_muted(&self, muted: bool) {
        self.inner.shared.muted.store(muted, Ordering::Relaxed);
    }

    /// Whether our voice is muted.
    pub fn is_muted(&self) -> bool {
        self.inner.shared.muted.load(Ordering::Relaxed)
    }

    /// Rests: sends silence, plays nothing and keeps the path alive; or speaks and hears again.
    pub fn set_held(&self, held: bool) {
        self.inner.shared.held.store(held, Ordering::Relaxed);
    }

    /// Takes another microphone, in the middle of the call.
    pub fn set_microphone(&self, microphone: Microphone) {
        if let Some(held) = self.held_microphone().as_mut() {
            *held = microphone;
            return;
        }
        let _ = self.inner.orders.send(VoiceOrder::Microphone(microphone));
    }

    /// Takes another speaker, in the middle of the call.
    pub fn set_speaker(&self, speaker: Speaker) {
        let _ = self.inner.orders.send(VoiceOrder::Speaker(speaker));
    }

    /// Switches echo cancellation, noise suppression and gain control, in the middle of the call.
    pub fn set_processing(&self, processing: VoiceProcessing) {
        let _ = self.inner.orders.send(VoiceOrder::Processing(processing));
    }

    /// Switches our camera on, to another one, or off with none. What comes of it is a [`crate::MediaEvent::Camera`].
    pub fn set_camera(&self, camera: Option<CameraChoice>) {
        self.inner.video.set_camera(camera);
    }

    /// Shows something of a screen beside the camera, something else, or nothing more with none.
    pub fn set_screen(&self, share: Option<ScreenShare>) {
        self.inner.screen.set_screen(share);
    }

    /// Whether the peer can be shown a screen: both descriptions have a place for it.
    pub fn takes_screen(&self) -> bool {
        self.inner.screen.agreed.load(Ordering::Acquire)
    }

    /// What the peer shows of a screen, always the newest; none while there is none.
    pub fn screen_pictures(&self) -> watch::Receiver<Option<Shown>> {
        self.inner.screen.theirs.subscribe()
    }

    /// How what is shown of screens is doing.
    pub fn screen_stats(&self) -> VideoStats {
        self.inner.screen.stats()
    }

    /// The peer's picture, always the newest; none while there is none.
    pub fn pictures(&self) -> watch::Receiver<Option<Shown>> {
        self.inner.video.theirs.subscribe()
    }

    /// Our own picture, as our own person sees it.
    pub fn own_pictures(&self) -> watch::Receiver<Option<Shown>> {
        self.inner.video.own.subscribe()
    }

    /// How the picture is doing.
    pub fn video_stats(&self) -> VideoStats {
        self.inner.video.stats()
    }

    /// How the call is doing.
    pub fn stats(&self) -> CallStats {
        self.inner.shared.stats()
    }

    /// Hangs up and waits until sockets, tasks, threads and devices are released.
    pub async fn close(&self) {
        self.inner.stop.cancel();
        let mut closed = self.inner.closed.clone();
        let _ = closed.wait_for(|closed| *closed).await;
    }

    fn check_open(&self) -> Result<(), MediaError> {
        if self.inner.stop.is_cancelled() { Err(MediaError::Closed) } else { Ok(()) }
    }

    /// Remembers whom the sealed description vouches for, before any handshake can begin.
    fn trust(&self, sdp: &Sdp) {
        let mut known = self.inner.vouched.lock().expect("no holder of this lock can panic");
        *known = vouched(sdp);
        self.inner.video.agree(&sdp.camera_codecs());
        self.inner.screen.agree(&sdp.screen_codecs());
        *self.inner.their_screen.lock().expect("no holder of this lock can panic") = sdp.screen_ssrcs().to_vec();
        self.inner.shared.rests.store(codec::wishes_rests(sdp.text()), Ordering::Relaxed);
        self.inner.shared.allows_short.store(codec::allows_short(sdp.text()), Ordering::Relaxed);
    }

    /// Our pictures, and how each will be encoded.
    fn chosen(&self) -> Vec<(PictureEnds, CodecKind)> {
        let Inner { peer, video, screen, .. } = &*self.inner;
        let pictures = [(&peer.picture, video), (&peer.screen, screen)];
        let chosen = pictures.into_iter().filter_map(|(ends, part)| Some((ends.clone(), part.format()?.1.kind())));
        chosen.collect()
    }

    /// Those of our pictures that the offer has a place for, but in no codec that we have: the engine makes no answer with them.
    fn useless(&self, offer: &Sdp) -> Vec<PictureEnds> {
        let Inner { peer, video, screen, .. } = &*self.inner;
        let offered = offer.kinds().iter().filter(|kind| **kind == MediaKind::Video).count();
        let pictures = [(&peer.picture, video), (&peer.screen, screen)].into_iter().take(offered);
        pictures.filter(|(_, part)| part.format().is_none()).map(|(ends, _)| ends.clone()).collect()
    }

    async fn settle(&self, candidates: Vec<Candidate>) {
        let _ = self.inner.signals.send(Signal::Settled).await;
        for candidate in candidates {
            // One address that cannot be used does not spoil the others.
            let _ = self.use_candidate(candidate).await;
        }
    }

    async fn use_candidate(&self, candidate: Candidate) -> Result<(), MediaError> {
        let nobody = is_stand_in((candidate.address, candidate.port).into());
        if nobody || candidate.is_loopback() && !self.inner.loopback {
            return Ok(());
        }
        let connection = Arc::clone(&self.inner.peer.connection);
        contained("use the candidate", async move {
            let init = serde_json::from_str(&candidate.to_json())
                .map_err(|_| webrtc::error::Error::Other("candidate".to_owned()))?;
            connection.add_ice_candidate(init).await
        })
        .await
    }

    #[cfg(test)]
    pub(crate) fn vouched_for_tests(&self) -> Vouched {
        Arc::clone(&self.inner.vouched)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl std::fmt::Debug for CallMedia {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallMedia").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

async fn expect(pictures: Vec<(PictureEnds, CodecKind)>) -> webrtc::error::Result<()> {
    for (ends, kind) in pictures {
        ends.expect(kind).await?;
    }
    Ok(())
}

/// Runs a step of the engine on its own task, so that a panic in there stays in there.
pub(crate) async fn contained<T, Work>(what: &'static str, work: Work) -> Result<T, MediaError>
where
    T: Send + 'static,
    Work: Future<Output = webrtc::error::Result<T>> + Send + 'static,
{
    match tokio::spawn(work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(_)) => Err(MediaError::Engine(what)),
        Err(_) => {
            tracing::error!(what, "the media engine broke");
            Err(MediaError::Engine(what))
        }
    }
}
