//! Several devices of one person: each with its own inbox, key packages and end.

use identity::Signer;

use super::*;
use crate::limits::{DEVICES_PER_ACCOUNT, TIDY_MS};

const REGISTRY: &str = "domain://registry.a.localhost";
const ACCOUNT: &str = "domain://account.a.localhost";
const YEAR_S: i64 = 300 * 86_400;

/// A device with its session, of whatever account.
pub(super) struct Device {
    pub key: SigningKey,
    pub session: SessionId,
    pub address: Address,
}

impl World {
    pub(super) fn device(&mut self) -> Device {
        let key = SigningKey::generate();
        let (session, address) = self.open(Role::Member, &key);
        Device { key, session, address }
    }

    /// The inbox of an admitted device.
    fn inbox_of(&mut self, device: &Device) -> Address {
        let wish = json!({ "scheme": "hyperty", "value": { "number": 1, "allocationKey": "inbox" } });
        let to = "domain://msg-node.a.localhost/address-allocation";
        let answer = self.ask(device.session, MessageType::Create, &device.address, to, &wish);
        Address::parse(answer["value"]["allocated"][0].as_str().unwrap()).unwrap()
    }

    fn update(&mut self, who: (SessionId, &Address), value: &Value) -> Value {
        self.ask(who.0, MessageType::Update, who.1, REGISTRY, &json!({ "value": value }))
    }

    pub(super) fn push_chain(&mut self, ana: &Member) -> Value {
        let value = json!({ "user": ana.user, "chain": ana.chain.texts() });
        self.update((ana.session, &ana.address), &value)
    }

    pub(super) fn publish(&mut self, ana: &Member, packages: &[&str]) -> Value {
        let value = json!({ "user": ana.user, "inbox": ana.inbox, "keyPackages": packages });
        self.update((ana.session, &ana.address), &value)
    }

    /// A second device of Ana's, with an inbox and these packages.
    fn second(&mut self, ana: &mut Member, packages: &[&str]) -> (Device, Address) {
        let phone = self.device();
        ana.add(&phone, self.now);
        assert_eq!(self.push_chain(ana)["code"], 200);
        let inbox = self.inbox_of(&phone);
        let value = json!({ "user": ana.user, "inbox": inbox, "keyPackages": packages });
        let answer = self.update((phone.session, &phone.address), &value);
        assert_eq!(answer["value"]["keyPackages"], packages.len());
        (phone, inbox)
    }

    fn look(&mut self, who: &(SessionId, Address), body: &Value) -> Value {
        self.ask(who.0, MessageType::Read, &who.1, REGISTRY, body)["value"].clone()
    }

    pub(super) fn closed(&self, session: SessionId) -> Option<u16> {
        self.sent.iter().find_map(|output| match output {
            Output::Close { session: gone, code } if *gone == session => Some(code.0),
            _ => None,
        })
    }
}

impl Member {
    fn add(&mut self, device: &Device, now_ms: i64) {
        let now = now_ms / 1000;
        self.chain.add_device(&self.irk, device.key.verifying_key(), "phone", now + YEAR_S, now).unwrap();
    }

    fn revoke(&mut self, key: &SigningKey, now_ms: i64) {
        self.chain.revoke_device(&self.irk, Signer::Irk, key.verifying_key(), now_ms / 1000).unwrap();
    }

    fn key_text(&self) -> String {
        self.key.verifying_key().to_string()
    }
}

fn package_of<'a>(entry: &'a Value, device: &str) -> Option<&'a str> {
    let devices = entry["devices"].as_array().unwrap();
    devices.iter().find(|one| one["device"] == device).expect("the device is listed")["keyPackage"].as_str()
}

#[test]
fn two_devices_of_one_name_get_their_own_mail() {
    let mut world = World::new(Limits::default());
    let mut ana = world.member("ana");
    world.publish(&ana, &["AAAA"]);
    let (phone, phone_inbox) = world.second(&mut ana, &["BBBB"]);
    let ben = world.visitor();
    let entry = world.look(&ben, &json!({ "resource": ana.user }));
    let inboxes: Vec<_> = entry["devices"].as_array().unwrap().iter().map(|one| one["inbox"].clone()).collect();
    assert_eq!(inboxes.len(), 2);
    assert!(inboxes.contains(&json!(ana.inbox)) && inboxes.contains(&json!(phone_inbox)));
    assert_eq!(entry["chain"], json!(ana.chain.texts()));
    world.deliver(&ben, 1, &phone_inbox);
    world.deliver(&ben, 2, &ana.inbox);
    assert_eq!(world.heard(phone.session).iter().map(|m| m.to.clone()).collect::<Vec<_>>(), [phone_inbox]);
    assert_eq!(world.heard(ana.session).iter().map(|m| m.to.clone()).collect::<Vec<_>>(), [ana.inbox]);
}

