//! Why somebody is not recognised: one variant for each way to fail, each with its step.

use keys::VerifyingKey;
use message::UserAddress;

use crate::chain::{ChainError, DeviceError, Equivocation};
use crate::cic::CicError;
use crate::digest::{Digest, PersonaId};
use crate::json::JsonError;
use crate::jwks::KeyFault;
use crate::jws::Algorithm;
use crate::pins::{Pin, SubjectKey};
use crate::renewal::RenewalError;
use crate::token::TokenError;

/// What changed hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyChangeKind {
    /// The issuer's subject signed in with other keys.
    Subject,
    /// The address belongs to another persona now.
    Address,
}

/// Somebody appeared under a known name with other keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChange {
    /// What changed hands.
    pub kind: KeyChangeKind,
    /// The issuer that vouches for the new keys.
    pub issuer: String,
    /// Whom it names.
    pub subject: SubjectKey,
    /// The address shown.
    pub user: UserAddress,
    /// What was known.
    pub pinned: Pin,
    /// The persona shown now.
    pub shown_persona: PersonaId,
    /// Its root key.
    pub shown_irk: VerifyingKey,
    /// When the issuer vouched for the new keys.
    pub attested_at: i64,
}

/// A reset that does not count yet, with an issuer behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingReset {
    /// Whose.
    pub persona: PersonaId,
    /// The entry.
    pub reset: Digest,
    /// The issuer that vouches for the new keys.
    pub issuer: String,
    /// When it was signed, by its signer's clock.
    pub asked_at: i64,
    /// When this verifier first saw it: now, if it was not told before.
    pub first_seen: i64,
    /// When it will count, unless a key of before says no.
    pub until: i64,
}

