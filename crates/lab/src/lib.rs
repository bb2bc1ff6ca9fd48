//! Test tools: real domains, real issuers and real runtimes, ready-made.
//!
//! Nothing here is a mock: nodes listen on sockets, issuers are OpenID
//! Providers, runtimes have profiles on disk. Only the person before the
//! browser is played, by [`browser`].

#![allow(clippy::missing_panics_doc, clippy::unwrap_used, reason = "test tools fail by panicking")]

pub mod browser;
pub mod crooked;
pub mod domain;
pub mod issuer;
pub mod pages;
pub mod person;

pub use crooked::{Crooked, Way};
pub use domain::Domain;
pub use issuer::Issuer;
pub use person::Person;

use std::path::PathBuf;

/// Sets the clock of every node and every runtime of this process ahead by so much, once and for all: a story need not
/// wait for days. Issuers that are programs of their own keep the time.
pub fn later(by: std::time::Duration) {
    clock::set_ahead(by);
}

/// The MLS message of what travels as `sealed`: what its sender says of its epoch may stand before it
/// (docs/protocol/objects.md).
pub fn unpacked(bytes: &[u8]) -> &[u8] {
    match bytes {
        [0xF7, high, low, rest @ ..] => rest.get(usize::from(u16::from_be_bytes([*high, *low]))..).unwrap_or_default(),
        all => all,
    }
}

/// The sealed messages in what travels as `sealed`: one, or several after their lengths (docs/protocol/objects.md).
pub fn parcels(bytes: &[u8]) -> Vec<&[u8]> {
    let Some(mut rest) = bytes.strip_prefix(&[0xF8]) else { return vec![bytes] };
    let mut parcels = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (parcel, after) = after.split_at(u32::from_be_bytes(*length) as usize);
        parcels.push(parcel);
        rest = after;
    }
    parcels
}

/// The same put together again.
pub fn joined(parcels: &[Vec<u8>]) -> Vec<u8> {
    if let [one] = parcels {
        return one.clone();
    }
    let each = parcels.iter().flat_map(|one| [(one.len() as u32).to_be_bytes().as_slice(), one].concat());
    std::iter::once(0xF8).chain(each).collect()
}

/// The root of the checkout.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}
