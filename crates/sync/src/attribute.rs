//! Names a place inside a value: `offer.sdp`, `members.0.name`.

use crate::limits::{KEY_LIMIT, VALUE_DEPTH};

/// Why a text names no place in a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AttributeError {
    /// Empty, or with an empty part.
    #[error("an attribute is a path of names with dots between them")]
    Empty,
    /// A name that JavaScript engines treat as part of the machinery.
    #[error("no attribute is named __proto__, prototype or constructor")]
    Reserved,
    /// A part longer than [`KEY_LIMIT`].
    #[error("a name has at most {KEY_LIMIT} bytes")]
    TooLong,
    /// More parts than [`VALUE_DEPTH`].
    #[error("an attribute has at most {VALUE_DEPTH} parts")]
    TooDeep,
}

/// A dot-path that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute<'a>(Vec<&'a str>);

impl<'a> Attribute<'a> {
    /// Reads a dot-path.
    pub fn parse(text: &'a str) -> Result<Self, AttributeError> {
        if text.len() > VALUE_DEPTH * (KEY_LIMIT + 1) {
            return Err(AttributeError::TooLong);
        }
        let parts: Vec<&str> = text.split('.').collect();
        if parts.len() > VALUE_DEPTH {
            return Err(AttributeError::TooDeep);
        }
        parts.iter().try_for_each(|part| check_name(part))?;
        Ok(Self(parts))
    }

    /// Its parts, at least one.
    pub fn parts(&self) -> &[&'a str] {
        &self.0
    }
}

/// Whether a key may stand in a value that guests will hold as a JavaScript object.
pub(crate) fn check_name(name: &str) -> Result<(), AttributeError> {
    match name {
        "" => Err(AttributeError::Empty),
        "__proto__" | "prototype" | "constructor" => Err(AttributeError::Reserved),
        _ if name.len() > KEY_LIMIT => Err(AttributeError::TooLong),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machinery_of_javascript_is_no_attribute() {
        for bad in ["__proto__", "a.__proto__.polluted", "constructor.prototype.x"] {
            assert_eq!(Attribute::parse(bad), Err(AttributeError::Reserved), "{bad}");
        }
        for bad in ["", ".", "a..b", "a."] {
            assert_eq!(Attribute::parse(bad), Err(AttributeError::Empty), "{bad}");
        }
        assert_eq!(Attribute::parse(&"a.".repeat(40)), Err(AttributeError::TooDeep));
        assert_eq!(Attribute::parse(&"a".repeat(KEY_LIMIT + 1)), Err(AttributeError::TooLong));
        assert_eq!(Attribute::parse("offer.sdp").unwrap().parts(), ["offer", "sdp"]);
    }
}
