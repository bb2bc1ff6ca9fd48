//! A reset as contacts and strangers meet it: who waits, who believes, and who is not fooled.

use crate::common::{DAY, HOUR, ISSUER, NOW, Story};
use identity::*;
use keys::SigningKey;
use serde_json::json;

/// Ben, whom a contact knows and has compared.
fn known() -> (Story, PersonaId) {
    let mut story = Story::new();
    let evidence = story.evidence();
    let ben = story.verify(&evidence).unwrap();
    story.pins.remember(&ben, NOW);
    story.pins.compared(&ben.persona());
    (story, ben.persona())
}

/// Signs in anew with fresh keys, as `sub`, and asks for a reset.
fn reset(story: &mut Story, sub: &str, at: i64) -> Evidence {
    let (irk, device) = (SigningKey::generate(), SigningKey::generate());
    story.cic = Cic::new(irk.verifying_key(), story.chain.genesis_hash());
    story.irk = irk.clone();
    for (name, value) in
        [("nonce", json!(story.cic.nonce())), ("sub", json!(sub)), ("iat", json!(at)), ("exp", json!(at + HOUR))]
    {
        story.claims.insert(name.into(), value);
    }
    let token = story.token_text();
    let pkt_hash = Digest::of(token.as_bytes());
    story.chain.reset(&irk, pkt_hash, at).unwrap();
    story.chain.add_device(&irk, device.verifying_key(), "Ben's new phone", at + 200 * DAY, at).unwrap();
    let word = Attest { pkt_hash, iss: ISSUER.into(), sub: sub.into(), until: at + 80 * DAY };
    story.chain.attest(&irk, word, at).unwrap();
    story.device = device;
    story.showing(vec![token])
}

fn pending(result: Result<VerifiedIdentity, VerifyError>) -> PendingReset {
    let Err(VerifyError::ResetPending(reset)) = result else { panic!("{result:?}") };
    *reset
}

#[test]
fn a_contact_waits_72_hours_from_when_they_saw_it_and_is_told_why() {
    let (mut story, persona) = known();
    let evidence = reset(&mut story, "ben-7", NOW);
    // The contact was away for a day.
    story.now = NOW + DAY;
    let seen = pending(story.verify(&evidence));
    assert_eq!((seen.persona, seen.first_seen, seen.until), (persona, NOW + DAY, NOW + DAY + RESET_DELAY_S));
    assert_eq!((seen.issuer.as_str(), seen.asked_at), (ISSUER, NOW));
    story.pins.saw_reset(persona, seen.reset, story.now);
    story.now = NOW + DAY + RESET_DELAY_S - 1;
    assert_eq!(pending(story.verify(&evidence)).until, seen.until, "looking again does not begin the wait again");
    story.now += 1;
    let ben = story.verify(&evidence).unwrap();
    assert_eq!((ben.persona(), ben.pin_state()), (persona, PinState::Introduced));
    let changes = story.pins.changes(&ben);
    assert_eq!(changes[0], Change::Reset { iss: ISSUER.into(), at: NOW });
    assert_eq!(changes[1], Change::DeviceAdded { name: "Ben's new phone".into() });
    assert_eq!(changes.len(), 2);
    story.pins.remember(&ben, story.now);
    assert!(story.pins.was_verified(&persona), "the contact had compared the old keys");
    story.pins.compared(&persona);
    assert_eq!(story.verify(&evidence).unwrap().pin_state(), PinState::Verified);
    assert!(!story.pins.was_verified(&persona));
}

#[test]
fn who_lost_everything_signs_in_and_is_the_same_persona_again() {
    let (mut story, persona) = known();
    let restart = Restart::begin(story.chain.clone());
    story.claims.insert("nonce".into(), json!(restart.nonce()));
    let again = restart.finish(&story.id_token(), "Ben's new phone", NOW + 200 * DAY, NOW).unwrap();
    story.chain = again.chain;
    story.device = again.device;
    let evidence = story.showing(vec![again.token.text().to_owned()]);
    let seen = pending(story.verify(&evidence));
    story.pins.saw_reset(persona, seen.reset, NOW);
    story.now = NOW + RESET_DELAY_S;
    let ben = story.verify(&evidence).unwrap();
    assert_eq!((ben.persona(), *ben.irk()), (persona, again.irk.verifying_key()));
    // An id_token of another sign-in does not do.
    let other = Restart::begin(known().0.chain);
    let refused = other.finish(&story.id_token(), "x", NOW + 200 * DAY, NOW).unwrap_err();
    assert_eq!(refused, EnrolError::Claim("nonce"));
}

