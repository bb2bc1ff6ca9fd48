//! Brings a direct connection about: an offer, an answer, a path, and the certificate that was promised.

use std::sync::Arc;
use std::time::Duration;

use call::{Candidate, Fingerprint, Sdp, Setup};
use rtc::data_channel::RTCDataChannelInit;
use tokio::sync::mpsc;
use tokio::time::Instant;
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::peer_connection::{
    MediaEngine as Codecs, PeerConnection, PeerConnectionBuilder, RTCPeerConnectionState, RTCSessionDescription,
};

use super::channel::DirectChannel;
use super::error::DirectError;
use super::frame::{BadFrame, Frame};
use crate::MediaEngine;
use crate::binding;
use crate::config::NetworkConfig;
use crate::error::MediaError;
use crate::negotiation::bare;
use crate::net::CallRuntime;
use crate::peer::{Ears, addresses, configuration, settings};
use crate::relay::{Relays, is_stand_in};
use crate::session::contained;
use crate::supervisor::Signal;
use crate::usage::{Held, Hold, Usage};

/// Direct connections that may be open at once, in both directions together.
pub const DIRECT_CONNECTIONS: usize = 8;

/// The longest description of a direct connection; ours have about a thousand bytes.
pub const DESCRIPTION_BYTES: usize = 16 * 1024;

/// Candidates that are written into our description.
const CANDIDATES: usize = 32;
/// How long is waited for our own candidates. Those of this device are there at once, those of a server later.
const GATHERING: Duration = Duration::from_millis(1_500);
/// How long finding a path and securing it may take together.
const OPENING: Duration = Duration::from_secs(8);
/// Bytes on their way that the peer has not confirmed; who asks for more without taking it is left. It is far above what
/// [`super::frame::ASKED`] pieces have.
const ON_THE_WAY: usize = 4 * 1024 * 1024;
/// What the engine may tell us before we look.
const SIGNALS: usize = 256;
/// How long releasing may take.
const RELEASING: Duration = Duration::from_secs(5);

/// Our offer, until the answer to it comes.
#[derive(Debug)]
pub struct DirectOffer {
    end: End,
}

/// Our answer; the other side begins now.
#[derive(Debug)]
pub struct DirectAnswer {
    end: End,
    theirs: Sdp,
}

/// Our end of a connection. It closes when it is dropped.
pub(super) struct End {
    connection: Arc<dyn PeerConnection>,
    pub(super) data: Arc<dyn DataChannel>,
    pub(super) signals: mpsc::Receiver<Signal>,
    loopback: bool,
    hold: Option<Hold>,
}

impl MediaEngine {
    /// Begins a direct connection, on the paths that calls may take: gives the description for the other side.
    ///
    /// It is to travel sealed. Must be called on a tokio runtime.
    pub async fn offer_direct(&self) -> Result<(DirectOffer, String), DirectError> {
        let mut end = self.open_end().await?;
        let connection = Arc::clone(&end.connection);
        let text = contained("make an offer", async move {
            let offer = connection.create_offer(None).await?;
            let text = bare(&offer.sdp);
            connection.set_local_description(offer).await?;
            Ok(text)
        });
        let text = text.await.map_err(engine)?;
        let description = end.described(text).await?;
        Ok((DirectOffer { end }, description))
    }

    /// Answers the offer of a direct connection (out of the seal!): gives the description for the other side.
    pub async fn answer_direct(&self, offer: &str) -> Result<(DirectAnswer, String), DirectError> {
        let theirs = read(offer)?;
        let mut end = self.open_end().await?;
        let (connection, text) = (Arc::clone(&end.connection), theirs.text().to_owned());
        let text = contained("answer the offer", async move {
            connection.set_remote_description(RTCSessionDescription::offer(text)?).await?;
            let answer = connection.create_answer(None).await?;
            let text = bare(&answer.sdp);
            connection.set_local_description(answer).await?;
            Ok(text)
        });
        let text = text.await.map_err(engine)?;
        let description = end.described(text).await?;
        Ok((DirectAnswer { end, theirs }, description))
    }

    /// How many direct connections hold something at this moment.
    pub fn direct_connections(&self) -> usize {
        self.direct_usage().now().calls
    }

