//! Both sides become equal, whatever a network does to what goes between them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::BTreeMap;

use message::Address;
use proptest::prelude::*;
use serde_json::{Value, json};
use sync::{Author, Change, ChildOutcome, Children, Observer, Operation, Outcome, Reporter, Since};

fn url() -> Address {
    Address::parse("comm://a.example/1").unwrap()
}

fn ana() -> Author {
    Author::parse("ana-laptop").unwrap()
}

fn ben() -> Author {
    Author::parse("ben-phone").unwrap()
}

fn pair(value: Value) -> (Reporter, Observer) {
    let reporter = Reporter::new(url(), "comm", value).unwrap();
    let observer = Observer::new(url(), "comm", reporter.snapshot()).unwrap();
    (reporter, observer)
}

/// The observer asks, the reporter answers.
fn resync(reporter: &Reporter, observer: &mut Observer) {
    match reporter.since(observer.version()) {
        Since::Nothing => {}
        Since::Changes(changes) => {
            for change in changes {
                assert_eq!(observer.on_change(&change), Ok(Outcome::Applied));
            }
        }
        Since::Snapshot(snapshot) => {
            observer.on_snapshot(snapshot).unwrap();
        }
    }
}

#[test]
fn an_observer_follows_change_by_change() {
    let (mut reporter, mut observer) = pair(json!({"name": "Lunch"}));
    let change = reporter.change("members", Some(json!("ben")), Some(Operation::Add)).unwrap();
    assert_eq!(observer.on_change(&change), Ok(Outcome::Applied));
    assert_eq!(observer.on_change(&change), Ok(Outcome::Duplicate));
    assert_eq!(observer.value(), &json!({"name": "Lunch", "members": ["ben"]}));
}

