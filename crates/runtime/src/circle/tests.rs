//! A group of very many people, with what travels between them in the hand. Some of them have a store and read; the
//! others are leaves of the tree and inboxes.

use std::collections::BTreeMap;
use std::time::Instant;

use contract::{IdentityLine, TrustState};
use message::UserAddress;
use store::{ChildState, OutboxRow};

use super::rules::{LARGE, Said, Wish};
use super::*;
use crate::behind::tests::{Party, chat, somebody};
use crate::comings;
use crate::first_run::ready;
use crate::home::now_ms;
use crate::objects::Follow;
use crate::records::{Me, Standing};
use crate::registry::{RegistryDevice, RegistryEntry};
use crate::sending::{get_object, put_object, put_person};

/// Bytes of a token as issuers write them.
const TOKEN_BYTES: usize = 1200;

fn entry(me: &Me, device: RegistryDevice) -> RegistryEntry {
    let chain = identity::Sigchain::parse(&me.chain).unwrap();
    RegistryEntry { persona: chain.persona().to_string(), chain, devices: vec![device] }
}

/// Somebody as they are known to who verified them.
fn verified(me: &Me) -> Person {
    let line = IdentityLine {
        vouched_by: "idp.example".into(),
        issuer: me.issuer.clone(),
        checked_at: 1,
        attested_at: 1,
        fresh: true,
        state: TrustState::Introduced,
    };
    Person {
        user: me.user.clone(),
        name: me.name.clone(),
        contact: ContactState::Accepted,
        persona: Some(identity::Sigchain::parse(&me.chain).unwrap().persona().to_string()),
        identity: Some(line),
        issuers: Vec::new(),
        chain: me.chain.clone(),
        tokens: vec!["t".repeat(TOKEN_BYTES)],
        renewals: Vec::new(),
        compared_at: None,
        change: None,
        next: None,
        chat: None,
        before_block: None,
    }
}

/// What left a store: by inbox, in its order.
#[derive(Default)]
struct Left {
    rows: Vec<OutboxRow>,
}

impl Left {
    /// Takes all that waits out of the outbox.
    fn of(party: &Party) -> Self {
        let mut rows = Vec::new();
        loop {
            let some = party.store.read(|tx| tx.outbox_due(None, i64::MAX, 1000)).unwrap();
            if some.is_empty() {
                return Self { rows };
            }
            party.store.write(|tx| some.iter().try_for_each(|row| tx.outbox_done(row.id).map(drop))).unwrap();
            rows.extend(some);
        }
    }

    fn bytes(&self) -> usize {
        self.rows.iter().map(|row| row.message.len()).sum()
    }

    /// What of it came to somebody.
    fn to(&self, party: &Party) -> Vec<Vec<u8>> {
        let theirs = self.rows.iter().filter(|row| row.to == party.me.record.inbox.as_str());
        let sealed = |row: &OutboxRow| {
            let bytes = keys::from_b64url(&row.message).unwrap();
            seal::parcel::unpack(&bytes).0.to_vec()
        };
        theirs.map(sealed).collect()
    }
}

/// What a step of a growing group cost.
struct Step {
    people: usize,
    came: usize,
    rows: usize,
    bytes: usize,
    ms: u128,
}

/// Ana's group of a given size. Ben was in it from the beginning, Cleo and Dan came in the middle, Eve is the last.
struct Crowd {
    ana: Party,
    ben: Party,
    cleo: Party,
    dan: Party,
    eve: Party,
    size: usize,
    steps: Vec<Step>,
}

