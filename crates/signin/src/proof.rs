//! Proves to an issuer that the one who asks for a token holds the root key (DPoP, RFC 9449), and says
//! what the issuer made of it (OpenID Connect Key Binding).

use std::fmt;
use std::sync::Arc;

use keys::{Signature, VerifyingKey, b64url, sha256};
use serde_json::{Value, json};
use url::Url;

use crate::claims::Unverified;
use crate::error::SignInError;

/// The scope by which an issuer offers to bind keys.
pub(crate) const BOUND_KEY: &str = "bound_key";
/// How a token says that it is bound: the one in use, and the one of the specification's draft 00.
pub(crate) const BOUND_TYPES: [&str; 2] = ["dpop+id_token", "id_token+cnf"];

type Sign = dyn Fn(&[u8]) -> Signature + Send + Sync;

/// A root key that signs without leaving its owner.
#[derive(Clone)]
pub struct RootKey {
    public: VerifyingKey,
    sign: Arc<Sign>,
}

impl RootKey {
    /// The public half, and whoever signs with the other.
    pub fn new(public: VerifyingKey, sign: impl Fn(&[u8]) -> Signature + Send + Sync + 'static) -> Self {
        Self { public, sign: Arc::new(sign) }
    }

    /// Its name in `dpop_jkt`: the SHA-256 thumbprint (RFC 7638, members as RFC 8037 orders them).
    pub(crate) fn thumbprint(&self) -> String {
        b64url(&sha256(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, self.public).as_bytes()))
    }
}

/// Shows nothing: a public key names a person.
impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey(…)")
    }
}

/// What an issuer calls the one signature algorithm of root keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProofAlgorithm {
    /// The older name, which nearly everybody uses.
    EdDsa,
    /// The fully specified one (RFC 9864).
    Ed25519,
}

impl ProofAlgorithm {
    fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Ed25519 => "Ed25519",
        }
    }

    pub(crate) fn among(names: &[String]) -> Option<Self> {
        [Self::EdDsa, Self::Ed25519].into_iter().find(|one| names.iter().any(|name| name == one.name()))
    }
}

/// Whether the token names the root key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyBinding {
    /// The issuer binds no keys, or no key was given to bind.
    NotOffered,
    /// The issuer offers it, was asked, and gave a plain token. The nonce binds all the same.
    Withheld,
    /// The token names the root key.
    Bound,
}

/// Makes the proofs of one exchange.
#[derive(Clone)]
pub(crate) struct Prover {
    pub key: RootKey,
    pub algorithm: ProofAlgorithm,
    /// The code that is exchanged, if it is one.
    pub code: Option<String>,
}

impl Prover {
    /// A proof for one POST to `url`, made `now`; with the issuer's `nonce` if it asked for one.
    pub fn proof(&self, url: &Url, nonce: Option<&str>, now: i64) -> String {
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": self.key.public });
        let header = json!({ "typ": "dpop+jwt", "alg": self.algorithm.name(), "jwk": jwk });
        let mut bare = url.clone();
        bare.set_query(None);
        bare.set_fragment(None);
        let mut claims =
            json!({ "jti": b64url(&keys::random::<16>()), "htm": "POST", "htu": bare.as_str(), "iat": now });
        if let Some(nonce) = nonce {
            claims["nonce"] = nonce.into();
        }
        if let Some(code) = &self.code {
            // Drafts of Key Binding call the hash of the code by two names; what is not known is ignored.
            let hash = b64url(&sha256(code.as_bytes()));
            claims["c_hash"] = hash.clone().into();
            claims["c_s256"] = hash.into();
        }
        let signed = format!("{}.{}", b64url(header.to_string().as_bytes()), b64url(claims.to_string().as_bytes()));
        format!("{signed}.{}", (self.key.sign)(signed.as_bytes()))
    }
}

