//! Tells why a guest could not be started.

use catalogue::{Part, VerifyError};
use message::Domain;
use transport::FetchError;

use crate::package::PackageRef;

/// Why a guest could not be started.
///
/// The texts are for people; [`StartGuestError::code`] is for programs and never changes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartGuestError {
    /// The domain's server did not answer, or broke off.
    #[error("{domain} cannot be reached: {reason}")]
    Unreachable {
        /// Whose server.
        domain: Domain,
        /// What happened.
        reason: String,
    },
    /// The domain has no such package, or no catalogue.
    #[error("{package} was not found")]
    NotFound {
        /// What was asked for.
        package: PackageRef,
    },
    /// The source is not the one the domain signed.
    #[error("the code of {package} was changed after {} signed it", package.domain)]
    TamperedSource {
        /// Which package.
        package: PackageRef,
    },
    /// A document around the source is not what was signed.
    #[error("the {part} of {package} was changed after {} signed it", package.domain)]
    Tampered {
        /// Which package.
        package: PackageRef,
        /// Which document.
        part: Part,
    },
    /// A document bears no signature.
    #[error("the {part} of {package} is not signed by {}", package.domain)]
    NotSigned {
        /// Which package.
        package: PackageRef,
        /// Which document.
        part: Part,
    },
    /// A document is signed by a key that is not the domain's.
    #[error("the {part} of {package} is signed by someone else than {}", package.domain)]
    WrongSignature {
        /// Which package.
        package: PackageRef,
        /// Which document.
        part: Part,
    },
    /// Something newer has been seen before.
    #[error("{} offers an older {part} ({got}) than before ({have})", package.domain)]
    Older {
        /// Which package.
        package: PackageRef,
        /// Which document.
        part: Part,
        /// The version seen before.
        have: String,
        /// The version offered now.
        got: String,
    },
    /// The catalogue has not been renewed in time; someone may be hiding a newer one.
    #[error("the {part} of {} has expired", package.domain)]
    Expired {
        /// Which package.
        package: PackageRef,
        /// Which document.
        part: Part,
    },
    /// A document is larger than it may be.
    #[error("the {part} of {package} is larger than {limit} bytes")]
    TooLarge {
        /// Which package.
        package: PackageRef,
        /// Which document.
        part: Part,
        /// The bound in bytes.
        limit: u64,
    },
    /// A download did not end in time.
    #[error("the {part} of {package} did not come completely within {after_ms} ms")]
    TooSlow {
        /// Which package.
        package: PackageRef,
        /// Which document.
        part: Part,
        /// The deadline that passed.
        after_ms: u64,
    },
    /// The domain's server leads into a private network.
    #[error("{package} leads to {host}, which is in a private network")]
    PrivateNetwork {
        /// Which package.
        package: PackageRef,
        /// Where it leads.
        host: String,
    },
    /// The domain's server sends us to another one.
    #[error("{package} is not at {from}, which points to {to}")]
    Elsewhere {
        /// Which package.
        package: PackageRef,
        /// Who pointed.
        from: String,
        /// Where to.
        to: String,
    },
    /// The server could not prove to be the domain's.
    #[error("no secure connection to {domain}: {reason}")]
    NotSecure {
        /// Whose server.
        domain: Domain,
        /// What happened.
        reason: String,
    },
    /// The package asks for something no package of its kind may have.
    #[error("{package} asks for more than it may have: {grant}")]
    GrantBeyond {
        /// Which package.
        package: PackageRef,
        /// What it asks for.
        grant: String,
    },
    /// What came is no such document, or one of something else.
    #[error("the {part} of {package} cannot be used: {reason}")]
    Malformed {
        /// Which package.
        package: PackageRef,
        /// Which document.
        part: Part,
        /// What is wrong.
        reason: String,
    },
    /// The sandbox could not start it.
    #[error("{package} could not be started: {reason}")]
    NotStarted {
        /// Which package.
        package: PackageRef,
        /// Why.
        reason: String,
    },
    /// As many guests run as may.
    #[error("no more than {limit} guests run at once")]
    TooMany {
        /// How many may.
        limit: usize,
    },
}

impl StartGuestError {
    /// A name that programs can rely on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "domain-unreachable",
            Self::NotFound { .. } => "package-not-found",
            Self::TamperedSource { .. } => "package-tampered",
            Self::Tampered { .. } => "catalogue-tampered",
            Self::NotSigned { .. } => "package-not-signed",
            Self::WrongSignature { .. } => "package-wrong-signature",
            Self::Older { .. } => "package-older",
            Self::Expired { .. } => "catalogue-expired",
            Self::TooLarge { .. } => "package-too-large",
            Self::TooSlow { .. } => "package-too-slow",
            Self::PrivateNetwork { .. } => "package-private-network",
            Self::Elsewhere { .. } => "package-elsewhere",
            Self::NotSecure { .. } => "domain-not-secure",
            Self::GrantBeyond { .. } => "package-beyond-grants",
            Self::Malformed { .. } => "package-malformed",
            Self::NotStarted { .. } => "guest-not-started",
            Self::TooMany { .. } => "guest-too-many",
        }
    }

    /// Whether trying again later may help without anyone changing anything.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::TooSlow { .. } | Self::TooMany { .. })
    }

    pub(crate) fn of_fetch(package: &PackageRef, part: Part, error: FetchError) -> Self {
        let (package, domain) = (package.clone(), package.domain.clone());
        match error {
            FetchError::TooLarge { limit } => Self::TooLarge { package, part, limit },
            FetchError::TooSlow { after_ms } => Self::TooSlow { package, part, after_ms },
            FetchError::PrivateAddress { host } => Self::PrivateNetwork { package, host },
            FetchError::Redirect { from, to } => Self::Elsewhere { package, from, to },
            FetchError::Status(404 | 410) => Self::NotFound { package },
            FetchError::Status(code) => Self::Unreachable { domain, reason: format!("its server answered {code}") },
            FetchError::Unreachable(reason) => Self::Unreachable { domain, reason },
            FetchError::Tls(reason) => Self::NotSecure { domain, reason },
            FetchError::NotEncrypted { .. } => {
                Self::NotSecure { domain, reason: "it points to an unencrypted place".into() }
            }
            FetchError::BadUrl => Self::Malformed { package, part, reason: "its place is not a URL".into() },
        }
    }

    pub(crate) fn of_verify(package: &PackageRef, error: VerifyError) -> Self {
        let package = package.clone();
        let reason = error.to_string();
        match error {
            VerifyError::NotSigned { part } => Self::NotSigned { package, part },
            VerifyError::WrongKey { part } => Self::WrongSignature { package, part },
            VerifyError::Tampered { part: Part::Source } => Self::TamperedSource { package },
            VerifyError::Tampered { part } => Self::Tampered { package, part },
            VerifyError::Older { part, have, got } => Self::Older { package, part, have, got },
            VerifyError::Expired { part, .. } => Self::Expired { package, part },
            VerifyError::TooLarge { part, limit } => Self::TooLarge { package, part, limit: limit as u64 },
            VerifyError::NotListed { .. } => Self::NotFound { package },
            VerifyError::GrantBeyond { grant } => Self::GrantBeyond { package, grant },
            VerifyError::WrongDomain { part, .. } | VerifyError::Malformed { part, .. } => {
                Self::Malformed { package, part, reason }
            }
            VerifyError::WrongPackage { .. } => Self::Malformed { package, part: Part::Descriptor, reason },
            VerifyError::Skipped { .. } | VerifyError::NoRoot => Self::Malformed { package, part: Part::Root, reason },
        }
    }
}
