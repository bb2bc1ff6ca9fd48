//! What two people say in one moment, with what travels between them in the hand.

use serde_json::json;
use store::ChildState;
use sync::bundle;

use super::*;
use crate::behind::tests::{Party, ana_and_ben, chat, commits};
use crate::sending::{child_message, get_object, own_tag, sealing};

/// Writes in one moment; what became of each.
fn write(party: &mut Party, values: &[Value]) -> Written {
    let url = chat();
    let wish = Wish { url: &url, places: (0..values.len()).collect(), values: values.to_vec() };
    let mut kept = party.store.write(|tx| transact(tx, &party.me, &mut party.policy, &[], &[wish], now_ms())).unwrap();
    kept.written.remove(0).unwrap()
}

fn text(words: &str) -> Value {
    json!({ "type": "text", "text": words })
}

fn say(party: &mut Party, words: &[&str]) {
    let values: Vec<Value> = words.iter().map(|words| text(words)).collect();
    assert!(write(party, &values).iter().all(Result::is_ok));
}

/// Takes a load as it came; how many of it were done in each transaction, and why some were refused.
fn take(party: &mut Party, load: &[Vec<u8>]) -> (Vec<usize>, Vec<String>) {
    let load = parcel::join(load);
    let parts = parcel::split(&load).unwrap();
    let parcels: Vec<Parcel<'_>> = parts.into_iter().map(|bytes| Parcel { request: 0, bytes }).collect();
    let (mut runs, mut refused, mut rest) = (Vec::new(), Vec::new(), parcels.as_slice());
    while !rest.is_empty() {
        let kept = party.store.write(|tx| transact(tx, &party.me, &mut party.policy, rest, &[], now_ms())).unwrap();
        runs.push(kept.taken.len());
        rest = &rest[kept.taken.len()..];
        refused.extend(kept.taken.into_iter().filter_map(|taken| taken.refused).map(|failure| failure.code));
    }
    (runs, refused)
}

/// The words that were kept, in the order in which they are shown.
fn reads(party: &Party) -> Vec<String> {
    let mut rows = party.store.read(|tx| tx.children(chat().as_str(), None, 100)).unwrap();
    rows.sort_by_key(|row| row.ordinal);
    let words = |row: &store::ChildRow| serde_json::from_str::<Value>(&row.value).unwrap()["value"]["text"].clone();
    rows.iter()
        .filter(|row| row.author != crate::persons::SYSTEM)
        .map(|row| words(row).as_str().unwrap().to_owned())
        .collect()
}

fn states(party: &Party) -> Vec<ChildState> {
    let rows = party.store.read(|tx| tx.children(chat().as_str(), None, 100)).unwrap();
    rows.into_iter().map(|row| row.state).collect()
}

#[test]
fn what_is_written_in_one_moment_leaves_as_one_and_comes_in_its_order_once() {
    let (mut ana, mut ben) = ana_and_ben();
    say(&mut ana, &["one", "two", "three"]);
    let sent = ana.sends();
    assert_eq!(sent.len(), 1, "sealed once");
    assert_eq!(take(&mut ben, &sent), (vec![1], vec![]));
    assert_eq!(take(&mut ben, &[sent[0].clone(), sent[0].clone()]), (vec![2], vec![]), "brought again, and again");
    assert_eq!(reads(&ben), ["one", "two", "three"]);
    let receipt = ben.sends();
    assert_eq!(receipt.len(), 1, "acknowledged once");
    assert_eq!(take(&mut ana, &receipt).1, Vec::<String>::new());
    assert_eq!(states(&ana), [ChildState::Delivered; 3]);
}

#[test]
fn what_is_refused_takes_no_number_and_nothing_of_it_is_kept() {
    let (mut ana, mut ben) = ana_and_ben();
    let nothing = json!({ "type": "edit", "to": format!("{}/children/nobody-1", chat()), "text": "?" });
    let written = write(&mut ana, &[text("one"), nothing, text("two")]);
    let numbers: Vec<Option<u64>> = written.iter().map(|one| one.as_ref().ok().map(|(_, seq)| *seq)).collect();
    assert_eq!(numbers, [Some(1), None, Some(2)]);
    take(&mut ben, &ana.sends());
    assert_eq!(reads(&ben), ["one", "two"]);
}

#[test]
fn one_that_cannot_be_opened_is_no_harm_to_the_others_of_its_load() {
    let (mut ana, mut ben) = ana_and_ben();
    let mut load: Vec<Vec<u8>> = Vec::new();
    for words in ["one", "two"] {
        say(&mut ana, &[words]);
        load.extend(ana.sends());
    }
    let mut spoilt = load[0].clone();
    *spoilt.last_mut().unwrap() ^= 1;
    load.insert(0, spoilt);
    load.insert(2, b"no MLS message".to_vec());
    let (runs, refused) = take(&mut ben, &load);
    assert_eq!(runs.iter().sum::<usize>(), 4);
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert_eq!(reads(&ben), ["one", "two"]);
}

