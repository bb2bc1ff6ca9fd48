//! Why the store could not do its work.

/// A failure of the store. Carries no value of any row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another process has this profile open.
    #[error("the profile is open in another process")]
    InUse,
    /// The file is not one of ours.
    #[error("the file is not a store of ours")]
    NotOurs,
    /// A newer version of the app wrote it.
    #[error("the store is of version {have}, this app knows up to {known}")]
    Newer {
        /// The version of the file.
        have: u32,
        /// The newest version this app knows.
        known: u32,
    },
    /// The master key is not the one it was made with.
    #[error("the store was made with another key")]
    WrongKey,
    /// The file is damaged, or somebody changed it without the key.
    #[error("the store is damaged at {place}")]
    Damaged {
        /// The table, or what SQLite says.
        place: String,
    },
    /// There is a row with this id, or with this author and number.
    #[error("the row exists already")]
    Duplicate,
    /// There is no such row.
    #[error("there is no such row")]
    NoSuchRow,
    /// The value is larger than the store keeps.
    #[error("the value is too large to keep")]
    TooLarge,
    /// The value cannot be written or read as what it should be.
    #[error("a value of {place} does not fit its type")]
    Codec {
        /// The table.
        place: &'static str,
    },
    /// A write in a transaction that only reads.
    #[error("this transaction only reads")]
    ReadOnly,
    /// The disk is full.
    #[error("the disk is full")]
    DiskFull,
    /// The store was closed, and its keys are gone.
    #[error("the store is closed")]
    Closed,
    /// SQLite or the file system failed.
    #[error("the store failed: {0}")]
    Failed(String),
}

impl StoreError {
    pub(crate) fn damaged(place: &str) -> Self {
        Self::Damaged { place: place.to_owned() }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        match error.sqlite_error_code() {
            Some(Code::ConstraintViolation) => Self::Duplicate,
            Some(Code::DatabaseBusy | Code::DatabaseLocked) => Self::InUse,
            Some(Code::DatabaseCorrupt) => Self::damaged("the file"),
            Some(Code::NotADatabase) => Self::NotOurs,
            Some(Code::DiskFull) => Self::DiskFull,
            Some(Code::TooBig) => Self::TooLarge,
            Some(Code::ReadOnly) => Self::ReadOnly,
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull => Self::DiskFull,
            kind => Self::Failed(kind.to_string()),
        }
    }
}

impl From<StoreError> for seal::VaultError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Damaged { place } => Self::Damaged { table: place },
            other => Self::Failed(other.to_string()),
        }
    }
}
