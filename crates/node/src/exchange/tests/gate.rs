//! Stories of the way to the gate.

use super::*;

const GATE: &str = "domain://gate.a.localhost";

fn wish() -> Value {
    json!({ "domain": "b.localhost", "address": "runtime://a.localhost/protostub/b.localhost", "runtimeUrl": "runtime://a.localhost/core" })
}

#[test]
fn the_gate_is_for_members_and_only_where_there_is_one() {
    let mut world = World::new(Limits::default());
    let ana = world.member("ana");
    let answer = world.ask(ana.session, MessageType::Create, &ana.address, GATE, &wish());
    assert_eq!(answer["code"], 404, "this node has none");

    world.exchange.open_gate();
    let (visitor, from) = world.visitor();
    assert_eq!(world.ask(visitor, MessageType::Create, &from, GATE, &wish())["code"], 403);
    let forged = world.ask(visitor, MessageType::Create, &ana.address, GATE, &wish());
    assert_eq!(forged["code"], 403, "nobody speaks as somebody else");

    world.sent.clear();
    world.post(ana.session, 1, MessageType::Create, &ana.address, GATE, &wish());
    assert!(
        matches!(&world.sent[..], [Output::Gate { session, message }] if *session == ana.session && message.from == ana.address)
    );
}

#[test]
fn what_the_gate_says_reaches_whom_it_is_for_as_long_as_they_are_there() {
    let mut world = World::new(Limits::default());
    world.exchange.open_gate();
    let ana = world.member("ana");
    let word = Message {
        id: 1,
        kind: MessageType::Event,
        from: Address::parse(GATE).unwrap(),
        to: ana.address.clone(),
        body: Body::of(&json!({ "gate": 1, "ended": "stub-crashed" })).unwrap(),
    };
    world.heard(ana.session);
    world.exchange.say(ana.session, word.clone());
    world.sent.extend(world.exchange.take_outputs());
    assert_eq!(world.heard(ana.session), std::slice::from_ref(&word));
    world.leave(ana.session);
    world.exchange.say(ana.session, word);
    assert!(world.exchange.take_outputs().is_empty());
}