impl Crowd {
    fn gathers(size: usize) -> Self {
        let mut ana = Party::new("ana");
        let mut real: Vec<Party> = ["ben", "cleo", "dan", "eve"].map(Party::new).into();
        for one in &mut real {
            one.knows(&ana);
            ana.knows(one);
        }
        let others: Vec<Me> =
            (0..size - 5).map(|n| somebody(&format!("p{n:04}"), &format!("d{:02}.localhost", n % 40))).collect();
        let everybody: Vec<Person> =
            real.iter().chain([&ana]).map(|one| &one.me.record).chain(&others).map(verified).collect();
        for party in real.iter().chain([&ana]) {
            let known = everybody.iter().filter(|person| person.user != party.me.record.user);
            party.store.write(|tx| known.into_iter().try_for_each(|person| put_person(tx, person))).unwrap();
        }
        let packaged = |me: &Me| {
            let (vault, one) = (seal::MemoryVault::new(), ready(me.clone()).unwrap());
            RegistryDevice {
                device: one.dsk.verifying_key().to_string(),
                key: one.dsk.verifying_key(),
                inbox: me.inbox.clone(),
                key_package: Some(seal::key_package(&vault, &one.device, false).unwrap()),
            }
        };
        let mut devices: Vec<(UserAddress, Vec<RegistryDevice>)> =
            others.iter().map(|me| (me.user.clone(), vec![packaged(me)])).collect();
        let [ben, cleo, dan, eve] = <[Party; 4]>::try_from(real).ok().unwrap();
        let there = |party: &Party| (party.me.record.user.clone(), vec![party.registered()]);
        devices.insert(devices.len() / 2, there(&cleo));
        devices.insert(devices.len() / 2, there(&dan));
        devices.push(there(&eve));
        let mut crowd = Self { ana, ben, cleo, dan, eve, size, steps: Vec::new() };
        let people: Vec<UserAddress> =
            devices.iter().map(|(user, _)| user.clone()).chain([crowd.ben.me.record.user.clone()]).collect();
        let said = Said::new("Festival choir", &crowd.ana.me.record.user, &people).unwrap();
        let first = entry(&crowd.ben.me.record, crowd.ben.registered());
        let entries = BTreeMap::from([(crowd.ben.me.record.user.clone(), first)]);
        let me = &crowd.ana.me;
        let begun = |tx: &Tx<'_>| admin::create(tx, me, &chat(), &said, &entries, &[], now_ms());
        crowd.ana.store.write(begun).unwrap();
        crowd.hear();
        for step in comings::steps(devices) {
            let (begun, people) = (Instant::now(), crowd.ana.object().members.len());
            crowd.ana.store.write(|tx| comings::let_in(tx, &crowd.ana.me, &chat(), &step, now_ms())).unwrap();
            let ms = begun.elapsed().as_millis();
            let left = crowd.hear();
            let came = step.len();
            crowd.steps.push(Step { people, came, rows: left.rows.len(), bytes: left.bytes(), ms });
        }
        crowd
    }

    /// What Ana's device sent comes to those who read.
    fn hear(&mut self) -> Left {
        let left = Left::of(&self.ana);
        for party in [&mut self.ben, &mut self.cleo, &mut self.dan, &mut self.eve] {
            party.takes(left.to(party));
            enters(party);
        }
        left
    }

    /// Ana writes; what left, and what those who read answered.
    fn ana_writes(&mut self, text: &str) -> (Left, Left) {
        self.ana.writes(text);
        let left = self.hear();
        let mut answers = Left::default();
        for party in [&self.ben, &self.cleo, &self.dan, &self.eve] {
            answers.rows.extend(Left::of(party).rows);
        }
        (left, answers)
    }
}

/// Whoever was invited has checked whoever writes the group, and goes in.
fn enters(party: &Party) {
    let waits = party.store.read(|tx| get_object(tx, &chat())).ok();
    let Some(mut object) = waits.filter(|object| matches!(object.standing, Standing::Verifying { .. })) else { return };
    let circle = object.circle.as_mut().unwrap();
    circle.unmet.clear();
    circle.asks = Some(false);
    let follow = party
        .store
        .write(|tx| {
            put_object(tx, &object)?;
            people::go_on(tx, &party.me, &chat(), now_ms())
        })
        .unwrap();
    assert!(party.object().is_open(), "{} is in it", party.me.record.name);
    assert!(follow.iter().any(|step| matches!(step, Follow::Echo(_))));
    // One word to who writes the group, and none to the others.
    party.store.write(|tx| crate::behind::echo(tx, &party.me, &chat()).map(drop)).unwrap();
    let left = Left::of(party);
    let ana = party.object().members.iter().find(|member| member.user.handle() == "ana@ana.localhost").cloned();
    let inbox = ana.and_then(|ana| ana.inbox).unwrap();
    assert!(!left.rows.is_empty() && left.rows.iter().all(|row| row.to == inbox.as_str()), "{} rows", left.rows.len());
}

