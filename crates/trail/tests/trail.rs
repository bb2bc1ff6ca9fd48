//! Stories of a trail that somebody tampers with, and of one that somebody floods.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use keys::SigningKey;
use proptest::prelude::*;
use trail::{
    CHECKPOINT_EVERY, Entry, Export, FOLD_MS, Kind, LINE_LIMIT, LINES_PER_MINUTE, Line, SEGMENT_LINES, Trail,
    TrailError, Word, verify_export,
};

const NOW: u64 = 1_800_000_000_000;

fn device() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

fn about(name: &str) -> Entry {
    Entry::new(Kind::Person, &format!("user://a.example/{name}"), Word::Deny, "not-a-contact", "builtIn/whoMayCall")
}

/// A trail and the lines that were kept, with checkpoints as they fall due.
#[derive(Default)]
struct Kept {
    trail: Trail,
    lines: Vec<Line>,
}

impl Kept {
    fn record(&mut self, at: u64, entry: Entry) {
        self.lines.extend(self.trail.append(at, entry));
        if self.trail.checkpoint_due() {
            let key = device();
            self.lines.push(self.trail.checkpoint(at, &key.verifying_key(), |said| key.sign(said)));
        }
    }

    fn export(&mut self, at: u64) -> String {
        self.lines.extend(self.trail.flush(at));
        let key = device();
        let lines = self.lines.iter().map(Line::text);
        self.trail.export(lines, at, &key.verifying_key(), |said| key.sign(said))
    }
}

/// Three minutes of verdicts about different people, long enough for some checkpoints.
fn kept() -> Kept {
    let mut kept = Kept::default();
    for number in 0..200u64 {
        kept.record(NOW + number * 1000, about(&format!("p{number}")));
    }
    kept
}

fn verify(text: &str) -> Result<Export, TrailError> {
    verify_export(text, &device().verifying_key())
}

fn without(text: &str, at: usize) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.remove(at);
    lines.join("\n") + "\n"
}

#[test]
fn what_was_recorded_can_be_checked_by_somebody_else() {
    let export = verify(&kept().export(NOW + 300_000)).unwrap();
    assert_eq!((export.verdicts.len(), export.from, export.at), (200, 0, NOW + 300_000));
    assert_eq!(export.verdicts[5].entry, about("p5"));
    assert_eq!(verify(&Kept::default().export(NOW)).unwrap().verdicts, []);
}

#[test]
fn a_line_that_was_taken_out_is_missed_wherever_it_stood() {
    let text = kept().export(NOW + 300_000);
    let count = text.lines().count();
    assert!(count > 200 + 200 / CHECKPOINT_EVERY as usize);
    assert_eq!(verify(&without(&text, 0)), Err(TrailError::BeginningMissing));
    assert_eq!(verify(&without(&text, count - 1)), Err(TrailError::Truncated));
    for at in 1..count - 1 {
        assert_eq!(verify(&without(&text, at)), Err(TrailError::Gap { line: at + 1 }));
    }
}

#[test]
fn a_trail_cut_off_right_after_a_checkpoint_is_cut_off() {
    let text = kept().export(NOW + 300_000);
    let lines: Vec<&str> = text.lines().collect();
    let checkpoint = lines.iter().position(|line| line.contains("\"checkpoint\"")).unwrap();
    let cut = lines[..=checkpoint].join("\n") + "\n";
    assert_eq!(verify(&cut), Err(TrailError::Truncated));
    assert_eq!(verify(""), Err(TrailError::Truncated));
    assert_eq!(verify(&format!("{text}{}\n", lines[5])), Err(TrailError::AfterTheEnd { line: lines.len() + 1 }));
}

#[test]
fn lines_in_another_order_do_not_follow_each_other() {
    let text = kept().export(NOW + 300_000);
    let mut lines: Vec<&str> = text.lines().collect();
    lines.swap(3, 4);
    assert_eq!(verify(&lines.join("\n")), Err(TrailError::Gap { line: 4 }));
}

#[test]
fn a_changed_verdict_breaks_the_chain_and_a_new_chain_needs_the_devices_key() {
    let text = kept().export(NOW + 300_000);
    let changed = text.replacen("\"deny\"", "\"allow\"", 1);
    assert_eq!(verify(&changed), Err(TrailError::Changed { line: 2 }));
    let thief = SigningKey::from_bytes(&[4; 32]);
    let trail = kept();
    let lines = trail.lines.iter().map(Line::text);
    let forged = trail.trail.export(lines.clone(), NOW, &thief.verifying_key(), |said| thief.sign(said));
    assert!(matches!(verify(&forged), Err(TrailError::WrongSignature { .. })));
    let forged = trail.trail.export(lines, NOW, &device().verifying_key(), |said| thief.sign(said));
    assert!(matches!(verify(&forged), Err(TrailError::WrongSignature { .. })));
}

