//! One address a peer says it can be reached at, read from text nobody vouched for.

use std::fmt;
use std::net::IpAddr;

use serde::Deserialize;

/// The longest candidate we read; a real one has about 120 bytes, with its JSON about 250.
pub const CANDIDATE_BYTES: usize = 1_024;

/// The most extension pairs (`generation 0`, `network-cost 10`, …) we walk through.
const EXTENSION_PAIRS: usize = 16;

/// An ICE candidate (RFC 8839) whose every field has been checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The `candidate:…` line, as it came but without `a=`.
    pub line: String,
    /// The medium it belongs to, as the sender names it.
    pub mid: Option<String>,
    /// The index of that medium.
    pub line_index: Option<u16>,
    /// The ICE generation it belongs to.
    pub username_fragment: Option<String>,
    /// Where the peer says it listens.
    pub address: IpAddr,
    /// The port there.
    pub port: u16,
    /// UDP or TCP.
    pub transport: Transport,
    /// How the peer found this address.
    pub kind: CandidateKind,
}

/// What carries a candidate's packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// ICE-TCP.
    Tcp,
}

/// How a peer learned of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CandidateKind {
    /// An interface of its own.
    Host,
    /// What a STUN server saw.
    ServerReflexive,
    /// What the other peer saw.
    PeerReflexive,
    /// A relay's address.
    Relay,
}

