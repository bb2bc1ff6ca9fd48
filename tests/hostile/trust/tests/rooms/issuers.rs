//! Attacks by issuers, and with their names and keys.

use identity::*;
use keys::b64url;
use serde_json::{Value, json};

use crate::identity_story::*;
use crate::tokens::{EVIL, shown};

/// The same story at an issuer of another name, whose keys are known.
fn at_issuer(iss: &str, sub: &str, story: Story) -> Story {
    let story = story.claim("iss", json!(iss)).claim("sub", json!(sub));
    let jwk = story.key.jwk("k1");
    story.publish(jwk)
}

fn pinned() -> (PinBook, VerifiedIdentity) {
    let mut first = Story::new();
    let evidence = first.evidence();
    let ben = first.verify(&evidence).unwrap();
    first.pins.remember(&ben, NOW);
    (first.pins, ben)
}

/// Attack: T-06
/// By: an issuer
/// Does: vouches for a second root key under a subject that is pinned
/// Holds: the alarm of a changed key, not a new contact
#[test]
fn a_second_key_for_a_pinned_subject_raises_the_alarm() {
    let (pins, ben) = pinned();
    let second = Story::new().with(|story| story.pins = pins);
    let VerifyError::KeyChange(change) = second.fails_at(13) else { panic!("no alarm") };
    assert_eq!((change.kind, change.pinned.persona), (KeyChangeKind::Subject, ben.persona()));
}

/// Attack: T-07
/// By: a domain and its issuer together
/// Does: give Ben's address to another subject with other keys
/// Holds: the alarm of an address that changed hands
#[test]
fn a_pinned_address_is_not_given_to_somebody_else_unnoticed() {
    let (pins, ben) = pinned();
    let second = Story::new().claim("sub", json!("mallory-1")).with(|story| story.pins = pins);
    let VerifyError::KeyChange(change) = second.fails_at(13) else { panic!("no alarm") };
    assert_eq!((change.kind, change.pinned.persona), (KeyChangeKind::Address, ben.persona()));
}

/// Attack: T-08
/// By: a trusted issuer that lies
/// Does: signs, with a key id of the other's, a token that says to be of the other issuer
/// Holds: refused, keys are looked up by issuer and id together
#[test]
fn an_issuer_cannot_sign_in_the_name_of_another() {
    let evil = IssuerKey::for_alg("EdDSA");
    let story = Story::new().with(|story| {
        story.table.add(IssuerEntry::new(EVIL)).unwrap();
        let jwks = Jwks::parse(&json!({ "keys": [evil.jwk("k1")] }).to_string()).unwrap();
        story.jwks.learn(EVIL, &jwks, NOW);
        story.key = evil;
    });
    assert_eq!(story.fails_at(4), VerifyError::IssuerSignature);
}

/// Attack: T-09
/// By: an issuer that nobody trusts
/// Does: takes names that look like a trusted one: a slash more, capitals, another scheme, a port, a list
/// Holds: refused, names are compared byte by byte
#[test]
fn names_that_look_like_an_issuers_are_not_its_name() {
    for iss in
        ["https://issuer.example/", "https://ISSUER.example", "http://issuer.example", "https://issuer.example:443"]
    {
        let story = at_issuer(iss, "ben-7", Story::new());
        assert_eq!(story.fails_at(1), VerifyError::UnknownIssuer { issuer: iss.into() });
    }
    assert_eq!(Story::new().claim("iss", json!([ISSUER])).fails_at(1), VerifyError::NoIssuer);
}

/// Attack: T-20
/// By: an issuer broken into
/// Does: publishes an RSA key of 1024 bits, or with the exponent 3
/// Holds: refused as weak, whatever the signature
#[test]
fn a_weak_rsa_key_vouches_for_nobody() {
    let good = IssuerKey::rsa().jwk("k1");
    for (name, value) in [("n", b64url(&[0xff; 128])), ("e", b64url(&[3])), ("e", b64url(&[1]))] {
        let mut weak = good.clone();
        weak[name] = json!(value);
        assert_eq!(Story::signed_with("RS256").publish(weak).fails_at(3), VerifyError::Key(KeyFault::Weak), "{name}");
    }
}

/// Attack: T-21
/// By: anybody
/// Does: asks for an algorithm that the named key is not of, or for a key that is there to encrypt
/// Holds: refused, the kind of key says what it may verify
#[test]
fn a_key_verifies_only_what_it_is_made_for() {
    let rsa = IssuerKey::rsa().jwk("k1");
    for alg in ["EdDSA", "ES256", "ES384"] {
        let story = Story::signed_with(alg).publish(rsa.clone());
        assert_eq!(story.fails_at(3), VerifyError::Key(KeyFault::WrongKind), "{alg}");
    }
    let p256 = IssuerKey::for_alg("ES256").jwk("k1");
    assert_eq!(Story::signed_with("ES384").publish(p256).fails_at(3), VerifyError::Key(KeyFault::WrongKind));
    for (name, value, fault) in [("use", "enc", KeyFault::NotForSigning), ("alg", "PS256", KeyFault::WrongAlgorithm)] {
        let mut other = rsa.clone();
        other[name] = json!(value);
        assert_eq!(Story::signed_with("RS256").publish(other).fails_at(3), VerifyError::Key(fault));
    }
}

