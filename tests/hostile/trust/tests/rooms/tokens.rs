//! Attacks with tokens: stolen, borrowed, forged, bent and overlong ones.

use identity::*;
use keys::{SigningKey, b64url};
use serde_json::{Value, json};

use crate::identity_story::*;

/// Another issuer that everybody here trusts as well, and that lies.
pub const EVIL: &str = "https://evil.example";

/// A token whose two JSON parts are written by hand, signed by the true issuer and by the shower.
fn handwritten(story: &Story, header: &str, payload: &str) -> String {
    let signed = format!("{}.{}", b64url(header.as_bytes()), b64url(payload.as_bytes()));
    let alg = story.header["alg"].as_str().unwrap();
    let id_token = format!("{signed}.{}", b64url(&story.key.sign(alg, signed.as_bytes())));
    token_of(&id_token, story.cic.text(), &story.irk)
}

fn header(story: &Story) -> String {
    serde_json::to_string(&story.header).unwrap()
}

fn payload(story: &Story) -> String {
    serde_json::to_string(&story.claims).unwrap()
}

/// What a stranger makes of a token that its shower recorded in the chain.
pub fn shown(mut story: Story, token: String) -> VerifyError {
    story.attest(&token);
    story.verify(&story.showing(vec![token])).unwrap_err()
}

/// Attack: T-01
/// By: somebody who saw Ben's id_token
/// Does: replays it beside claims and a signature of her own root key
/// Holds: refused, the nonce commits to another key
#[test]
fn a_replayed_id_token_does_not_fit_another_key() {
    let (ben, mallory) = (Story::new(), Story::new());
    let token = token_of(&ben.id_token(), mallory.cic.text(), &mallory.irk);
    let mallory = mallory.with(|mallory| mallory.jwks = ben.jwks.clone());
    assert_eq!(shown(mallory, token), VerifyError::ForeignNonce);
}

/// Attack: T-02
/// By: a contact of Ben's
/// Does: shows Ben's whole PK token beside a sigchain of her own that records it
/// Holds: refused, the token is of another chain
#[test]
fn a_whole_token_is_worth_nothing_beside_another_chain() {
    let (mut ben, mallory) = (Story::new(), Story::new());
    let token = ben.evidence().tokens.remove(0);
    let mallory = mallory.with(|mallory| mallory.jwks = ben.jwks.clone());
    assert_eq!(shown(mallory, token), VerifyError::ForeignChain);
}

/// Attack: T-03
/// By: a contact of Ben's
/// Does: shows all of Ben's evidence, chain and device too, from a leaf of her own
/// Holds: refused, the leaf is another device
#[test]
fn evidence_as_a_whole_speaks_for_its_own_device_only() {
    let mut ben = Story::new();
    let evidence = ben.evidence();
    assert!(ben.verify(&evidence).is_ok());
    ben.leaf = Some(SigningKey::generate().verifying_key());
    assert_eq!(ben.verify(&evidence), Err(VerifyError::NotTheLeaf));
}

/// Attack: T-04
/// By: a relying party at the same issuer
/// Does: lets Ben sign in with a nonce that commits to its own key, and shows the genuine token
/// Holds: refused, the audience is no client of ours
#[test]
fn sign_in_to_win_wins_nothing() {
    assert_eq!(Story::new().claim("aud", json!("sign-in-to-win")).fails_at(6), VerifyError::ForeignAudience);
}

/// Attack: T-05
/// By: a relying party at the same issuer
/// Does: gets a token for its own client and for ours, with either as the one who asked
/// Holds: refused, every audience and the asking party must be ours
#[test]
fn a_foreign_client_does_not_hide_behind_ours() {
    let two = |azp: &str| Story::new().claim("aud", json!(["parlance", "sign-in-to-win"])).claim("azp", json!(azp));
    for azp in ["parlance", "sign-in-to-win"] {
        assert_eq!(two(azp).fails_at(6), VerifyError::ForeignAudience);
    }
    let behind = Story::new().claim("azp", json!("sign-in-to-win"));
    assert_eq!(behind.fails_at(6), VerifyError::ForeignParty);
    for none in [json!([]), Value::Null, json!([7])] {
        assert_eq!(Story::new().claim("aud", none).fails_at(6), VerifyError::NoAudience);
    }
}

