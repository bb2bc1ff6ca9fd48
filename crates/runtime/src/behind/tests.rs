//! Two people and their stores, with what travels between them in the hand.

use serde_json::{Value, json};
use store::{ChildRow, KeySource, MasterKey, Store};

use super::*;
use crate::commits::After;
use crate::first_run::ready;
use crate::inbox::{Taken, take};
use crate::records::{Me, Person};
use crate::verdicts::Policy;

const DAY: i64 = 86_400;

/// One device with its store.
pub(crate) struct Party {
    _folder: tempfile::TempDir,
    pub(crate) store: Store,
    pub(crate) me: Ready,
    pub(crate) policy: Policy,
}

/// Somebody with one device.
pub(crate) fn somebody(name: &str, domain: &str) -> Me {
    let (irk, dsk, now_s) = (keys::SigningKey::generate(), keys::SigningKey::generate(), now_ms() / 1000);
    let mut chain = identity::Sigchain::create(&irk, None, now_s - DAY);
    chain.add_device(&irk, dsk.verifying_key(), "laptop", now_s + 300 * DAY, now_s - DAY).unwrap();
    let at = |path: &str| Address::parse(&format!("hyperty://{domain}/{path}")).unwrap();
    Me {
        user: UserAddress::parse(&format!("{name}@{domain}")).unwrap(),
        name: name.to_owned(),
        issuer: "https://idp.example".into(),
        irk: Some(keys::b64url(irk.to_bytes().as_ref())),
        dsk: keys::b64url(dsk.to_bytes().as_ref()),
        chain: chain.texts(),
        resets: Default::default(),
        tokens: Vec::new(),
        renewals: Vec::new(),
        recovery: None,
        own: None,
        inbox: at(&format!("{name}/inbox")),
        chat: at(&format!("{name}/chat")),
        connector: at(&format!("{name}/connector")),
    }
}

impl Party {
    pub(crate) fn new(name: &str) -> Self {
        let folder = tempfile::TempDir::new().unwrap();
        let key = MasterKey::open(folder.path(), KeySource::Unprotected).unwrap();
        let store = Store::open(&folder.path().join("parlance.db"), &key).unwrap();
        let record = somebody(name, &format!("{name}.localhost"));
        let policy = Policy::new(record.user.domain(), policy::Rules::default());
        Self { _folder: folder, store, me: ready(record).unwrap(), policy }
    }

    pub(crate) fn device(&self) -> String {
        self.me.dsk.verifying_key().to_string()
    }

    pub(crate) fn knows(&mut self, other: &Self) {
        let mut rules = policy::Rules::default();
        rules.contacts.insert(other.me.record.user.clone(), policy::Contact::Accepted);
        self.policy = Policy::new(self.me.domain(), rules);
        let person = Person {
            user: other.me.record.user.clone(),
            name: other.me.record.name.clone(),
            contact: contract::ContactState::Accepted,
            persona: Some(other.me.chain.persona().to_string()),
            identity: None,
            issuers: Vec::new(),
            chain: other.me.record.chain.clone(),
            tokens: Vec::new(),
            renewals: Vec::new(),
            compared_at: None,
            change: None,
            next: None,
            chat: Some(chat()),
            before_block: None,
        };
        self.store.write(|tx| crate::sending::put_person(tx, &person)).unwrap();
    }

    pub(crate) fn object(&self) -> Object {
        self.store.read(|tx| get_object(tx, &chat())).unwrap()
    }

    /// A key package, as the registry would give it.
    pub(crate) fn registered(&self) -> RegistryDevice {
        let package = self
            .store
            .write(|tx| seal::key_package(tx, &self.me.device, false).map_err(|e| Failure::new("sealing-failed", e)));
        RegistryDevice {
            device: self.device(),
            key: self.me.dsk.verifying_key(),
            inbox: self.me.record.inbox.clone(),
            key_package: Some(package.unwrap()),
        }
    }

    pub(crate) fn writes(&self, text: &str) {
        let (tag, user) = (own_tag(&self.me), self.me.record.user.clone());
        self.store
            .write(|tx| {
                let mut object = get_object(tx, &chat())?;
                let seq = object.children.next(&tag).unwrap();
                let (id, value) = (format!("{}/children/{tag}-{seq}", chat()), json!({ "type": "text", "text": text }));
                let row = ChildRow {
                    id: id.clone(),
                    object: chat().to_string(),
                    author: members::row_author(&user, &tag),
                    seq: seq as i64,
                    at: now_ms(),
                    state: ChildState::Sent,
                    value: crate::sending::child_json(&value, contract::TrustMark::Introduced),
                    mine: true,
                    ..ChildRow::default()
                };
                tx.add_child(&row).map_err(Failure::store)?;
                let inner = child_message(&self.me, &object, &id, seq, row.at, &value)?;
                seal_and_queue(tx, &self.me, &object, &inner, Some(&id))?;
                put_object(tx, &object)
            })
            .unwrap();
    }

