//! A small issuer and a person who signs in there, each step of which a story can bend.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "each test file uses a part of it")]

use identity::*;
use keys::{SigningKey, VerifyingKey, b64url};
use message::{Domain, UserAddress};
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, KeyPair, RsaKeyPair};
use serde_json::{Map, Value, json};

pub const NOW: i64 = 1_800_000_000;
pub const HOUR: i64 = 3600;
pub const DAY: i64 = 24 * HOUR;
pub const ISSUER: &str = "https://issuer.example";

pub enum IssuerKey {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed(SigningKey),
}

impl IssuerKey {
    pub fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::from_pkcs8(include_bytes!("../fixtures/rsa2048.pk8.der")).unwrap())
    }

    pub fn other_rsa() -> Self {
        Self::Rsa(RsaKeyPair::from_pkcs8(include_bytes!("../fixtures/rsa2048-other.pk8.der")).unwrap())
    }

    pub fn for_alg(alg: &str) -> Self {
        let random = SystemRandom::new();
        let ec = |kind: &'static signature::EcdsaSigningAlgorithm| {
            let document = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
            EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random).unwrap()
        };
        match alg {
            "RS256" | "PS256" => Self::rsa(),
            "ES256" => Self::P256(ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING)),
            "ES384" => Self::P384(ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING)),
            "EdDSA" => Self::Ed(SigningKey::generate()),
            other => panic!("no key for {other}"),
        }
    }

    pub fn jwk(&self, kid: &str) -> Value {
        let ec = |crv: &str, point: &[u8]| {
            let (x, y) = point[1..].split_at((point.len() - 1) / 2);
            json!({ "kty": "EC", "crv": crv, "x": b64url(x), "y": b64url(y), "kid": kid, "use": "sig" })
        };
        match self {
            Self::Rsa(pair) => {
                let public: signature::RsaPublicKeyComponents<Vec<u8>> = pair.public().into();
                json!({ "kty": "RSA", "n": b64url(&public.n), "e": b64url(&public.e), "kid": kid, "use": "sig" })
            }
            Self::P256(pair) => ec("P-256", pair.public_key().as_ref()),
            Self::P384(pair) => ec("P-384", pair.public_key().as_ref()),
            Self::Ed(key) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": key.verifying_key(), "kid": kid, "use": "sig" })
            }
        }
    }

    pub fn sign(&self, alg: &str, data: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let padding: &'static dyn signature::RsaEncoding =
                    if alg == "PS256" { &signature::RSA_PSS_SHA256 } else { &signature::RSA_PKCS1_SHA256 };
                let mut out = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, data, &mut out).unwrap();
                out
            }
            Self::P256(pair) | Self::P384(pair) => pair.sign(&random, data).unwrap().as_ref().to_vec(),
            Self::Ed(key) => key.sign(data).as_bytes().to_vec(),
        }
    }
}

/// Everything one story needs. Fields are bent before [`Story::tell`].
pub struct Story {
    pub user: UserAddress,
    pub irk: SigningKey,
    pub device: SigningKey,
    pub chain: Sigchain,
    pub cic: Cic,
    pub header: Map<String, Value>,
    pub claims: Map<String, Value>,
    pub key: IssuerKey,
    pub table: IssuerTable,
    pub jwks: JwksBook,
    pub pins: PinBook,
    pub policy: Policy,
    pub now: i64,
    pub leaf: Option<VerifyingKey>,
    pub renewals: Vec<String>,
    pub domain_issuer: String,
}

impl Story {
    /// Ben signed in an hour ago at an issuer everybody trusts; a stranger verifies.
    pub fn new() -> Self {
        Self::signed_with("EdDSA")
    }

    pub fn signed_with(alg: &str) -> Self {
        let (irk, device) = (SigningKey::generate(), SigningKey::generate());
        let mut chain = Sigchain::create(&irk, None, NOW - 2 * HOUR);
        chain.add_device(&irk, device.verifying_key(), "Ben's laptop", NOW + 200 * DAY, NOW - 2 * HOUR).unwrap();
        let cic = Cic::new(irk.verifying_key(), chain.genesis_hash());
        let key = IssuerKey::for_alg(alg);
        let mut table = IssuerTable::new();
        table.add(IssuerEntry::new(ISSUER)).unwrap();
        let mut jwks = JwksBook::default();
        jwks.learn(ISSUER, &Jwks::parse(&json!({ "keys": [key.jwk("k1")] }).to_string()).unwrap(), NOW);
        let claims = json!({ "iss": ISSUER, "sub": "ben-7", "aud": "parlance", "iat": NOW - HOUR, "exp": NOW, "nonce": cic.nonce() });
        Self {
            user: UserAddress::parse("ben@b.localhost").unwrap(),
            header: object(json!({ "alg": alg, "kid": "k1", "typ": "JWT" })),
            claims: object(claims),
            policy: Policy::default(),
            pins: PinBook::new(),
            domain_issuer: "http://b.localhost:7102".into(),
            leaf: None,
            renewals: Vec::new(),
            now: NOW,
            irk,
            device,
            chain,
            cic,
            key,
            table,
            jwks,
        }
    }