#[test]
fn each_device_gives_its_own_key_packages_and_keeps_its_last() {
    let mut world = World::new(Limits::default());
    let mut ana = world.member("ana");
    world.publish(&ana, &["AAAA", "AAAB", "AAAC"]);
    let (phone, _) = world.second(&mut ana, &["BBBB"]);
    let (laptop, phone) = (ana.key_text(), phone.key.verifying_key().to_string());
    let ben = world.visitor();
    let entry = world.look(&ben, &json!({ "resource": ana.user }));
    assert_eq!((package_of(&entry, &laptop), package_of(&entry, &phone)), (Some("AAAA"), Some("BBBB")));
    let entry = world.look(&ben, &json!({ "resource": ana.user, "only": [phone] }));
    assert_eq!((package_of(&entry, &laptop), package_of(&entry, &phone)), (None, Some("BBBB")), "the last one stays");
    let left = world.publish(&ana, &[])["value"]["keyPackages"].clone();
    assert_eq!(left, 2, "only asks for the phone's did not cost the laptop's");
}

#[test]
fn who_only_looks_takes_no_key_package() {
    let mut world = World::new(Limits::default());
    let ana = world.member("ana");
    world.publish(&ana, &["AAAA", "AAAB"]);
    let ben = world.visitor();
    for _ in 0..3 {
        let entry = world.look(&ben, &json!({ "resource": ana.user, "packages": false, "only": [ana.key_text()] }));
        assert_eq!(package_of(&entry, &ana.key_text()), None);
    }
    let own = (ana.session, ana.address.clone());
    let entry = world.look(&own, &json!({ "resource": ana.user, "packages": false }));
    assert_eq!(entry["devices"][0]["inbox"], json!(ana.inbox), "Ana sees her own entry");
    assert_eq!(world.publish(&ana, &[])["value"]["keyPackages"], 2);
}

#[test]
fn a_look_up_that_names_no_keys_is_refused() {
    let mut world = World::new(Limits::default());
    let ana = world.member("ana");
    let ben = world.visitor();
    let many: Vec<String> = (0..=DEVICES_PER_ACCOUNT).map(|_| ana.key_text()).collect();
    for (only, code) in [(json!(["not a key"]), 400), (json!(many), 413)] {
        let body = json!({ "resource": ana.user, "only": only });
        assert_eq!(world.ask(ben.0, MessageType::Read, &ben.1, REGISTRY, &body)["code"], code);
    }
}

#[test]
fn a_session_is_admitted_as_soon_as_the_chain_names_its_device() {
    let mut world = World::new(Limits::default());
    let mut ana = world.member("ana");
    let phone = world.device();
    let whose = |world: &mut World| world.ask(phone.session, MessageType::Read, &phone.address, ACCOUNT, &json!({}));
    assert_eq!(whose(&mut world)["value"], json!({ "admitted": false }));
    let own = world.ask(ana.session, MessageType::Read, &ana.address, ACCOUNT, &json!({}));
    assert_eq!(own["value"], json!({ "admitted": true, "user": ana.user }));
    ana.add(&phone, world.now);
    assert_eq!(world.push_chain(&ana)["code"], 200);
    let told = world.heard(phone.session);
    assert_eq!(told[0].body.parse::<Value>().unwrap(), json!({ "code": "admitted", "user": ana.user }));
    assert_eq!((told[0].kind, told[0].from.as_str()), (MessageType::Event, ACCOUNT));
    assert_eq!(whose(&mut world)["value"], json!({ "admitted": true, "user": ana.user }));
    world.inbox_of(&phone);
}