    /// What was read and written here, in order, and the codes of the lines about what happened.
    pub(crate) fn shows(&self) -> Vec<String> {
        let rows = self.store.read(|tx| tx.children(chat().as_str(), None, 1000)).unwrap();
        let mut rows: Vec<(i64, String)> = rows
            .into_iter()
            .map(|row| {
                let child: Value = serde_json::from_str(&row.value).unwrap();
                let text = child["value"]["text"].as_str().map(str::to_owned);
                let code =
                    || format!("({} {})", child["value"]["code"].as_str().unwrap_or("?"), child["detail"]["detail"]);
                (row.at, text.unwrap_or_else(code))
            })
            .collect();
        rows.sort();
        rows.into_iter().map(|(_, text)| text).collect()
    }

    /// Takes what is queued out of the outbox: sealed bytes in their order.
    pub(crate) fn sends(&self) -> Vec<Vec<u8>> {
        let rows = self.store.read(|tx| tx.outbox_due(None, i64::MAX, 500)).unwrap();
        for row in &rows {
            self.store.write(|tx| tx.outbox_done(row.id)).unwrap();
        }
        let sealed = |row: &store::OutboxRow| {
            let bytes = keys::from_b64url(&row.message).unwrap();
            seal::parcel::unpack(&bytes).0.to_vec()
        };
        rows.iter().map(sealed).collect()
    }

    /// Takes sealed bytes, and what waited for them; gives what has to be done beside.
    pub(crate) fn takes(&mut self, all: Vec<Vec<u8>>) -> Vec<Follow> {
        let mut beside = Vec::new();
        let mut all = std::collections::VecDeque::from(all);
        while let Some(bytes) = all.pop_front() {
            let (me, policy) = (&self.me, &mut self.policy);
            let taken = self.store.write(|tx| take(tx, me, policy, &bytes, After::News, now_ms()));
            let Taken { follow, .. } = taken.unwrap();
            if follow.iter().any(|step| matches!(step, Follow::RetryEarly(_))) {
                let mut object = self.object();
                let early = std::mem::take(&mut object.early);
                self.store.write(|tx| put_object(tx, &object)).unwrap();
                all.extend(early.iter().map(|text| keys::from_b64url(text).unwrap()));
            }
            beside.extend(follow);
        }
        beside
    }

    fn epoch(&self) -> u64 {
        self.store.read(|tx| seal::epoch(tx, &seal::GroupId::of(&chat())).map_err(sealing)).unwrap()
    }
}

pub(crate) fn chat() -> Address {
    Address::parse("comm://ana.localhost/one").unwrap()
}

/// Ana leads an open conversation with Ben.
pub(crate) fn ana_and_ben() -> (Party, Party) {
    let (mut ana, mut ben) = (Party::new("ana"), Party::new("ben"));
    ana.knows(&ben);
    ben.knows(&ana);
    let (ana_is, ben_is) = (ana.me.record.user.clone(), ben.me.record.user.clone());
    let value = json!({});
    let reporter = sync::Reporter::new(chat(), "chat", value.clone()).unwrap();
    let snapshot = reporter.snapshot();
    let side = Side::Reporter(reporter);
    let new = |peer, side| {
        let mut object = Object::new(chat(), ObjectUse::Chat, "chat".into(), peer, Standing::Open, side, now_ms());
        object.peer_persona = Some("known".into());
        object
    };
    let registered = ben.registered();
    ana.store
        .write(|tx| {
            let mut object = new(ben_is, side);
            seal::create(tx, &ana.me.device, &object.group()?, now_ms() / 1000).map_err(sealing)?;
            crate::objects::invite_devices(tx, &ana.me, &mut object, std::iter::once(&registered), now_ms())?;
            put_object(tx, &object)
        })
        .unwrap();
    let observer = sync::Observer::new(chat(), "chat", snapshot).unwrap();
    ben.store.write(|tx| put_object(tx, &new(ana_is, Side::Observer(observer)))).unwrap();
    let welcome = ana.sends();
    ben.takes(welcome);
    assert_eq!(ben.object().members.len(), 1);
    (ana, ben)
}

/// Ana's leaf is renewed now, whenever it was renewed last.
pub(crate) fn commits(ana: &Party) {
    ana.store
        .write(|tx| {
            tx.put(kind::FRESH, chat().as_str(), &json!({ "at": 0, "said": 0 })).map_err(Failure::store)?;
            crate::refreshing::keep_fresh(tx, &ana.me, &chat(), now_ms()).map(|_| ())
        })
        .unwrap();
}

