//! Says how far a request may go, judging URLs and addresses by it.

use std::net::IpAddr;

use message::Domain;
use url::{Host, Url};

use crate::error::FetchError;
use crate::range::is_public;

/// How far a request may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// The public Internet, over TLS; no private, local or special address.
    Public,
    /// This machine alone: `localhost`, `*.localhost`, 127.0.0.0/8 and `::1`, with or without TLS.
    Loopback,
}

impl Reach {
    /// How far code and requests on behalf of a domain may go.
    pub fn for_domain(domain: &Domain) -> Self {
        if domain.is_loopback() { Self::Loopback } else { Self::Public }
    }

    /// How far a URL goes that a person typed, such as an issuer's.
    ///
    /// Never use it for a URL that a stranger chose: that would let them reach
    /// this machine's own services.
    pub fn for_url(url: &Url) -> Self {
        match url.host() {
            Some(Host::Domain(name)) if is_localhost(name) => Self::Loopback,
            Some(Host::Ipv4(v4)) if v4.is_loopback() => Self::Loopback,
            Some(Host::Ipv6(v6)) if v6.is_loopback() => Self::Loopback,
            _ => Self::Public,
        }
    }

    /// Judges a URL before any name is resolved.
    pub(crate) fn admit(self, url: &Url) -> Result<(), FetchError> {
        let encrypted = match url.scheme() {
            "https" | "wss" => true,
            "http" | "ws" => false,
            _ => return Err(FetchError::BadUrl),
        };
        // Credentials in a URL end up in logs and histories; nobody here needs them.
        if !url.username().is_empty() || url.password().is_some() {
            return Err(FetchError::BadUrl);
        }
        let host = url.host().ok_or(FetchError::BadUrl)?;
        let text = host.to_string();
        let admitted = match (self, host) {
            (Self::Public, Host::Domain(name)) => !is_localhost(name),
            (Self::Loopback, Host::Domain(name)) => is_localhost(name),
            (_, Host::Ipv4(v4)) => self.admits(v4.into()),
            (_, Host::Ipv6(v6)) => self.admits(v6.into()),
        };
        if !admitted {
            return Err(FetchError::PrivateAddress { host: text });
        }
        if self == Self::Public && !encrypted {
            return Err(FetchError::NotEncrypted { host: text });
        }
        Ok(())
    }

    /// Whether a resolved address may be connected to.
    pub(crate) fn admits(self, address: IpAddr) -> bool {
        match self {
            Self::Public => is_public(address),
            Self::Loopback => address.is_loopback(),
        }
    }
}

/// Whether a name is reserved for the loopback interface (RFC 6761, 6.3).
pub(crate) fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(reach: Reach, url: &str) -> Result<(), FetchError> {
        reach.admit(&Url::parse(url).unwrap())
    }

    #[test]
    fn the_public_reach_ends_at_private_networks() {
        for url in [
            "https://localhost/",
            "https://a.localhost./",
            "https://127.0.0.1/",
            "https://0x7f.1/",
            "https://[::1]/",
            "https://10.0.0.1/",
            "https://169.254.169.254/latest",
            "https://[::ffff:192.168.0.1]/",
            "wss://192.168.0.1/",
        ] {
            assert!(matches!(admit(Reach::Public, url), Err(FetchError::PrivateAddress { .. })), "{url}");
        }
        assert_eq!(admit(Reach::Public, "https://b.example/"), Ok(()));
        assert!(matches!(admit(Reach::Public, "http://b.example/"), Err(FetchError::NotEncrypted { .. })));
    }

    #[test]
    fn the_loopback_reach_stays_on_this_machine() {
        for url in [
            "http://localhost:1/",
            "http://a.localhost:7101/",
            "http://127.0.0.1/",
            "ws://[::1]:9/",
            "https://a.localhost/",
        ] {
            assert_eq!(admit(Reach::Loopback, url), Ok(()), "{url}");
        }
        for url in ["https://b.example/", "http://10.0.0.1/", "https://localhost.evil.example/"] {
            assert!(matches!(admit(Reach::Loopback, url), Err(FetchError::PrivateAddress { .. })), "{url}");
        }
    }

    #[test]
    fn only_web_urls_without_passwords_are_fetched() {
        for url in ["file:///etc/passwd", "ftp://b.example/", "data:text/plain,x", "https://me:secret@b.example/"] {
            assert_eq!(admit(Reach::Public, url), Err(FetchError::BadUrl), "{url}");
        }
    }
}
