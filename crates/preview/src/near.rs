//! Lets stories look at pages of this machine; nothing that ships can.

use transport::{Net, Reach};
use url::Url;

#[cfg(feature = "near")]
static NEAR: std::sync::OnceLock<Net> = std::sync::OnceLock::new();

/// From now on pages of `*.localhost` have cards in this process, at any port, if this authority (DER) vouches for them.
#[cfg(feature = "near")]
pub fn look_near(authority: Vec<u8>) -> Result<(), transport::NetError> {
    let net = Net::trusting(transport::NetConfig::default(), vec![authority])?;
    // Once and for all, as stories that share a process share their authority.
    let _already = NEAR.set(net);
    Ok(())
}

/// The way to a page of this machine, if there is one.
#[cfg(feature = "near")]
fn way_near(url: &Url) -> Option<&'static Net> {
    NEAR.get().filter(|_| url.host_str().is_some_and(|host| host == "localhost" || host.ends_with(".localhost")))
}

/// There is no way to pages of this machine.
#[cfg(not(feature = "near"))]
fn way_near(_: &Url) -> Option<&'static Net> {
    None
}

/// Whether a URL is one of this machine that may be visited.
pub(crate) fn is_near(url: &Url) -> bool {
    way_near(url).is_some()
}

/// The network to ask, and how far it may reach.
pub(crate) fn way<'a>(url: &Url, net: &'a Net) -> (&'a Net, Reach) {
    way_near(url).map_or((net, Reach::Public), |near| (near, Reach::Loopback))
}