/// What holds in a group of any size beyond a hundred.
fn lives(mut crowd: Crowd) {
    let size = crowd.size;
    assert_eq!(crowd.ana.object().members.len(), size - 1);
    for party in [&crowd.ben, &crowd.cleo, &crowd.dan, &crowd.eve] {
        let object = party.object();
        let reached = object.members.iter().filter(|member| member.inbox.is_some()).count();
        assert_eq!((object.members.len(), reached), (size - 1, size - 1), "{}", party.me.record.name);
    }
    for step in &crowd.steps {
        // Each who was there gets a commit, and each who comes a Welcome, the introduction and what is in pieces.
        let pieces = 4 + size * (TOKEN_BYTES + 1600) / (64 * 1024);
        assert!(step.rows >= step.people + 2 * step.came, "{} rows", step.rows);
        assert!(step.rows <= 2 * step.people + step.came * (4 + pieces), "{} rows of {pieces}", step.rows);
    }

    let begun = Instant::now();
    let (left, answers) = crowd.ana_writes("hello all");
    println!("{size}: a message: {} rows, {} bytes, {} ms", left.rows.len(), left.bytes(), begun.elapsed().as_millis());
    assert_eq!(left.rows.len(), size - 1, "one for each");
    for party in [&crowd.ben, &crowd.cleo, &crowd.dan, &crowd.eve] {
        assert!(party.shows().contains(&"hello all".to_owned()), "{} reads it", party.me.record.name);
    }
    // Ben and Cleo follow Ana in the list.
    let inbox = crowd.ana.me.record.inbox.to_string();
    assert_eq!(answers.rows.iter().filter(|row| row.to == inbox).count(), 2, "two of the witnesses are here");
    assert_eq!(answers.rows.len(), 2, "and nobody tells the others");
    crowd.ana.takes(answers.to(&crowd.ana));
    let rows = crowd.ana.store.read(|tx| tx.children(chat().as_str(), None, 100)).unwrap();
    let states: Vec<ChildState> =
        rows.iter().filter(|row| row.value.contains("hello all")).map(|row| row.state).collect();
    assert_eq!(states, [ChildState::Delivered], "somebody has it");

    // That it was read is told to nobody.
    let object = crowd.ben.object();
    let read = crowd.ben.store.write(|tx| crate::chat::mark_read(tx, &crowd.ben.me, &object, now_ms())).unwrap();
    assert!(read.changed > 0 && Left::of(&crowd.ben).rows.is_empty());

    crowd.ben.writes("hello Ana");
    let left = Left::of(&crowd.ben);
    assert_eq!(left.rows.len(), size - 1);
    for party in [&mut crowd.ana, &mut crowd.cleo, &mut crowd.eve] {
        party.takes(left.to(party));
        assert!(party.shows().contains(&"hello Ana".to_owned()), "{} reads it", party.me.record.name);
        Left::of(party);
    }

    // Dan missed it. He asks who wrote what follows and Ana, and Ben answers him alone.
    crowd.ben.writes("who is there?");
    let left = Left::of(&crowd.ben);
    crowd.dan.takes(left.to(&crowd.dan));
    let asks = Left::of(&crowd.dan);
    assert_eq!(asks.rows.len(), 2, "of {size}");
    crowd.ben.takes(asks.to(&crowd.ben));
    let page = Left::of(&crowd.ben);
    assert!(page.rows.iter().all(|row| row.to == crowd.dan.me.record.inbox.as_str()));
    crowd.dan.takes(page.to(&crowd.dan));
    let shown = crowd.dan.shows();
    assert!(shown.contains(&"hello Ana".to_owned()) && shown.contains(&"who is there?".to_owned()), "{shown:?}");

    // Dan is taken out: two words to each, and he reads no more.
    let dan = crowd.dan.me.record.user.clone();
    let begun = Instant::now();
    let (me, wish) = (&crowd.ana.me, [Wish::Remove(dan.clone())]);
    crowd
        .ana
        .store
        .write(|tx| {
            let mut object = get_object(tx, &chat())?;
            changes::change(tx, me, &mut object, &me.record.user, &wish, now_ms())?;
            put_object(tx, &object)?;
            comings::drop_dead_and_find_lacking(tx, me, &chat(), now_ms()).map(drop)
        })
        .unwrap();
    let ms = begun.elapsed().as_millis();
    let left = crowd.hear();
    println!("{size}: somebody is taken out: {} rows, {} bytes, {ms} ms", left.rows.len(), left.bytes());
    assert_eq!(left.rows.len(), 2 * (size - 1));
    assert!(matches!(crowd.dan.object().standing, Standing::Closed { .. }));
    let (left, _) = crowd.ana_writes("without Dan");
    assert_eq!(left.rows.len(), size - 2);
    assert!(crowd.eve.shows().contains(&"without Dan".to_owned()));
    assert!(!crowd.dan.shows().contains(&"without Dan".to_owned()));
}

#[test]
fn a_large_group_grows_in_steps_speaks_and_puts_somebody_out_and_everything_is_linear() {
    lives(Crowd::gathers(LARGE + 8));
}

/// `cargo test -p runtime --lib -- --ignored --nocapture a_thousand_people` prints what it costs; nextest would end it.
#[test]
#[ignore = "a thousand leaves in a debug build take minutes"]
fn a_thousand_people_are_in_a_group() {
    let crowd = Crowd::gathers(rules::PEOPLE_LIMIT);
    for Step { people, came, rows, bytes, ms } in &crowd.steps {
        println!("{people} and {came} more: {rows} rows, {bytes} bytes, {ms} ms");
    }
    lives(crowd);
}
