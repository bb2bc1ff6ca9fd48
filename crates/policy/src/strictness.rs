//! Which of two values of a setting is the stricter one.

use std::collections::BTreeSet;

use message::Domain;

use crate::who::WhoMay;

/// A value of a setting, and which of two is stricter.
pub(crate) trait Setting: Clone + PartialEq {
    /// Whether it permits nothing that `other` does not.
    fn is_within(&self, other: &Self) -> bool;
}

impl Setting for WhoMay {
    fn is_within(&self, other: &Self) -> bool {
        WhoMay::is_within(self, other)
    }
}

/// More issuers are stricter.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct AtLeast(pub u8);

impl Setting for AtLeast {
    fn is_within(&self, other: &Self) -> bool {
        self.0 >= other.0
    }
}

/// Less time is stricter; none is all the time there is.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct AtMost(pub Option<i64>);

impl Setting for AtMost {
    fn is_within(&self, other: &Self) -> bool {
        self.0.unwrap_or(i64::MAX) <= other.0.unwrap_or(i64::MAX)
    }
}

/// Yes is stricter.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Guard(pub bool);

impl Setting for Guard {
    fn is_within(&self, other: &Self) -> bool {
        self.0 || !other.0
    }
}

/// Fewer domains are stricter; none given is all of them.
#[derive(Clone, PartialEq)]
pub(crate) struct Only(pub Option<BTreeSet<Domain>>);

impl Setting for Only {
    fn is_within(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(own), Some(most)) => own.is_subset(most),
        }
    }
}

/// The stricter of what the organisation and the user say; the user's if they cannot be compared.
pub(crate) fn stricter<T: Setting>(most: Option<T>, own: Option<T>, default: T) -> T {
    let own = own.unwrap_or(default);
    match most {
        Some(most) if most.is_within(&own) => most,
        _ => own,
    }
}
