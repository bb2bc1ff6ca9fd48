//! Who somebody is, and how a stranger can tell.
//!
//! An issuer's id_token commits to the person's own root key ([`PkToken`], OpenPubkey's form byte for
//! byte); that key signs the history of the person's devices ([`Sigchain`]); contacts pin what they saw
//! ([`Pins`]). [`verify`] checks all of it in one fixed order and is the only way to a
//! [`VerifiedIdentity`].
//!
//! Pure: no I/O, no clock, no task. Time is an argument, in Unix seconds. An issuer's keys are handed in
//! by whoever fetched them; only issuers of the [`IssuerTable`] are ever worth fetching.

mod chain;
mod change;
mod cic;
mod context;
mod credential;
mod digest;
mod enrol;
mod error;
mod evidence;
mod issuers;
mod json;
mod jwks;
mod jws;
mod pins;
mod renewal;
mod safety;
mod sas;
mod token;
mod verified;
mod verify;

pub use chain::{
    AddDevice, Attest, Attestation, CHAIN_LIMIT, ChainError, DEVICE_LIFE_LIMIT_S, DEVICE_NAME_LIMIT, Device,
    DeviceError, ENTRY_LIMIT, EQUIVOCATION_LIMIT, Entry, EntryBody, Equivocation, EquivocationError, ExtendError,
    Genesis, Head, IdpLink, NewRoot, RESET_DELAY_S, RESETS_LIMIT, Reset, ResetRecord, ResetStanding, RevokeDevice,
    Root, RootOrigin, SealedText, Sigchain, Signer, Standing, Veto,
};
pub use change::{Change, explain};
pub use cic::{Cic, CicError};
pub use context::{Context, Policy};
pub use credential::{CREDENTIAL_LIMIT, CREDENTIAL_TYPE, CredentialError, DeviceCert, DeviceCredential};
pub use digest::{Digest, DigestError, PersonaId};
pub use enrol::{ATTESTATION_LIFE_S, EnrolError, Enrolled, NewPersona, Restart};
pub use error::{KeyChange, KeyChangeKind, PendingReset, VerifyError};
pub use evidence::{EVIDENCE_LIMIT, Evidence, EvidenceError, RENEWALS_LIMIT, TOKENS_LIMIT};
pub use issuers::{Admission, CLIENT_ID, EntraTenant, IssuerEntry, IssuerTable, IssuerTableError};
pub use json::JsonError;
pub use jwks::{JWKS_LIMIT, Jwk, Jwks, JwksBook, JwksError, KeyFault};
pub use jws::{Algorithm, AlgorithmError};
pub use pins::{Comparison, Pin, PinBook, Pins, SubjectKey};
pub use renewal::{RENEWAL_LIMIT, Renewal, RenewalError};
pub use safety::{SafetyNumber, Scanned};
pub use sas::{Fingerprint, SasCode, SasCommit, SasNonce, SasSide};
pub use token::{PKT_LIMIT, PkToken, TokenError};
pub use verified::{Attested, Display, Email, PinState, VerifiedIdentity, Vouching};
pub use verify::verify;

/// How far another clock may be ahead of ours.
pub const CLOCK_SKEW_S: i64 = 120;