/// Why a candidate is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CandidateError {
    /// Longer than [`CANDIDATE_BYTES`].
    #[error("a candidate may have {CANDIDATE_BYTES} bytes, this has {got}")]
    TooLong {
        /// Its length.
        got: usize,
    },
    /// Not the shape of RFC 8839, or not the JSON of a browser.
    #[error("the candidate is malformed at its {0}")]
    Malformed(&'static str),
    /// A host name (mDNS too) instead of an address; names are not resolved for a peer.
    #[error("a candidate must carry an address, not a name")]
    NotAnAddress,
    /// An address no peer can be at: unspecified, multicast, broadcast, documentation.
    #[error("no peer can be at such an address")]
    AbsurdAddress,
    /// Port 0 (or 9 for anything but active TCP).
    #[error("no peer can listen at port {0}")]
    AbsurdPort(u16),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Init {
    candidate: String,
    #[serde(default)]
    sdp_mid: Option<String>,
    #[serde(default, rename = "sdpMLineIndex")]
    sdp_m_line_index: Option<u16>,
    #[serde(default)]
    username_fragment: Option<String>,
}

impl Candidate {
    /// Reads a candidate: a browser's JSON (`{candidate, sdpMid, …}`) or a bare `candidate:…` line.
    ///
    /// `Ok(None)` is the end of candidates, which browsers write as an empty line.
    pub fn parse(text: &str) -> Result<Option<Self>, CandidateError> {
        if text.len() > CANDIDATE_BYTES {
            return Err(CandidateError::TooLong { got: text.len() });
        }
        let text = text.trim();
        let init = if text.starts_with('{') {
            serde_json::from_str(text).map_err(|_| CandidateError::Malformed("JSON"))?
        } else {
            Init { candidate: text.to_owned(), sdp_mid: None, sdp_m_line_index: None, username_fragment: None }
        };
        if init.candidate.trim().is_empty() {
            return Ok(None);
        }
        Self::from_init(init).map(Some)
    }

    fn from_init(init: Init) -> Result<Self, CandidateError> {
        let mut candidate = Self::parse_line(init.candidate.trim())?;
        if let Some(mid) = init.sdp_mid {
            candidate.mid = Some(token(&mid, 0..=32).ok_or(CandidateError::Malformed("sdpMid"))?);
        }
        if init.sdp_m_line_index.is_some_and(|index| usize::from(index) >= crate::SDP_SECTIONS) {
            return Err(CandidateError::Malformed("sdpMLineIndex"));
        }
        candidate.line_index = init.sdp_m_line_index;
        if let Some(fragment) = init.username_fragment {
            let fragment = token(&fragment, 0..=256).ok_or(CandidateError::Malformed("usernameFragment"))?;
            candidate.username_fragment = Some(fragment).filter(|fragment| !fragment.is_empty());
        }
        Ok(candidate)
    }

    fn parse_line(line: &str) -> Result<Self, CandidateError> {
        let line = line.strip_prefix("a=").unwrap_or(line);
        let fields = line.strip_prefix("candidate:").ok_or(CandidateError::Malformed("prefix"))?;
        let mut words = fields.split(' ');
        let mut next = |name| words.next().filter(|word| !word.is_empty()).ok_or(CandidateError::Malformed(name));

        token(next("foundation")?, 1..=32).ok_or(CandidateError::Malformed("foundation"))?;
        number::<u16>(next("component")?, 1..=256).ok_or(CandidateError::Malformed("component"))?;
        let transport = transport(next("transport")?)?;
        number::<u32>(next("priority")?, 1..=u32::MAX).ok_or(CandidateError::Malformed("priority"))?;
        let address = next("address")?.parse::<IpAddr>().map_err(|_| CandidateError::NotAnAddress)?;
        let port = number::<u16>(next("port")?, 0..=u16::MAX).ok_or(CandidateError::Malformed("port"))?;
        if next("type")? != "typ" {
            return Err(CandidateError::Malformed("type"));
        }
        let kind = kind(next("type")?)?;
        let active = extensions(words)?;

        refuse_absurd(address, port, transport, active)?;
        Ok(Self {
            line: line.to_owned(),
            mid: None,
            line_index: None,
            username_fragment: None,
            address,
            port,
            transport,
            kind,
        })
    }

    /// Whether it points into the reader's own machine.
    pub fn is_loopback(&self) -> bool {
        self.address.to_canonical().is_loopback()
    }

    /// Leaves out the address that this one was learned from (`raddr`, `rport`): a relay's address
    /// tells nothing of who is behind it, and RFC 8839, section 5.1, wants the attributes to stay.
    pub fn forget_base(&mut self) {
        let nowhere = if self.address.is_ipv6() { "::" } else { "0.0.0.0" };
        let mut words: Vec<&str> = self.line.split(' ').collect();
        // The address, the port and `typ` stand before the pairs.
        for at in (8..words.len().saturating_sub(1)).step_by(2) {
            match words[at] {
                "raddr" => words[at + 1] = nowhere,
                "rport" => words[at + 1] = "0",
                _ => {}
            }
        }
        self.line = words.join(" ");
    }

    /// The JSON a browser gives to `addIceCandidate`.
    pub fn to_json(&self) -> String {
        let mut object = serde_json::json!({
            "candidate": self.line,
            "sdpMid": self.mid,
            "sdpMLineIndex": self.line_index,
        });
        if let Some(fragment) = &self.username_fragment {
            object["usernameFragment"] = fragment.as_str().into();
        }
        object.to_string()
    }
}

// Addresses of people stay out of logs.
impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidate")
            .field("kind", &self.kind)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

/// Walks the extension pairs; says whether this is an active TCP candidate.
fn extensions<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<bool, CandidateError> {
    let mut active = false;
    for _ in 0..EXTENSION_PAIRS {
        let Some(name) = words.next() else {
            return Ok(active);
        };
        let value = words.next().ok_or(CandidateError::Malformed("extension"))?;
        let printable = |word: &str| word.bytes().all(|byte| byte.is_ascii_graphic());
        if !printable(name) || !printable(value) {
            return Err(CandidateError::Malformed("extension"));
        }
        active |= name == "tcptype" && value == "active";
    }
    match words.next() {
        None => Ok(active),
        Some(_) => Err(CandidateError::Malformed("extension")),
    }
}

fn refuse_absurd(address: IpAddr, port: u16, transport: Transport, active: bool) -> Result<(), CandidateError> {
    let absurd = match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast() || v4.octets()[0] == 0,
        IpAddr::V6(v6) => v6.is_unspecified() || v6.is_multicast(),
    };
    if absurd {
        return Err(CandidateError::AbsurdAddress);
    }
    // An active TCP candidate only dials out; RFC 6544 gives it the discard port.
    let dials_out = transport == Transport::Tcp && active && matches!(port, 0 | 9);
    if !dials_out && matches!(port, 0 | 9) {
        return Err(CandidateError::AbsurdPort(port));
    }
    Ok(())
}

fn transport(word: &str) -> Result<Transport, CandidateError> {
    if word.eq_ignore_ascii_case("udp") {
        Ok(Transport::Udp)
    } else if word.eq_ignore_ascii_case("tcp") {
        Ok(Transport::Tcp)
    } else {
        Err(CandidateError::Malformed("transport"))
    }
}

fn kind(word: &str) -> Result<CandidateKind, CandidateError> {
    match word {
        "host" => Ok(CandidateKind::Host),
        "srflx" => Ok(CandidateKind::ServerReflexive),
        "prflx" => Ok(CandidateKind::PeerReflexive),
        "relay" => Ok(CandidateKind::Relay),
        _ => Err(CandidateError::Malformed("type")),
    }
}

/// A word of graphic ASCII characters with a length in `range`.
pub(crate) fn token(word: &str, range: std::ops::RangeInclusive<usize>) -> Option<String> {
    let fits = range.contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| word.to_owned())
}