    async fn open_end(&self) -> Result<End, DirectError> {
        let usage = self.direct_usage();
        let too_many = DirectError::TooMany { limit: DIRECT_CONNECTIONS };
        let hold = usage.hold_up_to(Held::Call, DIRECT_CONNECTIONS).ok_or(too_many)?;
        // A file does not overtake anybody's voice.
        let network = NetworkConfig { expedited: false, ..self.network_of_call() };
        // The engine is large while it is put together: on the heap, or whoever asks would carry it on their stack.
        Box::pin(open_end(&network, usage, hold)).await.ok_or(DirectError::Engine("open its sockets"))
    }
}

async fn open_end(network: &NetworkConfig, usage: &Arc<Usage>, hold: Hold) -> Option<End> {
    let (signals_out, signals) = mpsc::channel(SIGNALS);
    let relays = Arc::new(Relays::new(&network.relays, network.net.as_ref()).ok()?);
    let runtime = CallRuntime::new(network, Arc::clone(&relays), Arc::clone(usage), signals_out.clone());
    let ears = Ears {
        signals: signals_out,
        hurry: runtime.hurry(),
        loopback: network.include_loopback,
        relay_only: network.relay_only,
    };
    let builder = PeerConnectionBuilder::new()
        .with_configuration(configuration(network, &relays))
        .with_media_engine(Codecs::default())
        .with_setting_engine(settings(network))
        .with_runtime(Arc::new(runtime))
        .with_handler(Arc::new(ears))
        .with_data_channel_send_buffer_limit(ON_THE_WAY)
        .with_udp_addrs(addresses(network));
    let (connection, data) = contained("open a connection", async move {
        let connection: Arc<dyn PeerConnection> = Arc::new(builder.build().await?);
        // Both sides know of the one channel there is; whatever else a peer opens, nobody listens to.
        let only = RTCDataChannelInit { negotiated: Some(0), ..RTCDataChannelInit::default() };
        let data = connection.create_data_channel("pieces", Some(only)).await?;
        Ok((connection, data))
    })
    .await
    .ok()?;
    Some(End { connection, data, signals, loopback: network.include_loopback, hold: Some(hold) })
}

impl DirectOffer {
    /// Reads the answer (out of the seal!) and waits until pieces may be asked for.
    pub async fn settle(self, answer: &str) -> Result<DirectChannel, DirectError> {
        let mut end = self.end;
        let theirs = read(answer)?;
        // Whoever answered begins (JSEP 5.3.1), and so is the one that may miss what is said too early.
        if theirs.setup() != Setup::Active {
            return Err(DirectError::Unfit);
        }
        let (connection, text) = (Arc::clone(&end.connection), theirs.text().to_owned());
        let answered = contained("read the answer", async move {
            connection.set_remote_description(RTCSessionDescription::answer(text)?).await
        });
        answered.await.map_err(engine)?;
        let until = Instant::now() + OPENING;
        end.secure(&theirs, until).await?;
        end.wait_until_open(until).await?;
        let mut channel = DirectChannel::new(end);
        match channel.hear(until.saturating_duration_since(Instant::now())).await? {
            Frame::Ready => Ok(channel),
            _ => Err(BadFrame::Unasked.into()),
        }
    }
}

impl DirectAnswer {
    /// Waits until the other side, and nobody else, may ask for pieces, and tells it so.
    ///
    /// The engine (0.21.1) loses what comes in the same moment as the last word of SCTP's handshake, because the channel
    /// is opened a moment later: nothing may be asked for before this side listens.
    pub async fn settle(self) -> Result<DirectChannel, DirectError> {
        let (mut end, until) = (self.end, Instant::now() + OPENING);
        end.secure(&self.theirs, until).await?;
        end.wait_until_open(until).await?;
        let mut channel = DirectChannel::new(end);
        channel.say(&Frame::Ready).await?;
        Ok(channel)
    }

    /// As if another certificate had been promised in the seal than the engine was told of.
    #[cfg(test)]
    pub(super) async fn settle_with(self, promised: Vec<Fingerprint>) -> Result<DirectChannel, DirectError> {
        let mut end = self.end;
        end.secure_with(&self.theirs, &promised, Instant::now() + OPENING).await?;
        Ok(DirectChannel::new(end))
    }
}

