//! One WebRTC connection, set up for a call.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rtc::ice::mdns::MulticastDnsMode;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::media_engine::MIME_TYPE_OPUS;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
};
use tokio::sync::mpsc;
use video::CodecKind;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfiguration,
    RTCConfigurationBuilder, RTCIceConnectionState, RTCIceGatheringState, RTCIceServer, RTCIceTransportPolicy,
    RTCPeerConnectionIceEvent, RTCPeerConnectionState, Registry, SettingEngine, SettingEngineBuilder,
    configure_rtcp_reports,
};
use webrtc::rtp_transceiver::RtpSender;

use crate::codecs;
use crate::config::NetworkConfig;
use crate::net::CallRuntime;
use crate::relay::Relays;
use crate::supervisor::Signal;
use crate::video_feedback::{Feedback, OwnSources};
use crate::video_track::{self, Which};

/// What browsers use for Opus too.
const OPUS_PAYLOAD_TYPE: u8 = 111;
/// No sign of the peer for so long: tell the person.
const DISCONNECTED: Duration = Duration::from_secs(3);
/// …and for so much longer: give up.
const FAILED: Duration = Duration::from_secs(12);
const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// How quickly paths are tried; the default of 200 ms is felt when someone answers.
const TRY_EVERY: Duration = Duration::from_millis(25);
/// Tries for each path: together the same time as the default (7 × 200 ms) and more.
const TRIES: u16 = 120;
/// How long a path is held back that the peer's check told us of before its candidate did.
/// The default of a second is felt each time a check overtakes the candidate, and the path is as good.
const TOLD_BY_CHECK: Duration = Duration::from_millis(30);
/// How long a path by way of a router's outer address is held back for one without.
const OUTER: Duration = Duration::from_millis(100);
/// How long a relay is held back for a direct path; with the default of two seconds, whoever has no other
/// path waits so long each time. Direct ones answer within a round trip.
const RELAYED: Duration = Duration::from_millis(400);

/// The connection, and the two ends of our own voice in it. Clones are the same connection.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) connection: Arc<dyn PeerConnection>,
    pub(crate) sender: Arc<dyn RtpSender>,
    pub(crate) track: Arc<TrackLocalStaticRTP>,
    pub(crate) ssrc: u32,
    pub(crate) picture: PictureEnds,
    pub(crate) screen: PictureEnds,
}

/// The two ends of one of our own pictures. They are there from the beginning, so that neither a camera nor a screen needs a
/// new negotiation. The camera's stands first in a description.
#[derive(Clone)]
pub(crate) struct PictureEnds {
    which: Which,
    pub(crate) sender: Arc<dyn RtpSender>,
    pub(crate) track: Arc<TrackLocalStaticRTP>,
    pub(crate) ssrc: u32,
}

impl Peer {
    /// Opens sockets and makes a fresh certificate: calls cannot be linked by it.
    pub(crate) async fn open(
        network: &NetworkConfig,
        relays: &Relays,
        runtime: CallRuntime,
        signals: mpsc::Sender<Signal>,
        feedback: &Arc<Feedback>,
        kinds: &[CodecKind],
    ) -> webrtc::error::Result<Self> {
        let mut media = MediaEngine::default();
        media.register_codec(
            RTCRtpCodecParameters { rtp_codec: opus(), payload_type: OPUS_PAYLOAD_TYPE },
            RtpCodecKind::Audio,
        )?;
        for kind in kinds {
            media.register_codec(codecs::parameters(*kind), RtpCodecKind::Video)?;
        }
        let own = OwnSources { voice: any_ssrc()?, camera: any_ssrc()?, screen: any_ssrc()? };
        let interceptors = feedback.listen(configure_rtcp_reports(Registry::new()), &mut media, own)?;
        let hurry = runtime.hurry();
        let ears = Ears { signals, hurry, loopback: network.include_loopback, relay_only: network.relay_only };
        let connection = PeerConnectionBuilder::new()
            .with_configuration(configuration(network, relays))
            .with_media_engine(media)
            .with_setting_engine(settings(network))
            .with_interceptor_registry(interceptors)
            .with_runtime(Arc::new(runtime))
            .with_handler(Arc::new(ears))
            .with_udp_addrs(addresses(network))
            .build()
            .await?;
        let connection: Arc<dyn PeerConnection> = Arc::new(connection);

        let ssrc = own.voice;
        let track = Arc::new(TrackLocalStaticRTP::new(voice_track(ssrc)));
        let sender = connection.add_track(Arc::clone(&track) as _).await?;
        let picture = PictureEnds::add(&connection, Which::Camera, own.camera, kinds).await?;
        let screen = PictureEnds::add(&connection, Which::Screen, own.screen, kinds).await?;
        Ok(Self { connection, sender, track, ssrc, picture, screen })
    }
}

impl PictureEnds {
    async fn add(
        connection: &Arc<dyn PeerConnection>,
        which: Which,
        ssrc: u32,
        kinds: &[CodecKind],
    ) -> webrtc::error::Result<Self> {
        let track = Arc::new(TrackLocalStaticRTP::new(video_track::picture_track(which, ssrc, kinds)));
        let sender = connection.add_track(Arc::clone(&track) as _).await?;
        Ok(Self { sender, track, ssrc, which })
    }

