//! Proof, for anyone, that the keys of one chain told two stories.

use serde::{Deserialize, Serialize};

use crate::digest::PersonaId;

use super::Sigchain;
use super::entry::Entry;
use super::standing::SealedText;

/// Largest proof in bytes of JSON.
pub const EQUIVOCATION_LIMIT: usize = 4 * 1024 * 1024;

/// Two different entries that keys of one chain signed for the same place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Equivocation {
    /// The place.
    pub seq: u64,
    /// The chain up to that place: it shows whose keys they are.
    pub before: Vec<SealedText>,
    /// The entry seen before.
    pub seen: SealedText,
    /// The entry shown now.
    pub shown: SealedText,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EquivocationError {
    /// Larger than any proof.
    #[error("a proof has at most {EQUIVOCATION_LIMIT} bytes")]
    TooLarge,
    /// Not of the form of a proof, or the chain in it does not hold.
    #[error("not of the form of a proof")]
    Malformed,
    /// One entry, or two for different places.
    #[error("the two entries do not contradict each other")]
    NoContradiction,
    /// Somebody else signed one of them.
    #[error("one of the entries is not signed by the chain's own keys")]
    NotTheOwners,
}

impl Equivocation {
    /// Checks the proof with nothing else at hand; says against which persona it stands.
    pub fn verify(&self) -> Result<PersonaId, EquivocationError> {
        let texts: Vec<&str> = self.before.iter().map(|text| text.0.as_str()).collect();
        let chain = Sigchain::parse(&texts).map_err(|_| EquivocationError::Malformed)?;
        let read = |text: &SealedText| Entry::parse(&text.0).map_err(|_| EquivocationError::Malformed);
        let (seen, shown) = (read(&self.seen)?, read(&self.shown)?);
        let one_place = seen.seq() == self.seq && shown.seq() == self.seq && self.before.len() as u64 == self.seq;
        if !one_place || seen.hash() == shown.hash() {
            return Err(EquivocationError::NoContradiction);
        }
        if chain.is_two_faced(&seen, &shown) { Ok(chain.persona()) } else { Err(EquivocationError::NotTheOwners) }
    }

    /// Reads a proof within its bounds; whether it proves anything is for [`Equivocation::verify`] to say.
    pub fn parse(json: &str) -> Result<Self, EquivocationError> {
        if json.len() > EQUIVOCATION_LIMIT {
            return Err(EquivocationError::TooLarge);
        }
        serde_json::from_str(json).map_err(|_| EquivocationError::Malformed)
    }

    /// As JSON, to be handed on.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a proof is a plain struct of texts")
    }
}
