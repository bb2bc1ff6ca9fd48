//! Somebody who lost every key asks for his account again.

use super::*;

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