    /// Tells the engine what will be sent, before a description is settled: it repeats packets and tells when they arrived
    /// only of a codec that it expects.
    pub(crate) async fn expect(&self, kind: CodecKind) -> webrtc::error::Result<()> {
        let expected = video_track::picture_track(self.which, self.ssrc, &[kind]);
        self.sender.replace_track(Arc::new(TrackLocalStaticRTP::new(expected)) as _).await
    }
}

/// Never 0, which stands for none.
fn any_ssrc() -> std::io::Result<u32> {
    getrandom::u32().map(|ssrc| ssrc.max(1)).map_err(|_| std::io::Error::other("no randomness"))
}

/// How paths are looked for.
pub(crate) fn settings(network: &NetworkConfig) -> SettingEngine {
    SettingEngineBuilder::new()
        .with_include_loopback_candidate(network.include_loopback)
        // A name that only resolves on the local network would tell that network about the call.
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_ice_timeouts(Some(DISCONNECTED), Some(FAILED), Some(KEEP_ALIVE))
        .with_ice_connection_attempts(Some(TRY_EVERY), Some(TRIES))
        .with_prflx_acceptance_min_wait(Some(TOLD_BY_CHECK))
        .with_srflx_acceptance_min_wait(Some(OUTER))
        .with_relay_acceptance_min_wait(Some(if network.relay_only { Duration::ZERO } else { RELAYED }))
        // A new search begins with the networks there are now, on new sockets.
        .with_discard_local_candidates_during_ice_restart(true)
        .build()
}

/// Which servers help to find a path, and which paths may be taken.
pub(crate) fn configuration(network: &NetworkConfig, relays: &Relays) -> RTCConfiguration {
    let policy = if network.relay_only { RTCIceTransportPolicy::Relay } else { RTCIceTransportPolicy::All };
    RTCConfigurationBuilder::new().with_ice_servers(servers(network, relays)).with_ice_transport_policy(policy).build()
}

fn servers(network: &NetworkConfig, relays: &Relays) -> Vec<RTCIceServer> {
    let stun = network.stun.iter().map(|url| RTCIceServer { urls: vec![url.clone()], ..Default::default() });
    // A STUN server would show the peer an address that the relay is to hide.
    let stun = stun.filter(|_| !network.relay_only);
    stun.chain(relays.ice_servers()).collect()
}

pub(crate) fn addresses(network: &NetworkConfig) -> Vec<SocketAddr> {
    if !network.addresses.is_empty() {
        return network.addresses.clone();
    }
    // The engine puts every interface in the place of a wildcard.
    let mut addresses = vec![SocketAddr::from(([0, 0, 0, 0], 0)), SocketAddr::from(([0u16; 8], 0))];
    if network.include_loopback {
        addresses.push(SocketAddr::from(([127, 0, 0, 1], 0)));
    }
    addresses
}

fn opus() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_OPUS.to_owned(),
        clock_rate: crate::SAMPLE_RATE,
        channels: 2,
        sdp_fmtp_line: "minptime=10;useinbandfec=1;usedtx=1".to_owned(),
        rtcp_feedback: vec![],
    }
}

fn voice_track(ssrc: u32) -> MediaStreamTrack {
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
        codec: opus(),
        ..Default::default()
    };
    let (stream, track, label) = ("call".to_owned(), "voice".to_owned(), "voice".to_owned());
    MediaStreamTrack::new(stream, track, label, RtpCodecKind::Audio, vec![encoding])
}

/// Passes on what the engine says. It is called on the engine's own task, so it never waits.
pub(crate) struct Ears {
    pub(crate) signals: mpsc::Sender<Signal>,
    pub(crate) hurry: Arc<AtomicBool>,
    pub(crate) loopback: bool,
    pub(crate) relay_only: bool,
}

impl Ears {
    fn pass(&self, signal: Signal) {
        let _ = self.signals.try_send(signal);
    }
}

#[async_trait]
impl PeerConnectionEventHandler for Ears {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        let Ok(init) = event.candidate.to_json() else {
            return;
        };
        // Our own candidates go through the same door as a peer's: what a peer would refuse stays here.
        let Ok(Some(mut candidate)) = call::Candidate::parse(&init.candidate) else {
            return;
        };
        let relayed = candidate.kind == call::CandidateKind::Relay;
        if candidate.is_loopback() && !self.loopback || self.relay_only && !relayed {
            return;
        }
        if relayed {
            candidate.forget_base();
        }
        candidate.mid = Some("0".to_owned());
        candidate.line_index = Some(0);
        self.pass(Signal::Candidate(candidate.to_json()));
    }

    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.pass(Signal::Gathered);
        }
    }

    async fn on_ice_connection_state_change(&self, state: RTCIceConnectionState) {
        if matches!(state, RTCIceConnectionState::Connected | RTCIceConnectionState::Completed) {
            self.hurry.store(true, Ordering::Release);
        }
        self.pass(Signal::Ice(state));
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        if state != RTCPeerConnectionState::Connecting {
            self.hurry.store(false, Ordering::Release);
        }
        self.pass(Signal::Connection(state));
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        self.pass(Signal::Track(track));
    }
}