impl End {
    /// Our description with our candidates: one message is all that the other side needs.
    async fn described(&mut self, mut text: String) -> Result<String, DirectError> {
        let until = Instant::now() + GATHERING;
        let mut written = 0;
        loop {
            match tokio::time::timeout_at(until, self.signals.recv()).await {
                Ok(Some(Signal::Candidate(json))) if written < CANDIDATES => {
                    if let Ok(Some(candidate)) = Candidate::parse(&json) {
                        text.push_str(&format!("a={}\r\n", candidate.line));
                        written += 1;
                    }
                }
                Ok(Some(Signal::Gathered)) | Err(_) => return Ok(text),
                Ok(Some(Signal::EngineBroke) | None) => return Err(DirectError::Engine("look for paths")),
                Ok(Some(_)) => {}
            }
        }
    }

    async fn secure(&mut self, theirs: &Sdp, until: Instant) -> Result<(), DirectError> {
        self.secure_with(theirs, theirs.fingerprints(), until).await
    }

    /// Waits for the handshake. Nothing of the channel is read before the certificate is the one that was promised.
    async fn secure_with(&mut self, theirs: &Sdp, promised: &[Fingerprint], until: Instant) -> Result<(), DirectError> {
        for candidate in theirs.candidates().iter().take(CANDIDATES) {
            self.look_at(candidate).await;
        }
        loop {
            match tokio::time::timeout_at(until, self.signals.recv()).await {
                Ok(Some(Signal::Connection(RTCPeerConnectionState::Connected))) => break,
                Ok(Some(Signal::CertificateRefused)) => return Err(DirectError::OtherCertificate),
                Ok(Some(Signal::Connection(RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed))) => {
                    return Err(DirectError::NoPath);
                }
                Ok(Some(Signal::EngineBroke) | None) => return Err(DirectError::Engine("connect")),
                Ok(Some(_)) => {}
                Err(_) => return Err(DirectError::NoPath),
            }
        }
        let transport = self.connection.sctp().await.ok_or(DirectError::OtherCertificate)?.transport();
        let shown = transport.get_remote_certificates().await.map_err(|_| DirectError::OtherCertificate)?;
        binding::verify(&shown, promised).map_err(|_| DirectError::OtherCertificate)?;
        Ok(())
    }

    async fn look_at(&self, candidate: &Candidate) {
        if is_stand_in((candidate.address, candidate.port).into()) || candidate.is_loopback() && !self.loopback {
            return;
        }
        let mut candidate = candidate.clone();
        (candidate.mid, candidate.line_index) = (Some("0".to_owned()), Some(0));
        let Ok(init) = serde_json::from_str(&candidate.to_json()) else { return };
        let connection = Arc::clone(&self.connection);
        // One address that cannot be used does not spoil the others.
        let _ = contained("use the candidate", async move { connection.add_ice_candidate(init).await }).await;
    }

    async fn wait_until_open(&mut self, until: Instant) -> Result<(), DirectError> {
        loop {
            match tokio::time::timeout_at(until, self.data.poll()).await {
                Ok(Some(DataChannelEvent::OnOpen)) => return Ok(()),
                // Nobody speaks before the channel is open.
                Ok(Some(DataChannelEvent::OnMessage(_) | DataChannelEvent::OnClose) | None) => {
                    return Err(DirectError::Lost);
                }
                Ok(Some(_)) => {}
                Err(_) => return Err(DirectError::NoPath),
            }
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let (connection, hold) = (Arc::clone(&self.connection), self.hold.take());
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        // The engine's task ends only when it is told to.
        runtime.spawn(async move {
            let _hold = hold;
            if tokio::time::timeout(RELEASING, connection.close()).await.is_err() {
                tracing::warn!("a direct connection did not end in time");
            }
        });
    }
}

impl std::fmt::Debug for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("End").finish_non_exhaustive()
    }
}

fn read(description: &str) -> Result<Sdp, DirectError> {
    if description.len() > DESCRIPTION_BYTES {
        return Err(DirectError::Unfit);
    }
    Ok(Sdp::parse_data(description)?)
}

fn engine(error: MediaError) -> DirectError {
    match error {
        MediaError::Engine(what) => DirectError::Engine(what),
        _ => DirectError::Engine("go on"),
    }
}
