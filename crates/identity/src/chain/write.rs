//! The owner's side of a chain: signing its next entry.

use keys::{SigningKey, VerifyingKey};

use crate::digest::Digest;

use super::Sigchain;
use super::body::{AddDevice, Attest, EntryBody, Genesis, IdpLink, NewRoot, Reset, RevokeDevice, Veto};
use super::entry::{Entry, Signer};
use super::error::ChainError;
use super::lines::Lines;

impl Sigchain {
    /// Begins a persona with its root key and, if it has one, its recovery key.
    pub fn create(irk: &SigningKey, rk: Option<VerifyingKey>, now: i64) -> Self {
        let genesis = Genesis { irk: irk.verifying_key(), rk };
        let lines = Lines::new(&genesis, now);
        let entry = Entry::sign(irk, Signer::Irk, 0, None, now, EntryBody::Genesis(genesis));
        Self { lines, masks: vec![1], line: 0, entries: vec![entry] }
    }

    fn sign_next(&mut self, key: &SigningKey, by: Signer, now: i64, body: EntryBody) -> Result<&Entry, ChainError> {
        let last = self.last();
        let entry = Entry::sign(key, by, self.entries.len() as u64, Some(last.hash()), now.max(last.iat()), body);
        self.append(entry)?;
        Ok(self.last())
    }

    /// Lets a device speak for the persona until `expires`, or renews it.
    pub fn add_device(
        &mut self,
        irk: &SigningKey,
        dsk: VerifyingKey,
        name: &str,
        expires: i64,
        now: i64,
    ) -> Result<&Entry, ChainError> {
        let body = EntryBody::AddDevice(AddDevice { dsk, name: name.to_owned(), expires });
        self.sign_next(irk, Signer::Irk, now, body)
    }

    /// Ends a device's right to speak for the persona, for ever.
    pub fn revoke_device(
        &mut self,
        key: &SigningKey,
        by: Signer,
        dsk: VerifyingKey,
        now: i64,
    ) -> Result<&Entry, ChainError> {
        self.sign_next(key, by, now, EntryBody::RevokeDevice(RevokeDevice { dsk }))
    }

    /// Records that an issuer vouches for the root key.
    pub fn attest(&mut self, irk: &SigningKey, attest: Attest, now: i64) -> Result<&Entry, ChainError> {
        self.sign_next(irk, Signer::Irk, now, EntryBody::Attest(attest))
    }

    /// Records a further issuer.
    pub fn link_idp(&mut self, irk: &SigningKey, link: IdpLink, now: i64) -> Result<&Entry, ChainError> {
        self.sign_next(irk, Signer::Irk, now, EntryBody::LinkIdp(link))
    }

    /// Takes an issuer's word back.
    pub fn unlink_idp(&mut self, irk: &SigningKey, link: IdpLink, now: i64) -> Result<&Entry, ChainError> {
        self.sign_next(irk, Signer::Irk, now, EntryBody::UnlinkIdp(link))
    }

    /// Replaces the root key; signed by the one before, or by the recovery key.
    pub fn rotate_irk(
        &mut self,
        key: &SigningKey,
        by: Signer,
        irk: VerifyingKey,
        now: i64,
    ) -> Result<&Entry, ChainError> {
        self.sign_next(key, by, now, EntryBody::RotateIrk(NewRoot { irk }))
    }

    /// Begins anew with `irk` after the loss of every key, in front of the issuer's token with this hash. Add
    /// this device and attest the token with the new key at once, and append any entry once the delay is
    /// over: it closes the time in which a veto can be dated.
    pub fn reset(&mut self, irk: &SigningKey, pkt_hash: Digest, now: i64) -> Result<&Entry, ChainError> {
        let body = Reset { irk: irk.verifying_key(), old: self.irk(), pkt_hash };
        self.sign_next(irk, Signer::Irk, now, EntryBody::Reset(body))
    }

    /// Says no to a reset, with any key of before it.
    pub fn veto(&mut self, key: &SigningKey, by: Signer, reset: Digest, now: i64) -> Result<&Entry, ChainError> {
        self.sign_next(key, by, now, EntryBody::Veto(Veto { reset }))
    }
}
