//! Turns names into addresses that may be connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::error::FetchError;
use crate::reach::{Reach, is_localhost};

/// Why a name was not resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{host} leads into a private network")]
    Private { host: String },
    #[error("{host} has no address")]
    NoAddress { host: String },
}

impl From<Refusal> for FetchError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Private { host } => Self::PrivateAddress { host },
            Refusal::NoAddress { host } => Self::Unreachable(format!("{host} has no address")),
        }
    }
}

/// Resolves a name within a reach; port 0 stands for the scheme's own.
///
/// `localhost` and its subdomains are answered here and never asked of the DNS,
/// which could lie about them (RFC 6761, 6.3). If one of a name's addresses is
/// out of reach the name is refused altogether: an honest public name has none.
pub(crate) async fn resolve(host: &str, port: u16, reach: Reach) -> Result<Vec<SocketAddr>, Refusal> {
    if is_localhost(host) {
        return match reach {
            Reach::Loopback => Ok(vec![
                SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
                SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), port),
            ]),
            Reach::Public => Err(Refusal::Private { host: host.into() }),
        };
    }
    if reach == Reach::Loopback {
        return Err(Refusal::Private { host: host.into() });
    }
    let no_address = || Refusal::NoAddress { host: host.into() };
    let found: Vec<_> = tokio::net::lookup_host((host, port)).await.map_err(|_| no_address())?.collect();
    if found.is_empty() {
        return Err(no_address());
    }
    if found.iter().any(|address| !reach.admits(address.ip())) {
        return Err(Refusal::Private { host: host.into() });
    }
    Ok(found)
}

/// [`resolve`] as the HTTP client wants it.
pub(crate) struct Resolver(pub(crate) Reach);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = resolve(name.as_str(), 0, reach).await?;
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn localhost_names_never_leave_the_machine() {
        let found = resolve("a.localhost", 7101, Reach::Loopback).await.unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 7101));
        assert!(matches!(resolve("a.localhost", 1, Reach::Public).await, Err(Refusal::Private { .. })));
    }

    #[tokio::test]
    async fn a_name_that_resolves_into_a_private_network_is_refused() {
        // The system resolver reads literals as well, so that this needs no network.
        for host in ["10.0.0.7", "127.0.0.1", "fe80::1"] {
            assert!(matches!(resolve(host, 443, Reach::Public).await, Err(Refusal::Private { .. })), "{host}");
        }
    }
}