#[test]
fn a_backdated_reset_gains_nothing_at_a_contact() {
    let (mut story, persona) = known();
    story.now = NOW + 10 * DAY;
    let evidence = reset(&mut story, "ben-7", NOW);
    assert_eq!(pending(story.verify(&evidence)).until, story.now + RESET_DELAY_S);
    // Unless the contact remembers the sight, the wait never ends.
    story.now += 9 * DAY;
    assert_eq!(pending(story.verify(&evidence)).until, story.now + RESET_DELAY_S);
    assert!(story.pins.reset_seen(&persona, &pending(story.verify(&evidence)).reset).is_none());
}

#[test]
fn a_stranger_goes_by_the_date_and_keeps_believing() {
    let mut story = Story::new();
    story.evidence();
    let evidence = reset(&mut story, "ben-7", NOW);
    story.now = NOW + HOUR;
    assert_eq!(pending(story.verify(&evidence)).until, NOW + RESET_DELAY_S);
    story.now = NOW + RESET_DELAY_S;
    let ben = story.verify(&evidence).unwrap();
    assert_eq!(ben.pin_state(), PinState::New);
    story.pins.remember(&ben, story.now);
    story.now += HOUR;
    assert_eq!(story.verify(&evidence).unwrap().pin_state(), PinState::Introduced);
}

#[test]
fn a_reset_by_another_subject_is_unfounded_for_ever() {
    let (mut story, _) = known();
    let evidence = reset(&mut story, "mallory-1", NOW);
    for later in [0, RESET_DELAY_S, 80 * DAY] {
        story.now = NOW + later;
        assert_eq!(story.verify(&evidence), Err(VerifyError::ResetUnfounded));
    }
}

#[test]
fn a_reset_through_an_issuer_whose_word_was_taken_back_is_unfounded() {
    let mut story = Story::new();
    story.evidence();
    let word =
        Attest { pkt_hash: Digest([1; 32]), iss: "https://second.example".into(), sub: "b".into(), until: NOW + DAY };
    story.chain.attest(&story.irk, word, NOW - HOUR).unwrap();
    story.chain.unlink_idp(&story.irk, IdpLink { iss: ISSUER.into(), sub: "ben-7".into() }, NOW - HOUR).unwrap();
    let evidence = reset(&mut story, "ben-7", NOW);
    story.now = NOW + RESET_DELAY_S;
    assert_eq!(story.verify(&evidence), Err(VerifyError::ResetUnfounded));
}

#[test]
fn a_vetoed_reset_is_told_and_never_believed() {
    let (mut story, persona) = known();
    let (old_irk, old_device) = (story.irk.clone(), story.device.clone());
    let mut evidence = reset(&mut story, "ben-7", NOW);
    let seen = pending(story.verify(&evidence));
    story.pins.saw_reset(persona, seen.reset, NOW);
    story.chain.veto(&old_device, Signer::Device(old_device.verifying_key()), seen.reset, NOW + DAY).unwrap();
    evidence.chain = story.chain.texts();
    for later in [DAY, RESET_DELAY_S, 60 * DAY] {
        story.now = NOW + later;
        assert_eq!(story.verify(&evidence), Err(VerifyError::ResetVetoed));
    }
    // Ben goes on with what he had.
    let token = {
        let mut before = Story::new();
        before.irk = old_irk.clone();
        before.key = std::mem::replace(&mut story.key, crate::common::IssuerKey::for_alg("EdDSA"));
        before.chain = story.chain.clone();
        before.cic = Cic::new(old_irk.verifying_key(), story.chain.genesis_hash());
        before.claims.insert("nonce".into(), json!(before.cic.nonce()));
        before.token_text()
    };
    story.irk = old_irk;
    story.claims.insert("sub".into(), json!("ben-7"));
    let word = Attest {
        pkt_hash: Digest::of(token.as_bytes()),
        iss: ISSUER.into(),
        sub: "ben-7".into(),
        until: NOW + 80 * DAY,
    };
    story.chain.attest(&story.irk, word, NOW + DAY).unwrap();
    story.device = old_device;
    let ben = story.verify(&story.showing(vec![token])).unwrap();
    assert_eq!((ben.pin_state(), ben.pending_reset()), (PinState::Verified, None));
}

#[test]
fn while_a_reset_waits_the_old_devices_count_and_contacts_hear_of_it() {
    let (mut story, persona) = known();
    let old_device = story.device.clone();
    let before = story.evidence();
    let evidence = reset(&mut story, "ben-7", NOW);
    let seen = pending(story.verify(&evidence));
    story.pins.saw_reset(persona, seen.reset, NOW);
    let old = Evidence { chain: story.chain.texts(), device: old_device.verifying_key(), ..before };
    let ben = story.verify(&old).unwrap();
    assert_eq!((ben.pin_state(), ben.pending_reset().unwrap()), (PinState::Verified, &seen));
    assert_eq!(story.pins.changes(&ben).last().unwrap().kind(), "reset_pending");
    story.now = NOW + RESET_DELAY_S;
    assert_eq!(story.verify(&old), Err(VerifyError::BeforeReset), "after it they do not");
    // And not with the history cut off before it, once it was seen to count.
    let recovered = story.verify(&evidence).unwrap();
    story.pins.remember(&recovered, story.now);
    let cut = Evidence { chain: old.chain[..4].to_vec(), ..old };
    assert!(matches!(story.verify(&cut), Err(VerifyError::KeyChange(_) | VerifyError::RolledBack { .. })));
}

