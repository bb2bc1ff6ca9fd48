//! One story for each way somebody is not recognised.

use crate::common::*;
use identity::*;
use keys::{SigningKey, b64url};
use serde_json::{Value, json};

#[test]
fn ben_is_recognised_with_every_algorithm() {
    for alg in ["RS256", "PS256", "ES256", "ES384", "EdDSA"] {
        let ben = Story::signed_with(alg).tell().unwrap();
        assert_eq!((ben.issuer(), ben.subject()), (ISSUER, "ben-7"), "{alg}");
        assert_eq!((ben.pin_state(), ben.is_fresh(), ben.attested_at()), (PinState::New, true, NOW - HOUR));
        assert_eq!(ben.vouching(), &Vouching::Issuer(ISSUER.into()));
        assert_eq!(ben.device().name, "Ben's laptop");
    }
}

#[test]
fn a_token_past_its_expiry_is_still_evidence() {
    assert!(Story::new().with(|story| story.now = NOW + 20 * DAY).tell().is_ok());
}

#[test]
fn nothing_of_ben_shows_in_a_log() {
    let mut story = Story::new();
    let evidence = story.evidence();
    let ben = story.verify(&evidence).unwrap();
    let log = format!("{ben:?} {evidence:?} {:?} {:?} {:?}", ben.attested(), ben.device(), ben.head());
    for word in ["ben", "Ben", &evidence.tokens[0], &evidence.chain[0], &ben.persona().to_string()] {
        assert!(!log.contains(word), "{word} in {log}");
    }
}

// 0: bounds

fn raw(token: &str) -> VerifyError {
    let story = Story::new();
    let error = story.verify(&story.showing(vec![token.to_owned()])).unwrap_err();
    assert_eq!(error.step(), 0);
    error
}

#[test]
fn an_oversized_token_is_refused() {
    let error = raw(&" ".repeat(PKT_LIMIT + 1));
    assert_eq!(error, VerifyError::Token(TokenError::Json(JsonError::TooLarge { limit: PKT_LIMIT })));
}

#[test]
fn a_deep_payload_is_refused() {
    let error = Story::new().claim("x", json!([[[[[[[[1]]]]]]]])).fails_at(0);
    assert_eq!(error.code(), "token-too-deep");
}