#[test]
fn who_was_away_for_eighty_changes_comes_back_and_nothing_is_lost_silently() {
    let (mut ana, mut ben) = ana_and_ben();
    ana.writes("before");
    ben.takes(ana.sends());
    ana.takes(ben.sends());
    for n in 0..80 {
        commits(&ana);
        if n == 20 {
            ana.writes("said meanwhile");
        }
        if n == 30 {
            ana.writes("said and erased");
        }
    }
    let lost = ana.sends();
    assert!(lost.len() > 80, "{} messages never came", lost.len());
    let erased = ana.store.read(|tx| tx.children(chat().as_str(), None, 100)).unwrap();
    let erased = erased.into_iter().find(|row| row.value.contains("erased")).unwrap();
    ana.store.write(|tx| tx.empty_child(&erased.id)).unwrap();
    ben.writes("is anybody there?");
    let alone = ben.sends();

    // Ben hears something, cannot read it, and asks in words that nobody can read either.
    ana.writes("and now");
    ben.takes(ana.sends());
    assert_eq!(ben.shows(), ["before", "is anybody there?"]);
    let beside = ana.takes(alone.into_iter().chain(ben.sends()).collect());
    let devices = beside.into_iter().find_map(|step| match step {
        Follow::BringBack { devices, .. } => Some(devices),
        _ => None,
    });
    assert_eq!(devices, Some(vec![ben.device()]));

    let registered = [ben.registered()];
    let user = ben.me.record.user.clone();
    let follow = ana.store.write(|tx| readmit(tx, &ana.me, &chat(), &user, &registered, now_ms())).unwrap();
    assert!(!follow.is_empty());
    for _ in 0..4 {
        ben.takes(ana.sends());
        ana.takes(ben.sends());
    }
    assert_eq!((ana.epoch(), ben.object().members.len()), (ben.epoch(), 1));
    assert_eq!(ana.shows().last().unwrap(), "and now");
    assert!(ana.shows().contains(&"is anybody there?".to_owned()), "what Ben said to nobody was said again");
    let shown = ben.shows();
    for text in ["before", "is anybody there?", "said meanwhile", "and now", "(messages-unreadable \"1\")"] {
        assert!(shown.iter().any(|one| one == text), "{text} in {shown:?}");
    }
    ana.writes("welcome back");
    ben.takes(ana.sends());
    ben.writes("thank you");
    ana.takes(ben.sends());
    assert!(ben.shows().contains(&"welcome back".to_owned()) && ana.shows().contains(&"thank you".to_owned()));
}

#[test]
fn who_missed_a_few_changes_gets_them_and_keeps_its_leaf() {
    let (mut ana, mut ben) = ana_and_ben();
    for _ in 0..10 {
        commits(&ana);
    }
    ana.sends();
    ana.writes("after ten changes");
    ben.takes(ana.sends());
    let beside = ana.takes(ben.sends());
    assert!(beside.iter().all(|step| !matches!(step, Follow::BringBack { .. })));
    ben.takes(ana.sends());
    assert_eq!(ben.shows(), ["after ten changes"]);
    assert_eq!(ana.epoch(), ben.epoch());
}

#[test]
fn an_author_who_is_gone_leaves_a_line_and_no_hole() {
    let (_, ben) = ana_and_ben();
    let gone = members::tag_of("a device of before");
    let mut object = ben.object();
    let _ = object.children.on_child(&gone, 1, json!({}));
    let have = BTreeMap::from([(gone.clone(), 4), (members::tag_of("never heard of"), 9)]);
    let told = |object: &mut Object| ben.store.write(|tx| hear_have(tx, &ben.me, object, &have, now_ms())).unwrap();
    assert!(told(&mut object).is_empty(), "only who was brought back believes it");
    ben.store.write(|tx| keep(tx, &chat(), &Heard { returned: true, ..Heard::default() })).unwrap();
    assert!(!told(&mut object).is_empty());
    assert_eq!(object.children.have_of(&gone), 4);
    assert_eq!(ben.shows(), ["(messages-unreadable \"3\")"]);
}

fn names(all: &[&str]) -> Vec<String> {
    all.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn who_said_nothing_since_is_brought_back_and_not_at_every_word() {
    let mut heard = Heard::default();
    heard.device("phone").unwrap().epoch = 9;
    heard.device("tablet").unwrap().epoch = 3;
    let members = names(&["phone", "tablet", "new"]);
    assert_eq!(heard.lost_since(&members, 3, AGAIN_MS), names(&["tablet", "new"]));
    assert!(heard.lost_since(&members, 3, AGAIN_MS + 1).is_empty());
    heard.device("new").unwrap().epoch = 10;
    assert_eq!(heard.lost_since(&members, 3, 2 * AGAIN_MS), names(&["tablet"]));
}

#[test]
fn no_more_devices_are_remembered_than_there_can_be() {
    let mut heard = Heard::default();
    let many: Vec<String> = (0..2 * DEVICES_LIMIT).map(|n| n.to_string()).collect();
    assert_eq!(heard.lost_since(&many, 0, AGAIN_MS).len(), DEVICES_LIMIT);
    assert_eq!(heard.devices.len(), DEVICES_LIMIT);
}
