//! Stories of who is given credentials for the domain's relays.

use super::*;
use crate::exchange::relays::Relays;

const RELAY: &str = "domain://relay.a.localhost";

#[test]
fn the_relays_are_for_the_people_of_the_domain_alone() {
    let mut world = World::new(Limits::default());
    let ana = world.member("ana");
    let asked = world.ask(ana.session, MessageType::Read, &ana.address, RELAY, &json!({}));
    assert_eq!(asked["code"], 404, "there are none");

    let relays = Relays::new(vec!["turns:turn.a.localhost".into()], b"a secret of sixteen").unwrap();
    world.exchange.relays = Some(relays);
    let given = world.ask(ana.session, MessageType::Read, &ana.address, RELAY, &json!({}));
    assert_eq!((&given["code"], &given["value"]["uris"][0]), (&json!(200), &json!("turns:turn.a.localhost")));
    let username = given["value"]["username"].as_str().unwrap();
    assert!(!username.contains("ana"), "the relay does not learn whose call it carries");
    let again = world.ask(ana.session, MessageType::Read, &ana.address, RELAY, &json!({}));
    assert_ne!(given["value"]["username"], again["value"]["username"]);

    let short = Relays::new(vec!["turns:turn.a.localhost".into()], b"a secret of sixteen").unwrap().good_for(20);
    world.exchange.relays = Some(short);
    let given = world.ask(ana.session, MessageType::Read, &ana.address, RELAY, &json!({}));
    assert_eq!(given["value"]["ttl"], 20);

    let visitor = world.visitor();
    let refused = world.ask(visitor.0, MessageType::Read, &visitor.1.clone(), RELAY, &json!({}));
    assert_eq!(refused["code"], 403);
}