/// What the token says of the key that was offered. A token bound to another key is of no use to anybody here.
pub(crate) fn binding(token: &Unverified, offered: Option<&RootKey>) -> Result<KeyBinding, SignInError> {
    let Some(key) = offered else { return Ok(KeyBinding::NotOffered) };
    let typed = token.header.get("typ").and_then(Value::as_str).is_some_and(|typ| BOUND_TYPES.contains(&typ));
    let Some(jwk) = token.claims.get("cnf").and_then(|cnf| cnf.get("jwk")) else {
        let bound_to_nobody = Err(SignInError::BadToken("it is bound, and to no key"));
        return if typed { bound_to_nobody } else { Ok(KeyBinding::Withheld) };
    };
    let word = |name: &str| jwk.get(name).and_then(Value::as_str);
    let named = word("x").filter(|_| (word("kty"), word("crv")) == (Some("OKP"), Some("Ed25519")));
    if named != Some(key.public.to_string().as_str()) {
        return Err(SignInError::BadToken("it is bound to another key"));
    }
    Ok(if typed { KeyBinding::Bound } else { KeyBinding::Withheld })
}

#[cfg(test)]
mod tests {
    use super::*;
    use keys::SigningKey;

    fn root(key: &SigningKey) -> RootKey {
        let own = key.clone();
        RootKey::new(key.verifying_key(), move |data| own.sign(data))
    }

    fn part(text: &str, index: usize) -> Value {
        serde_json::from_slice(&keys::from_b64url(text.split('.').nth(index).unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn the_thumbprint_is_the_published_one() {
        let public = VerifyingKey::parse("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        let root = RootKey::new(public, |_| unreachable!());
        assert_eq!(root.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "RFC 8037, appendix A.3");
    }

    #[test]
    fn a_proof_is_for_one_request_and_one_code_and_signed_by_the_root_key() {
        let key = SigningKey::generate();
        let prover = Prover { key: root(&key), algorithm: ProofAlgorithm::EdDsa, code: Some("c".into()) };
        let url = Url::parse("https://i.example/token?x#y").unwrap();
        let (proof, other) = (prover.proof(&url, None, 7), prover.proof(&url, Some("n"), 7));
        let (signed, signature) = proof.rsplit_once('.').unwrap();
        let signature = Signature::parse(signature).unwrap();
        assert_eq!(key.verifying_key().verify(signed.as_bytes(), &signature), Ok(()));
        let (header, claims) = (part(&proof, 0), part(&proof, 1));
        assert_eq!((header["typ"].as_str(), header["alg"].as_str()), (Some("dpop+jwt"), Some("EdDSA")));
        assert_eq!(header["jwk"]["x"], key.verifying_key().to_string());
        assert_eq!((claims["htu"].as_str(), claims["iat"].as_i64()), (Some("https://i.example/token"), Some(7)));
        assert_eq!(claims["c_hash"], b64url(&sha256(b"c")));
        assert!(claims.get("nonce").is_none() && part(&other, 1)["nonce"] == "n");
        assert_ne!(claims["jti"], part(&other, 1)["jti"], "no proof is used twice");
    }

    #[test]
    fn what_the_token_says_of_the_key_is_told_apart() {
        let (key, other) = (SigningKey::generate(), SigningKey::generate());
        let jwk = |key: &SigningKey| json!({ "kty": "OKP", "crv": "Ed25519", "x": key.verifying_key() });
        let token = |typ: Option<&str>, claims: Value| {
            let header = typ.map_or_else(|| json!({}), |typ| json!({ "typ": typ }));
            let text = [header, claims].map(|part| b64url(part.to_string().as_bytes())).join(".") + ".x";
            Unverified::read(&text).unwrap()
        };
        let says = |typ, claims| binding(&token(typ, claims), Some(&root(&key)));
        let bound = json!({ "cnf": { "jwk": jwk(&key) } });
        for typ in BOUND_TYPES {
            assert_eq!(says(Some(typ), bound.clone()), Ok(KeyBinding::Bound));
        }
        assert_eq!(says(None, json!({})), Ok(KeyBinding::Withheld));
        assert_eq!(says(None, bound.clone()), Ok(KeyBinding::Withheld), "no verifier would look at it");
        let foreign = json!({ "cnf": { "jwk": jwk(&other) } });
        for typ in [None, Some("dpop+id_token")] {
            assert_eq!(says(typ, foreign.clone()), Err(SignInError::BadToken("it is bound to another key")));
        }
        let nobody = says(Some("dpop+id_token"), json!({ "cnf": { "jkt": "x" } }));
        assert_eq!(nobody, Err(SignInError::BadToken("it is bound, and to no key")));
        assert_eq!(binding(&token(None, bound), None), Ok(KeyBinding::NotOffered));
    }
}