#[test]
fn a_reset_somebody_hung_on_a_chain_disturbs_nobody() {
    // Anybody who knows Ben's chain can append a reset of their own; no issuer stands behind it.
    let (mut story, _) = known();
    let honest = story.evidence();
    let mut hung = story.chain.clone();
    hung.reset(&SigningKey::generate(), Digest([3; 32]), NOW).unwrap();
    let evidence = Evidence { chain: hung.texts(), ..honest.clone() };
    story.now = NOW + 20 * DAY;
    let ben = story.verify(&evidence).unwrap();
    assert_eq!((ben.pin_state(), ben.pending_reset()), (PinState::Verified, None));
    story.pins.remember(&ben, story.now);
    assert!(story.verify(&honest).is_ok(), "the chain without it is not a shortened one");
}

#[test]
fn accepting_unexplained_keys_pins_them_and_remembers_the_comparison() {
    let (known, persona) = known();
    let mut second = Story::new().with(|story| story.pins = known.pins.clone());
    let evidence = second.evidence();
    let Err(VerifyError::KeyChange(change)) = second.verify(&evidence) else { panic!("no alarm") };
    assert_eq!(Change::from(&*change).kind(), "unexplained");
    second.pins.accept(&change, NOW);
    let ben = second.verify(&evidence).unwrap();
    assert_eq!(ben.pin_state(), PinState::Introduced);
    assert!(ben.persona() != persona && second.pins.was_verified(&ben.persona()));
    second.pins.uncompared(&ben.persona());
    assert!(!second.pins.was_verified(&ben.persona()));
    // Nobody else's pin moved.
    assert_eq!(known.verify(&known.showing(vec![])).unwrap_err(), VerifyError::NoIssuer);
}

#[test]
fn a_comparison_can_be_taken_back() {
    let (mut story, persona) = known();
    story.pins.uncompared(&persona);
    let evidence = story.evidence();
    assert_eq!(story.verify(&evidence).unwrap().pin_state(), PinState::Introduced);
}

#[test]
fn devices_and_issuers_that_came_and_went_are_told_once() {
    let (mut story, _) = known();
    let evidence = story.evidence();
    let renewed = story.device.verifying_key();
    let phone = SigningKey::generate().verifying_key();
    story.chain.add_device(&story.irk, renewed, "Ben's laptop", NOW + 300 * DAY, NOW).unwrap();
    story.chain.add_device(&story.irk, phone, "Ben's phone", NOW + DAY, NOW).unwrap();
    let link = IdpLink { iss: "https://second.example".into(), sub: "b".into() };
    story.chain.link_idp(&story.irk, link.clone(), NOW).unwrap();
    story.chain.revoke_device(&story.irk, Signer::Irk, phone, NOW).unwrap();
    story.chain.unlink_idp(&story.irk, link, NOW).unwrap();
    let again = Evidence { chain: story.chain.texts(), ..evidence };
    let ben = story.verify(&again).unwrap();
    let iss = || "https://second.example".to_owned();
    let name = || "Ben's phone".to_owned();
    let expected = [
        Change::DeviceAdded { name: name() },
        Change::IssuerLinked { iss: iss() },
        Change::DeviceRevoked { name: name() },
        Change::IssuerUnlinked { iss: iss() },
    ];
    assert_eq!(story.pins.changes(&ben), expected);
    assert!(!format!("{:?}", story.pins.changes(&ben)).contains("phone"));
    story.pins.remember(&ben, NOW);
    assert_eq!(story.pins.changes(&ben), []);
}

#[test]
fn pins_of_before_are_read_and_pins_of_now_come_back() {
    let (mut story, persona) = known();
    story.pins.saw_reset(persona, Digest([1; 32]), NOW);
    let text = serde_json::to_string(&story.pins).unwrap();
    assert_eq!(serde_json::from_str::<PinBook>(&text).unwrap(), story.pins);
    let mut old: serde_json::Value = serde_json::from_str(&text).unwrap();
    old.as_object_mut().unwrap().remove("resets");
    old["subjects"][0][1].as_object_mut().unwrap().remove("was_verified");
    for pin in old["addresses"].as_object_mut().unwrap().values_mut() {
        pin.as_object_mut().unwrap().remove("was_verified");
    }
    let read: PinBook = serde_json::from_value(old).unwrap();
    assert_eq!(read.head(&persona), story.pins.head(&persona));
}
