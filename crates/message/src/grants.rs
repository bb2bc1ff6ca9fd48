//! What a guest may do; it begins with nothing.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::address::Address;

/// Why a descriptor's list of grants is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantsError {
    /// Not `scheme://host[:port]`.
    #[error("an origin looks like https://host or wss://host:port")]
    Origin,
    /// Not an address, nor one that ends in `*`.
    #[error("an address pattern is an address, or its beginning followed by *")]
    Pattern,
}

/// Where a guest may connect to: `scheme://host[:port]`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin(String);

impl Origin {
    /// Reads an origin of scheme http, https, ws or wss.
    pub fn parse(text: &str) -> Result<Self, GrantsError> {
        let (scheme, rest) = text.split_once("://").ok_or(GrantsError::Origin)?;
        let (host, port) = rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port)));
        let good = matches!(scheme, "http" | "https" | "ws" | "wss")
            && crate::Domain::parse(host).is_ok()
            && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|number| number.to_string() == port));
        if good { Ok(Self(text.into())) } else { Err(GrantsError::Origin) }
    }

    /// The origin as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An address, or the beginning of addresses followed by `*`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressPattern(String);

impl AddressPattern {
    /// Reads a pattern: `comm://b.localhost/*`, `domain://registry.b.localhost`, or `*` for all.
    pub fn parse(text: &str) -> Result<Self, GrantsError> {
        let beginning = text.strip_suffix('*').unwrap_or(text);
        let good = beginning.len() <= crate::ADDRESS_LIMIT
            && !beginning.contains('*')
            && beginning.bytes().all(|b| b.is_ascii_graphic())
            && (text == "*" || beginning.contains("://"));
        if good { Ok(Self(text.into())) } else { Err(GrantsError::Pattern) }
    }

    /// Whether an address is meant by this pattern.
    pub fn covers(&self, address: &Address) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => address.as_str().starts_with(beginning),
            None => address.as_str() == self.0,
        }
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! text_serde {
    ($type:ty) => {
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                <$type>::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}
text_serde!(Origin);
text_serde!(AddressPattern);

/// The rights of one guest. [`Grants::none`] is the beginning: no network, no
/// storage, no timers, no devices, no messages out.
///
/// The same list stands in the package's descriptor, is shown to the person
/// who is asked, and is enforced by the bus and the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Grants {
    /// Addresses it may send messages to.
    pub speak_to: Vec<AddressPattern>,
    /// Origins it may fetch from.
    pub fetch: Vec<Origin>,
    /// Origins it may open a WebSocket to.
    pub web_socket: Vec<Origin>,
    /// Whether it may set timers.
    pub timers: bool,
    /// Bytes it may keep on disk.
    pub storage: u64,
    /// Whether it may ask for calls to be set up (never raw devices).
    pub media: bool,
}

impl Grants {
    /// No rights at all.
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether a message to this address may leave the guest.
    pub fn may_speak_to(&self, address: &Address) -> bool {
        self.speak_to.iter().any(|pattern| pattern.covers(address))
    }

    /// Whether everything granted here is granted by `other` as well.
    ///
    /// A person is asked again only when a new version wants more.
    pub fn is_within(&self, other: &Grants) -> bool {
        self.speak_to.iter().all(|p| other.speak_to.contains(p))
            && self.fetch.iter().all(|o| other.fetch.contains(o))
            && self.web_socket.iter().all(|o| other.web_socket.contains(o))
            && (!self.timers || other.timers)
            && self.storage <= other.storage
            && (!self.media || other.media)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_begins_with_nothing() {
        let anyone = Address::parse("comm://b.localhost/1").unwrap();
        assert!(!Grants::none().may_speak_to(&anyone));
    }

    #[test]
    fn a_pattern_covers_what_it_begins() {
        let pattern = AddressPattern::parse("comm://b.localhost/*").unwrap();
        assert!(pattern.covers(&Address::parse("comm://b.localhost/1").unwrap()));
        assert!(!pattern.covers(&Address::parse("comm://b.localhost.evil.example/1").unwrap()));
        assert!(AddressPattern::parse("co*mm").is_err());
    }

    #[test]
    fn more_rights_are_noticed() {
        let less = Grants { timers: true, ..Grants::none() };
        let more = Grants { fetch: vec![Origin::parse("https://b.example").unwrap()], ..less.clone() };
        assert!(less.is_within(&more));
        assert!(!more.is_within(&less));
    }

    #[test]
    fn origins_are_exact() {
        for bad in
            ["b.example", "ftp://b.example", "https://b.example/", "https://b.example:070", "https://u@b.example"]
        {
            assert_eq!(Origin::parse(bad), Err(GrantsError::Origin), "{bad}");
        }
    }
}