#[test]
fn a_visitor_has_no_account_to_ask_about() {
    let mut world = World::new(Limits::default());
    let ben = world.visitor();
    assert_eq!(world.ask(ben.0, MessageType::Read, &ben.1, ACCOUNT, &json!({}))["code"], 403);
}

#[test]
fn nothing_of_a_revoked_device_is_left() {
    let mut world = World::new(Limits::default());
    let mut ana = world.member("ana");
    world.publish(&ana, &["AAAA"]);
    let (phone, inbox) = world.second(&mut ana, &["BBBB"]);
    let ben = world.visitor();
    world.deliver(&ben, 1, &inbox);
    world.tick(CONFIRM_MS);
    assert_eq!(world.codes(ben.0), [202], "its mail waits on disk");
    world.deliver(&ben, 2, &inbox);
    ana.revoke(&phone.key, world.now);
    world.sent.clear();
    world.post(
        ana.session,
        9,
        MessageType::Update,
        &ana.address,
        REGISTRY,
        &json!({ "value": { "user": ana.user, "chain": ana.chain.texts() } }),
    );
    assert_eq!(world.closed(phone.session), Some(403));
    assert_eq!(world.codes(ben.0), [404], "what was on its way reaches nobody, and its sender knows");
    world.deliver(&ben, 3, &inbox);
    assert_eq!(world.codes(ben.0), [404]);
    let records = world.exchange.records();
    assert!(records.kept_after(&inbox, 0, 9, 0).unwrap().is_empty());
    assert!(records.addresses_of(&phone.key.verifying_key().to_string()).unwrap().is_empty());
    assert_eq!(records.key_packages_left(&phone.key.verifying_key().to_string()).unwrap(), 0);
    let entry = world.look(&ben, &json!({ "resource": ana.user }));
    assert_eq!(entry["devices"].as_array().unwrap().len(), 1);
    assert_eq!(package_of(&entry, &ana.key_text()), Some("AAAA"), "the other device kept what is its own");
    let (again, _) = world.open(Role::Member, &phone.key);
    assert!(world.exchange.proven(again).unwrap().user.is_none());
}

