//! The public keys an issuer signs with: read bounded, and remembered for ever.

use std::collections::BTreeMap;

use keys::VerifyingKey;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::json::{Bounds, JsonError, object};

/// Largest key set in bytes.
pub const JWKS_LIMIT: usize = 64 * 1024;
const KEYS_LIMIT: usize = 64;
const KID_LIMIT: usize = 256;
const RSA_MIN_BITS: usize = 2048;
const RSA_MAX_BITS: usize = 8192;
/// Longest member of a key that is kept: a modulus of 8192 bits has 1,366 characters.
const MEMBER_LIMIT: usize = 2048;
/// The members of a key that are read.
const KEPT: [&str; 9] = ["kty", "crv", "n", "e", "x", "y", "kid", "alg", "use"];
/// Keys remembered for one issuer: twenty years of an issuer that rotates every two weeks.
const ARCHIVE_LIMIT: usize = 512;

/// Why a text is no key set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// Not acceptable JSON.
    #[error("the key set: {0}")]
    Json(JsonError),
    /// No list `keys`.
    #[error("the key set has no list of keys")]
    NoKeys,
    /// More keys than any issuer has.
    #[error("the key set has more than {KEYS_LIMIT} keys")]
    TooMany,
}

/// Why a key of a set cannot check a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum KeyFault {
    /// Not of the kind the algorithm uses.
    #[error("the key is of another kind than the algorithm")]
    WrongKind,
    /// The key says that it is for another algorithm.
    #[error("the key is meant for another algorithm")]
    WrongAlgorithm,
    /// The key is for encryption.
    #[error("the key is not meant for signatures")]
    NotForSigning,
    /// RSA below 2048 bits, or an exponent other than 65537.
    #[error("the key is too weak")]
    Weak,
    /// A kind or curve nobody here checks, or members that make no key.
    #[error("the key is malformed or of an unknown kind")]
    Unreadable,
}

/// A key that passed its checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PublicKey {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(VerifyingKey),
}

/// One key of a set; a key that cannot be used says why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwk {
    kid: Option<String>,
    alg: Option<String>,
    key: Result<PublicKey, KeyFault>,
    raw: Map<String, Value>,
}

impl Jwk {
    /// Only what a verifier reads is kept: a certificate chain in every key would fill the archive.
    fn read(members: &Map<String, Value>) -> Self {
        let kept = |(name, value): (&String, &Value)| {
            let short = value.as_str().is_some_and(|text| text.len() <= MEMBER_LIMIT);
            (KEPT.contains(&name.as_str()) && short).then(|| (name.clone(), value.clone()))
        };
        let raw: Map<String, Value> = members.iter().filter_map(kept).collect();
        let text = |name: &str| raw.get(name).and_then(Value::as_str);
        let kid = text("kid").filter(|kid| kid.len() <= KID_LIMIT).map(str::to_owned);
        let key = match text("use") {
            Some("sig") | None => public_key(&raw),
            Some(_) => Err(KeyFault::NotForSigning),
        };
        Self { kid, alg: text("alg").map(str::to_owned), key, raw }
    }

    /// The thumbprint (RFC 7638) of a key that can be used.
    fn thumbprint(&self) -> Option<Digest> {
        let text = |name: &str| self.raw.get(name).and_then(Value::as_str).unwrap_or_default();
        let (crv, x) = (text("crv"), text("x"));
        let json = match self.key.as_ref().ok()? {
            PublicKey::Rsa { .. } => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text("e"), text("n")),
            PublicKey::P256(_) | PublicKey::P384(_) => {
                format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{}"}}"#, text("y"))
            }
            PublicKey::Ed25519(_) => format!(r#"{{"crv":"{crv}","kty":"OKP","x":"{x}"}}"#),
        };
        Some(Digest::of(json.as_bytes()))
    }

    /// Whether both are one key under one name, for the same algorithm. A key that cannot be used is
    /// itself only if every member is.
    fn is(&self, other: &Self) -> bool {
        match (self.thumbprint(), other.thumbprint()) {
            (Some(one), Some(another)) => one == another && self.kid == other.kid && self.alg == other.alg,
            (None, None) => self.raw == other.raw,
            _ => false,
        }
    }

