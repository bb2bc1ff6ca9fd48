//! The children of a data object, numbered by authors who may lie.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sync::{Author, ChildOutcome, Children, HELD_LIMIT};

fuzz_target!(|arrivals: Vec<(u8, u64)>| {
    let mut children = Children::new();
    for (author, seq) in arrivals {
        let author = Author::parse(&format!("n{}", author % 32)).expect("a name");
        let before = children.have_of(&author);
        match children.on_child(&author, seq, seq) {
            ChildOutcome::Ready(ready) => {
                assert!(
                    ready
                        .iter()
                        .enumerate()
                        .all(|(at, (number, child))| { number == child && *number == before + 1 + at as u64 })
                );
                assert_eq!(children.have_of(&author), before + ready.len() as u64);
            }
            ChildOutcome::Held(missing) | ChildOutcome::TooFar(missing) => {
                assert!(missing.author == author && missing.first <= missing.last && missing.last < seq);
            }
            ChildOutcome::Duplicate => {}
            ChildOutcome::Refused => assert_eq!(seq, 0),
        }
        assert!(children.held() <= HELD_LIMIT);
    }
    assert!(children.missing().iter().all(|missing| missing.first <= missing.last));
    assert!(children.missing_at(&children.have()).is_empty());
    let json = serde_json::to_string(&children).expect("it can be written");
    assert!(serde_json::from_str::<Children<u64>>(&json).is_ok_and(|again| again == children));
});
