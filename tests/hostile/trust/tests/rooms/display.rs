//! Attacks on what is shown of somebody: names, addresses, and what they are mistaken for.

use identity::*;
use serde_json::{Value, json};

use crate::identity_story::*;

/// Attack: T-33
/// By: somebody with an account anywhere
/// Does: gets an e-mail address into a token that the issuer did not verify or cannot know
/// Holds: it is never shown as verified
#[test]
fn an_unverified_address_is_not_shown_as_verified() {
    let told = |change: fn(&mut IssuerEntry), claims: Value| {
        let mut story = Story::new().entry(change).claim("email", json!("ben@acme.com"));
        story.claims.extend(object(claims));
        story.tell().unwrap().display().email.clone().unwrap().authoritative
    };
    let knows: fn(&mut IssuerEntry) = |entry| entry.email_domains = vec!["acme.com".into()];
    assert!(told(knows, json!({ "email_verified": true })), "the honest case");
    for claims in [json!({}), json!({ "email_verified": "true" }), json!({ "email_verified": 1 })] {
        assert!(!told(knows, claims));
    }
    let nobody: fn(&mut IssuerEntry) = |_| {};
    let hosts: fn(&mut IssuerEntry) = |entry| entry.trusts_hd = true;
    assert!(!told(nobody, json!({ "email_verified": true })));
    assert!(!told(nobody, json!({ "email_verified": true, "hd": "acme.com" })));
    assert!(!told(hosts, json!({ "email_verified": true, "hd": "evil.example" })));
}

/// Attack: T-34
/// By: somebody with an account at the same issuer
/// Does: has Ben's e-mail address in her token, or as her subject
/// Holds: she is another subject; an address is never a key
#[test]
fn an_address_in_a_token_makes_nobody_its_owner() {
    let mut ben = Story::new().claim("email", json!("ben@acme.com")).claim("email_verified", json!(true));
    let evidence = ben.evidence();
    let known = ben.verify(&evidence).unwrap();
    ben.pins.remember(&known, NOW);
    for sub in ["mallory-1", "ben@acme.com"] {
        let mallory = Story::new().claim("sub", json!(sub)).claim("email", json!("ben@acme.com"));
        let mut mallory = mallory.claim("email_verified", json!(true)).with(|story| story.pins = ben.pins.clone());
        mallory.user = "mallory@b.localhost".parse().unwrap();
        let seen = mallory.tell().unwrap();
        assert_eq!((seen.subject(), seen.pin_state()), (sub, PinState::New));
        assert_ne!(seen.persona(), known.persona());
    }
}

/// Attack: T-35
/// By: anybody
/// Does: writes a name that turns the direction of text, hides letters, breaks the line, or fills the screen
/// Holds: shown plain, or refused
#[test]
fn a_name_plays_no_tricks() {
    for name in [
        "Ben\u{202e}nworB\u{202c}",
        "B\u{200b}e\u{200d}n\u{feff}",
        "Ben\u{2066}\u{2069}\u{061c}",
        "Ben\n\r\t\u{0}\u{1b}[31mBrown",
    ] {
        let shown = Story::new().claim("name", json!(name)).tell().unwrap().display().name.clone().unwrap();
        let odd = |c: char| {
            c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{61c}')
        };
        assert!(!shown.chars().any(odd), "{shown:?}");
    }
    for odd in [json!("x".repeat(257)), json!(7), json!(["Ben"])] {
        assert_eq!(Story::new().claim("name", odd).fails_at(11), VerifyError::BadDisplayClaim("name"));
    }
}

/// Attack: T-36
/// By: an issuer
/// Does: gives a subject that is empty, long, of other letters, or of several lines
/// Holds: refused; two subjects can never look alike
#[test]
fn a_subject_is_plain() {
    for odd in [json!(""), json!("x".repeat(256)), json!("b\u{435}n"), json!("ben\n"), json!(7), Value::Null] {
        assert_eq!(Story::new().claim("sub", odd).fails_at(10), VerifyError::BadSubject);
    }
}

/// Attack: T-37
/// By: somebody who reads logs
/// Does: logs everything the verifier holds of Ben
/// Holds: no name, no token, no chain stands there
#[test]
fn nothing_of_somebody_stands_in_a_log() {
    let mut story = Story::new().claim("name", json!("Ben Brown")).claim("email", json!("ben@acme.com"));
    let evidence = story.evidence();
    let ben = story.verify(&evidence).unwrap();
    let mut log = format!("{ben:?} {evidence:?} {:?} {:?} {:?}", ben.display(), ben.device(), story.irk);
    log.push_str(&format!("{:?} {:?}", story.chain, PkToken::parse(&evidence.tokens[0])));
    for word in ["Brown", "acme", "ben", &evidence.tokens[0], &evidence.chain[0], &ben.persona().to_string()] {
        assert!(!log.contains(word), "{word} in {log}");
    }
}
