//! The relays a call may use: their URIs (RFC 7065) and the credentials for them.

use std::fmt;

use transport::Reach;

/// The longest URI of a relay that is read.
const URI_BYTES: usize = 300;
/// The ports of RFC 8656, without TLS and with it.
const PORT: u16 = 3478;
const TLS_PORT: u16 = 5349;

/// How a relay is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayTransport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream in TLS.
    Tls,
}

/// Where a relay is, read from a `turn:` or `turns:` URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayUri {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How it is spoken to.
    pub transport: RelayTransport,
}

/// A relay and what it wants to hear before it serves.
#[derive(Clone, PartialEq, Eq)]
pub struct RelayServer {
    /// Where it is.
    pub uri: RelayUri,
    /// The user name; with short-lived credentials it begins with the time they end.
    pub username: String,
    /// The password.
    pub credential: String,
    /// How far its address may lead; None if whoever runs this device named it.
    pub reach: Option<Reach>,
}

/// Why a text is not the URI of a relay we can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RelayUriError {
    /// Not of the form `turn:host:port?transport=udp`.
    #[error("this is not the URI of a relay")]
    Malformed,
    /// DTLS to the relay (`turns:…?transport=udp`).
    #[error("a relay is reached over UDP, TCP or TLS, not over DTLS")]
    Dtls,
}

impl RelayUri {
    /// Reads `turn:host[:port][?transport=udp|tcp]` or `turns:host[:port][?transport=tcp]`.
    pub fn parse(text: &str) -> Result<Self, RelayUriError> {
        if text.len() > URI_BYTES {
            return Err(RelayUriError::Malformed);
        }
        let (scheme, rest) = text.split_once(':').ok_or(RelayUriError::Malformed)?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "turn" => false,
            "turns" => true,
            _ => return Err(RelayUriError::Malformed),
        };
        let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
        let transport = match (secure, query) {
            (false, None | Some("transport=udp")) => RelayTransport::Udp,
            (false, Some("transport=tcp")) => RelayTransport::Tcp,
            (true, None | Some("transport=tcp")) => RelayTransport::Tls,
            (true, Some("transport=udp")) => return Err(RelayUriError::Dtls),
            _ => return Err(RelayUriError::Malformed),
        };
        let (host, port) = place_of(place).ok_or(RelayUriError::Malformed)?;
        let port = port.unwrap_or(if secure { TLS_PORT } else { PORT });
        Ok(Self { host, port, transport })
    }
}

/// A host and perhaps a port: `turn.example.org`, `192.0.2.1:3478`, `[2001:db8::1]:3478`.
fn place_of(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
        }
        None => {
            let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
            ((1..=253).contains(&host.len()) && host.bytes().all(plain)).then_some(())?;
            (host, port)
        }
    };
    let port = match port {
        None => None,
        Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(text.parse::<u16>().ok().filter(|port| *port != 0)?)
        }
        Some(_) => return None,
    };
    Some((host.to_owned(), port))
}

// Where people's calls go through, and with which password, stays out of logs.
impl fmt::Debug for RelayServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayServer").field("transport", &self.uri.transport).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(String, u16, RelayTransport), RelayUriError> {
        RelayUri::parse(text).map(|uri| (uri.host, uri.port, uri.transport))
    }

    #[test]
    fn the_uris_of_rfc_7065_are_read() {
        let host = || "turn.example.org".to_owned();
        assert_eq!(read("turn:turn.example.org"), Ok((host(), 3478, RelayTransport::Udp)));
        assert_eq!(read("turn:turn.example.org:80?transport=tcp"), Ok((host(), 80, RelayTransport::Tcp)));
        assert_eq!(read("TURNS:turn.example.org"), Ok((host(), 5349, RelayTransport::Tls)));
        assert_eq!(read("turns:[2001:db8::1]:443"), Ok(("2001:db8::1".to_owned(), 443, RelayTransport::Tls)));
        assert_eq!(read("turn:10.0.0.1:3478?transport=udp"), Ok(("10.0.0.1".to_owned(), 3478, RelayTransport::Udp)));
    }

    #[test]
    fn what_is_no_relay_is_refused() {
        for text in [
            "",
            "turn:",
            "stun:a.example",
            "turn://a.example",
            "turn:a.example:0",
            "turn:a.example:99999",
            "turn:a.example:+80",
            "turn:a b",
            "turn:me@a.example",
            "turn:[::1",
            "turn:[a.example]:1",
            "turn:a.example?transport=sctp",
            "turn:a.example?transport=udp&x=y",
        ] {
            assert_eq!(read(text), Err(RelayUriError::Malformed), "{text}");
        }
        assert_eq!(read("turns:a.example?transport=udp"), Err(RelayUriError::Dtls));
        assert_eq!(read(&format!("turn:{}", "a".repeat(500))), Err(RelayUriError::Malformed));
    }

    #[test]
    fn a_log_line_shows_neither_place_nor_password() {
        let uri = RelayUri::parse("turn:secret.example").unwrap();
        let server = RelayServer { uri, username: "me".into(), credential: "hidden".into(), reach: None };
        let shown = format!("{server:?}");
        assert!(!shown.contains("secret") && !shown.contains("hidden") && !shown.contains("me\""), "{shown}");
    }
}
