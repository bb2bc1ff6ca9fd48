//! Stories of messages between the ports of Ana's runtime at a.example.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use bus::{Action, Bus, Party, Place, PortId, PortKind};
use message::{
    Address, Body, Code, Domain, Grants, Message, MessageType, PROVISIONAL_DEADLINE_MS, REPLY_DEADLINE_MS, Response,
    Verdict,
};

const NOW: u64 = 1_000_000;

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn message(id: u64, kind: MessageType, from: &str, to: &str) -> Message {
    Message { id, kind, from: address(from), to: address(to), body: Body::from_json(r#"{"value":1}"#).unwrap() }
}

struct Home {
    bus: Bus,
    sm: PortId,
    chat: PortId,
    stub: PortId,
}

const CHAT: &str = "hyperty://a.example/chat";
const SM: &str = "runtime://a.example/sm";
const STUB: &str = "runtime://a.example/protostub/b.example";
const BEN: &str = "hyperty://b.example/inbox";

fn home() -> Home {
    let mut bus = Bus::new(domain("a.example"));
    let sm = bus.add_port(PortKind::Core { name: "sm".into() });
    let chat = bus.add_port(PortKind::Guest { speak_as: vec![address(CHAT)], grants: Grants::none() });
    let stub =
        bus.add_port(PortKind::Stub { domain: domain("b.example"), address: address(STUB), grants: Grants::none() });
    bus.listen(sm, &Place::At(address(SM))).unwrap();
    bus.listen(sm, &Place::At(address("hyperty://a.example/inbox"))).unwrap();
    bus.listen(chat, &Place::Below(address(CHAT))).unwrap();
    bus.listen(stub, &Place::At(address(STUB))).unwrap();
    Home { bus, sm, chat, stub }
}

/// Allows everything that is asked, until nothing is.
fn allow(bus: &mut Bus, now: u64, actions: Vec<Action>) -> Vec<Action> {
    let mut done = Vec::new();
    let mut todo = std::collections::VecDeque::from(actions);
    while let Some(action) = todo.pop_front() {
        match action {
            Action::Judge { ticket, .. } => todo.extend(bus.verdict(now, ticket, Verdict::Allow)),
            other => done.push(other),
        }
    }
    done
}

fn delivered(actions: &[Action], to: PortId) -> Vec<&Message> {
    actions
        .iter()
        .filter_map(|action| match action {
            Action::Deliver { port, message, .. } if *port == to => Some(message),
            _ => None,
        })
        .collect()
}

fn codes(actions: &[Action], to: PortId) -> Vec<u16> {
    delivered(actions, to).iter().filter_map(|m| m.response_code()).map(|code| code.0).collect()
}

impl Home {
    fn post(&mut self, now: u64, from: PortId, message: Message) -> Vec<Action> {
        let actions = self.bus.post(now, from, message);
        allow(&mut self.bus, now, actions)
    }

    fn answer(&mut self, now: u64, from: PortId, request: &Message, code: Code) -> Vec<Action> {
        self.post(now, from, request.response(&Response::code(code)))
    }
}

#[test]
fn a_request_finds_its_listener_and_its_answer_the_way_back() {
    let mut home = home();
    let (sm, chat) = (home.sm, home.chat);
    let asked = home.post(NOW, chat, message(7, MessageType::Create, CHAT, SM));
    let request = delivered(&asked, sm)[0].clone();
    assert_eq!(request.from, address(CHAT));
    let answered = home.answer(NOW + 5, sm, &request, Code::OK);
    let answer = delivered(&answered, chat)[0];
    assert_eq!((answer.id, answer.from.as_str(), answer.to.as_str()), (7, SM, CHAT));
    assert_eq!(home.bus.open(), 0);
    assert_eq!(home.bus.next_wake(), None);
}

#[test]
fn everything_that_crosses_a_sandbox_is_judged_and_core_to_core_is_not() {
    let mut home = home();
    let judged = home.bus.post(NOW, home.chat, message(1, MessageType::Create, CHAT, SM));
    assert!(matches!(&judged[..], [Action::Judge { from: Party::Guest { .. }, answers: None, .. }]));
    let free = home.bus.post(NOW, home.sm, message(2, MessageType::Read, SM, "hyperty://a.example/inbox"));
    assert!(matches!(&free[..], [Action::Deliver { .. }]));
    let asked = allow(&mut home.bus, NOW, judged);
    let request = delivered(&asked, home.sm)[0].clone();
    let answer = home.bus.post(NOW, home.sm, request.response(&Response::code(Code::OK)));
    assert!(matches!(&answer[..], [Action::Judge { answers: Some(MessageType::Create), .. }]));
}

#[test]
fn a_guest_cannot_speak_as_somebody_else() {
    let mut home = home();
    let (sm, chat) = (home.sm, home.chat);
    for claim in [BEN, SM, "hyperty://a.example/chatter", "user://a.example/ana"] {
        let heard = home.post(NOW, chat, message(1, MessageType::Event, claim, SM));
        assert_eq!(delivered(&heard, sm)[0].from, address(CHAT), "{claim}");
    }
    let below = format!("{CHAT}/room/1");
    let heard = home.post(NOW, chat, message(1, MessageType::Event, &below, SM));
    assert_eq!(delivered(&heard, sm)[0].from.as_str(), below);
}

#[test]
fn several_listeners_of_one_address_all_hear_an_event() {
    let mut home = home();
    let log = home.bus.add_port(PortKind::Core { name: "log".into() });
    home.bus.listen(log, &Place::At(address(SM))).unwrap();
    let heard = home.post(NOW, home.chat, message(1, MessageType::Event, CHAT, SM));
    assert_eq!((delivered(&heard, home.sm).len(), delivered(&heard, log).len()), (1, 1));
    home.bus.unlisten(log, &Place::At(address(SM)));
    let heard = home.post(NOW, home.chat, message(2, MessageType::Event, CHAT, SM));
    assert_eq!((delivered(&heard, home.sm).len(), delivered(&heard, log).len()), (1, 0));
}

#[test]
fn a_request_without_an_answer_gets_a_408() {
    let mut home = home();
    let asked = home.post(NOW, home.chat, message(7, MessageType::Create, CHAT, SM));
    let request = delivered(&asked, home.sm)[0].clone();
    assert_eq!(home.bus.next_wake(), Some(NOW + REPLY_DEADLINE_MS));
    assert!(home.bus.tick(NOW + REPLY_DEADLINE_MS - 1).is_empty());
    let late = home.bus.tick(NOW + REPLY_DEADLINE_MS);
    assert_eq!(codes(&late, home.chat), [408]);
    assert_eq!(delivered(&late, home.chat)[0].id, 7);
    let too_late = home.answer(NOW + REPLY_DEADLINE_MS + 1, home.sm, &request, Code::OK);
    assert!(too_late.is_empty());
    assert_eq!(home.bus.stats().late_answers, 1);
}

#[test]
fn a_provisional_answer_keeps_the_request_up_to_the_long_limit() {
    let mut home = home();
    let asked = home.post(NOW, home.chat, message(7, MessageType::Create, CHAT, SM));
    let request = delivered(&asked, home.sm)[0].clone();
    let trying = home.answer(NOW + 10, home.sm, &request, Code::TRYING);
    assert_eq!(codes(&trying, home.chat), [100]);
    assert!(home.bus.tick(NOW + REPLY_DEADLINE_MS).is_empty());
    assert_eq!(codes(&home.bus.tick(NOW + PROVISIONAL_DEADLINE_MS), home.chat), [408]);
}

#[test]
fn only_the_one_asked_may_answer_and_only_once() {
    let mut home = home();
    let asked = home.post(NOW, home.chat, message(7, MessageType::Create, CHAT, SM));
    let request = delivered(&asked, home.sm)[0].clone();
    assert!(home.answer(NOW, home.stub, &request, Code::OK).is_empty());
    assert!(home.answer(NOW, home.chat, &request, Code::OK).is_empty());
    assert_eq!(home.bus.stats().foreign_answers, 2);
    assert_eq!(codes(&home.answer(NOW, home.sm, &request, Code::OK), home.chat), [200]);
    assert!(home.answer(NOW, home.sm, &request, Code::OK).is_empty());
}

#[test]
fn a_denied_request_is_answered_with_the_reason() {
    let mut home = home();
    let judged = home.bus.post(NOW, home.chat, message(7, MessageType::Create, CHAT, SM));
    let Some(Action::Judge { ticket, .. }) = judged.first() else { panic!("not judged") };
    let denied = home.bus.verdict(NOW, *ticket, Verdict::deny("not-granted", "no grant for that address"));
    let answer: Response = delivered(&denied, home.chat)[0].body.parse().unwrap();
    assert_eq!((answer.code, answer.description.as_deref()), (Code::FORBIDDEN, Some("no grant for that address")));
    assert!(home.bus.verdict(NOW, *ticket, Verdict::Allow).is_empty());
}

#[test]
fn while_a_person_is_asked_the_sender_waits_with_a_provisional_answer() {
    let mut home = home();
    let judged = home.bus.post(NOW, home.chat, message(7, MessageType::Create, CHAT, BEN));
    let Some(Action::Judge { ticket, to, .. }) = judged.first() else { panic!("not judged") };
    assert_eq!(to, &[Party::Remote { domain: domain("b.example") }]);
    let question = message::ConsentQuestion::Contact { user: "user://b.example/ben".parse().unwrap() };
    let asking = home.bus.verdict(NOW, *ticket, Verdict::Ask { question: question.clone() });
    assert_eq!(codes(&asking, home.chat), [180]);
    assert!(home.bus.verdict(NOW, *ticket, Verdict::Ask { question }).is_empty());
    assert!(home.bus.tick(NOW + 60_000).is_empty());
    let allowed = home.bus.verdict(NOW + 60_000, *ticket, Verdict::Allow);
    assert_eq!(allowed, [Action::NeedRoute { domain: domain("b.example") }]);
}

#[test]
fn messages_for_an_unknown_domain_wait_for_its_stub() {
    let mut home = home();
    let first = home.post(NOW, home.sm, message(1, MessageType::Create, SM, BEN));
    assert_eq!(first, [Action::NeedRoute { domain: domain("b.example") }]);
    let registry = message(2, MessageType::Read, SM, "domain://registry.b.example");
    assert!(home.post(NOW, home.sm, registry).is_empty());
    assert!(home.bus.route_ready(NOW, &domain("b.example"), home.chat).is_empty(), "a guest is no stub");
    let out = home.bus.route_ready(NOW + 100, &domain("b.example"), home.stub);
    let sent = delivered(&out, home.stub);
    assert_eq!(sent.iter().map(|m| m.to.as_str()).collect::<Vec<_>>(), [BEN, "domain://registry.b.example"]);
    let request = sent[0].clone();
    let answered = home.answer(NOW + 200, home.stub, &request, Code::ACCEPTED);
    assert!(matches!(&answered[..], [Action::Deliver { via: Some(via), .. }] if via.as_str() == "b.example"));
    assert_eq!(codes(&answered, home.sm), [202]);
}

#[test]
fn messages_that_wait_in_vain_are_answered() {
    let mut home = home();
    home.post(NOW, home.sm, message(1, MessageType::Create, SM, BEN));
    home.post(NOW, home.sm, message(2, MessageType::Event, SM, BEN));
    let failed = home.bus.route_failed(&domain("b.example"), &Response::code(Code::UNAVAILABLE));
    assert_eq!(codes(&failed, home.sm), [503]);
    assert!(failed.iter().any(|action| matches!(action, Action::Refused { message, .. } if message.id == 2)));
    let again = home.post(NOW, home.sm, message(3, MessageType::Create, SM, BEN));
    assert_eq!(again, [Action::NeedRoute { domain: domain("b.example") }]);
}

#[test]
fn while_a_person_is_asked_about_a_module_parked_requests_wait_longer() {
    let mut home = home();
    home.post(NOW, home.sm, message(1, MessageType::Create, SM, BEN));
    assert_eq!(codes(&home.bus.route_asking(&domain("b.example")), home.sm), [180]);
    let second = home.post(NOW, home.sm, message(2, MessageType::Create, SM, BEN));
    assert_eq!(codes(&second, home.sm), [180]);
    assert!(home.bus.tick(NOW + 100_000).is_empty());
    let out = home.bus.route_ready(NOW + 100_000, &domain("b.example"), home.stub);
    assert_eq!(delivered(&out, home.stub).len(), 2);
    assert_eq!(home.bus.next_wake(), Some(NOW + 100_000 + REPLY_DEADLINE_MS));
}

#[test]
fn the_queue_for_a_missing_stub_is_bounded() {
    let mut home = home();
    for id in 0..bus::PARKED_PER_DOMAIN as u64 {
        home.post(NOW, home.sm, message(id, MessageType::Create, SM, BEN));
    }
    assert_eq!(codes(&home.post(NOW, home.sm, message(9999, MessageType::Create, SM, BEN)), home.sm), [503]);
    home.bus.tick(NOW + REPLY_DEADLINE_MS);
    let room = home.post(NOW + REPLY_DEADLINE_MS, home.sm, message(10_000, MessageType::Create, SM, BEN));
    assert!(room.is_empty(), "those that are over make room");
}

#[test]
fn a_guest_that_floods_gets_429_and_does_not_starve_others() {
    let mut home = home();
    for id in 0..bus::OPEN_PER_PORT as u64 {
        home.bus.post(NOW, home.chat, message(id, MessageType::Create, CHAT, SM));
    }
    let flood = home.bus.post(NOW, home.chat, message(5000, MessageType::Create, CHAT, SM));
    assert_eq!(codes(&flood, home.chat), [429]);
    let other = home.bus.post(NOW, home.sm, message(1, MessageType::Execute, SM, CHAT));
    assert!(matches!(&other[..], [Action::Judge { .. }]));
}

#[test]
fn a_stub_brings_messages_only_to_local_listeners() {
    let mut home = home();
    let ok = home.post(
        NOW,
        home.stub,
        message(1, MessageType::Create, "runtime://b.example/v-1", "hyperty://a.example/inbox"),
    );
    assert!(matches!(&ok[..], [Action::Deliver { via: Some(via), .. }] if via.as_str() == "b.example"));
    for nowhere in ["hyperty://a.example/nobody", "hyperty://c.example/1", "domain://registry.a.example"] {
        let lost = home.post(NOW, home.stub, message(2, MessageType::Create, BEN, nowhere));
        assert_eq!(codes(&lost, home.stub), [404], "{nowhere}");
    }
}

#[test]
fn a_stub_cannot_speak_for_this_runtime_or_another_domain() {
    let mut home = home();
    for claim in [
        SM,
        CHAT,
        "hyperty://a.example/chat/1",
        "runtime://a.example/anything",
        "hyperty://a.example/inbox",
        "hyperty://c.example/1",
        "hyperty://evilb.example/1",
    ] {
        let refused = home.post(NOW, home.stub, message(2, MessageType::Create, claim, SM));
        assert_eq!(codes(&refused, home.stub), [403], "{claim}");
    }
    let service = home.post(NOW, home.stub, message(2, MessageType::Create, "domain://msg-node.b.example/session", SM));
    assert_eq!(delivered(&service, home.sm).len(), 1);
}

#[test]
fn a_stub_speaks_for_itself_under_its_own_address() {
    let mut home = home();
    let judged = home.bus.post(NOW, home.stub, message(3, MessageType::Execute, STUB, SM));
    assert!(matches!(&judged[..], [Action::Judge { from: Party::Stub { .. }, .. }]));
    let relayed = home.bus.post(NOW, home.stub, message(3, MessageType::Execute, BEN, SM));
    assert!(matches!(&relayed[..], [Action::Judge { from: Party::Remote { .. }, .. }]));
}

#[test]
fn a_closed_port_leaves_nobody_waiting() {
    let mut home = home();
    home.post(NOW, home.sm, message(1, MessageType::Execute, SM, CHAT));
    home.post(NOW, home.chat, message(2, MessageType::Create, CHAT, SM));
    let gone = home.bus.remove_port(home.chat);
    assert_eq!(codes(&gone, home.sm), [503]);
    assert_eq!((gone.len(), home.bus.open()), (1, 0));
    assert_eq!(
        codes(&home.post(NOW, home.sm, message(3, MessageType::Execute, SM, "runtime://a.example/x")), home.sm),
        [404]
    );
}

#[test]
fn a_stub_that_stops_loses_its_route() {
    let mut home = home();
    home.bus.route_ready(NOW, &domain("b.example"), home.stub);
    assert!(home.bus.has_route(&domain("b.example")));
    home.post(NOW, home.sm, message(1, MessageType::Create, SM, BEN));
    assert_eq!(codes(&home.bus.remove_port(home.stub), home.sm), [503]);
    let again = home.post(NOW, home.sm, message(2, MessageType::Create, SM, BEN));
    assert_eq!(again, [Action::NeedRoute { domain: domain("b.example") }]);
}

#[test]
fn a_full_queue_is_answered() {
    let mut home = home();
    let asked = home.post(NOW, home.sm, message(1, MessageType::Execute, SM, CHAT));
    let request = delivered(&asked, home.chat)[0].clone();
    assert_eq!(codes(&home.bus.undelivered(home.chat, request), home.sm), [429]);
}

#[test]
fn a_listener_that_left_before_the_verdict_hears_nothing() {
    let mut home = home();
    let judged = home.bus.post(NOW, home.chat, message(1, MessageType::Create, CHAT, SM));
    home.bus.unlisten(home.sm, &Place::At(address(SM)));
    assert_eq!(codes(&allow(&mut home.bus, NOW, judged), home.chat), [404]);
}

#[test]
fn no_text_of_a_message_stands_in_its_debug_output() {
    let mut home = home();
    let judged = home.bus.post(NOW, home.chat, message(1, MessageType::Create, CHAT, SM));
    let printed = format!("{judged:?} {:?}", home.bus);
    assert!(!printed.contains("value"), "{printed}");
}