#[test]
fn a_number_is_the_same_number_for_an_observer() {
    for number in ["177777777777777777777777777777777777777777777777777777777777777", "1700000000000.1235", "0.1"] {
        let (reporter, _) = pair(serde_json::from_str(&format!(r#"{{"n":{number}}}"#)).unwrap());
        let sent = serde_json::to_string(reporter.value()).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&sent).unwrap(), *reporter.value(), "{number}");
    }
}

#[test]
fn a_gap_is_noticed_and_never_applied() {
    let (mut reporter, mut observer) = pair(json!({}));
    reporter.change("a", Some(json!(1)), None).unwrap();
    let second = reporter.change("b", Some(json!(2)), None).unwrap();
    assert_eq!(observer.on_change(&second), Ok(Outcome::Gap { have: 0, got: 2 }));
    assert_eq!(observer.value(), &json!({}));
    resync(&reporter, &mut observer);
    assert_eq!(observer.value(), reporter.value());
}

#[test]
fn someone_long_away_gets_a_snapshot() {
    let (mut reporter, mut observer) = pair(json!({}));
    for number in 0..2 * sync::HISTORY_LIMIT {
        reporter.change("n", Some(json!(number)), None).unwrap();
    }
    assert!(matches!(reporter.since(0), Since::Snapshot(_)));
    assert!(matches!(reporter.since(reporter.version() - 3), Since::Changes(changes) if changes.len() == 3));
    assert!(matches!(reporter.since(u64::MAX), Since::Snapshot(_)));
    resync(&reporter, &mut observer);
    assert_eq!((observer.version(), observer.value()), (reporter.version(), reporter.value()));
}

#[test]
fn both_survive_a_restart() {
    let (mut reporter, mut observer) = pair(json!({"a": 1}));
    observer.on_change(&reporter.change("b", Some(json!([1])), None).unwrap()).unwrap();
    let mut reporter: Reporter = serde_json::from_str(&serde_json::to_string(&reporter).unwrap()).unwrap();
    let mut observer: Observer = serde_json::from_str(&serde_json::to_string(&observer).unwrap()).unwrap();
    let change = reporter.change("b", Some(json!(2)), Some(Operation::Add)).unwrap();
    assert_eq!(change.version, 2);
    assert_eq!(observer.on_change(&change), Ok(Outcome::Applied));
    assert_eq!(observer.value(), &json!({"a": 1, "b": [1, 2]}));
}

#[test]
fn a_change_reads_as_the_body_of_an_update() {
    let change: Change = serde_json::from_value(json!({"version": 3, "attribute": "a.b", "value": null})).unwrap();
    assert_eq!((change.value, change.operation), (None, None));
    let add: Change =
        serde_json::from_value(json!({"version": 3, "attribute": "a", "value": 1, "operation": "add"})).unwrap();
    assert_eq!(add.operation, Some(Operation::Add));
}

#[test]
fn a_hostile_reporter_cannot_pollute_prototypes() {
    let (_, mut observer) = pair(json!({}));
    for (attribute, value) in [("__proto__.x", json!(1)), ("a", json!({"b": [{"__proto__": 1}]}))] {
        let change = Change { version: 1, attribute: attribute.into(), value: Some(value), operation: None };
        assert!(observer.on_change(&change).is_err());
        assert_eq!((observer.version(), observer.value()), (0, &json!({})));
    }
}

#[test]
fn values_do_not_stand_in_debug_output() {
    let (mut reporter, observer) = pair(json!({"text": "secret"}));
    let change = reporter.change("more", Some(json!("secret")), None).unwrap();
    assert!(!format!("{reporter:?} {observer:?} {change:?} {:?}", reporter.snapshot()).contains("secret"));
}

#[test]
fn a_child_behind_a_gap_waits_for_the_earlier_ones() {
    let mut children = Children::new();
    assert_eq!(children.on_child(&ben(), 1, "a"), ChildOutcome::Ready(vec![(1, "a")]));
    let ChildOutcome::Held(missing) = children.on_child(&ben(), 4, "d") else { panic!("not held") };
    assert_eq!((missing.first, missing.last), (2, 3));
    let ChildOutcome::Held(missing) = children.on_child(&ben(), 3, "c") else { panic!("not held") };
    assert_eq!((missing.first, missing.last), (2, 2));
    assert_eq!(children.on_child(&ben(), 3, "c"), ChildOutcome::Duplicate);
    assert_eq!(children.on_child(&ben(), 2, "b"), ChildOutcome::Ready(vec![(2, "b"), (3, "c"), (4, "d")]));
    assert_eq!(children.have(), BTreeMap::from([(ben(), 4)]));
    assert!(children.missing().is_empty());
}

#[test]
fn a_liar_cannot_fill_the_room_with_far_numbers() {
    let mut children = Children::new();
    for seq in (2..10_000).rev().chain([u64::MAX, 0]) {
        children.on_child(&ben(), seq, ());
    }
    assert!(children.held() <= sync::HELD_PER_AUTHOR);
    assert_eq!(children.on_child(&ben(), 0, ()), ChildOutcome::Refused);
}

#[test]
fn each_author_counts_alone() {
    let mut children = Children::new();
    assert_eq!((children.next(&ana()), children.next(&ana())), (Some(1), Some(2)));
    assert_eq!(children.on_child(&ben(), 1, "hi"), ChildOutcome::Ready(vec![(1, "hi")]));
    let missing = children.missing_at(&BTreeMap::from([(ana(), 1)]));
    let all: Vec<_> = missing.iter().map(|m| (m.author.to_string(), m.first, m.last)).collect();
    assert_eq!(all, [("ana-laptop".to_owned(), 2, 2), ("ben-phone".to_owned(), 1, 1)]);
}

#[test]
fn a_new_device_goes_on_where_the_old_one_is() {
    let mut old = Children::new();
    for seq in 1..=7 {
        old.on_child(&ben(), seq, "x");
    }
    let mut new = Children::new();
    new.on_child(&ben(), 6, "early");
    new.adopt(&old.have());
    assert_eq!(new.have(), old.have());
    assert_eq!(new.held(), 0, "what was early there came with the rest");
    assert_eq!(new.on_child(&ben(), 7, "x"), ChildOutcome::Duplicate);
    assert_eq!(new.on_child(&ben(), 8, "y"), ChildOutcome::Ready(vec![(8, "y")]));
    new.adopt(&BTreeMap::from([(ben(), 3)]));
    assert_eq!(new.have_of(&ben()), 8, "nobody goes back");
}

#[test]
fn who_takes_an_object_over_goes_on_with_its_versions() {
    let (mut first, mut observer) = pair(json!({"name": "chat"}));
    observer.on_change(&first.change("name", Some(json!("talk")), None).unwrap()).unwrap();
    let mut second = Reporter::resume(url(), "chat", observer.snapshot()).unwrap();
    assert_eq!((second.version(), second.value()), (first.version(), first.value()));
    let change = second.change("name", Some(json!("chatter")), None).unwrap();
    assert_eq!(observer.on_change(&change).unwrap(), Outcome::Applied);
    assert_eq!(observer.value(), second.value());
}

#[derive(Debug, Clone)]
struct Edit {
    attribute: String,
    value: Option<Value>,
    operation: Option<Operation>,
}

fn edit() -> impl Strategy<Value = Edit> {
    let attribute = prop_oneof!["[abc]", "[abc]\\.[abc]", "[abc]\\.[0-2]", "[abc]\\.[abc]\\.[0-1]"];
    let value = prop_oneof![
        Just(None),
        any::<i8>().prop_map(|number| Some(json!(number))),
        "[a-z]{0,4}".prop_map(|text| Some(json!(text))),
        Just(Some(json!({"a": 1}))),
        Just(Some(json!([1, 2]))),
    ];
    let operation = prop_oneof![3 => Just(None), 1 => Just(Some(Operation::Add)), 1 => Just(Some(Operation::Remove))];
    (attribute, value, operation).prop_map(|(attribute, value, operation)| Edit { attribute, value, operation })
}

/// What a network delivers: any of the things sent, in any order, any number of times.
fn arrivals(count: usize) -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(0..count.max(1), 0..2 * count + 1)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_order_any_loss_and_a_resync_converge(
        edits in proptest::collection::vec(edit(), 1..40),
        (at, order) in (0..40_usize, arrivals(40)),
    ) {
        let (mut reporter, mut observer) = pair(json!({}));
        let mut sent: Vec<Change> = Vec::new();
        let mut snapshots = Vec::new();
        for (number, edit) in edits.into_iter().enumerate() {
            let before = (reporter.version(), reporter.value().clone());
            match reporter.change(&edit.attribute, edit.value, edit.operation) {
                Ok(change) => sent.push(change),
                Err(_) => prop_assert_eq!(before, (reporter.version(), reporter.value().clone())),
            }
            if number == at {
                snapshots.push(reporter.snapshot());
            }
        }
        for nth in order {
            let Some(change) = sent.get(nth) else {
                if let Some(snapshot) = snapshots.first() {
                    observer.on_snapshot(snapshot.clone()).unwrap();
                }
                continue;
            };
            let version = observer.version();
            match observer.on_change(change).unwrap() {
                Outcome::Applied => prop_assert_eq!(observer.version(), version + 1),
                _ => prop_assert_eq!(observer.version(), version),
            }
        }
        resync(&reporter, &mut observer);
        prop_assert_eq!(observer.value(), reporter.value());
        prop_assert_eq!(observer.version(), reporter.version());
    }

    #[test]
    fn children_come_out_once_and_in_order(count in 1..50_u64, order in arrivals(50)) {
        let mut children = Children::new();
        let mut seen = Vec::new();
        let resync: Vec<u64> = (1..=count).collect();
        let arriving = order.into_iter().map(|nth| nth as u64 + 1).filter(|seq| *seq <= count);
        for seq in arriving.chain(resync) {
            if let ChildOutcome::Ready(ready) = children.on_child(&ben(), seq, seq) {
                seen.extend(ready.into_iter().map(|(seq, child)| { assert_eq!(seq, child); seq }));
            }
        }
        prop_assert_eq!(seen, (1..=count).collect::<Vec<_>>());
        prop_assert_eq!(children.held(), 0);
    }
}
