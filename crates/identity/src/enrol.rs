//! Becoming a persona: from fresh keys to a first attestation.

use keys::{SigningKey, VerifyingKey};

use crate::chain::{Attest, ChainError, Sigchain};
use crate::cic::Cic;
use crate::digest::PersonaId;
use crate::token::{PkToken, TokenError};

/// How long a new attestation introduces its owner to strangers.
pub const ATTESTATION_LIFE_S: i64 = 90 * 86_400;

/// Why a sign-in did not become an attestation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnrolError {
    /// The id_token is not one.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The id_token lacks issuer, subject or time, or was made for another sign-in.
    #[error("the id_token has no proper {0}")]
    Claim(&'static str),
    /// The chain would not take the entry.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

/// A persona whose owner has not signed in anywhere yet. Its secrets stay in memory and are wiped with it.
#[derive(Debug)]
pub struct NewPersona {
    /// Identity root key.
    pub irk: SigningKey,
    /// This device's key.
    pub device: SigningKey,
    /// Genesis and this device.
    pub chain: Sigchain,
    /// What the issuer will be asked to commit to.
    pub cic: Cic,
}

/// A persona with a first attestation.
#[derive(Debug)]
pub struct Enrolled {
    /// Identity root key.
    pub irk: SigningKey,
    /// This device's key.
    pub device: SigningKey,
    /// Genesis, this device, attestation.
    pub chain: Sigchain,
    /// The token to show to contacts. Verify it as a stranger would before relying on it.
    pub token: PkToken,
}

impl NewPersona {
    /// Makes root key, device key and chain, with `device_name` added until `device_expires`. `rk` is the
    /// public half of the recovery key; without one, only a reset helps whoever loses every device.
    pub fn create(
        device_name: &str,
        device_expires: i64,
        rk: Option<VerifyingKey>,
        now: i64,
    ) -> Result<Self, EnrolError> {
        let (irk, device) = (SigningKey::generate(), SigningKey::generate());
        let mut chain = Sigchain::create(&irk, rk, now);
        chain.add_device(&irk, device.verifying_key(), device_name, device_expires, now)?;
        let cic = Cic::new(irk.verifying_key(), chain.genesis_hash());
        Ok(Self { irk, device, chain, cic })
    }

    /// The nonce for the sign-in.
    pub fn nonce(&self) -> String {
        self.cic.nonce()
    }

    /// The persona's name.
    pub fn persona(&self) -> PersonaId {
        self.chain.persona()
    }

    /// Makes the PK token of the sign-in's id_token and records it in the chain.
    pub fn finish(mut self, id_token: &str, now: i64) -> Result<Enrolled, EnrolError> {
        let token = attest(&mut self.chain, &self.irk, &self.cic, id_token, now)?;
        Ok(Enrolled { irk: self.irk, device: self.device, chain: self.chain, token })
    }
}

/// A known persona whose owner lost every key and signs in anew, at an issuer that vouched for it before.
#[derive(Debug)]
pub struct Restart {
    /// The new identity root key.
    pub irk: SigningKey,
    /// This device's key.
    pub device: SigningKey,
    /// The history as it is known.
    pub chain: Sigchain,
    /// What the issuer will be asked to commit to.
    pub cic: Cic,
}

impl Restart {
    /// Makes new keys for the persona of `chain`, as others know it; settled, if it was reset before.
    pub fn begin(chain: Sigchain) -> Self {
        let (irk, device) = (SigningKey::generate(), SigningKey::generate());
        let cic = Cic::new(irk.verifying_key(), chain.genesis_hash());
        Self { irk, device, chain, cic }
    }

    /// The nonce for the sign-in.
    pub fn nonce(&self) -> String {
        self.cic.nonce()
    }

    /// Asks for the reset in front of the sign-in's id_token, with this device as the first one. It counts
    /// after [`RESET_DELAY_S`](crate::RESET_DELAY_S); append any entry then.
    pub fn finish(
        mut self,
        id_token: &str,
        device_name: &str,
        device_expires: i64,
        now: i64,
    ) -> Result<Enrolled, EnrolError> {
        let token = PkToken::assemble(id_token, &self.cic, &self.irk)?;
        self.chain.reset(&self.irk, token.hash(), now)?;
        self.chain.add_device(&self.irk, self.device.verifying_key(), device_name, device_expires, now)?;
        record(&mut self.chain, &self.irk, &self.cic, &token, now)?;
        Ok(Enrolled { irk: self.irk, device: self.device, chain: self.chain, token })
    }
}

impl Enrolled {
    /// Records a later or further sign-in, made with the nonce of `cic`; returns its token.
    pub fn renew(&mut self, cic: &Cic, id_token: &str, now: i64) -> Result<PkToken, EnrolError> {
        attest(&mut self.chain, &self.irk, cic, id_token, now)
    }
}

fn attest(chain: &mut Sigchain, irk: &SigningKey, cic: &Cic, id_token: &str, now: i64) -> Result<PkToken, EnrolError> {
    let token = PkToken::assemble(id_token, cic, irk)?;
    record(chain, irk, cic, &token, now)?;
    Ok(token)
}

fn record(chain: &mut Sigchain, irk: &SigningKey, cic: &Cic, token: &PkToken, now: i64) -> Result<(), EnrolError> {
    let claim = |name: &'static str| crate::token::word(&token.id.claims, name).ok_or(EnrolError::Claim(name));
    if claim("nonce")? != cic.nonce() {
        return Err(EnrolError::Claim("nonce"));
    }
    let (iss, sub) = (claim("iss")?.to_owned(), claim("sub")?.to_owned());
    let at = token.claimed_time().ok_or(EnrolError::Claim("iat"))?;
    let until = at.saturating_add(ATTESTATION_LIFE_S);
    chain.attest(irk, Attest { pkt_hash: token.hash(), iss, sub, until }, now)?;
    Ok(())
}