#[test]
fn a_claim_that_stands_twice_is_refused() {
    let story = Story::new();
    let mut payload = serde_json::to_string(&story.claims).unwrap();
    payload.insert_str(1, r#""sub":"mallory","#);
    let header = b64url(&serde_json::to_vec(&story.header).unwrap());
    let signed = format!("{header}.{}", b64url(payload.as_bytes()));
    let id_token = format!("{signed}.{}", b64url(&story.key.sign("EdDSA", signed.as_bytes())));
    assert_eq!(raw(&token_of(&id_token, story.cic.text(), &story.irk)).code(), "token-duplicate-member");
}

#[test]
fn what_is_no_token_is_refused() {
    for text in ["", "x", "[]", "{}", r#"{"payload":"e30","signatures":[]}"#, r#"{"payload":"e30","signatures":[1,2]}"#]
    {
        assert!(["token-not-json", "token-malformed"].contains(&raw(text).code()), "{text}");
    }
}

#[test]
fn a_third_signature_or_an_unsigned_header_is_refused() {
    let mut third: Value = serde_json::from_str(&Story::new().token_text()).unwrap();
    let mut unsigned = third.clone();
    let again = third["signatures"][0].clone();
    third["signatures"].as_array_mut().unwrap().push(again);
    unsigned["signatures"][0]["header"] = json!({ "kid": "mine" });
    for token in [third, unsigned] {
        assert_eq!(raw(&token.to_string()).code(), "token-malformed");
    }
}

#[test]
fn a_token_signed_with_nobodys_key_is_refused_first_of_all() {
    for alg in ["none", "None", "HS256", "HS512"] {
        let error = Story::new().header("crit", json!(["x"])).with(|story| {
            story.header.insert("alg".into(), json!(alg));
        });
        assert_eq!(error.fails_at(0), VerifyError::Token(TokenError::ForbiddenAlgorithm), "{alg}");
    }
    assert_eq!(
        Story::new().header("alg", json!("RS1")).fails_at(0),
        VerifyError::Token(TokenError::UnsupportedAlgorithm)
    );
}

#[test]
fn a_token_does_not_choose_its_own_verifier() {
    for name in ["crit", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "b64"] {
        let error = Story::new().header(name, json!("https://evil.example/keys")).fails_at(0);
        assert_eq!(error, VerifyError::Token(TokenError::ForbiddenHeader(name)));
    }
}

// 1: issuer

#[test]
fn an_issuer_nobody_knows_is_refused_by_name() {
    let error = Story::new().claim("iss", json!("https://evil.example")).fails_at(1);
    assert_eq!(error, VerifyError::UnknownIssuer { issuer: "https://evil.example".into() });
    assert_eq!(Story::new().without("iss").fails_at(1), VerifyError::NoIssuer);
}

// 2: client claims

fn with_cic(cic: Value) -> VerifyError {
    let mut story = Story::new();
    let text = b64url(&serde_json::to_vec(&cic).unwrap());
    story.claims.insert("nonce".into(), json!(b64url(&keys::sha3_256(text.as_bytes()))));
    let token = token_of(&story.id_token(), &text, &story.irk);
    story.attest(&token);
    let error = story.verify(&story.showing(vec![token])).unwrap_err();
    assert_eq!(error.step(), 2, "{error:?}");
    error
}

#[test]
fn claims_that_name_no_proper_key_are_refused() {
    let story = Story::new();
    let good: Value = serde_json::from_slice(&keys::from_b64url(story.cic.text()).unwrap()).unwrap();
    let bend = |path: &str, value: Value| {
        let mut cic = good.clone();
        *cic.pointer_mut(path).unwrap() = value;
        with_cic(cic)
    };
    assert_eq!(bend("/typ", json!("JWT")), VerifyError::Cic(CicError::Type));
    assert_eq!(bend("/alg", json!("ES256")), VerifyError::Cic(CicError::Algorithm));
    assert_eq!(bend("/rz", json!("00")), VerifyError::Cic(CicError::Randomness));
    assert_eq!(bend("/dfi/v", json!(2)), VerifyError::Cic(CicError::Chain));
    assert_eq!(bend("/upk/kty", json!("RSA")), VerifyError::Cic(CicError::Key));
    let small_order = b64url(&[0; 32]);
    let not_canonical = b64url(&[0xff; 32]);
    for x in [small_order, not_canonical, "AAAA".into()] {
        assert_eq!(bend("/upk/x", json!(x)), VerifyError::Cic(CicError::Key));
    }
}

#[test]
fn a_token_without_the_root_keys_signature_is_refused() {
    let mut story = Story::new();
    let token = token_of(&story.id_token(), story.cic.text(), &SigningKey::generate());
    story.attest(&token);
    assert_eq!(story.verify(&story.showing(vec![token])), Err(VerifyError::CicSignature));
}

// 3: the issuer's key

#[test]
fn a_key_that_is_not_known_yet_is_asked_for() {
    let needs = VerifyError::NeedsJwks { issuer: ISSUER.into() };
    assert_eq!(Story::new().header("kid", json!("k2")).fails_at(3), needs);
    assert_eq!(Story::new().with(|story| story.jwks = JwksBook::default()).fails_at(3), needs);
}

#[test]
fn a_token_that_does_not_name_its_key_is_refused() {
    let story = Story::new().with(|story| {
        story.header.remove("kid");
    });
    assert_eq!(story.fails_at(3), VerifyError::MissingKid);
}

#[test]
fn a_key_that_does_not_fit_is_refused_with_its_fault() {
    let key = IssuerKey::rsa().jwk("k1");
    assert_eq!(Story::new().publish(key.clone()).fails_at(3), VerifyError::Key(KeyFault::WrongKind));
    let mut encryption = key.clone();
    encryption["use"] = json!("enc");
    assert_eq!(Story::signed_with("RS256").publish(encryption).fails_at(3), VerifyError::Key(KeyFault::NotForSigning));
    let mut other_alg = key.clone();
    other_alg["alg"] = json!("PS256");
    assert_eq!(Story::signed_with("RS256").publish(other_alg).fails_at(3), VerifyError::Key(KeyFault::WrongAlgorithm));
    let mut weak = key;
    weak["n"] = json!(b64url(&[0xff; 128]));
    assert_eq!(Story::signed_with("RS256").publish(weak).fails_at(3), VerifyError::Key(KeyFault::Weak));
}

#[test]
fn an_issuer_signs_only_as_its_entry_says() {
    let story = Story::signed_with("RS256").entry(|entry| entry.algorithms = vec![Algorithm::ES256]);
    assert_eq!(story.fails_at(3), VerifyError::AlgorithmNotAllowed { alg: Algorithm::RS256 });
}

#[test]
fn a_key_stays_good_after_its_issuer_rotated() {
    let story = Story::new().with(|story| {
        let next = json!({ "keys": [IssuerKey::for_alg("EdDSA").jwk("k2")] }).to_string();
        story.jwks.learn(ISSUER, &Jwks::parse(&next).unwrap(), NOW);
    });
    assert!(story.tell().is_ok());
}

// 4: the issuer's signature

#[test]
fn a_forged_issuer_signature_is_refused() {
    for alg in ["RS256", "PS256", "ES256", "ES384", "EdDSA"] {
        let story = Story::signed_with(alg).with(|story| {
            story.key =
                if alg.ends_with("S256") && alg != "ES256" { IssuerKey::other_rsa() } else { IssuerKey::for_alg(alg) };
        });
        assert_eq!(story.fails_at(4), VerifyError::IssuerSignature, "{alg}");
    }
}

#[test]
fn a_changed_payload_is_refused() {
    let mut story = Story::new();
    let original = story.id_token();
    story.claims.insert("sub".into(), json!("mallory"));
    let changed = story.id_token();
    let parts: Vec<&str> = original.split('.').collect();
    let forged = format!("{}.{}.{}", parts[0], changed.split('.').nth(1).unwrap(), parts[2]);
    let token = token_of(&forged, story.cic.text(), &story.irk);
    story.attest(&token);
    assert_eq!(story.verify(&story.showing(vec![token])), Err(VerifyError::IssuerSignature));
}

// 5: tenant

#[test]
fn an_entra_token_is_of_its_issuers_tenant() {
    let entra = "https://login.microsoftonline.com/tenant-1/v2.0";
    let story = |tid: Value| {
        let mut story = Story::new().claim("iss", json!(entra)).claim("tid", tid).claim("oid", json!("object-9"));
        story.table.add(IssuerEntry { pairwise: true, ..IssuerEntry::new(entra) }).unwrap();
        let jwk = story.key.jwk("k1");
        story.publish(jwk)
    };
    assert_eq!(story(json!("tenant-2")).fails_at(5), VerifyError::WrongTenant);
    assert_eq!(story(Value::Null).fails_at(5), VerifyError::WrongTenant);
    let ben = story(json!("tenant-1")).tell().unwrap();
    assert_eq!(ben.primary().entra, Some(("tenant-1".into(), "object-9".into())));
    assert_eq!(ben.primary().subject.client.as_deref(), Some(CLIENT_ID));
}

// 6: audience

#[test]
fn a_token_made_for_another_app_is_refused() {
    let aud = |aud: Value| Story::new().claim("aud", aud);
    assert_eq!(aud(json!("sign-in-to-win")).fails_at(6), VerifyError::ForeignAudience);
    assert_eq!(
        aud(json!(["parlance", "sign-in-to-win"])).claim("azp", json!("parlance")).fails_at(6),
        VerifyError::ForeignAudience
    );
    assert_eq!(aud(json!("parlance")).claim("azp", json!("sign-in-to-win")).fails_at(6), VerifyError::ForeignParty);
    assert_eq!(aud(json!("parlance")).claim("azp", json!(7)).fails_at(6), VerifyError::ForeignParty);
    for none in [json!([]), json!(7), json!([7]), Value::Null] {
        assert_eq!(aud(none).fails_at(6), VerifyError::NoAudience);
    }
    assert_eq!(Story::new().without("aud").fails_at(6), VerifyError::NoAudience);
    assert!(aud(json!(["parlance"])).tell().is_ok());
}

#[test]
fn a_token_for_two_of_our_clients_says_which_asked() {
    let story = || {
        let two = |entry: &mut IssuerEntry| entry.client_ids.push("parlance-enterprise".into());
        Story::new().entry(two).claim("aud", json!(["parlance", "parlance-enterprise"]))
    };
    assert_eq!(story().fails_at(6), VerifyError::AmbiguousAudience);
    assert!(story().claim("azp", json!("parlance")).tell().is_ok());
}

// 7: binding

#[test]
fn a_replayed_token_is_refused() {
    // Mallory has Ben's id_token and puts her own key beside it.
    let (ben, mut mallory) = (Story::new(), Story::new());
    mallory.jwks = ben.jwks.clone();
    let token = token_of(&ben.id_token(), mallory.cic.text(), &mallory.irk);
    mallory.attest(&token);
    assert_eq!(mallory.verify(&mallory.showing(vec![token])), Err(VerifyError::ForeignNonce));
}

#[test]
fn a_token_that_commits_to_nothing_is_refused() {
    assert_eq!(Story::new().without("nonce").fails_at(7), VerifyError::NoNonce);
    assert_eq!(Story::new().claim("nonce", json!(7)).fails_at(7), VerifyError::NoNonce);
    assert_eq!(Story::new().claim("nonce", json!("")).fails_at(7), VerifyError::ForeignNonce);
}

#[test]
fn an_access_token_is_no_id_token() {
    assert_eq!(Story::new().header("typ", json!("at+jwt")).fails_at(7), VerifyError::WrongTokenType);
}

#[test]
fn a_key_bound_token_is_bound_to_the_root_key() {
    let bound = |key: Value| Story::new().header("typ", json!("dpop+id_token")).claim("cnf", json!({ "jwk": key }));
    let other = SigningKey::generate().verifying_key();
    assert_eq!(bound(json!({ "kty": "OKP", "crv": "Ed25519", "x": other })).fails_at(7), VerifyError::ForeignBoundKey);
    assert_eq!(bound(Value::Null).fails_at(7), VerifyError::ForeignBoundKey);
    let story = bound(Value::Null);
    let own = json!({ "jwk": { "kty": "OKP", "crv": "Ed25519", "x": story.irk.verifying_key() } });
    assert!(story.claim("cnf", own).tell().is_ok());
}

// 8: time

#[test]
fn a_token_has_proper_times() {
    for name in ["iat", "exp"] {
        assert_eq!(Story::new().without(name).fails_at(8), VerifyError::BadTime(name));
        for odd in [json!("1800000000"), json!(-1), json!(1e30), Value::Null] {
            assert_eq!(Story::new().claim(name, odd).fails_at(8), VerifyError::BadTime(name));
        }
    }
    assert_eq!(Story::new().claim("nbf", json!("x")).fails_at(8), VerifyError::BadTime("nbf"));
    assert!(Story::new().claim("iat", json!(NOW as f64 - 0.5)).claim("exp", json!(NOW + 1)).tell().is_ok());
}

#[test]
fn a_token_from_the_future_is_refused_beyond_the_clocks_difference() {
    let at = |iat: i64| Story::new().claim("iat", json!(iat)).claim("exp", json!(iat + HOUR));
    assert!(at(NOW + CLOCK_SKEW_S).tell().is_ok());
    assert_eq!(at(NOW + CLOCK_SKEW_S + 1).fails_at(8), VerifyError::FromTheFuture { by_s: CLOCK_SKEW_S + 1 });
    assert_eq!(Story::new().claim("nbf", json!(NOW + CLOCK_SKEW_S + 1)).fails_at(8), VerifyError::NotYetValid);
}

#[test]
fn a_token_lives_for_a_while_and_no_longer_than_a_day() {
    assert_eq!(Story::new().claim("exp", json!(NOW - HOUR)).fails_at(8), VerifyError::ExpiresBeforeIssue);
    assert_eq!(Story::new().claim("exp", json!(NOW - HOUR + DAY + 1)).fails_at(8), VerifyError::LivesTooLong);
    assert!(Story::new().claim("exp", json!(NOW - HOUR + DAY)).tell().is_ok());
}

#[test]
fn an_old_word_introduces_no_stranger_but_keeps_a_friend() {
    let later = NOW - HOUR + 90 * DAY + 1;
    let mut story = Story::new();
    let evidence = story.evidence();
    let ben = story.verify(&evidence).unwrap();
    story.now = later;
    assert_eq!(story.verify(&evidence), Err(VerifyError::TooOld { age_s: 90 * DAY + 1, limit_s: 90 * DAY }));
    story.pins.remember(&ben, NOW);
    let again = story.verify(&evidence).unwrap();
    assert_eq!((again.pin_state(), again.is_fresh()), (PinState::Introduced, false));
}

#[test]
fn an_organisation_may_want_a_fresher_word_even_of_friends() {
    let mut story = Story::new().entry(|entry| entry.max_age_s = Some(DAY));
    let evidence = story.evidence();
    let ben = story.verify(&evidence).unwrap();
    story.pins.remember(&ben, NOW);
    story.now = NOW + DAY;
    assert_eq!(story.verify(&evidence), Err(VerifyError::TooOld { age_s: DAY + HOUR, limit_s: DAY }));
}

// 9: authentication

#[test]
fn authentication_is_as_recent_and_as_strong_as_required() {
    let recent = |at: Value| Story::new().entry(|entry| entry.max_auth_age_s = Some(60)).claim("auth_time", at);
    assert_eq!(recent(json!(NOW - HOUR - 61)).fails_at(9), VerifyError::AuthenticationTooOld);
    assert!(recent(json!(NOW - HOUR - 60)).tell().is_ok());
    let level = |acr: Value| Story::new().entry(|entry| entry.acr = vec!["high".into()]).claim("acr", acr);
    assert_eq!(level(json!("low")).fails_at(9), VerifyError::WrongAcr);
    assert!(level(json!("high")).tell().is_ok());
    let means = |amr: Value| Story::new().entry(|entry| entry.amr = vec!["hwk".into(), "mfa".into()]).claim("amr", amr);
    assert_eq!(means(json!(["hwk"])).fails_at(9), VerifyError::WrongAmr);
    assert_eq!(means(json!("hwk mfa")).fails_at(9), VerifyError::WrongAmr);
    assert!(means(json!(["mfa", "pwd", "hwk"])).tell().is_ok());
}

// 10: subject

#[test]
fn a_subject_is_short_plain_text() {
    for odd in [Value::Null, json!(7), json!(""), json!("x".repeat(256)), json!("bén"), json!("a\nb")] {
        assert_eq!(Story::new().claim("sub", odd).fails_at(10), VerifyError::BadSubject);
    }
}

#[test]
fn a_domains_issuer_vouches_for_the_name_before_the_at_sign_only() {
    let own = |sub: &str| {
        let story = Story::new().with(|story| story.table = IssuerTable::new());
        let story = story.claim("iss", json!("http://b.localhost:7102")).claim("sub", json!(sub));
        let jwk = story.key.jwk("k1");
        story.publish(jwk)
    };
    assert_eq!(own("ana").fails_at(10), VerifyError::NotTheirName);
    let ben = own("ben").tell().unwrap();
    assert_eq!(ben.vouching(), &Vouching::Domain(ben.user().domain()));
    let elsewhere = own("ben").with(|story| story.user = "ben@c.localhost".parse().unwrap());
    assert_eq!(elsewhere.fails_at(1), VerifyError::UnknownIssuer { issuer: "http://b.localhost:7102".into() });
}

#[test]
fn a_listed_issuer_of_the_own_domain_is_still_held_to_the_name() {
    let mut story = Story::new().claim("iss", json!("http://b.localhost:7102")).claim("sub", json!("ana"));
    story.table.add(IssuerEntry::new("http://b.localhost:7102")).unwrap();
    let jwk = story.key.jwk("k1");
    assert_eq!(story.publish(jwk).fails_at(10), VerifyError::NotTheirName);
}

// 11: display

#[test]
fn claims_for_display_are_bounded_and_plain() {
    for (name, odd) in [
        ("name", json!(7)),
        ("name", json!("x".repeat(257))),
        ("email", json!("nobody")),
        ("email", json!("a b@c.de")),
        ("picture", json!([])),
    ] {
        assert_eq!(Story::new().claim(name, odd).fails_at(11), VerifyError::BadDisplayClaim(name));
    }
    let ben = Story::new().claim("name", json!("Ben\u{202e} \nBrown\u{200b}")).tell().unwrap();
    assert_eq!(ben.display().name.as_deref(), Some("Ben Brown"));
}

#[test]
fn an_address_is_authoritative_only_from_who_can_know() {
    let told = |entry: fn(&mut IssuerEntry), claims: Value| {
        let mut story = Story::new().entry(entry).claim("email", json!("ben@Acme.com"));
        story.claims.extend(object(claims));
        story.tell().unwrap().display().email.clone().unwrap().authoritative
    };
    let listed: fn(&mut IssuerEntry) = |entry| entry.email_domains = vec!["acme.com".into()];
    let hosting: fn(&mut IssuerEntry) = |entry| entry.trusts_hd = true;
    assert!(told(listed, json!({ "email_verified": true })));
    assert!(!told(listed, json!({ "email_verified": "true" })));
    assert!(!told(listed, json!({})));
    assert!(!told(|_| {}, json!({ "email_verified": true })));
    assert!(told(hosting, json!({ "email_verified": true, "hd": "acme.com" })));
    assert!(!told(hosting, json!({ "email_verified": true, "hd": "evil.example" })));
    assert!(!told(|_| {}, json!({ "email_verified": true, "hd": "acme.com" })));
}

// 12: chain

#[test]
fn a_chain_that_does_not_hold_together_is_refused() {
    let mut story = Story::new();
    let mut evidence = story.evidence();
    evidence.chain.remove(1);
    assert_eq!(story.verify(&evidence), Err(VerifyError::Chain(ChainError::WrongNumber { expected: 1, got: 2 })));
}

#[test]
fn a_chain_from_the_future_is_refused() {
    let mut story = Story::new();
    let evidence = story.evidence();
    story.now = NOW - HOUR - CLOCK_SKEW_S - 1;
    assert_eq!(story.verify(&evidence).unwrap_err().step(), 8, "the token is noticed first");
    let mut story = Story::new();
    let (device, irk) = (SigningKey::generate().verifying_key(), story.irk.clone());
    story.chain.add_device(&irk, device, "later", NOW + DAY, NOW - HOUR).unwrap();
    let token = story.token_text();
    story.attest(&token);
    story.chain.add_device(&irk, device, "later", NOW + DAY, NOW + CLOCK_SKEW_S + 1).unwrap();
    assert_eq!(
        story.verify(&story.showing(vec![token])),
        Err(VerifyError::ChainFromTheFuture { by_s: CLOCK_SKEW_S + 1 })
    );
}

#[test]
fn a_token_of_another_chain_or_root_key_is_refused() {
    // The thief of an id_token and its root key's signature shows them with a chain of their own.
    let mut thief = Story::new();
    let mut ben = Story::new();
    thief.jwks = ben.jwks.clone();
    let token = ben.evidence().tokens.remove(0);
    thief.attest(&token);
    assert_eq!(thief.verify(&thief.showing(vec![token])), Err(VerifyError::ForeignChain));
    // Claims that name Ben's chain but hold the thief's key.
    let mut story = Story::new().with(|story| story.irk = SigningKey::generate());
    story.cic = Cic::new(story.irk.verifying_key(), story.chain.genesis_hash());
    let cic = story.cic.nonce();
    assert_eq!(story.claim("nonce", json!(cic)).fails_at(12), VerifyError::ForeignRootKey);
}

#[test]
fn a_token_its_owner_did_not_record_is_refused() {
    let story = Story::new();
    assert_eq!(story.verify(&story.showing(vec![story.token_text()])), Err(VerifyError::NotAttested));
}

#[test]
fn a_token_recorded_for_another_subject_is_refused() {
    let mut story = Story::new();
    let token = story.token_text();
    let attest =
        Attest { pkt_hash: Digest::of(token.as_bytes()), iss: ISSUER.into(), sub: "ana-3".into(), until: NOW + DAY };
    story.chain.attest(&story.irk, attest, NOW).unwrap();
    assert_eq!(story.verify(&story.showing(vec![token])), Err(VerifyError::NotAttested));
}

#[test]
fn a_word_taken_back_counts_no_longer() {
    let mut story = Story::new();
    let mut evidence = story.evidence();
    story.chain.unlink_idp(&story.irk, IdpLink { iss: ISSUER.into(), sub: "ben-7".into() }, NOW).unwrap();
    evidence.chain = story.chain.texts();
    assert_eq!(story.verify(&evidence), Err(VerifyError::Withdrawn));
}

#[test]
fn an_attestation_that_ended_introduces_no_stranger() {
    let mut story = Story::new();
    let evidence = story.evidence();
    story.now = NOW + 80 * DAY + 1;
    assert_eq!(story.verify(&evidence), Err(VerifyError::AttestationOver { until: NOW + 80 * DAY }));
}

#[test]
fn a_device_that_was_never_added_or_revoked_or_expired_is_refused() {
    let unknown = Story::new().with(|story| story.device = SigningKey::generate());
    assert_eq!(unknown.fails_at(12), VerifyError::Device(DeviceError::Unknown));

    let revoked = Story::new().with(|story| {
        story.chain.revoke_device(&story.irk, Signer::Irk, story.device.verifying_key(), NOW - HOUR).unwrap();
    });
    assert_eq!(revoked.fails_at(12), VerifyError::Device(DeviceError::Revoked));

    let mut expired = Story::new();
    let evidence = expired.evidence();
    let ben = expired.verify(&evidence).unwrap();
    expired.pins.remember(&ben, NOW);
    expired.now = NOW + 200 * DAY;
    assert_eq!(expired.verify(&evidence), Err(VerifyError::Device(DeviceError::Expired { since: NOW + 200 * DAY })));
}

#[test]
fn evidence_shown_by_another_device_is_refused() {
    let story = Story::new().with(|story| story.leaf = Some(SigningKey::generate().verifying_key()));
    assert_eq!(story.fails_at(12), VerifyError::NotTheLeaf);
    let story = Story::new().with(|story| story.leaf = Some(story.device.verifying_key()));
    assert!(story.tell().is_ok());
}

// 13: pin

/// What the verifier remembers of the first Ben.
fn remembered() -> (Story, VerifiedIdentity) {
    let mut first = Story::new();
    let evidence = first.evidence();
    let ben = first.verify(&evidence).unwrap();
    first.pins.remember(&ben, NOW);
    (first, ben)
}

#[test]
fn an_issuer_that_vouches_for_new_keys_raises_the_alarm() {
    let (first, ben) = remembered();
    let second = Story::new().with(|story| story.pins = first.pins.clone());
    let VerifyError::KeyChange(change) = second.fails_at(13) else { panic!("no key change") };
    assert_eq!((change.kind, change.pinned.persona), (KeyChangeKind::Subject, ben.persona()));
    assert_eq!((change.issuer.as_str(), change.attested_at), (ISSUER, NOW - HOUR));
    assert_ne!(change.shown_persona, ben.persona());
}

#[test]
fn an_address_that_changed_hands_raises_the_alarm() {
    let (first, _) = remembered();
    let second = Story::new().claim("sub", json!("somebody-else")).with(|story| story.pins = first.pins.clone());
    let VerifyError::KeyChange(change) = second.fails_at(13) else { panic!("no key change") };
    assert_eq!(change.kind, KeyChangeKind::Address);
}

#[test]
fn a_new_device_of_ben_disturbs_nobody() {
    let (mut story, ben) = remembered();
    story.pins.compared(&ben.persona());
    let phone = SigningKey::generate();
    story.chain.add_device(&story.irk, phone.verifying_key(), "Ben's phone", NOW + DAY, NOW).unwrap();
    story.device = phone;
    let evidence = story.evidence();
    let again = story.verify(&evidence).unwrap();
    assert_eq!((again.pin_state(), again.device().name.as_str()), (PinState::Verified, "Ben's phone"));
}

// 14: history

#[test]
fn a_shortened_history_is_refused() {
    let (mut story, ben) = remembered();
    let old = story.evidence();
    story.chain.revoke_device(&story.irk, Signer::Irk, story.device.verifying_key(), NOW).unwrap();
    story.pins.saw_head(ben.persona(), story.chain.head());
    assert_eq!(story.verify(&old), Err(VerifyError::RolledBack { by: 1 }));
}

#[test]
fn two_histories_are_told_apart_with_proof() {
    let mut story = Story::new();
    let evidence = story.evidence();
    let ben = story.verify(&evidence).unwrap();
    let mut other = Sigchain::parse(&evidence.chain[..2]).unwrap();
    other.add_device(&story.irk, SigningKey::generate().verifying_key(), "hidden", NOW + DAY, NOW - HOUR).unwrap();
    story.pins.saw_head(ben.persona(), other.head());
    let Err(VerifyError::Equivocation(proof)) = story.verify(&evidence) else { panic!("no alarm") };
    assert_eq!(proof.seq, 2);
    for text in [&proof.seen.0, &proof.shown.0] {
        Entry::parse(text).unwrap().check_signature(ben.irk()).unwrap();
    }
    assert_ne!(proof.seen, proof.shown);
}

// 15: policy

#[test]
fn a_careful_verifier_wants_two_issuers() {
    let two = |story: &mut Story| story.policy.issuers_required = 2;
    assert_eq!(Story::new().with(two).fails_at(15), VerifyError::TooFewIssuers { required: 2, got: 1 });

    let mut story = Story::new().with(two);
    let second = "https://second.example";
    story.table.add(IssuerEntry::new(second)).unwrap();
    let jwks = Jwks::parse(&json!({ "keys": [story.key.jwk("k1")] }).to_string()).unwrap();
    story.jwks.learn(second, &jwks, NOW);
    let mut tokens = vec![story.token_text()];
    story.attest(&tokens[0]);
    story.claims.insert("iss".into(), json!(second));
    tokens.push(story.token_text());
    story.attest(&tokens[1]);
    let ben = story.verify(&story.showing(tokens)).unwrap();
    assert_eq!(ben.attested().len(), 2);
}

#[test]
fn a_token_of_an_unknown_issuer_beside_a_known_one_is_passed_over() {
    let mut story = Story::new();
    let mut evidence = story.evidence();
    story.claims.insert("iss".into(), json!("https://unknown.example"));
    evidence.tokens.insert(0, story.token_text());
    let ben = story.verify(&evidence).unwrap();
    assert_eq!((ben.issuer(), ben.attested().len()), (ISSUER, 1));
}
