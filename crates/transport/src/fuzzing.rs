//! Opens the judgement of foreign addresses to the fuzzers of `tests/fuzz`.

use url::Url;

use crate::{FetchError, Reach, Redirect, redirect};

/// Judges a URL before any name is resolved.
pub fn admit(reach: Reach, url: &Url) -> Result<(), FetchError> {
    reach.admit(url)
}

/// Where a redirect leads.
pub fn next_hop(from: &Url, location: &[u8], policy: Redirect, reach: Reach) -> Result<Url, FetchError> {
    redirect::next_hop(from, Some(location), policy, reach)
}