fn number<N>(word: &str, range: std::ops::RangeInclusive<N>) -> Option<N>
where
    N: std::str::FromStr + PartialOrd,
{
    let digits = (1..=10).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| word.parse().ok()).flatten().filter(|number| range.contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "candidate:1 1 udp 2130706431 10.1.2.3 50000 typ host";

    fn refused(text: &str) -> CandidateError {
        Candidate::parse(text).unwrap_err()
    }

    #[test]
    fn a_browsers_candidate_is_read() {
        let json = r#"{"candidate":"candidate:842163049 1 udp 1677729535 203.0.114.7 46154 typ srflx raddr 10.0.0.2 rport 46154 generation 0 ufrag sXP5 network-cost 999","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"sXP5"}"#;
        let candidate = Candidate::parse(json).unwrap().unwrap();
        assert_eq!(candidate.kind, CandidateKind::ServerReflexive);
        assert_eq!(candidate.port, 46154);
        assert_eq!(candidate.username_fragment.as_deref(), Some("sXP5"));
        let again = Candidate::parse(&candidate.to_json()).unwrap().unwrap();
        assert_eq!(again, candidate);
    }

    #[test]
    fn a_bare_line_is_read() {
        for text in [HOST.to_owned(), format!("a={HOST}")] {
            let candidate = Candidate::parse(&text).unwrap().unwrap();
            assert_eq!(candidate.kind, CandidateKind::Host);
            assert_eq!(candidate.line, HOST);
        }
    }

    #[test]
    fn the_end_of_candidates_is_no_candidate() {
        assert_eq!(Candidate::parse("").unwrap(), None);
        assert_eq!(Candidate::parse(r#"{"candidate":"","sdpMid":"0"}"#).unwrap(), None);
    }

    #[test]
    fn absurd_addresses_and_ports_are_refused() {
        for address in ["0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255", "::", "ff02::1", "::ffff:0.0.0.0"] {
            assert_eq!(refused(&HOST.replace("10.1.2.3", address)), CandidateError::AbsurdAddress, "{address}");
        }
        assert_eq!(refused(&HOST.replace("50000", "0")), CandidateError::AbsurdPort(0));
        assert_eq!(refused(&HOST.replace("50000", "9")), CandidateError::AbsurdPort(9));
        assert!(Candidate::parse("candidate:1 1 tcp 1 10.1.2.3 9 typ host tcptype active").unwrap().is_some());
    }

    #[test]
    fn names_are_not_resolved_for_a_peer() {
        for name in ["9b1e.local", "localhost", "10.0.0", "010.0.0.1", "fe80::1%eth0"] {
            assert_eq!(refused(&HOST.replace("10.1.2.3", name)), CandidateError::NotAnAddress, "{name}");
        }
    }

    #[test]
    fn broken_candidates_are_refused_not_guessed() {
        for broken in [
            "candidate:",
            "candidate:1 1 udp",
            "candidate:1 1 sctp 1 10.1.2.3 5 typ host",
            "candidate:1 300 udp 1 10.1.2.3 5 typ host",
            "candidate:1 1 udp 99999999999 10.1.2.3 5 typ host",
            "candidate:1 1 udp 1 10.1.2.3 70000 typ host",
            "candidate:1 1 udp 1 10.1.2.3 5 typ guess",
            "candidate:1 1 udp 1 10.1.2.3 5 typ host lonely",
            "candidate:1 1 udp 1 10.1.2.3 5 typ host a\r\na=x y",
            "{\"candidate\":7}",
            "{",
            "hello",
        ] {
            assert!(matches!(refused(broken), CandidateError::Malformed(_)), "{broken}");
        }
        let endless = format!("{HOST}{}", " a b".repeat(17));
        assert_eq!(refused(&endless), CandidateError::Malformed("extension"));
        assert!(matches!(refused(&"x".repeat(5_000)), CandidateError::TooLong { got: 5_000 }));
    }

    #[test]
    fn loopback_is_told_apart() {
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.9"] {
            let candidate = Candidate::parse(&HOST.replace("10.1.2.3", address)).unwrap().unwrap();
            assert!(candidate.is_loopback(), "{address}");
        }
        assert!(!Candidate::parse(HOST).unwrap().unwrap().is_loopback());
    }

    #[test]
    fn the_address_behind_a_relay_can_be_left_out() {
        let line = "candidate:1 1 udp 7 203.0.114.7 4000 typ relay raddr 10.1.2.3 rport 5000 generation 0";
        let mut candidate = Candidate::parse(line).unwrap().unwrap();
        candidate.forget_base();
        assert_eq!(candidate.line, line.replace("10.1.2.3", "0.0.0.0").replace("5000", "0"));
        let mut bare = Candidate::parse(HOST).unwrap().unwrap();
        bare.forget_base();
        assert_eq!(bare.line, HOST);
    }

    #[test]
    fn a_log_line_never_shows_the_address() {
        let candidate = Candidate::parse(HOST).unwrap().unwrap();
        assert!(!format!("{candidate:?}").contains("10.1"));
    }
}
