//! Opens byte streams to the relays of calls (TURN over TCP and TLS), and says where relays are.

use std::net::{IpAddr, SocketAddr};

use rustls::pki_types::ServerName;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::error::FetchError;
use crate::fetch::millis;
use crate::limits::CONNECT_DEADLINE;
use crate::net::Net;
use crate::reach::Reach;
use crate::resolve::resolve;
use crate::web_socket::Wire;

/// Where a relay is.
#[derive(Debug, Clone, Copy)]
pub struct RelayPlace<'a> {
    /// Its name or address.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// How far it may be. None: anywhere, since whoever runs this device named it; a relay that a
    /// domain named must not lead into the networks this device happens to be in.
    pub reach: Option<Reach>,
}

impl Net {
    /// The judged addresses of a relay.
    pub async fn relay_addresses(&self, place: RelayPlace<'_>) -> Result<Vec<SocketAddr>, FetchError> {
        let host = place.host.trim_matches(['[', ']']);
        match place.reach {
            // A literal within a reach: `resolve` answers names only for the loopback.
            Some(reach) => match host.parse::<IpAddr>() {
                Ok(address) if reach.admits(address) => Ok(vec![(address, place.port).into()]),
                Ok(_) => Err(FetchError::PrivateAddress { host: host.to_owned() }),
                Err(_) => Ok(resolve(host, place.port, reach).await?),
            },
            None => match tokio::net::lookup_host((host, place.port)).await {
                Ok(found) => Ok(found.collect()),
                Err(error) => Err(FetchError::of_io(&error)),
            },
        }
    }

    /// Connects to a relay from the interface that has `from`, with TLS if `encrypted`.
    pub async fn dial_relay(&self, place: RelayPlace<'_>, encrypted: bool, from: IpAddr) -> Result<Wire, FetchError> {
        let dialling = async {
            let addresses = self.relay_addresses(place).await?;
            let tcp = connect(addresses, from).await?;
            // Voice does not wait for more voice; failing to say so only costs time.
            let _slower = tcp.set_nodelay(true);
            if !encrypted {
                return Ok(Wire::Plain(tcp));
            }
            let name = place.host.trim_matches(['[', ']']).to_owned();
            let name = ServerName::try_from(name).map_err(|_| FetchError::BadUrl)?;
            let stream = TlsConnector::from(self.relay_tls()).connect(name, tcp).await;
            stream.map(|stream| Wire::Secure(Box::new(stream))).map_err(|error| FetchError::of_io(&error))
        };
        match timeout(CONNECT_DEADLINE, dialling).await {
            Ok(outcome) => outcome,
            Err(_) => Err(FetchError::TooSlow { after_ms: millis(CONNECT_DEADLINE) }),
        }
    }
}

async fn connect(addresses: Vec<SocketAddr>, from: IpAddr) -> Result<TcpStream, FetchError> {
    let mut failure = FetchError::Unreachable("no address of this family".into());
    for address in addresses.into_iter().filter(|address| address.is_ipv4() == from.is_ipv4()) {
        let socket = if from.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let connected = async {
            let socket = socket?;
            socket.bind((from, 0).into())?;
            socket.connect(address).await
        };
        match connected.await {
            Ok(tcp) => return Ok(tcp),
            Err(error) => failure = FetchError::of_io(&error),
        }
    }
    Err(failure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::NetConfig;

    #[tokio::test]
    async fn a_relay_that_a_domain_names_is_not_in_our_own_network() {
        let net = Net::new(NetConfig::default()).unwrap();
        for host in ["10.0.0.7", "127.0.0.1", "[::1]", "localhost"] {
            let place = RelayPlace { host, port: 3478, reach: Some(Reach::Public) };
            let judged = net.relay_addresses(place).await;
            assert!(matches!(judged, Err(FetchError::PrivateAddress { .. })), "{host}");
            let dialled = net.dial_relay(place, false, IpAddr::from([127, 0, 0, 1])).await;
            assert!(matches!(dialled, Err(FetchError::PrivateAddress { .. })), "{host}");
        }
        let own = RelayPlace { host: "127.0.0.1", port: 3478, reach: None };
        assert_eq!(net.relay_addresses(own).await.unwrap(), [SocketAddr::from(([127, 0, 0, 1], 3478))]);
        let local = RelayPlace { host: "turn.a.localhost", port: 3478, reach: Some(Reach::Loopback) };
        assert!(net.relay_addresses(local).await.unwrap().iter().all(|address| address.ip().is_loopback()));
    }
}
