//! Where a message comes from or goes to: `scheme://domain/path`.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits::ADDRESS_LIMIT;

/// Why a text is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Longer than [`ADDRESS_LIMIT`].
    #[error("an address has at most {ADDRESS_LIMIT} bytes, this one has {length}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// No `://`.
    #[error("an address needs a scheme, as in user://")]
    NoScheme,
    /// The scheme has characters a scheme cannot have.
    #[error("the scheme of an address is made of a-z, 0-9 and -")]
    BadScheme,
    /// The domain is not a host name.
    #[error("the domain of an address is a host name of letters, digits, dots and hyphens")]
    BadDomain,
    /// The path has characters an address cannot have.
    #[error("the path of an address holds visible ASCII characters without quotes or backslashes")]
    BadPath,
    /// Not of the form `user://domain/name`.
    #[error("a person's address looks like name@domain or user://domain/name")]
    NotAUser,
}

/// A host name that stands for a provider: lower case, letters, digits, hyphens, dots.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Domain(Arc<str>);

impl Domain {
    /// Reads a host name (RFC 1123 letters, digits, hyphens; RFC 1035 lengths).
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if is_host_name(text) { Ok(Self(text.into())) } else { Err(AddressError::BadDomain) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the name is reserved for the loopback interface (RFC 6761, 6.3).
    pub fn is_loopback(&self) -> bool {
        self.0.as_ref() == "localhost" || self.0.ends_with(".localhost")
    }
}

fn is_host_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 253
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        })
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One end of a message: `scheme://domain/path`, with an optional path.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    text: Arc<str>,
    scheme_end: u16,
    domain_end: u16,
}

impl Address {
    /// Reads an address. The only place where a text can fail to be one.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.len() > ADDRESS_LIMIT {
            return Err(AddressError::TooLong { length: text.len() });
        }
        let scheme_end = text.find("://").ok_or(AddressError::NoScheme)?;
        let scheme = &text[..scheme_end];
        let starts_with_letter = scheme.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        if !starts_with_letter || !scheme.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            return Err(AddressError::BadScheme);
        }
        let rest = &text[scheme_end + 3..];
        let domain_length = rest.find('/').unwrap_or(rest.len());
        let domain = &rest[..domain_length];
        if !is_host_name(domain) {
            return Err(AddressError::BadDomain);
        }
        let path = &rest[domain_length..];
        if !path.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\') {
            return Err(AddressError::BadPath);
        }
        let domain_end = scheme_end + 3 + domain_length;
        Ok(Self { text: text.into(), scheme_end: scheme_end as u16, domain_end: domain_end as u16 })
    }

    /// Builds `scheme://domain/path`.
    pub fn new(scheme: &str, domain: &Domain, path: &str) -> Result<Self, AddressError> {
        Self::parse(&format!("{scheme}://{domain}/{path}"))
    }

    /// `user`, `hyperty`, `runtime`, `comm`, `connection`, `domain` and so on.
    pub fn scheme(&self) -> &str {
        &self.text[..usize::from(self.scheme_end)]
    }

    /// The provider in whose name space the address stands.
    pub fn domain(&self) -> Domain {
        Domain(self.domain_str().into())
    }

    /// The provider as text.
    pub fn domain_str(&self) -> &str {
        &self.text[usize::from(self.scheme_end) + 3..usize::from(self.domain_end)]
    }

    /// What follows the domain, without its first `/`.
    pub fn path(&self) -> &str {
        self.text[usize::from(self.domain_end)..].trim_start_matches('/')
    }

    /// The whole address as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The address below this one: `comm://d/1` and `children/` give `comm://d/1/children/`.
    pub fn below(&self, part: &str) -> Result<Self, AddressError> {
        Self::parse(&format!("{}/{part}", self.text.trim_end_matches('/')))
    }

    /// The address of the object or Hyperty this one stands below:
    /// `comm://d/1/children/` gives `comm://d/1`.
    pub fn base(&self) -> Self {
        let end = usize::from(self.domain_end);
        let cut =
            self.text[end..].get(1..).and_then(|path| path.find('/')).map_or(self.text.len(), |slash| end + 1 + slash);
        Self { text: self.text[..cut].into(), scheme_end: self.scheme_end, domain_end: self.domain_end }
    }

    /// Whether this address equals `other` or stands below it.
    pub fn is_within(&self, other: &Address) -> bool {
        self.text
            .strip_prefix(other.text.trim_end_matches('/'))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Shows the scheme and the domain only: the path may name a person.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/…", self.scheme(), self.domain_str())
    }
}

