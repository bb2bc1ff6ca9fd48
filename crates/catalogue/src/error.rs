//! Tells why a document of a catalogue is not believed.

use message::Domain;

use crate::envelope::Part;
use crate::package::PackageName;

/// Why a document of a catalogue is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// It carries no signature, or fewer than its root asks for.
    #[error("the {part} is not signed")]
    NotSigned {
        /// Which document.
        part: Part,
    },
    /// It is signed, but by nobody who may.
    #[error("the {part} is signed by a key that does not belong to the domain's catalogue")]
    WrongKey {
        /// Which document.
        part: Part,
    },
    /// It is not what was signed, or not what the document before it names.
    #[error("the {part} was changed after it was signed")]
    Tampered {
        /// Which document.
        part: Part,
    },
    /// A newer one has been seen before.
    #[error("the {part} is older ({got}) than one seen before ({have})")]
    Older {
        /// Which document.
        part: Part,
        /// The version seen before.
        have: String,
        /// The version offered now.
        got: String,
    },
    /// A root that does not follow the one we know directly.
    #[error("root {got} does not follow root {have}; those between must be shown first")]
    Skipped {
        /// The version we know.
        have: u64,
        /// The version offered.
        got: u64,
    },
    /// Its time has passed.
    #[error("the {part} has expired")]
    Expired {
        /// Which document.
        part: Part,
        /// When, in Unix milliseconds.
        at_ms: u64,
    },
    /// Larger than such a document may be.
    #[error("the {part} is larger than {limit} bytes")]
    TooLarge {
        /// Which document.
        part: Part,
        /// The bound in bytes.
        limit: usize,
    },
    /// It speaks for another domain.
    #[error("the {part} speaks for {got}, not for {expected}")]
    WrongDomain {
        /// Which document.
        part: Part,
        /// The domain that was asked.
        expected: Domain,
        /// The domain it names.
        got: Domain,
    },
    /// The descriptor is of another package than the one asked for.
    #[error("the descriptor is of {got}, not of {expected}")]
    WrongPackage {
        /// What was asked for.
        expected: PackageName,
        /// What came.
        got: PackageName,
    },
    /// The catalogue does not list the package.
    #[error("the catalogue does not list {package}")]
    NotListed {
        /// What was asked for.
        package: PackageName,
    },
    /// The package asks for something that no package of its kind may have.
    #[error("the package asks for more than it may have: {grant}")]
    GrantBeyond {
        /// What it asks for.
        grant: String,
    },
    /// Not such a document at all.
    #[error("the {part} cannot be read: {reason}")]
    Malformed {
        /// Which document.
        part: Part,
        /// What is wrong with it.
        reason: String,
    },
    /// No root is known yet, so that nothing can be verified.
    #[error("no root of the domain is known yet")]
    NoRoot,
}
