//! A new device says its first word to one its owner has already.

use super::*;
use crate::limits::{LINKING_AGE_MS, LINKING_BYTES, LINKING_PER_SESSION, TIDY_MS};

const LINKING: &str = "domain://linking.a.localhost";

impl World {
    fn link(&mut self, device: &devices::Device, id: u64, to: &str) {
        let body = json!({ "to": to, "sealed": "aGVsbG8" });
        self.post(device.session, id, MessageType::Create, &device.address, LINKING, &body);
    }
}

#[test]
fn a_linking_message_reaches_the_inbox_and_its_answer_comes_back() {
    let mut world = World::new(Limits::default());
    let ana = world.member("ana");
    world.publish(&ana, &[]);
    let phone = world.device();
    world.link(&phone, 1, ana.inbox.as_str());
    let heard = world.heard(ana.session).pop().unwrap();
    assert_eq!((heard.kind, &heard.from, &heard.to), (MessageType::Create, &phone.address, &ana.inbox));
    assert_eq!(heard.body.parse::<serde_json::Value>().unwrap(), json!({ "v": 1, "sealed": "aGVsbG8" }));
    world.confirm(ana.session, &heard, Code::OK);
    assert_eq!(world.codes(phone.session), [200]);
    let body = json!({ "v": 1, "sealed": "d2VsY29tZQ" });
    world.post(ana.session, 5, MessageType::Create, &ana.inbox, phone.address.as_str(), &body);
    let word = world.heard(phone.session).pop().unwrap();
    assert_eq!(word.from, ana.inbox);
    world.confirm(phone.session, &word, Code::OK);
    assert_eq!(world.codes(ana.session), [200], "the new device may answer");
}

#[test]
fn a_linking_message_waits_for_ten_minutes_only() {
    let mut world = World::new(Limits::default());
    let ana = world.member("ana");
    world.publish(&ana, &[]);
    world.leave(ana.session);
    let phone = world.device();
    world.link(&phone, 1, ana.inbox.as_str());
    assert_eq!(world.codes(phone.session), [202]);
    let (first, _) = world.open(Role::Member, &ana.key);
    assert_eq!(world.heard(first).iter().filter(|message| message.to == ana.inbox).count(), 1, "within its life");
    world.leave(first);
    world.now += LINKING_AGE_MS;
    let (second, _) = world.open(Role::Member, &ana.key);
    assert!(world.heard(second).iter().all(|message| message.to != ana.inbox), "its code is worth nothing now");
    world.tick(TIDY_MS);
    assert_eq!(world.exchange.records().kept_after(&ana.inbox, 0, 9, 0).unwrap().len(), 0);
    assert!(world.exchange.records().inboxes_with_mail(&ana.key.verifying_key().to_string()).unwrap().is_empty());
}

#[test]
fn other_mail_outlives_a_linking_message() {
    let mut world = World::new(Limits::default());
    let ana = world.member("ana");
    world.publish(&ana, &[]);
    world.leave(ana.session);
    let (phone, ben) = (world.device(), world.visitor());
    world.deliver(&ben, 1, &ana.inbox);
    world.link(&phone, 1, ana.inbox.as_str());
    world.tick(LINKING_AGE_MS);
    let kept = world.exchange.records().kept_after(&ana.inbox, 0, 9, 0).unwrap();
    assert_eq!(kept.iter().map(|one| one.message.from.clone()).collect::<Vec<_>>(), [ben.1]);
}

#[test]
fn linking_is_for_a_device_without_an_account_and_for_inboxes() {
    let mut world = World::new(Limits::default());
    let ana = world.member("ana");
    world.publish(&ana, &[]);
    let ben = world.visitor();
    let body = json!({ "to": ana.inbox, "sealed": "aGVsbG8" });
    for (session, from) in [(ana.session, &ana.address), (ben.0, &ben.1)] {
        assert_eq!(world.ask(session, MessageType::Create, from, LINKING, &body)["code"], 403);
    }
    let phone = world.device();
    for nobody in ["hyperty://a.localhost/nobody", "hyperty://b.localhost/1", ana.address.as_str()] {
        world.link(&phone, 1, nobody);
        assert_eq!(world.codes(phone.session), [404], "{nobody}");
    }
}

#[test]
fn a_linking_message_is_sealed_and_short() {
    let mut world = World::new(Limits::default());
    let ana = world.member("ana");
    world.publish(&ana, &[]);
    let phone = world.device();
    for sealed in ["".to_owned(), "not sealed".to_owned(), "A".repeat(LINKING_BYTES + 4)] {
        let body = json!({ "to": ana.inbox, "sealed": sealed });
        assert_eq!(world.ask(phone.session, MessageType::Create, &phone.address, LINKING, &body)["code"], 400);
    }
    let body = json!({ "to": ana.inbox, "sealed": "A".repeat(LINKING_BYTES) });
    world.post(phone.session, 1, MessageType::Create, &phone.address, LINKING, &body);
    assert_eq!(world.heard(ana.session).len(), 1, "what is refused does not count");
    let more = json!({ "to": ana.inbox, "sealed": "AAAA", "text": "hello" });
    assert_eq!(world.ask(phone.session, MessageType::Create, &phone.address, LINKING, &more)["code"], 400);
    assert_eq!(world.ask(phone.session, MessageType::Read, &phone.address, LINKING, &more)["code"], 400);
}

#[test]
fn floods_of_linking_messages_are_cut() {
    let mut world = World::new(Limits { linking_per_minute: 4, ..Limits::default() });
    let ana = world.member("ana");
    world.publish(&ana, &[]);
    let (first, second) = (world.device(), world.device());
    for id in 0..=u64::from(LINKING_PER_SESSION) {
        world.link(&first, id, ana.inbox.as_str());
    }
    assert_eq!(world.codes(first.session), [429], "the others are on their way");
    assert_eq!(world.heard(ana.session).len(), LINKING_PER_SESSION as usize);
    world.link(&second, 1, ana.inbox.as_str());
    assert_eq!(world.heard(ana.session).len(), 1);
    world.link(&second, 2, ana.inbox.as_str());
    assert_eq!(world.codes(second.session), [429], "the whole domain takes so many");
    world.now += 60_000;
    world.link(&second, 3, ana.inbox.as_str());
    assert_eq!(world.heard(ana.session).len(), 1);
}

#[test]
fn a_device_without_an_account_says_nothing_else() {
    let mut world = World::new(Limits::default());
    let ana = world.member("ana");
    let phone = world.device();
    world.deliver(&(phone.session, phone.address.clone()), 1, &ana.inbox);
    assert_eq!(world.codes(phone.session), [403]);
    assert!(world.heard(ana.session).is_empty());
}
