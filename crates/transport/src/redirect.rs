//! Decides where a redirect may lead.

use url::Url;

use crate::error::FetchError;
use crate::limits::Redirect;
use crate::reach::Reach;

/// Reads a `Location` and judges it like a first request.
///
/// A private address is reported as such, whatever the policy: that is an
/// attack, and the difference matters to whoever reads the reason.
pub(crate) fn next_hop(from: &Url, location: Option<&[u8]>, policy: Redirect, reach: Reach) -> Result<Url, FetchError> {
    let refused = |to: &str| FetchError::Redirect { from: host_of(from), to: to.into() };
    let location = location.and_then(|bytes| std::str::from_utf8(bytes).ok()).ok_or_else(|| refused("?"))?;
    let mut to = from.join(location).map_err(|_| refused("?"))?;
    to.set_fragment(None);
    match reach.admit(&to) {
        Ok(()) => {}
        // From this machine to the Internet is a plain redirect, not an attack on a private network.
        Err(FetchError::PrivateAddress { .. }) if reach == Reach::Loopback && Reach::Public.admit(&to).is_ok() => {
            return Err(refused(&host_of(&to)));
        }
        Err(error) => return Err(error),
    }
    let same_host = to.origin() == from.origin();
    let downgrade = from.scheme() == "https" && to.scheme() == "http";
    match policy {
        Redirect::SameHost if same_host => Ok(to),
        Redirect::Checked if !downgrade => Ok(to),
        Redirect::None | Redirect::SameHost | Redirect::Checked => Err(refused(&host_of(&to))),
    }
}

pub(crate) fn host_of(url: &Url) -> String {
    url.host_str().unwrap_or("?").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(location: &str, policy: Redirect) -> Result<Url, FetchError> {
        let from = Url::parse("https://b.example/here/now").unwrap();
        next_hop(&from, Some(location.as_bytes()), policy, Reach::Public)
    }

    #[test]
    fn a_redirect_stays_with_its_host_when_told_so() {
        assert_eq!(hop("../there", Redirect::SameHost).unwrap().as_str(), "https://b.example/there");
        assert!(matches!(hop("https://c.example/", Redirect::SameHost), Err(FetchError::Redirect { .. })));
        assert!(matches!(hop("https://b.example:444/", Redirect::SameHost), Err(FetchError::Redirect { .. })));
        assert!(hop("https://c.example/", Redirect::Checked).is_ok());
        assert!(matches!(hop("/there", Redirect::None), Err(FetchError::Redirect { .. })));
    }

    #[test]
    fn a_redirect_never_leaves_encryption_or_enters_a_private_network() {
        assert!(matches!(hop("http://b.example/", Redirect::Checked), Err(FetchError::NotEncrypted { .. })));
        assert!(matches!(hop("https://10.0.0.1/", Redirect::SameHost), Err(FetchError::PrivateAddress { .. })));
        assert!(matches!(hop("//127.0.0.1/", Redirect::Checked), Err(FetchError::PrivateAddress { .. })));
        assert_eq!(hop("file:///etc/passwd", Redirect::Checked), Err(FetchError::BadUrl));
    }
}
