//! Somebody who lost every key asks for his account again.

use identity::{Cic, Digest, RESET_DELAY_S, Signer};

use super::*;
use crate::limits::{RESET_LOGIN_MS, RESETS_PER_DAY, TIDY_MS};

const ACCOUNT: &str = "domain://account.a.localhost";

#[test]
fn an_account_is_begun_anew_by_a_reset_only() {
    let mut world = World::new(Limits::default());
    let mut ana = world.member("ana");
    let now = world.now / 1000;
    let thief = world.device();
    let ask = |world: &mut World, user: &str, chain: &identity::Sigchain| {
        let body = json!({ "user": user, "chain": chain.texts() });
        world.ask(thief.session, MessageType::Update, &thief.address, ACCOUNT, &body)["code"].clone()
    };
    assert_eq!(ask(&mut world, &ana.user, &ana.chain), 409, "nothing new");
    let other = identity::Sigchain::create(&thief.key, None, now);
    assert_eq!(ask(&mut world, &ana.user, &other), 409, "another persona");
    assert_eq!(ask(&mut world, "user://a.localhost/nobody", &other), 404);
    assert_eq!(ask(&mut world, "user://b.localhost/ana", &other), 403);
    // Even the operator's leave is for a reset alone.
    world.exchange.records().allow_reset("ana", world.now + 1).unwrap();
    ana.chain.add_device(&ana.irk, thief.key.verifying_key(), "found", now + 86_400, now).unwrap();
    assert_eq!(ask(&mut world, &ana.user, &ana.chain), 403, "a longer chain comes from a device of the account");
    assert!(world.exchange.proven(thief.session).unwrap().user.is_none());
}

#[test]
fn who_has_an_account_does_not_begin_it_anew() {
    let mut world = World::new(Limits::default());
    let (ana, ben) = (world.member("ana"), world.visitor());
    let body = json!({ "user": ana.user, "chain": ana.chain.texts() });
    for (session, from) in [(ana.session, &ana.address), (ben.0, &ben.1)] {
        assert_eq!(world.ask(session, MessageType::Update, from, ACCOUNT, &body)["code"], 403);
    }
}

/// Ana's chain with a reset by somebody with this root key, who adds this device.
fn reset(ana: &Member, root: &SigningKey, device: &SigningKey, now_ms: i64) -> identity::Sigchain {
    let now = now_ms / 1000;
    let mut chain = ana.chain.clone();
    chain.reset(root, Digest::of(b"a token"), now).unwrap();
    chain.add_device(root, device.verifying_key(), "new", now + 300 * 86_400, now).unwrap();
    chain
}

impl World {
    fn announce(
        &mut self,
        who: &devices::Device,
        ana: &Member,
        chain: &identity::Sigchain,
        cic: Option<&Cic>,
    ) -> Value {
        let body = json!({ "user": ana.user, "chain": chain.texts(), "cic": cic.map(Cic::text) });
        self.ask(who.session, MessageType::Update, &who.address, ACCOUNT, &body)
    }

    fn is_admitted(&self, session: SessionId) -> bool {
        self.exchange.proven(session).is_some_and(|proven| proven.user.is_some())
    }

    fn let_in(&mut self, ana: &Member, chain: &identity::Sigchain, root: &SigningKey) -> Cic {
        let cic = Cic::new(root.verifying_key(), chain.genesis_hash());
        assert_eq!(ana.user, "user://a.localhost/ana");
        self.exchange.records().signed_nonce("ana", &cic.nonce(), self.now).unwrap();
        cic
    }
}