    /// The name a token calls it by.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The key, if it can check signatures of `alg`.
    pub(crate) fn usable_for(&self, alg: crate::Algorithm) -> Result<&PublicKey, KeyFault> {
        let key = self.key.as_ref().map_err(|fault| *fault)?;
        alg.fits(key)?;
        match &self.alg {
            Some(own) if own != alg.name() => Err(KeyFault::WrongAlgorithm),
            _ => Ok(key),
        }
    }
}

fn public_key(raw: &Map<String, Value>) -> Result<PublicKey, KeyFault> {
    let text = |name: &str| raw.get(name).and_then(Value::as_str);
    let bytes = |name: &str| text(name).and_then(|text| keys::from_b64url(text).ok()).ok_or(KeyFault::Unreadable);
    match (text("kty"), text("crv")) {
        (Some("RSA"), _) => rsa_key(bytes("n")?, bytes("e")?),
        (Some("EC"), Some("P-256")) => point(bytes("x")?, bytes("y")?, 32).map(PublicKey::P256),
        (Some("EC"), Some("P-384")) => point(bytes("x")?, bytes("y")?, 48).map(PublicKey::P384),
        (Some("OKP"), Some("Ed25519")) => {
            VerifyingKey::from_bytes(&bytes("x")?).map(PublicKey::Ed25519).map_err(|_| KeyFault::Unreadable)
        }
        _ => Err(KeyFault::Unreadable),
    }
}

fn rsa_key(n: Vec<u8>, e: Vec<u8>) -> Result<PublicKey, KeyFault> {
    let Some(first) = n.first().filter(|first| **first != 0) else { return Err(KeyFault::Unreadable) };
    let bits = n.len() * 8 - first.leading_zeros() as usize;
    if bits < RSA_MIN_BITS || e != [1, 0, 1] {
        return Err(KeyFault::Weak);
    }
    if bits > RSA_MAX_BITS {
        return Err(KeyFault::Unreadable);
    }
    Ok(PublicKey::Rsa { n, e })
}

/// An uncompressed point (SEC 1, 2.3.3).
fn point(x: Vec<u8>, y: Vec<u8>, size: usize) -> Result<Vec<u8>, KeyFault> {
    if x.len() != size || y.len() != size {
        return Err(KeyFault::Unreadable);
    }
    Ok([&[4u8][..], &x, &y].concat())
}

/// A key set as an issuer publishes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwks {
    keys: Vec<Jwk>,
}

impl Jwks {
    /// Reads a key set; keys that cannot be used are kept with their fault, so that it can be told.
    pub fn parse(text: &str) -> Result<Self, JwksError> {
        let members = object(text.as_bytes(), Bounds { bytes: JWKS_LIMIT, depth: 6 }).map_err(JwksError::Json)?;
        let list = members.get("keys").and_then(Value::as_array).ok_or(JwksError::NoKeys)?;
        if list.len() > KEYS_LIMIT {
            return Err(JwksError::TooMany);
        }
        Ok(Self { keys: list.iter().filter_map(Value::as_object).map(Jwk::read).collect() })
    }

    /// Its keys.
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }
}

/// Every key every issuer was seen with: a token stays verifiable after its issuer rotated.
///
/// An issuer is free to publish new keys without end. Beyond the bound for one issuer its keys are
/// forgotten: first those that stood in a single set and no longer do, then the longest unseen. So a burst
/// of new keys does not push out those that served for a while, and no issuer pushes out another's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JwksBook {
    issuers: BTreeMap<String, Vec<Known>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    first_seen: i64,
    last_seen: i64,
    #[serde(with = "raw_jwk")]
    jwk: Jwk,
}

mod raw_jwk {
    use super::{Jwk, Map, Value};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(jwk: &Jwk, serializer: S) -> Result<S::Ok, S::Error> {
        jwk.raw.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Jwk, D::Error> {
        Map::<String, Value>::deserialize(deserializer).map(|raw| Jwk::read(&raw))
    }
}

impl JwksBook {
    /// Remembers what `issuer` (exactly as in its table entry) published at `now`.
    pub fn learn(&mut self, issuer: &str, jwks: &Jwks, now: i64) {
        let known = self.issuers.entry(issuer.to_owned()).or_default();
        for jwk in &jwks.keys {
            match known.iter_mut().find(|one| one.jwk.is(jwk)) {
                Some(one) => one.last_seen = one.last_seen.max(now),
                None => known.push(Known { first_seen: now, last_seen: now, jwk: jwk.clone() }),
            }
        }
        let latest = known.iter().map(|one| one.last_seen).max().unwrap_or(now);
        let worth = |one: &Known| (one.last_seen == latest, one.last_seen > one.first_seen, one.last_seen);
        known.sort_by_key(|one| std::cmp::Reverse(worth(one)));
        known.truncate(ARCHIVE_LIMIT);
        known.sort_by_key(|one| std::cmp::Reverse(one.last_seen));
    }