#[test]
fn a_device_may_sign_itself_out_and_hears_that_it_did() {
    let mut world = World::new(Limits::default());
    let mut ana = world.member("ana");
    let (phone, inbox) = world.second(&mut ana, &["BBBB"]);
    ana.revoke(&phone.key, world.now);
    let value = json!({ "user": ana.user, "inbox": inbox, "keyPackages": ["CCCC"], "chain": ana.chain.texts() });
    world.sent.clear();
    world.post(phone.session, 9, MessageType::Update, &phone.address, REGISTRY, &json!({ "value": value }));
    let [Output::Send { message, .. }, Output::Close { session, code: Code::FORBIDDEN }] = world.sent.as_slice() else {
        panic!("it is answered and then put out: {:?}", world.sent)
    };
    assert_eq!((message.body.as_str(), *session), (r#"{"code":200,"value":{"keyPackages":0}}"#, phone.session));
    assert_eq!(world.closed(ana.session), None);
    let ben = world.visitor();
    assert_eq!(world.look(&ben, &json!({ "resource": ana.user }))["devices"], json!([]));
}

#[test]
fn any_device_of_the_account_brings_its_longer_chain_and_nobody_an_older_one() {
    let mut world = World::new(Limits::default());
    let mut ana = world.member("ana");
    let (phone, _) = world.second(&mut ana, &[]);
    let older = ana.chain.texts();
    let tablet = world.device();
    ana.add(&tablet, world.now);
    let value = json!({ "user": ana.user, "chain": ana.chain.texts() });
    assert_eq!(world.update((phone.session, &phone.address), &value)["code"], 200);
    assert!(world.exchange.proven(tablet.session).unwrap().user.is_some());
    let value = json!({ "user": ana.user, "chain": older });
    assert_eq!(world.update((phone.session, &phone.address), &value)["code"], 409);
}

#[test]
fn a_forged_or_forked_chain_is_refused() {
    let mut world = World::new(Limits::default());
    let ana = world.member("ana");
    let (mallory, now) = (SigningKey::generate(), world.now / 1000);
    let mut texts = ana.chain.texts();
    let mut own = identity::Sigchain::create(&mallory, None, now);
    own.add_device(&mallory, ana.key.verifying_key(), "laptop", now + YEAR_S, now).unwrap();
    own.add_device(&mallory, mallory.verifying_key(), "mine", now + YEAR_S, now).unwrap();
    let mut push = |texts: &[String]| {
        let value = json!({ "user": ana.user, "chain": texts });
        world.update((ana.session, &ana.address), &value)["code"].clone()
    };
    assert_eq!(push(&own.texts()), 409, "another persona");
    texts.push(own.texts()[2].clone());
    assert_eq!(push(&texts), 400, "an entry of somebody else's root key");
    let mut fork = identity::Sigchain::parse(&ana.chain.texts()[..1]).unwrap();
    fork.add_device(&ana.irk, mallory.verifying_key(), "mine", now + YEAR_S, now + 1).unwrap();
    assert_eq!(push(&fork.texts()), 409, "another story");
    assert_eq!(world.exchange.records().devices_of("ana").unwrap(), [ana.key_text()]);
}

#[test]
fn a_device_of_another_account_is_not_taken_into_a_chain() {
    let mut world = World::new(Limits::default());
    let ana = world.member("ana");
    let mut ben = world.member("ben");
    let now = world.now / 1000;
    ben.chain.add_device(&ben.irk, ana.key.verifying_key(), "hers", now + YEAR_S, now).unwrap();
    assert_eq!(world.push_chain(&ben)["code"], 409);
    let owner = world.exchange.records().owner_of_device(&ana.key_text(), now).unwrap();
    assert_eq!(owner.as_deref(), Some("ana"));
    let carl = world.device();
    let mut chain = identity::Sigchain::create(&carl.key, None, now);
    for key in [&carl.key, &ana.key] {
        chain.add_device(&carl.key, key.verifying_key(), "x", now + YEAR_S, now).unwrap();
    }
    let claim = json!({ "user": "user://a.localhost/carl", "chain": chain.texts() });
    let to = "domain://registry.a.localhost/account";
    assert_eq!(world.ask(carl.session, MessageType::Create, &carl.address, to, &claim)["code"], 409);
    assert_eq!(world.exchange.records().account("carl").unwrap(), None);
}

#[test]
fn a_device_that_was_not_renewed_is_put_out_and_its_key_packages_are_deleted() {
    let mut world = World::new(Limits::default());
    let ana = world.member("ana");
    world.publish(&ana, &["AAAA"]);
    world.tick(YEAR_S * 1000 - 2000);
    assert_eq!(world.closed(ana.session), None, "it counts to the last");
    world.tick(TIDY_MS);
    assert_eq!(world.closed(ana.session), Some(403));
    let ben = world.visitor();
    let entry = world.look(&ben, &json!({ "resource": ana.user }));
    assert_eq!((&entry["devices"], &entry["chain"]), (&json!([]), &json!(ana.chain.texts())));
    assert_eq!(world.exchange.records().key_packages_left(&ana.key_text()).unwrap(), 0);
}

#[test]
fn the_registry_lists_only_so_many_devices_of_one_name() {
    let mut world = World::new(Limits::laboratory());
    let mut ana = world.member("ana");
    world.publish(&ana, &[]);
    for _ in 1..DEVICES_PER_ACCOUNT {
        world.second(&mut ana, &[]);
    }
    let last = world.device();
    ana.add(&last, world.now);
    world.push_chain(&ana);
    let inbox = world.inbox_of(&last);
    let value = json!({ "user": ana.user, "inbox": inbox });
    assert_eq!(world.update((last.session, &last.address), &value)["code"], 507);
    assert_eq!(world.publish(&ana, &[])["code"], 200, "those that are listed go on");
}

#[test]
fn a_forgotten_account_leaves_nothing_and_frees_its_name() {
    let mut world = World::new(Limits::default());
    let ana = world.member("ana");
    world.publish(&ana, &["AAAA"]);
    let ben = world.visitor();
    assert!(world.exchange.forget_account("ana", world.now).unwrap());
    assert!(!world.exchange.forget_account("ana", world.now).unwrap());
    world.sent.extend(world.exchange.take_outputs());
    assert_eq!(world.closed(ana.session), Some(403));
    world.deliver(&ben, 1, &ana.inbox);
    assert_eq!(world.codes(ben.0), [404]);
    world.member("ana");
}