    pub fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims.insert(name.into(), value);
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    pub fn header(mut self, name: &str, value: Value) -> Self {
        self.header.insert(name.into(), value);
        self
    }

    pub fn entry(mut self, change: impl FnOnce(&mut IssuerEntry)) -> Self {
        let mut entry = IssuerEntry::new(ISSUER);
        change(&mut entry);
        self.table = IssuerTable::new();
        self.table.add(entry).unwrap();
        self
    }

    pub fn publish(mut self, jwk: Value) -> Self {
        self.jwks = JwksBook::default();
        let issuer = self.claims["iss"].as_str().unwrap_or(ISSUER).to_owned();
        self.jwks.learn(&issuer, &Jwks::parse(&json!({ "keys": [jwk] }).to_string()).unwrap(), NOW);
        self
    }

    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub fn id_token(&self) -> String {
        let header = b64url(&serde_json::to_vec(&self.header).unwrap());
        let payload = b64url(&serde_json::to_vec(&self.claims).unwrap());
        let signed = format!("{header}.{payload}");
        let alg = self.header["alg"].as_str().unwrap_or_default();
        format!("{signed}.{}", b64url(&self.key.sign(alg, signed.as_bytes())))
    }

    /// The token as text, made by hand so that even forbidden ones can be made.
    pub fn token_text(&self) -> String {
        token_of(&self.id_token(), self.cic.text(), &self.irk)
    }

    pub fn attest(&mut self, token: &str) {
        let word = |name: &str| self.claims.get(name).and_then(Value::as_str).unwrap_or("x").to_owned();
        let pkt_hash = Digest::of(token.as_bytes());
        let attest = Attest { pkt_hash, iss: word("iss"), sub: word("sub"), until: NOW + 80 * DAY };
        // A subject no chain would take is for the verifier to refuse first.
        let _ = self.chain.attest(&self.irk, attest, NOW - HOUR);
    }

    pub fn evidence(&mut self) -> Evidence {
        let token = self.token_text();
        self.attest(&token);
        self.showing(vec![token])
    }

    pub fn showing(&self, tokens: Vec<String>) -> Evidence {
        let device = self.device.verifying_key();
        Evidence {
            user: self.user.clone(),
            inbox: None,
            tokens,
            renewals: self.renewals.clone(),
            chain: self.chain.texts(),
            device,
        }
    }

    pub fn verify(&self, evidence: &Evidence) -> Result<VerifiedIdentity, VerifyError> {
        let issuer = self.domain_issuer.clone();
        let domain_issuer = move |_: &Domain| issuer.clone();
        verify(
            evidence,
            &Context {
                now: self.now,
                table: &self.table,
                domain_issuer: &domain_issuer,
                jwks: &self.jwks,
                pins: &self.pins,
                policy: &self.policy,
                leaf: self.leaf.as_ref(),
            },
        )
    }

    pub fn tell(mut self) -> Result<VerifiedIdentity, VerifyError> {
        let evidence = self.evidence();
        self.verify(&evidence)
    }

    /// The error, and that its step is `step`.
    pub fn fails_at(self, step: u8) -> VerifyError {
        let error = self.tell().expect_err("the story should not verify");
        assert_eq!(error.step(), step, "{error:?}");
        error
    }
}

pub fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => panic!("not an object"),
    }
}

/// A PK token of any three parts and any claims.
pub fn token_of(id_token: &str, cic: &str, irk: &SigningKey) -> String {
    let parts: Vec<&str> = id_token.split('.').collect();
    let own = irk.sign(format!("{cic}.{}", parts[1]).as_bytes());
    json!({
        "payload": parts[1],
        "signatures": [
            { "protected": parts[0], "signature": parts[2] },
            { "protected": cic, "signature": own },
        ],
    })
    .to_string()
}
