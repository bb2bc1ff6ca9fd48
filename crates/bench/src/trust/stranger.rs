//! Processor time to recognise somebody nobody has met before.

use std::fs;
use std::hint::black_box;
use std::time::Instant;

use identity::{
    Attest, Cic, Context, DeviceCredential, Evidence, IssuerEntry, IssuerTable, Jwks, JwksBook, PinBook, PkToken,
    Policy, Sigchain, verify,
};
use keys::{SigningKey, VerifyingKey, b64url};
use message::UserAddress;
use ring::agreement::{self, EphemeralPrivateKey, UnparsedPublicKey, X25519};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::json;

use super::ground::{NOW, ring};
use crate::Failed;

const ISSUER: &str = "https://issuer.example";
const DAY: i64 = 86_400;
const ROUNDS: usize = 15;
const TIMES: u32 = 200;

/// What Ben shows, and what Ana knows of his issuer.
struct Scene {
    evidence: String,
    credential: Vec<u8>,
    leaf: VerifyingKey,
    table: IssuerTable,
    jwks: JwksBook,
}

/// Milliseconds for one first contact, several times over.
pub(super) fn verify_ms() -> Result<Vec<f64>, Failed> {
    let scene = Scene::new()?;
    (0..ROUNDS).map(|_| cpu_ms(|| scene.verify())).collect()
}

/// Milliseconds for a scheme that knows keys only.
pub(super) fn keys_only_ms() -> Result<Vec<f64>, Failed> {
    let random = SystemRandom::new();
    let peer = ring(ring(EphemeralPrivateKey::generate(&X25519, &random))?.compute_public_key())?;
    let key = SigningKey::generate();
    let (signature, public) = (key.sign(peer.as_ref()), key.verifying_key());
    let once = || {
        public.verify(peer.as_ref(), &signature)?;
        let own = ring(EphemeralPrivateKey::generate(&X25519, &random))?;
        let agreed = agreement::agree_ephemeral(own, &UnparsedPublicKey::new(&X25519, &peer), |secret| secret[0]);
        black_box(ring(agreed)?);
        Ok(())
    };
    (0..ROUNDS).map(|_| cpu_ms(once)).collect()
}

impl Scene {
    fn new() -> Result<Self, Failed> {
        let random = SystemRandom::new();
        let alg = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = ring(EcdsaKeyPair::generate_pkcs8(alg, &random))?;
        let key = ring(EcdsaKeyPair::from_pkcs8(alg, document.as_ref(), &random))?;
        let (x, y) = key.public_key().as_ref()[1..].split_at(32);
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": b64url(x), "y": b64url(y), "kid": "k1", "use": "sig" });

        let (irk, device) = (SigningKey::generate(), SigningKey::generate());
        let mut chain = Sigchain::create(&irk, None, NOW - DAY);
        for (name, key) in
            [("phone", SigningKey::generate()), ("tablet", SigningKey::generate()), ("laptop", device.clone())]
        {
            chain.add_device(&irk, key.verifying_key(), name, NOW + 200 * DAY, NOW - DAY)?;
        }
        let cic = Cic::new(irk.verifying_key(), chain.genesis_hash());
        let claims = json!({
            "iss": ISSUER, "sub": "ben-7", "aud": "parlance", "iat": NOW - 3600, "exp": NOW, "nonce": cic.nonce(),
            "name": "Ben", "email": "ben@issuer.example", "email_verified": true,
        });
        let header = json!({ "alg": "ES256", "kid": "k1", "typ": "JWT" });
        let signed = format!("{}.{}", b64url(header.to_string().as_bytes()), b64url(claims.to_string().as_bytes()));
        let signature = ring(key.sign(&random, signed.as_bytes()))?;
        let token = PkToken::assemble(&format!("{signed}.{}", b64url(signature.as_ref())), &cic, &irk)?;
        let attest = Attest { pkt_hash: token.hash(), iss: ISSUER.into(), sub: "ben-7".into(), until: NOW + 80 * DAY };
        chain.attest(&irk, attest, NOW - 3600)?;

        let mut table = IssuerTable::new();
        table.add(IssuerEntry::new(ISSUER))?;
        let mut jwks = JwksBook::default();
        jwks.learn(ISSUER, &Jwks::parse(&json!({ "keys": [jwk] }).to_string())?, NOW);
        let leaf = device.verifying_key();
        let evidence = Evidence {
            user: UserAddress::parse("ben@b.localhost")?,
            inbox: None,
            tokens: vec![token.text().to_owned()],
            chain: chain.texts(),
            device: leaf,
            renewals: Vec::new(),
        };
        let credential = DeviceCredential::of(&chain, &leaf, &[token.hash()], NOW)?.encode();
        Ok(Self { evidence: evidence.to_value().to_string(), credential, leaf, table, jwks })
    }

    fn verify(&self) -> Result<(), Failed> {
        let evidence = Evidence::parse(&self.evidence)?;
        let context = Context {
            now: NOW,
            table: &self.table,
            domain_issuer: &|_| "http://b.localhost:7102".to_owned(),
            jwks: &self.jwks,
            pins: &PinBook::new(),
            policy: &Policy::default(),
            leaf: Some(&self.leaf),
        };
        black_box(verify(&evidence, &context)?);
        let credential = DeviceCredential::decode(&self.credential)?;
        credential.check(&Sigchain::parse(&evidence.chain)?, &self.leaf, NOW)?;
        Ok(())
    }
}

/// Processor time of this thread for one of `TIMES` runs of `work`.
fn cpu_ms(mut work: impl FnMut() -> Result<(), Failed>) -> Result<f64, Failed> {
    let (begun, wall) = (thread_ns(), Instant::now());
    for _ in 0..TIMES {
        work()?;
    }
    let spent = match (begun, thread_ns()) {
        (Some(begun), Some(ended)) => (ended - begun) as f64 / 1e6,
        // A system that does not tell: the time on the wall is no less.
        _ => wall.elapsed().as_secs_f64() * 1000.0,
    };
    Ok(spent / f64::from(TIMES))
}

/// Nanoseconds this thread has had a processor for.
fn thread_ns() -> Option<u64> {
    fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}
