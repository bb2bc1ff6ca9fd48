//! Why a setting is not taken.

use crate::item::Item;

/// Why a setting is not taken; nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The organisation locked it; only something stricter is taken.
    #[error("{item} is set by your organisation")]
    Locked {
        /// Which setting.
        item: Item,
    },
    /// The organisation's rule is stricter.
    #[error("{item} cannot be laxer than your organisation's rule")]
    Laxer {
        /// Which setting.
        item: Item,
    },
    /// Out of its bounds.
    #[error("{item} is out of its bounds")]
    OutOfBounds {
        /// Which setting.
        item: Item,
    },
}

impl PolicyError {
    /// The stable word that programs may act on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Locked { .. } => "locked",
            Self::Laxer { .. } => "laxer",
            Self::OutOfBounds { .. } => "out-of-bounds",
        }
    }

    /// Which setting.
    pub fn item(&self) -> Item {
        match self {
            Self::Locked { item } | Self::Laxer { item } | Self::OutOfBounds { item } => *item,
        }
    }
}