/// A person's address: `user://domain/name`, written `name@domain` by people.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserAddress(Address);

impl UserAddress {
    /// Reads `user://domain/name` or `name@domain`, ignoring case and spaces around it.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim().to_ascii_lowercase();
        let address = match text.split_once('@') {
            Some((name, domain)) if !text.contains("://") => Address::new("user", &Domain::parse(domain)?, name)?,
            _ => Address::parse(&text)?,
        };
        let name = address.path();
        let plain = (1..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._+-".contains(&b));
        // `user://b//ben` would be a second person whose handle is ben's.
        let spelt_once = address.text.len() == usize::from(address.domain_end) + 1 + name.len();
        if address.scheme() == "user" && plain && spelt_once { Ok(Self(address)) } else { Err(AddressError::NotAUser) }
    }

    /// The part before the `@`.
    pub fn name(&self) -> &str {
        self.0.path()
    }

    /// The provider.
    pub fn domain(&self) -> Domain {
        self.0.domain()
    }

    /// As `user://domain/name`.
    pub fn address(&self) -> &Address {
        &self.0
    }

    /// As people write it: `name@domain`.
    pub fn handle(&self) -> String {
        format!("{}@{}", self.name(), self.0.domain_str())
    }
}

impl fmt::Display for UserAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl fmt::Debug for UserAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! text_serde {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                <$type>::parse(&text).map_err(serde::de::Error::custom)
            }
        }
        impl std::str::FromStr for $type {
            type Err = AddressError;
            fn from_str(text: &str) -> Result<Self, AddressError> {
                <$type>::parse(text)
            }
        }
    };
}
text_serde!(Domain);
text_serde!(Address);
text_serde!(UserAddress);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_three_parts() {
        let address = Address::parse("comm://b.localhost/42/children/").unwrap();
        assert_eq!((address.scheme(), address.domain_str(), address.path()), ("comm", "b.localhost", "42/children/"));
        assert_eq!(address.base().as_str(), "comm://b.localhost/42");
        assert!(address.is_within(&Address::parse("comm://b.localhost/42").unwrap()));
        assert!(!address.is_within(&Address::parse("comm://b.localhost/4").unwrap()));
    }

    #[test]
    fn people_write_addresses_as_they_like() {
        for text in ["ben@b.localhost", " Ben@B.localhost ", "user://b.localhost/ben"] {
            assert_eq!(UserAddress::parse(text).unwrap().handle(), "ben@b.localhost");
        }
    }

    #[test]
    fn a_person_has_one_address_only() {
        for text in ["user://b.localhost//ben", "/ben@b.localhost", "user://b.localhost/ben/"] {
            assert_eq!(UserAddress::parse(text), Err(AddressError::NotAUser), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_its_reason() {
        let long = format!("user://b/{}", "x".repeat(600));
        for (text, error) in [
            ("", AddressError::NoScheme),
            ("user:/b/ben", AddressError::NoScheme),
            ("User://b/ben", AddressError::BadScheme),
            ("user://B/ben", AddressError::BadDomain),
            ("user:///ben", AddressError::BadDomain),
            ("user://-b/ben", AddressError::BadDomain),
            ("user://b/b en", AddressError::BadPath),
            ("user://b/b\"en", AddressError::BadPath),
            ("user://b/bén", AddressError::BadPath),
            (long.as_str(), AddressError::TooLong { length: 609 }),
        ] {
            assert_eq!(Address::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_log_line_does_not_name_the_person() {
        let address = Address::parse("user://b.localhost/ben").unwrap();
        assert_eq!(format!("{address:?}"), "user://b.localhost/…");
    }
}