#[test]
fn what_follows_a_change_of_members_in_the_same_load_is_read_after_it() {
    let (mut ana, mut ben) = ana_and_ben();
    say(&mut ana, &["before"]);
    commits(&ana);
    say(&mut ana, &["after"]);
    say(&mut ana, &["and", "more"]);
    let load = ana.sends();
    let (runs, refused) = take(&mut ben, &load);
    assert_eq!(refused, Vec::<String>::new());
    assert_eq!(reads(&ben), ["before", "after", "and", "more"]);
    assert!(ben.object().early.is_empty(), "nothing waits");
    assert!(runs[0] < load.len(), "what follows from a change is done before the next is judged: {runs:?}");
}

#[test]
fn what_overtakes_a_load_that_failed_is_held_until_that_one_came() {
    let (mut ana, mut ben) = ana_and_ben();
    let mut loads = Vec::new();
    for words in [["one", "two"], ["three", "four"], ["five", "six"]] {
        say(&mut ana, &words);
        loads.push(ana.sends());
    }
    take(&mut ben, &loads[2]);
    take(&mut ben, &loads[1]);
    assert_eq!(reads(&ben), Vec::<String>::new());
    take(&mut ben, &loads[0]);
    assert_eq!(reads(&ben), ["one", "two", "three", "four", "five", "six"]);
}

#[test]
fn a_bad_child_in_a_bundle_is_refused_alone_and_counted() {
    let (ana, mut ben) = ana_and_ben();
    let tag = own_tag(&ana.me);
    ana.store
        .write(|tx| {
            let object = get_object(tx, &chat())?;
            let id = |seq: u64| format!("{}/children/{tag}-{seq}", chat());
            let child = |id: String, seq: u64| child_message(&ana.me, &object, &id, seq, now_ms(), &text("words"));
            let inner = [child(id(1), 1)?, child(id(7), 2)?, child(id(2), 2)?, child(id(0), 0)?, child(id(3), 3)?];
            let bundle = bundle::write(&inner);
            let sealed = seal::seal(tx, &ana.me.device, &object.group()?, bundle.as_bytes()).map_err(sealing)?;
            crate::sending::queue_to_all(tx, &object, &sealed)
        })
        .unwrap();
    let sent = ana.sends();
    take(&mut ben, &sent);
    assert_eq!(reads(&ben), ["words", "words", "words"]);
    assert_eq!(ben.object().refusals.get("malformed").map(|refused| refused.count), Some(2));
    take(&mut ben, &sent);
    assert_eq!(reads(&ben).len(), 3);
    assert_eq!(ben.object().refusals.get("malformed").map(|refused| refused.count), Some(2), "brought twice");
}

#[test]
fn what_waits_for_who_is_being_checked_waits_one_by_one() {
    let (mut ana, mut ben) = ana_and_ben();
    let mut object = ben.object();
    object.standing = crate::records::Standing::Verifying { evidence: String::new() };
    ben.store.write(|tx| crate::sending::put_object(tx, &object)).unwrap();
    say(&mut ana, &["one", "two"]);
    take(&mut ben, &ana.sends());
    assert_eq!((reads(&ben).len(), ben.object().held.len()), (0, 2));
    let mut object = ben.object();
    object.standing = crate::records::Standing::Open;
    ben.store
        .write(|tx| {
            crate::sending::put_object(tx, &object)?;
            inbox::release_held(tx, &ben.me, &chat(), now_ms()).map(drop)
        })
        .unwrap();
    assert_eq!(reads(&ben), ["one", "two"]);
}

#[test]
fn whoever_leaves_while_they_are_checked_is_heard_to_the_end() {
    let (mut ana, mut ben) = ana_and_ben();
    let standing = |party: &mut Party, standing: crate::records::Standing| {
        let mut object = party.object();
        object.standing = standing;
        party.store.write(|tx| crate::sending::put_object(tx, &object)).unwrap();
    };
    standing(&mut ana, crate::records::Standing::Verifying { evidence: String::new() });
    say(&mut ben, &["this is why"]);
    let over = json!({ "code": 410, "reason": "left" });
    ben.store
        .write(|tx| {
            let inner = crate::sending::inner_message(MessageType::Event, &chat(), "subscription", &over)?;
            crate::sending::seal_and_queue(tx, &ben.me, &get_object(tx, &chat())?, &inner, None)
        })
        .unwrap();
    take(&mut ana, &ben.sends());
    assert!(matches!(ana.object().standing, crate::records::Standing::Verifying { .. }), "they did not leave yet");
    standing(&mut ana, crate::records::Standing::Open);
    ana.store.write(|tx| inbox::release_held(tx, &ana.me, &chat(), now_ms()).map(drop)).unwrap();
    assert_eq!(reads(&ana), ["this is why"]);
    assert!(matches!(ana.object().standing, crate::records::Standing::Closed { reason } if reason == "left"));
}