/// Attack: T-10
/// By: anybody
/// Does: shows a token with the algorithm `none`, in several spellings and without a signature
/// Holds: refused before anything else is looked at
#[test]
fn a_token_signed_by_nobody_is_refused() {
    for alg in ["none", "None", "NONE", "nOnE"] {
        let story = Story::new().header("crit", json!(["x"])).header("alg", json!(alg));
        let signed = format!("{}.{}", b64url(header(&story).as_bytes()), b64url(payload(&story).as_bytes()));
        let token = token_of(&format!("{signed}."), story.cic.text(), &story.irk);
        let error = shown(story, token);
        assert_eq!(error.step(), 0);
        assert!(
            matches!(error, VerifyError::Token(TokenError::ForbiddenAlgorithm | TokenError::UnsupportedAlgorithm)),
            "{alg}: {error:?}"
        );
    }
}

/// Attack: T-11
/// By: anybody
/// Does: signs with HMAC, the issuer's published RSA key as the secret
/// Holds: refused, no shared-secret algorithm is ever accepted
#[test]
fn a_public_key_is_no_secret() {
    for alg in ["HS256", "HS384", "HS512"] {
        let story = Story::signed_with("RS256");
        let jwk = story.key.jwk("k1");
        let story = story.header("alg", json!(alg));
        let signed = format!("{}.{}", b64url(header(&story).as_bytes()), b64url(payload(&story).as_bytes()));
        let mac = keys::hmac_sha256(&keys::from_b64url(jwk["n"].as_str().unwrap()).unwrap(), signed.as_bytes());
        let token = token_of(&format!("{signed}.{}", b64url(&mac)), story.cic.text(), &story.irk);
        assert_eq!(shown(story, token), VerifyError::Token(TokenError::ForbiddenAlgorithm), "{alg}");
    }
}

/// Attack: T-12
/// By: anybody
/// Does: names a key by a path, by a question to a database, by nothing, by a number, or by another issuer's id
/// Holds: no other key is taken than one of this id of this issuer
#[test]
fn a_key_id_is_only_a_name() {
    let needs = VerifyError::NeedsJwks { issuer: ISSUER.into() };
    for kid in ["../../dev/null", "k1' OR '1'='1", "K1", "k1 ", "https://evil.example/k1"] {
        assert_eq!(Story::new().header("kid", json!(kid)).fails_at(3), needs, "{kid}");
    }
    let without = Story::new().with(|story| drop(story.header.remove("kid")));
    assert_eq!(without.fails_at(3), VerifyError::MissingKid);
    for odd in [json!(1), json!(["k1"]), json!({ "k1": 1 })] {
        assert!(Story::new().header("kid", odd).tell().is_err());
    }
}

/// Attack: T-13
/// By: anybody
/// Does: brings the key or its address along in the header: `jku`, `jwk`, `x5u`, `x5c`, `x5t`
/// Holds: refused by name, and only the issuer's own address would ever be asked
#[test]
fn a_token_does_not_bring_its_own_keys() {
    let mine = IssuerKey::for_alg("EdDSA");
    for (name, value) in [
        ("jku", json!("https://evil.example/keys")),
        ("jwk", mine.jwk("k1")),
        ("x5u", json!("https://evil.example/chain.pem")),
        ("x5c", json!(["AAAA"])),
        ("x5t", json!("AAAA")),
        ("x5t#S256", json!("AAAA")),
    ] {
        let mut story = Story::new().header(name, value);
        let evidence = story.evidence();
        assert_eq!(story.verify(&evidence), Err(VerifyError::Token(TokenError::ForbiddenHeader(name))));
        let asked = evidence.issuers(&story.table, &|_| EVIL.to_owned());
        assert!(asked.is_empty() || asked == [ISSUER], "{asked:?}");
    }
}