#[test]
fn a_reset_is_told_to_every_device_and_counts_when_its_days_are_over() {
    let mut world = World::new(Limits::default());
    let ana = world.member_with("ana", true);
    world.publish(&ana, &["AAAA"]);
    let (root, new) = (SigningKey::generate(), world.device());
    let chain = reset(&ana, &root, &new.key, world.now);
    let cic = world.let_in(&ana, &chain, &root);
    let answer = world.announce(&new, &ana, &chain, Some(&cic));
    assert_eq!((&answer["code"], &answer["value"]["pending"]), (&json!(200), &json!(true)));
    let told = world.heard(ana.session);
    assert_eq!((told[0].from.as_str(), told[0].body.as_str()), (ACCOUNT, r#"{"code":"reset-pending"}"#));
    world.tick(RESET_DELAY_S * 1000 - TIDY_MS);
    assert!(!world.is_admitted(new.session) && world.is_admitted(ana.session), "its days are not over");
    world.tick(2 * TIDY_MS);
    assert!(world.is_admitted(new.session));
    assert_eq!(world.closed(ana.session), Some(403), "the keys of before count no more");
    let (again, _) = world.open(Role::Member, &ana.key);
    assert!(!world.is_admitted(again));
}

#[test]
fn a_device_that_is_left_vetoes_a_reset() {
    let mut world = World::new(Limits::default());
    let mut ana = world.member_with("ana", true);
    let (root, thief) = (SigningKey::generate(), world.device());
    let mut chain = reset(&ana, &root, &thief.key, world.now);
    let cic = world.let_in(&ana, &chain, &root);
    assert_eq!(world.announce(&thief, &ana, &chain, Some(&cic))["code"], 200);
    world.tick(3_600_000);
    let hash = chain.resets().next().unwrap().hash;
    chain.veto(&ana.irk, Signer::Irk, hash, world.now / 1000).unwrap();
    ana.chain = chain;
    assert_eq!(world.push_chain(&ana)["code"], 200);
    world.tick(2 * RESET_DELAY_S * 1000);
    assert!(!world.is_admitted(thief.session) && world.is_admitted(ana.session));
    assert_eq!(world.exchange.records().devices_of("ana").unwrap(), [ana.key.verifying_key().to_string()]);
}

#[test]
fn a_reset_needs_a_late_word_of_the_issuer_for_the_new_root() {
    let mut world = World::new(Limits::default());
    let ana = world.member_with("ana", true);
    let (root, thief) = (SigningKey::generate(), world.device());
    let chain = reset(&ana, &root, &thief.key, world.now);
    assert_eq!(world.announce(&thief, &ana, &chain, None)["code"], 403, "no claims");
    let known = world.let_in(&ana, &chain, &ana.irk);
    assert_eq!(world.announce(&thief, &ana, &chain, Some(&known))["code"], 403, "claims of the root of before");
    let unsigned = Cic::new(root.verifying_key(), chain.genesis_hash());
    assert_eq!(world.announce(&thief, &ana, &chain, Some(&unsigned))["code"], 403, "nobody signed in");
    let cic = world.let_in(&ana, &chain, &root);
    world.now += RESET_LOGIN_MS + 1;
    assert_eq!(world.announce(&thief, &ana, &chain, Some(&cic))["code"], 403, "somebody signed in long ago");
    world.exchange.records().allow_reset("ana", world.now + 1).unwrap();
    assert_eq!(world.announce(&thief, &ana, &chain, None)["code"], 200, "the operator says so");
    assert!(!world.exchange.records().may_reset("ana", world.now).unwrap(), "once");
}

#[test]
fn a_device_of_the_account_slips_in_no_reset() {
    let mut world = World::new(Limits::default());
    let mut ana = world.member("ana");
    let (root, device) = (SigningKey::generate(), SigningKey::generate());
    ana.chain = reset(&ana, &root, &device, world.now);
    assert_eq!(world.push_chain(&ana)["code"], 403);
    let claim = json!({ "user": ana.user, "chain": ana.chain.texts() });
    let to = "domain://registry.a.localhost/account";
    assert_eq!(world.ask(ana.session, MessageType::Create, &ana.address, to, &claim)["code"], 403);
    assert_eq!(world.exchange.records().account("ana").unwrap().unwrap().chain().unwrap().resets().count(), 0);
}

#[test]
fn an_account_is_begun_anew_only_so_often() {
    let mut world = World::new(Limits::default());
    let mut ana = world.member("ana");
    let thief = world.device();
    let mut codes = Vec::new();
    for _ in 0..=RESETS_PER_DAY {
        world.exchange.records().allow_reset("ana", world.now + 1).unwrap();
        let mut chain = reset(&ana, &SigningKey::generate(), &SigningKey::generate(), world.now);
        codes.push(world.announce(&thief, &ana, &chain, None)["code"].clone());
        if codes.last() == Some(&json!(200)) {
            let hash = chain.resets().last().unwrap().hash;
            chain.veto(&ana.irk, Signer::Irk, hash, world.now / 1000).unwrap();
            ana.chain = chain;
            assert_eq!(world.push_chain(&ana)["code"], 200);
        }
    }
    assert_eq!(codes, [200, 200, 200, 429].map(|code| json!(code)));
}