/// Attack: T-22
/// By: anybody
/// Does: changes the subject in a genuine token, and keeps the issuer's signature
/// Holds: refused, with each algorithm
#[test]
fn a_changed_token_is_refused_with_each_algorithm() {
    for alg in ["RS256", "PS256", "ES256", "ES384", "EdDSA"] {
        let story = Story::signed_with(alg);
        let genuine = story.id_token();
        let story = story.claim("sub", json!("ana-3"));
        let forged = story.id_token();
        let part = |token: &str, at: usize| token.split('.').nth(at).unwrap().to_owned();
        let mixed = format!("{}.{}.{}", part(&genuine, 0), part(&forged, 1), part(&genuine, 2));
        let token = token_of(&mixed, story.cic.text(), &story.irk);
        assert_eq!(shown(story, token), VerifyError::IssuerSignature, "{alg}");
    }
}

/// Attack: T-27
/// By: a domain's own issuer
/// Does: vouches for a name of its domain that is not the subject's, and for a name of another domain
/// Holds: it speaks for the subject's own name and for nobody else's
#[test]
fn a_domain_speaks_for_its_own_names_only() {
    let own = |sub: &str| {
        let story = Story::new().with(|story| story.table = IssuerTable::new());
        at_issuer("http://b.localhost:7102", sub, story)
    };
    assert!(own("ben").tell().is_ok());
    for sub in ["ana", "Ben", "ben ", "ben@b.localhost"] {
        assert!(own(sub).tell().is_err_and(|error| error.step() == 10), "{sub}");
    }
    let elsewhere = own("ben").with(|story| story.user = "ben@c.localhost".parse().unwrap());
    assert_eq!(elsewhere.fails_at(1).code(), VerifyError::UnknownIssuer { issuer: String::new() }.code());
}

/// Attack: T-28
/// By: a tenant of a shared issuer
/// Does: shows a token of its own tenant under the name of another
/// Holds: refused, the tenant stands in the issuer's name
#[test]
fn a_tenant_is_not_another_tenant() {
    let entra = "https://login.microsoftonline.com/tenant-1/v2.0";
    let told = |tid: Value| {
        let mut story = Story::new().claim("tid", tid).claim("oid", json!("object-9"));
        story.table.add(IssuerEntry { pairwise: true, ..IssuerEntry::new(entra) }).unwrap();
        at_issuer(entra, "ben-7", story).tell()
    };
    assert!(told(json!("tenant-1")).is_ok());
    for tid in [json!("tenant-2"), json!(["tenant-1"]), Value::Null] {
        assert_eq!(told(tid), Err(VerifyError::WrongTenant));
    }
}

/// A renewal by hand: what the root key says of an id_token and the token it shall renew.
fn renewal(token: &str, id_token: &str, irk: &keys::SigningKey) -> String {
    let signed = format!("{}.{id_token}", Digest::of(token.as_bytes()));
    format!("{signed}.{}", irk.sign(format!("parlance-renewal-v1\n{signed}").as_bytes()))
}

/// What a stranger says 60 days later to a renewal with this claim.
fn renewed(name: &str, value: Value) -> Result<VerifiedIdentity, VerifyError> {
    let mut story = Story::new();
    let evidence = story.evidence();
    story.now = NOW + 60 * DAY;
    story.claims.remove("nonce");
    for (name, value) in [("iat", json!(story.now - HOUR)), ("exp", json!(story.now + HOUR)), (name, value)] {
        story.claims.insert(name.into(), value);
    }
    let renewals = vec![renewal(&evidence.tokens[0], &story.id_token(), &story.irk)];
    story.verify(&Evidence { renewals, ..evidence })
}

/// Attack: T-60
/// By: a thief of a root key whose issuer vouches no more, with accounts of her own
/// Does: renews Ben's token with a word about another subject, for another client, of another issuer, or an older one
/// Holds: refused; a renewal is of the same subject, client and issuer, and later
#[test]
fn a_renewal_is_of_the_same_subject_and_later() {
    assert!(renewed("extra", json!(1)).is_ok_and(|ben| ben.is_fresh()), "the honest case");
    for (name, value) in [
        ("sub", json!("mallory-1")),
        ("aud", json!("another-client")),
        ("iss", json!("https://second.example")),
        ("nonce", json!("of another sign-in")),
    ] {
        assert_eq!(renewed(name, value), Err(VerifyError::Renewal(RenewalError::Differs(name))), "{name}");
    }
    for at in [NOW - HOUR, NOW - 2 * HOUR] {
        let mut story = Story::new();
        let evidence = story.evidence();
        story.claims.insert("iat".into(), json!(at));
        story.claims.insert("exp".into(), json!(at + HOUR));
        let renewals = vec![renewal(&evidence.tokens[0], &story.id_token(), &story.irk)];
        let shown = Evidence { renewals, ..evidence };
        assert_eq!(story.verify(&shown), Err(VerifyError::Renewal(RenewalError::NotLater)));
    }
}

/// Attack: T-61
/// By: a thief of a device, who gets id_tokens for the refresh token found there
/// Does: signs a renewal with the device's key, and with a key that was never Ben's; puts it beside another token
/// Holds: refused; the root key alone says that a word renews, and which
#[test]
fn only_the_root_key_renews() {
    let mut story = Story::new();
    let evidence = story.evidence();
    let id_token = {
        story.claims.insert("iat".into(), json!(NOW - 60));
        story.id_token()
    };
    for key in [story.device.clone(), keys::SigningKey::generate()] {
        let renewals = vec![renewal(&evidence.tokens[0], &id_token, &key)];
        let shown = Evidence { renewals, ..evidence.clone() };
        assert_eq!(story.verify(&shown), Err(VerifyError::Renewal(RenewalError::WrongSignature)));
    }
    let renewals = vec![renewal("another token", &id_token, &story.irk)];
    let shown = Evidence { renewals, ..evidence };
    assert_eq!(story.verify(&shown), Err(VerifyError::Renewal(RenewalError::Orphan)));
}
