//! The client instance claims: what an id_token's nonce commits to.

use std::fmt;

use keys::{SigningKey, VerifyingKey, b64url, from_b64url};
use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::json::{Bounds, object};

/// Longest claims in bytes of JSON.
const CIC_LIMIT: usize = 2048;

/// Why client instance claims are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CicError {
    /// Not base64url of a bounded JSON object.
    #[error("the client instance claims cannot be read")]
    Unreadable,
    /// `typ` is not `CIC`.
    #[error("typ is not CIC")]
    Type,
    /// `alg` is not `EdDSA`.
    #[error("alg is not EdDSA")]
    Algorithm,
    /// `upk` is not a canonical Ed25519 public key of full order, or holds more than a public key.
    #[error("upk is not an acceptable Ed25519 key")]
    Key,
    /// `rz` is not 32 bytes in hexadecimal.
    #[error("rz is not 32 random bytes in hexadecimal")]
    Randomness,
    /// `dfi` does not name a sigchain.
    #[error("dfi does not name a sigchain")]
    Chain,
}

/// The claims of one client: its root key and its sigchain. Kept as the exact text that was hashed.
#[derive(Clone, PartialEq, Eq)]
pub struct Cic {
    text: String,
    upk: VerifyingKey,
    chain: Digest,
}

impl Cic {
    /// Claims for a root key and the sigchain that begins with `genesis`.
    pub fn new(upk: VerifyingKey, genesis: Digest) -> Self {
        let rz = keys::random::<32>().map(|byte| format!("{byte:02x}")).concat();
        // Sorted members without spaces: the bytes OpenPubkey's own implementation would write again.
        let json = format!(
            r#"{{"alg":"EdDSA","dfi":{{"chain":"{genesis}","v":1}},"rz":"{rz}","typ":"CIC","upk":{{"alg":"EdDSA","crv":"Ed25519","kty":"OKP","x":"{upk}"}}}}"#
        );
        Self { text: b64url(json.as_bytes()), upk, chain: genesis }
    }

    /// Reads claims from their base64url text, checking every member.
    pub fn parse(text: &str) -> Result<Self, CicError> {
        let json = from_b64url(text).map_err(|_| CicError::Unreadable)?;
        let members = object(&json, Bounds { bytes: CIC_LIMIT, depth: 3 }).map_err(|_| CicError::Unreadable)?;
        Self::from_members(text, &members)
    }

    pub(crate) fn from_members(text: &str, members: &Map<String, Value>) -> Result<Self, CicError> {
        let word = |name: &str| members.get(name).and_then(Value::as_str);
        if word("typ") != Some("CIC") {
            return Err(CicError::Type);
        }
        if word("alg") != Some("EdDSA") {
            return Err(CicError::Algorithm);
        }
        let upk = members.get("upk").and_then(Value::as_object).and_then(ed25519_jwk).ok_or(CicError::Key)?;
        if !word("rz").is_some_and(|rz| rz.len() == 64 && rz.bytes().all(|b| b.is_ascii_hexdigit())) {
            return Err(CicError::Randomness);
        }
        let chain = members.get("dfi").and_then(Value::as_object).and_then(named_chain).ok_or(CicError::Chain)?;
        Ok(Self { text: text.to_owned(), upk, chain })
    }

    /// The nonce that commits to exactly these bytes: base64url(SHA3-256(base64url(claims))).
    pub fn nonce(&self) -> String {
        nonce_of(&self.text)
    }

    /// The root key.
    pub fn upk(&self) -> &VerifyingKey {
        &self.upk
    }

    /// Hash of the sigchain's first entry.
    pub fn chain(&self) -> Digest {
        self.chain
    }

    /// The claims as they travel: base64url.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Signs `payload` (base64url) under these claims.
    pub(crate) fn sign(&self, irk: &SigningKey, payload: &str) -> String {
        irk.sign(format!("{}.{payload}", self.text).as_bytes()).to_string()
    }
}

impl fmt::Debug for Cic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cic(…)")
    }
}

pub(crate) fn nonce_of(cic_text: &str) -> String {
    b64url(&keys::sha3_256(cic_text.as_bytes()))
}

/// A public Ed25519 key as a JWK; a private half (`d`) in it is refused with it.
pub(crate) fn ed25519_jwk(jwk: &Map<String, Value>) -> Option<VerifyingKey> {
    let word = |name: &str| jwk.get(name).and_then(Value::as_str);
    let is_public_ed25519 = word("kty") == Some("OKP")
        && word("crv") == Some("Ed25519")
        && matches!(jwk.get("alg").map(Value::as_str), None | Some(Some("EdDSA")))
        && !jwk.contains_key("d");
    word("x").filter(|_| is_public_ed25519).and_then(|x| VerifyingKey::parse(x).ok())
}

fn named_chain(dfi: &Map<String, Value>) -> Option<Digest> {
    let version = dfi.get("v").and_then(Value::as_u64);
    dfi.get("chain").and_then(Value::as_str).filter(|_| version == Some(1)).and_then(|text| Digest::parse(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_come_back_as_they_were_written() {
        let cic = Cic::new(SigningKey::generate().verifying_key(), Digest([7; 32]));
        assert_eq!(Cic::parse(cic.text()).unwrap(), cic);
    }

    #[test]
    fn the_members_are_sorted_so_that_another_writer_writes_the_same() {
        let cic = Cic::new(SigningKey::generate().verifying_key(), Digest([7; 32]));
        let json = from_b64url(cic.text()).unwrap();
        let again: Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(serde_json::to_vec(&again).unwrap(), json);
    }

    #[test]
    fn the_nonce_is_the_hash_of_the_text_that_travels() {
        assert_eq!(nonce_of("e30"), b64url(&keys::sha3_256(b"e30")));
        let key = SigningKey::generate().verifying_key();
        let (one, two) = (Cic::new(key, Digest([7; 32])), Cic::new(key, Digest([7; 32])));
        assert_ne!(one.nonce(), two.nonce(), "two sign-ins cannot be linked by their nonce");
    }
}