/// Why somebody is not recognised. The order of the variants is the order of the checks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// 0: size, depth, duplicates, form, forbidden algorithms and headers.
    #[error(transparent)]
    Token(TokenError),
    /// 1: the token names no issuer.
    #[error("the token names no issuer")]
    NoIssuer,
    /// 1: nobody here believes this issuer about this person.
    #[error("{issuer} is not among the trusted issuers")]
    UnknownIssuer {
        /// The issuer the token names.
        issuer: String,
    },
    /// 2: the client's claims are not acceptable.
    #[error(transparent)]
    Cic(CicError),
    /// 2: the root key did not sign the token.
    #[error("the token is not signed by the root key it names")]
    CicSignature,
    /// 3: the issuer does not sign with this algorithm, says the table.
    #[error("{alg} is not allowed for this issuer")]
    AlgorithmNotAllowed {
        /// The token's algorithm.
        alg: Algorithm,
    },
    /// 3: the token does not name its key.
    #[error("the token does not say which key signed it")]
    MissingKid,
    /// 3: the issuer's key is not known (yet): fetch its key set and verify again.
    #[error("the key of {issuer} is not known yet")]
    NeedsJwks {
        /// The issuer as in its table entry.
        issuer: String,
    },
    /// 3: the issuer's key cannot check this signature.
    #[error("the issuer's key: {0}")]
    Key(KeyFault),
    /// 4: the issuer did not sign the token.
    #[error("the issuer did not sign this token")]
    IssuerSignature,
    /// 5: the token is of another tenant than its issuer.
    #[error("the token is of another tenant than its issuer")]
    WrongTenant,
    /// 6: the token is for nobody.
    #[error("the token does not say for whom it is")]
    NoAudience,
    /// 6: the token is for another app: whoever runs that app chose the key.
    #[error("the token was made for another app")]
    ForeignAudience,
    /// 6: the token is for several, and does not say who asked for it.
    #[error("the token is for several apps and does not say which asked for it")]
    AmbiguousAudience,
    /// 6: another app asked for the token.
    #[error("the token was asked for by another app")]
    ForeignParty,
    /// 7: a token of another type, as an access token.
    #[error("the token is of another type than an id_token")]
    WrongTokenType,
    /// 7: the issuer bound the token to another key.
    #[error("the issuer bound the token to another key")]
    ForeignBoundKey,
    /// 7: the token commits to nothing.
    #[error("the token has no nonce")]
    NoNonce,
    /// 7: the token commits to other claims.
    #[error("the token was made for another key")]
    ForeignNonce,
    /// 8: a time is missing or no number.
    #[error("the token has no proper time {0}")]
    BadTime(&'static str),
    /// 8: issued later than now.
    #[error("the token is from the future, by {by_s} s")]
    FromTheFuture {
        /// How far.
        by_s: i64,
    },
    /// 8: it ends before it begins.
    #[error("the token expires before it was issued")]
    ExpiresBeforeIssue,
    /// 8: it would count for more than a day.
    #[error("the token would be valid for more than a day")]
    LivesTooLong,
    /// 8: it does not count yet.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// 8: the issuer's word is too old.
    #[error("the issuer's word is {age_s} s old, the limit is {limit_s} s")]
    TooOld {
        /// Its age.
        age_s: i64,
        /// The limit.
        limit_s: i64,
    },
    /// 8: the issuer's word is older than the policy allows anybody.
    #[error("the issuer's word is {age_s} s old, the policy allows {limit_s} s")]
    Stale {
        /// Its age.
        age_s: i64,
        /// The limit.
        limit_s: i64,
    },
    /// 0 for its form, 8 for what it says, 12 for its own signature: a renewal does not renew its token.
    #[error(transparent)]
    Renewal(RenewalError),
    /// 9: the person authenticated too long before.
    #[error("the person authenticated too long before the token")]
    AuthenticationTooOld,
    /// 9: not in the required way (`acr`).
    #[error("the person was not authenticated at the required level")]
    WrongAcr,
    /// 9: not with the required means (`amr`).
    #[error("the person was not authenticated with the required means")]
    WrongAmr,
    /// 10: the subject is missing or malformed.
    #[error("the token names no proper subject")]
    BadSubject,
    /// 10: a domain's issuer spoke about another name than the one claimed.
    #[error("the domain's issuer vouches for another name")]
    NotTheirName,
    /// 11: a claim meant for display is malformed.
    #[error("the token's {0} is malformed")]
    BadDisplayClaim(&'static str),
    /// 12: the sigchain is refused.
    #[error(transparent)]
    Chain(ChainError),
    /// 12: the sigchain's newest entry is later than now.
    #[error("the chain is from the future, by {by_s} s")]
    ChainFromTheFuture {
        /// How far.
        by_s: i64,
    },
    /// 12: the token was made for another sigchain.
    #[error("the token belongs to another chain")]
    ForeignChain,
    /// 12: the token vouches for a key that is not the chain's root key.
    #[error("the token vouches for another key than the chain's root key")]
    ForeignRootKey,
    /// 12: the owner did not record this token.
    #[error("the chain does not know this token")]
    NotAttested,
    /// 12: the owner took the issuer's word back.
    #[error("the owner took this issuer's word back")]
    Withdrawn,
    /// 12: the owner's record of the token no longer introduces strangers.
    #[error("the attestation ended at {until}")]
    AttestationOver {
        /// When.
        until: i64,
    },
    /// 12: the keys are those of a reset that still waits. Remember when it was seen
    /// ([`PinBook::saw_reset`](crate::PinBook::saw_reset)): the wait counts from there.
    #[error("a reset waits until {}", .0.until)]
    ResetPending(Box<PendingReset>),
    /// 12: the keys are those of a reset that was vetoed.
    #[error("the reset was vetoed")]
    ResetVetoed,
    /// 12: the keys are those of a reset behind which no issuer of the person stands.
    #[error("no issuer of this person stands behind the reset")]
    ResetUnfounded,
    /// 12: the token is from before a reset.
    #[error("the token is from before a reset")]
    BeforeReset,
    /// 12: the device may not speak for the persona.
    #[error(transparent)]
    Device(DeviceError),
    /// 12: the evidence speaks of another device than the one that shows it.
    #[error("another device shows the evidence")]
    NotTheLeaf,
    /// 13: known name, other keys.
    #[error("known to us with other keys")]
    KeyChange(Box<KeyChange>),
    /// 14: entries that were seen before are missing.
    #[error("the chain lacks {by} entries that were seen before")]
    RolledBack {
        /// How many.
        by: u64,
    },
    /// 14: two histories, both signed.
    #[error("the chain tells another story than before")]
    Equivocation(Box<Equivocation>),
    /// 15: fewer issuers vouch than required.
    #[error("{required} issuers must vouch, {got} do")]
    TooFewIssuers {
        /// How many must.
        required: usize,
        /// How many do.
        got: usize,
    },
}

impl VerifyError {
    /// The number of the check that failed.
    pub fn step(&self) -> u8 {
        match self {
            Self::Token(_) => 0,
            Self::NoIssuer | Self::UnknownIssuer { .. } => 1,
            Self::Cic(_) | Self::CicSignature => 2,
            Self::AlgorithmNotAllowed { .. } | Self::MissingKid | Self::NeedsJwks { .. } | Self::Key(_) => 3,
            Self::IssuerSignature => 4,
            Self::WrongTenant => 5,
            Self::NoAudience | Self::ForeignAudience | Self::AmbiguousAudience | Self::ForeignParty => 6,
            Self::WrongTokenType | Self::ForeignBoundKey | Self::NoNonce | Self::ForeignNonce => 7,
            Self::BadTime(_)
            | Self::FromTheFuture { .. }
            | Self::ExpiresBeforeIssue
            | Self::LivesTooLong
            | Self::NotYetValid
            | Self::TooOld { .. }
            | Self::Stale { .. } => 8,
            Self::Renewal(RenewalError::WrongSignature) => 12,
            Self::Renewal(RenewalError::Malformed | RenewalError::Token(_) | RenewalError::Orphan) => 0,
            Self::Renewal(_) => 8,
            Self::AuthenticationTooOld | Self::WrongAcr | Self::WrongAmr => 9,
            Self::BadSubject | Self::NotTheirName => 10,
            Self::BadDisplayClaim(_) => 11,
            Self::Chain(_)
            | Self::ChainFromTheFuture { .. }
            | Self::ForeignChain
            | Self::ForeignRootKey
            | Self::NotAttested
            | Self::Withdrawn
            | Self::AttestationOver { .. }
            | Self::ResetPending(_)
            | Self::ResetVetoed
            | Self::ResetUnfounded
            | Self::BeforeReset
            | Self::Device(_)
            | Self::NotTheLeaf => 12,
            Self::KeyChange(_) => 13,
            Self::RolledBack { .. } | Self::Equivocation(_) => 14,
            Self::TooFewIssuers { .. } => 15,
        }
    }

    /// A stable word for counters, logs and the user interface.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Token(error) => token_code(*error),
            Self::NoIssuer => "no-issuer",
            Self::UnknownIssuer { .. } => "unknown-issuer",
            Self::Cic(_) => "cic-claims",
            Self::CicSignature => "cic-signature",
            Self::AlgorithmNotAllowed { .. } => "algorithm-not-allowed",
            Self::MissingKid => "missing-kid",
            Self::NeedsJwks { .. } => "needs-jwks",
            Self::Key(_) => "unfit-key",
            Self::IssuerSignature => "issuer-signature",
            Self::WrongTenant => "wrong-tenant",
            Self::NoAudience => "no-audience",
            Self::ForeignAudience => "foreign-audience",
            Self::AmbiguousAudience => "ambiguous-audience",
            Self::ForeignParty => "foreign-party",
            Self::WrongTokenType => "wrong-token-type",
            Self::ForeignBoundKey => "foreign-bound-key",
            Self::NoNonce => "no-nonce",
            Self::ForeignNonce => "foreign-nonce",
            Self::BadTime(_) => "bad-time",
            Self::FromTheFuture { .. } => "from-the-future",
            Self::ExpiresBeforeIssue => "expires-before-issue",
            Self::LivesTooLong => "lives-too-long",
            Self::NotYetValid => "not-yet-valid",
            Self::TooOld { .. } => "too-old",
            Self::Stale { .. } => "attestation-stale",
            Self::Renewal(error) => error.code(),
            Self::AuthenticationTooOld => "authentication-too-old",
            Self::WrongAcr => "wrong-acr",
            Self::WrongAmr => "wrong-amr",
            Self::BadSubject => "bad-subject",
            Self::NotTheirName => "not-their-name",
            Self::BadDisplayClaim(_) => "bad-display-claim",
            Self::Chain(_) => "chain",
            Self::ChainFromTheFuture { .. } => "chain-from-the-future",
            Self::ForeignChain => "foreign-chain",
            Self::ForeignRootKey => "foreign-root-key",
            Self::NotAttested => "not-attested",
            Self::Withdrawn => "withdrawn",
            Self::AttestationOver { .. } => "attestation-over",
            Self::ResetPending(_) => "reset-pending",
            Self::ResetVetoed => "reset-vetoed",
            Self::ResetUnfounded => "reset-unfounded",
            Self::BeforeReset => "before-reset",
            Self::Device(DeviceError::Unknown) => "device-unknown",
            Self::Device(DeviceError::Revoked) => "device-revoked",
            Self::Device(DeviceError::Expired { .. }) => "device-expired",
            Self::Device(DeviceError::BeforeReset) => "device-before-reset",
            Self::NotTheLeaf => "not-the-leaf",
            Self::KeyChange(_) => "key-change",
            Self::RolledBack { .. } => "rolled-back",
            Self::Equivocation(_) => "equivocation",
            Self::TooFewIssuers { .. } => "too-few-issuers",
        }
    }
}

fn token_code(error: TokenError) -> &'static str {
    match error {
        TokenError::Json(JsonError::TooLarge { .. }) => "token-too-large",
        TokenError::Json(JsonError::TooDeep { .. }) => "token-too-deep",
        TokenError::Json(JsonError::Duplicate) => "token-duplicate-member",
        TokenError::Json(JsonError::NotJson | JsonError::NotAnObject) => "token-not-json",
        TokenError::Malformed(_) | TokenError::NotCompact => "token-malformed",
        TokenError::ForbiddenAlgorithm => "token-forbidden-algorithm",
        TokenError::UnsupportedAlgorithm => "token-unsupported-algorithm",
        TokenError::ForbiddenHeader(_) => "token-forbidden-header",
    }
}
