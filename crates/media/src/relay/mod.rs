//! Relays: TURN over UDP, TCP and TLS, though the engine itself speaks it over UDP alone.
//!
//! The engine is told of each relay by a name that only we resolve. For a relay over UDP the answer
//! is its true address. For one over TCP or TLS it is an address that stands for it (from the blocks
//! kept for documentation, where nobody is), and our sockets carry what is sent there over a stream.

mod carrier;
mod frame;
mod server;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use transport::{Net, NetConfig, RelayPlace};
use webrtc::peer_connection::RTCIceServer;

pub(crate) use carrier::Carrier;
pub use frame::{Deframer, FrameError};
pub use server::{RelayServer, RelayTransport, RelayUri, RelayUriError};

/// The most relays one call uses.
pub const RELAYS: usize = 4;

/// Names that are never resolved by anybody else (RFC 6761, section 6.4).
const NAME: &str = ".relay.invalid";
/// The port of all addresses that stand for a relay.
const PORT: u16 = 3478;

/// The relays of one call.
#[derive(Debug, Default)]
pub(crate) struct Relays {
    servers: Vec<RelayServer>,
    net: Option<Net>,
}

impl Relays {
    /// Takes the first [`RELAYS`] of these; `net` says whom TLS trusts.
    pub(crate) fn new(servers: &[RelayServer], net: Option<&Net>) -> io::Result<Self> {
        let servers: Vec<_> = servers.iter().take(RELAYS).cloned().collect();
        let net = match net {
            Some(net) => Some(net.clone()),
            None if servers.is_empty() => None,
            None => Some(Net::new(NetConfig::default()).map_err(io::Error::other)?),
        };
        Ok(Self { servers, net })
    }

    /// The relays in the words of the engine.
    pub(crate) fn ice_servers(&self) -> Vec<RTCIceServer> {
        let server = |(at, server): (usize, &RelayServer)| RTCIceServer {
            urls: vec![format!("turn:{at}{NAME}:{PORT}?transport=udp")],
            username: server.username.clone(),
            credential: server.credential.clone(),
        };
        self.servers.iter().enumerate().map(server).collect()
    }

    /// The addresses behind a name of ours; None if it is another's.
    pub(crate) async fn resolve(&self, host: &str) -> Option<io::Result<Vec<SocketAddr>>> {
        let at = host.strip_suffix(&format!("{NAME}:{PORT}"))?;
        let found = at.parse::<usize>().ok().and_then(|at| Some((at, self.servers.get(at)?)));
        let Some((at, server)) = found else {
            return Some(Err(io::ErrorKind::NotFound.into()));
        };
        if server.uri.transport != RelayTransport::Udp {
            return Some(Ok(stand_ins(at).to_vec()));
        }
        let net = self.net.as_ref()?;
        Some(net.relay_addresses(place(server)).await.map_err(io::Error::other))
    }

    /// The relay that an address stands for.
    fn behind(&self, address: SocketAddr) -> Option<&RelayServer> {
        self.servers.iter().enumerate().find(|(at, _)| stand_ins(*at).contains(&address)).map(|(_, server)| server)
    }
}

/// The addresses that stand for the relay at this place of the list.
fn stand_ins(at: usize) -> [SocketAddr; 2] {
    // No more than `RELAYS`, so nothing is cut off.
    let last = at as u8 + 1;
    let v4 = Ipv4Addr::new(192, 0, 2, last);
    let v6 = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(last));
    [SocketAddr::from((v4, PORT)), SocketAddr::from((v6, PORT))]
}

/// Whether an address may stand for a relay: nothing that claims to come from there is believed.
pub(crate) fn is_stand_in(address: SocketAddr) -> bool {
    (0..RELAYS).any(|at| stand_ins(at).iter().any(|stand_in| stand_in.ip() == address.ip().to_canonical()))
}

fn place(server: &RelayServer) -> RelayPlace<'_> {
    RelayPlace { host: &server.uri.host, port: server.uri.port, reach: server.reach }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relays(uris: &[&str]) -> Relays {
        let server = |uri: &&str| RelayServer {
            uri: RelayUri::parse(uri).unwrap(),
            username: "me".into(),
            credential: "secret".into(),
            reach: None,
        };
        Relays::new(&uris.iter().map(server).collect::<Vec<_>>(), None).unwrap()
    }

    #[tokio::test]
    async fn the_engine_hears_only_of_names_that_we_resolve() {
        let relays = relays(&["turn:127.0.0.1:9", "turns:turn.example"]);
        let servers = relays.ice_servers();
        assert_eq!(servers[1].urls, ["turn:1.relay.invalid:3478?transport=udp"]);
        let true_address = relays.resolve("0.relay.invalid:3478").await.unwrap().unwrap();
        assert_eq!(true_address, [SocketAddr::from(([127, 0, 0, 1], 9))]);
        let carried = relays.resolve("1.relay.invalid:3478").await.unwrap().unwrap();
        assert!(carried.iter().all(|address| relays.behind(*address).is_some() && is_stand_in(*address)));
        assert!(relays.resolve("7.relay.invalid:3478").await.unwrap().is_err());
        assert!(relays.resolve("turn.example:3478").await.is_none());
    }

    #[test]
    fn a_call_uses_only_so_many_relays() {
        assert_eq!(relays(&["turn:a.example"; 9]).ice_servers().len(), RELAYS);
    }
}