/// Attack: T-14
/// By: anybody
/// Does: switches rules of the form itself: `crit`, `b64: false`
/// Holds: refused by name
#[test]
fn a_token_does_not_change_the_rules_of_its_form() {
    for (name, value) in [("crit", json!(["b64"])), ("b64", json!(false))] {
        assert_eq!(Story::new().header(name, value).fails_at(0), VerifyError::Token(TokenError::ForbiddenHeader(name)));
    }
}

/// Attack: T-15
/// By: an issuer or a shower
/// Does: writes a member twice, in the payload, in the header, and in the envelope
/// Holds: refused, two readers would read it differently
#[test]
fn a_member_that_stands_twice_is_refused_wherever_it_stands() {
    let story = Story::new();
    let twice = |text: String, extra: &str| text.replacen('{', &format!("{{{extra},"), 1);
    let in_payload = handwritten(&story, &header(&story), &twice(payload(&story), r#""sub":"ana-3""#));
    let in_header = handwritten(&story, &twice(header(&story), r#""alg":"none""#), &payload(&story));
    let in_envelope = twice(story.token_text(), r#""payload":"e30""#);
    let deep = handwritten(&story, &header(&story), &twice(payload(&story), r#""x":{"a":1,"\u0061":2}"#));
    for token in [in_payload, in_header, in_envelope, deep] {
        let error = story.verify(&story.showing(vec![token])).unwrap_err();
        assert_eq!((error.step(), error.code()), (0, "token-duplicate-member"));
    }
}

/// Attack: T-16
/// By: an issuer
/// Does: dates a token into the future, to keep it fresh for longer
/// Holds: refused beyond two minutes
#[test]
fn a_token_of_tomorrow_is_refused_today() {
    let at = |iat: i64| Story::new().claim("iat", json!(iat)).claim("exp", json!(iat + HOUR));
    assert!(at(NOW + CLOCK_SKEW_S).tell().is_ok());
    for ahead in [CLOCK_SKEW_S + 1, DAY, 400 * DAY] {
        assert_eq!(at(NOW + ahead).fails_at(8), VerifyError::FromTheFuture { by_s: ahead });
    }
    assert_eq!(Story::new().claim("nbf", json!(NOW + DAY)).fails_at(8), VerifyError::NotYetValid);
}

/// Attack: T-17
/// By: an issuer
/// Does: lets a token end before it begins, or live for years
/// Holds: refused
#[test]
fn a_token_ends_after_it_begins_and_within_a_day() {
    for exp in [NOW - HOUR, NOW - HOUR - 1, 0] {
        assert_eq!(Story::new().claim("exp", json!(exp)).fails_at(8), VerifyError::ExpiresBeforeIssue);
    }
    for exp in [NOW - HOUR + DAY + 1, NOW + 3650 * DAY] {
        assert_eq!(Story::new().claim("exp", json!(exp)).fails_at(8), VerifyError::LivesTooLong);
    }
}

/// Attack: T-18
/// By: an issuer
/// Does: writes times that overflow, are negative, are text, or are missing
/// Holds: a typed refusal
#[test]
fn odd_times_are_refused_without_harm() {
    for odd in [json!(i64::MAX), json!(i64::MIN), json!(1e300), json!(-1), json!("1800000000"), Value::Null] {
        for name in ["iat", "exp", "nbf"] {
            let told = Story::new().claim(name, odd.clone()).tell();
            assert!(told.is_err_and(|error| error.step() == 8), "{name} {odd}");
        }
    }
}

/// Attack: T-19
/// By: the one who shows the token
/// Does: puts a key set of its own beside the token, in the token, and in the evidence
/// Holds: no key is learnt from it, and the token is refused
#[test]
fn a_key_set_served_by_the_peer_is_not_looked_at() {
    let mine = IssuerKey::for_alg("EdDSA");
    let set = json!({ "keys": [mine.jwk("k1")] });
    let mut story = Story::new().with(|story| story.key = mine);
    let evidence = story.evidence();
    let mut beside = evidence.to_value();
    beside["jwks"] = set.clone();
    if let Ok(read) = Evidence::parse(&beside.to_string()) {
        assert_eq!(story.verify(&read), Err(VerifyError::IssuerSignature));
    }
    let mut within: Value = serde_json::from_str(&evidence.tokens[0]).unwrap();
    within["jwks"] = set.clone();
    let token = within.to_string();
    story.attest(&token);
    assert!(story.verify(&story.showing(vec![token])).is_err());
    let claimed = Story::new().claim("jwks", set).with(|other| other.key = IssuerKey::for_alg("EdDSA"));
    assert_eq!(claimed.fails_at(4), VerifyError::IssuerSignature);
}

/// Attack: T-23
/// By: somebody who knows the mathematics
/// Does: names a root key of small order, or one that is not canonical, under which any signature holds
/// Holds: refused as no key
#[test]
fn a_root_key_under_which_everything_holds_is_no_key() {
    // The identity, the points of order 2, 4 and 8, and spellings of them that are not canonical.
    let mut one = [0; 32];
    one[0] = 1;
    let mut minus_one = [0xff; 32];
    (minus_one[0], minus_one[31]) = (0xec, 0x7f);
    let eight = hex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05");
    let mut same_as_one = [0xff; 32];
    (same_as_one[0], same_as_one[31]) = (0xee, 0x7f);
    for point in [one, minus_one, [0; 32], eight, same_as_one, [0xff; 32]] {
        let story = Story::new();
        let mut cic: Value = serde_json::from_slice(&keys::from_b64url(story.cic.text()).unwrap()).unwrap();
        cic["upk"]["x"] = json!(b64url(&point));
        let text = b64url(cic.to_string().as_bytes());
        let story = story.claim("nonce", json!(b64url(&keys::sha3_256(text.as_bytes()))));
        let token = token_of(&story.id_token(), &text, &story.irk);
        assert_eq!(shown(story, token), VerifyError::Cic(CicError::Key), "{point:02x?}");
    }
}

fn hex(text: &str) -> [u8; 32] {
    std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
}

/// Attack: T-24
/// By: somebody who got a token but not the root key
/// Does: leaves out the root key's signature, or makes it with another key or over another payload
/// Holds: refused before the issuer is even asked
#[test]
fn possession_of_the_root_key_is_proven() {
    let story = Story::new();
    let by_another = token_of(&story.id_token(), story.cic.text(), &SigningKey::generate());
    let mut over_another: Value = serde_json::from_str(&story.token_text()).unwrap();
    let signature = story.irk.sign(format!("{}.e30", story.cic.text()).as_bytes());
    over_another["signatures"][1]["signature"] = json!(signature);
    let mut without: Value = serde_json::from_str(&story.token_text()).unwrap();
    without["signatures"].as_array_mut().unwrap().pop();
    for (token, step) in [(by_another, 2), (over_another.to_string(), 2), (without.to_string(), 0)] {
        assert_eq!(story.verify(&story.showing(vec![token])).unwrap_err().step(), step);
    }
}

/// Attack: T-25
/// By: an app that holds an access token of Ben's
/// Does: shows it as an id_token
/// Holds: refused by its type
#[test]
fn an_access_token_vouches_for_nobody() {
    for typ in ["at+jwt", "application/at+jwt", "logout+jwt", "secevent+jwt"] {
        assert_eq!(Story::new().header("typ", json!(typ)).fails_at(7), VerifyError::WrongTokenType, "{typ}");
    }
}

/// Attack: T-26
/// By: an issuer or a relying party
/// Does: leaves the nonce out, empties it, or binds the token to a key of its own (`cnf`)
/// Holds: refused
#[test]
fn a_token_that_commits_to_nothing_or_to_another_key_is_refused() {
    assert_eq!(Story::new().without("nonce").fails_at(7), VerifyError::NoNonce);
    assert_eq!(Story::new().claim("nonce", json!("")).fails_at(7), VerifyError::ForeignNonce);
    let other = json!({ "jwk": { "kty": "OKP", "crv": "Ed25519", "x": SigningKey::generate().verifying_key() } });
    let bound = Story::new().header("typ", json!("dpop+id_token")).claim("cnf", other);
    assert_eq!(bound.fails_at(7), VerifyError::ForeignBoundKey);
}

/// Attack: T-29
/// By: somebody who found an old token
/// Does: introduces herself with it long after, or after its owner took it back
/// Holds: no stranger is introduced by it
#[test]
fn an_old_or_withdrawn_word_introduces_nobody() {
    let mut story = Story::new();
    let mut evidence = story.evidence();
    assert!(story.verify(&evidence).is_ok());
    story.now = NOW - HOUR + 90 * DAY + 1;
    assert_eq!(story.verify(&evidence).unwrap_err().step(), 8);
    story.now = NOW + 80 * DAY + 1;
    assert_eq!(story.verify(&evidence), Err(VerifyError::AttestationOver { until: NOW + 80 * DAY }));
    story.now = NOW;
    story.chain.unlink_idp(&story.irk, IdpLink { iss: ISSUER.into(), sub: "ben-7".into() }, NOW).unwrap();
    evidence.chain = story.chain.texts();
    assert_eq!(story.verify(&evidence), Err(VerifyError::Withdrawn));
}

/// Attack: T-30
/// By: anybody
/// Does: sends JSON that is a thousand levels deep, as token, header, payload, key set and evidence
/// Holds: a typed refusal, and no stack is used up
#[test]
fn depth_is_refused_before_it_hurts() {
    let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    for levels in [9, 1000, 7000] {
        let story = Story::new();
        let token = handwritten(&story, &header(&story), &format!(r#"{{"x":{}}}"#, deep(levels)));
        if token.len() < PKT_LIMIT {
            let error = story.verify(&story.showing(vec![token])).unwrap_err();
            assert_eq!((error.step(), error.code()), (0, "token-too-deep"));
        }
        assert!(PkToken::parse(&deep(levels)).is_err());
        assert!(Jwks::parse(&format!(r#"{{"keys":[{}]}}"#, deep(levels))).is_err() || levels == 9);
        assert!(Evidence::parse(&deep(levels)).is_err());
    }
}

/// Attack: T-31
/// By: anybody
/// Does: sends tokens, evidence and key sets that are too long or too many
/// Holds: refused by their size, unread
#[test]
fn size_is_refused_unread() {
    let mut story = Story::new();
    let evidence = story.evidence();
    let long = story.verify(&story.showing(vec![" ".repeat(PKT_LIMIT + 1)])).unwrap_err();
    assert_eq!(long, VerifyError::Token(TokenError::Json(JsonError::TooLarge { limit: PKT_LIMIT })));
    assert_eq!(Evidence::parse(&" ".repeat(EVIDENCE_LIMIT + 1)), Err(EvidenceError::TooLarge));
    let many = Evidence { tokens: vec![evidence.tokens[0].clone(); TOKENS_LIMIT + 1], ..evidence };
    assert_eq!(Evidence::parse(&many.to_value().to_string()), Err(EvidenceError::Tokens));
    assert!(Jwks::parse(&" ".repeat(JWKS_LIMIT + 1)).is_err());
}

/// Attack: T-32
/// By: the one who shows the token
/// Does: mixes a good token with one of an unknown issuer, and with a forged one
/// Holds: an unknown word counts nothing, and a forged one spoils the good one
#[test]
fn a_good_word_does_not_carry_a_bad_one() {
    let mut story = Story::new();
    let good = story.evidence();
    let mut other = Story::new().claim("iss", json!(EVIL));
    other.irk = story.irk.clone();
    let unknown = token_of(&other.id_token(), story.cic.text(), &story.irk);
    let both = Evidence { tokens: vec![unknown.clone(), good.tokens[0].clone()], ..good.clone() };
    assert_eq!(story.verify(&both).unwrap().attested().len(), 1);
    assert!(story.verify(&Evidence { tokens: vec![unknown], ..good.clone() }).is_err());
    story.key = IssuerKey::for_alg("EdDSA");
    let forged = token_of(&story.id_token(), story.cic.text(), &story.irk);
    story.attest(&forged);
    for tokens in [vec![forged.clone(), good.tokens[0].clone()], vec![good.tokens[0].clone(), forged]] {
        assert!(story.verify(&story.showing(tokens)).is_err());
    }
}