    /// When the key with this thumbprint (RFC 7638) was seen first and last at `issuer`.
    pub fn seen(&self, issuer: &str, thumbprint: &Digest) -> Option<(i64, i64)> {
        let known = self.issuers.get(issuer)?.iter().filter(|one| one.jwk.thumbprint() == Some(*thumbprint));
        known.map(|one| (one.first_seen, one.last_seen)).reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
    }

    /// How many keys of `issuer` are remembered.
    pub fn known(&self, issuer: &str) -> usize {
        self.issuers.get(issuer).map_or(0, Vec::len)
    }

    /// When a key of `issuer` was seen last: whether it is time to ask again.
    pub fn last_seen(&self, issuer: &str) -> Option<i64> {
        self.issuers.get(issuer)?.iter().map(|one| one.last_seen).max()
    }

    /// The keys `issuer` called `kid`, newest first.
    pub(crate) fn find<'a>(&'a self, issuer: &str, kid: &'a str) -> impl Iterator<Item = &'a Jwk> {
        let known = self.issuers.get(issuer).map(Vec::as_slice).unwrap_or_default();
        known.iter().map(|one| &one.jwk).filter(move |jwk| jwk.kid() == Some(kid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(key: Value) -> Result<PublicKey, KeyFault> {
        Jwks::parse(&json!({ "keys": [key] }).to_string()).unwrap().keys[0].key.clone()
    }

    fn rsa_of(bits: usize, e: &[u8]) -> Value {
        let mut n = vec![0xffu8; bits.div_ceil(8)];
        if !bits.is_multiple_of(8) {
            n[0] = (1 << (bits % 8)) - 1;
        }
        json!({ "kty": "RSA", "n": keys::b64url(&n), "e": keys::b64url(e), "kid": "k" })
    }

    #[test]
    fn a_weak_or_odd_rsa_key_is_kept_with_its_fault() {
        assert!(read(rsa_of(2048, &[1, 0, 1])).is_ok());
        assert_eq!(read(rsa_of(2047, &[1, 0, 1])), Err(KeyFault::Weak));
        assert_eq!(read(rsa_of(1024, &[1, 0, 1])), Err(KeyFault::Weak));
        assert_eq!(read(rsa_of(2048, &[3])), Err(KeyFault::Weak));
        assert_eq!(read(rsa_of(16_384, &[1, 0, 1])), Err(KeyFault::Unreadable));
        assert_eq!(read(json!({ "kty": "RSA", "n": "", "e": "AQAB" })), Err(KeyFault::Unreadable));
    }

    #[test]
    fn keys_for_other_uses_or_of_other_kinds_are_kept_with_their_fault() {
        let mut encryption = rsa_of(2048, &[1, 0, 1]);
        encryption["use"] = "enc".into();
        assert_eq!(read(encryption), Err(KeyFault::NotForSigning));
        for odd in [
            json!({ "kty": "oct", "k": "AAAA" }),
            json!({ "kty": "EC", "crv": "P-521", "x": "AA", "y": "AA" }),
            json!({ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" }),
            json!({ "kty": "OKP", "crv": "Ed25519", "x": keys::b64url(&[0; 32]) }),
            json!({ "kty": 7 }),
        ] {
            assert_eq!(read(odd), Err(KeyFault::Unreadable));
        }
    }

    #[test]
    fn a_set_that_is_none_is_refused() {
        let many = vec![json!({}); KEYS_LIMIT + 1];
        assert_eq!(Jwks::parse("{}"), Err(JwksError::NoKeys));
        assert_eq!(Jwks::parse("[]"), Err(JwksError::Json(JsonError::NotAnObject)));
        assert_eq!(Jwks::parse(&json!({ "keys": many }).to_string()), Err(JwksError::TooMany));
        assert_eq!(
            Jwks::parse(&" ".repeat(JWKS_LIMIT + 1)),
            Err(JwksError::Json(JsonError::TooLarge { limit: JWKS_LIMIT }))
        );
    }

    #[test]
    fn an_old_key_is_remembered_after_rotation_and_in_storage() {
        let set = |kid: &str| Jwks::parse(&json!({ "keys": [{ "kty": "OKP", "kid": kid }] }).to_string()).unwrap();
        let mut book = JwksBook::default();
        book.learn("https://i", &set("old"), 1);
        book.learn("https://i", &set("new"), 2);
        let book: JwksBook = serde_json::from_str(&serde_json::to_string(&book).unwrap()).unwrap();
        assert_eq!(book.find("https://i", "old").count(), 1);
        assert_eq!(book.find("https://i", "new").count(), 1);
        assert_eq!(book.find("https://j", "new").count(), 0);
        assert_eq!(book.last_seen("https://i"), Some(2));
    }

    fn ed(seed: u64, kid: &str) -> Value {
        let key = keys::SigningKey::from_bytes(&keys::sha256(&seed.to_le_bytes())).verifying_key();
        json!({ "kty": "OKP", "crv": "Ed25519", "x": key, "kid": kid })
    }

    fn publish(book: &mut JwksBook, keys: &[Value], now: i64) {
        book.learn("https://i", &Jwks::parse(&json!({ "keys": keys }).to_string()).unwrap(), now);
    }

    #[test]
    fn a_thumbprint_is_that_of_the_rfc() {
        // RFC 7638, 3.1, and RFC 8037, A.3.
        let rsa = json!({ "kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29", "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw" });
        let okp = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
        for (key, thumbprint) in
            [(rsa, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"), (okp, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")]
        {
            let set = Jwks::parse(&json!({ "keys": [key] }).to_string()).unwrap();
            assert_eq!(set.keys[0].thumbprint().map(|digest| digest.to_string()).as_deref(), Some(thumbprint));
        }
    }

    #[test]
    fn a_key_is_known_by_its_thumbprint_from_first_to_last_sight() {
        let mut book = JwksBook::default();
        publish(&mut book, &[ed(1, "a")], 10);
        let mut decorated = ed(1, "a");
        decorated["x5c"] = json!(["AAAA"]);
        publish(&mut book, &[decorated], 20);
        publish(&mut book, &[ed(2, "b")], 30);
        let thumbprint =
            Jwks::parse(&json!({ "keys": [ed(1, "a")] }).to_string()).unwrap().keys[0].thumbprint().unwrap();
        assert_eq!(book.seen("https://i", &thumbprint), Some((10, 20)));
        assert_eq!(book.seen("https://j", &thumbprint), None);
        assert_eq!(book.known("https://i"), 2);
        publish(&mut book, &[ed(1, "another name")], 40);
        assert_eq!((book.find("https://i", "a").count(), book.find("https://i", "another name").count()), (1, 1));
    }

    #[test]
    fn an_issuer_that_floods_forgets_its_own_new_keys_first() {
        let mut book = JwksBook::default();
        book.learn("https://j", &Jwks::parse(&json!({ "keys": [ed(0, "other")] }).to_string()).unwrap(), 1);
        publish(&mut book, &[ed(1, "old")], 1);
        publish(&mut book, &[ed(1, "old")], 2);
        for round in 0..12u64 {
            let flood: Vec<Value> = (0..60).map(|n| ed(100 + round * 60 + n, &format!("{round}-{n}"))).collect();
            publish(&mut book, &flood, 10 + round as i64);
        }
        assert_eq!(book.known("https://i"), ARCHIVE_LIMIT);
        let found = |kid| book.find("https://i", kid).count();
        assert_eq!((found("old"), found("11-0"), found("11-59"), found("0-0")), (1, 1, 1, 0));
        assert_eq!(book.find("https://j", "other").count(), 1, "others are not touched");
    }

    #[test]
    fn what_an_issuer_adds_to_its_keys_is_not_kept() {
        let mut key = ed(1, "a");
        key["x5c"] = json!(["A".repeat(50_000)]);
        key["alg"] = json!("A".repeat(5_000));
        let mut book = JwksBook::default();
        publish(&mut book, &[key], 1);
        assert!(serde_json::to_string(&book).unwrap().len() < 500);
    }
}