#[test]
fn a_checkpoint_of_the_middle_is_no_end_whatever_it_says() {
    let text = kept().export(NOW + 300_000);
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().position(|line| line.contains("\"checkpoint\"")).unwrap();
    let ended = lines[at].replace("\"end\":false", "\"end\":true");
    let cut = format!("{}\n{ended}\n", lines[..at].join("\n"));
    assert_eq!(verify(&cut), Err(TrailError::WrongSignature { line: at + 1 }));
}

#[test]
fn what_repeats_within_a_minute_is_one_line_and_a_number() {
    let mut kept = Kept::default();
    for number in 0..10_000 {
        kept.record(NOW + number, about("eve"));
        kept.record(NOW + number, about("mallory"));
    }
    assert_eq!(kept.lines.len(), 2);
    kept.record(NOW + FOLD_MS, about("ana"));
    let export = verify(&kept.export(NOW + FOLD_MS)).unwrap();
    let told: Vec<_> = export.verdicts.iter().map(|one| one.again).collect();
    let again = Some((9_999, NOW + 9_999));
    assert_eq!(told, [None, None, again, again, None]);
}

#[test]
fn a_flood_of_different_strangers_does_not_fill_the_disk() {
    let mut kept = Kept::default();
    for number in 0..50_000u64 {
        kept.record(NOW + number, about(&format!("s{number}")));
    }
    let minute = LINES_PER_MINUTE as usize;
    assert!(kept.lines.len() <= minute + minute / CHECKPOINT_EVERY as usize + 1, "{}", kept.lines.len());
    let export = verify(&kept.export(NOW + 50_000)).unwrap();
    let flood = export.verdicts.iter().find(|one| one.entry.kind == Kind::Flood).unwrap();
    assert_eq!(flood.again, Some((50_000 - u64::from(LINES_PER_MINUTE), NOW + 50_000)));
    // The next minute is written again.
    let before = kept.lines.len();
    kept.record(NOW + 200_000, about("ana"));
    assert_eq!(kept.lines.len(), before + 1);
}

#[test]
fn an_old_segment_may_be_forgotten_and_the_next_one_still_holds() {
    let mut kept = kept();
    assert!(!kept.trail.segment_due());
    let mut at = NOW + 1_000_000;
    while !kept.trail.segment_due() {
        at += FOLD_MS;
        kept.record(at, about("ana"));
    }
    assert!(kept.lines.len() >= SEGMENT_LINES as usize);
    let first = kept.trail.rotate(at);
    let from = first.seq();
    kept.lines.push(first);
    kept.record(at + 1, about("cid"));
    let whole = verify(&kept.export(at + 2)).unwrap();
    assert_eq!(whole.from, 0);
    kept.lines.retain(|line| line.seq() >= from);
    let rest = kept.export(at + 3);
    let export = verify(&rest).unwrap();
    assert_eq!((export.from, export.verdicts.len()), (from, 1));
    assert_eq!(verify(&without(&rest, 0)), Err(TrailError::BeginningMissing));
}

#[test]
fn a_trail_goes_on_after_a_restart() {
    let mut kept = kept();
    let text = serde_json::to_string(&kept.trail).unwrap();
    kept.trail = serde_json::from_str(&text).unwrap();
    kept.record(NOW + 400_000, about("ana"));
    assert_eq!(verify(&kept.export(NOW + 400_000)).unwrap().verdicts.len(), 201);
}

#[test]
fn the_worst_entry_fits_in_a_line_and_names_nobody_in_a_log() {
    for worst in ["\"".repeat(5000), "\u{1}".repeat(5000), "é".repeat(5000), "\\".repeat(5000)] {
        let mut kept = Kept::default();
        kept.record(u64::MAX - 1, Entry::new(Kind::Module, &worst, Word::Ask, &worst, &worst));
        assert!(kept.lines[0].text().len() <= LINE_LIMIT);
        assert!(verify(&kept.export(u64::MAX)).is_ok());
    }
    let entry = about("ana");
    assert!(!format!("{entry:?}").contains("ana"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_byte_of_an_export_can_be_changed_unnoticed(at in any::<prop::sample::Index>(), with in 32u8..127) {
        let mut kept = Kept::default();
        for number in 0..5 {
            kept.record(NOW + number, about(&format!("p{number}")));
        }
        let text = kept.export(NOW + 10);
        let mut bytes = text.clone().into_bytes();
        let at = at.index(bytes.len() - 1);
        prop_assume!(bytes[at] != with);
        bytes[at] = with;
        let changed = String::from_utf8(bytes).unwrap();
        prop_assert!(verify(&changed).is_err());
    }

    #[test]
    fn nonsense_is_refused_and_not_fallen_over(text in "\\PC{0,200}") {
        prop_assert!(verify(&text).is_err());
    }
}
