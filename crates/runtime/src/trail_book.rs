//! The trail on disk: verdicts are written in batches, shown, and exported with the device's signature.

use std::io::Write;
use std::path::{Path, PathBuf};

use contract::{TrailLine, WrittenFile};
use serde::{Deserialize, Serialize};
use store::{Store, Tx};
use trail::{Entry, Kind, Line, Trail, Word};

use crate::documents;
use crate::home::{Home, State, now_ms, now_u64};
use crate::records::kind;
use crate::trouble::{Failure, Outcome};
use crate::verdicts::Said;

/// Lines that are shown.
const SHOWN: usize = 200;

/// Lines that are read to show them: some only tell how often another one came again.
const LOOKED_AT: u64 = 1_000;

/// The one record of where the trail ends.
const END: &str = "trail";

/// Files of one day.
const NAMES_LIMIT: u32 = 100;

/// Where the trail ends, and which of its lines are kept.
#[derive(Default, Serialize, Deserialize)]
struct Book {
    trail: Trail,
    /// The first line that is kept: of the segment before the last one.
    first: u64,
    /// Where the last segment begins.
    segment: u64,
    /// The next line.
    next: u64,
}

impl Book {
    fn read(tx: &Tx<'_>) -> Outcome<Self> {
        Ok(tx.get(kind::TRAIL, END).map_err(Failure::store)?.unwrap_or_default())
    }

    fn keep(&self, tx: &Tx<'_>) -> Outcome<()> {
        tx.put(kind::TRAIL, END, self).map_err(Failure::store)
    }

    fn put(&mut self, tx: &Tx<'_>, line: &Line) -> Outcome<()> {
        tx.put(kind::TRAIL_LINE, &key(line.seq()), line.text()).map_err(Failure::store)?;
        self.next = line.seq() + 1;
        Ok(())
    }

    /// Adds verdicts, and what is due with them: a signature, a new segment.
    fn add(&mut self, tx: &Tx<'_>, said: &Said, dsk: Option<&keys::SigningKey>, flush: Option<u64>) -> Outcome<()> {
        for (at, entry) in &said.entries {
            for line in self.trail.append(*at, entry.clone()) {
                self.put(tx, &line)?;
            }
        }
        if said.lost > 0 {
            let flood = Entry::new(Kind::Flood, &said.lost.to_string(), Word::Deny, "flood", "builtIn/trail");
            for line in self.trail.append(now_u64(), flood) {
                self.put(tx, &line)?;
            }
        }
        for line in flush.map(|at| self.trail.flush(at)).unwrap_or_default() {
            self.put(tx, &line)?;
        }
        if let Some(dsk) = dsk
            && self.trail.checkpoint_due()
        {
            let line = self.trail.checkpoint(now_u64(), &dsk.verifying_key(), |text| dsk.sign(text));
            self.put(tx, &line)?;
        }
        if self.trail.segment_due() {
            self.rotate(tx)?;
        }
        self.keep(tx)
    }

    /// A new segment begins; the one before stays until the next begins.
    fn rotate(&mut self, tx: &Tx<'_>) -> Outcome<()> {
        let line = self.trail.rotate(now_u64());
        self.put(tx, &line)?;
        for seq in self.first..self.segment {
            tx.delete(kind::TRAIL_LINE, &key(seq)).map_err(Failure::store)?;
        }
        (self.first, self.segment) = (self.segment, line.seq());
        Ok(())
    }

    fn line(tx: &Tx<'_>, seq: u64) -> Outcome<String> {
        tx.get(kind::TRAIL_LINE, &key(seq))
            .map_err(Failure::store)?
            .ok_or_else(|| Failure::new("database-damaged", "a line of the trail is missing"))
    }
}

fn key(seq: u64) -> String {
    format!("{seq:016}")
}

impl State {
    /// Writes what was said since the last time; all that was folded, too, if `flush` says when.
    pub(crate) fn keep_trail(&mut self, flush: bool) -> Outcome<()> {
        let Some(store) = &self.store else { return Ok(()) };
        if !self.policy.has_said() && !flush {
            return Ok(());
        }
        let said = self.policy.said();
        let dsk = self.me.as_ref().map(|me| &me.dsk);
        let kept = write(store, &said, dsk, flush.then(now_u64));
        if kept.is_err() {
            self.policy.unsaid(said);
        }
        kept
    }
}

fn write(store: &Store, said: &Said, dsk: Option<&keys::SigningKey>, flush: Option<u64>) -> Outcome<()> {
    store.write(|tx| Book::read(tx)?.add(tx, said, dsk, flush))
}

impl Home {
    /// Question `trail.list`.
    pub(crate) fn trail_list(&self) -> Outcome<Vec<TrailLine>> {
        let mut state = self.state();
        state.keep_trail(false)?;
        state.store()?.read(|tx| {
            let book = Book::read(tx)?;
            let from = book.first.max(book.next.saturating_sub(LOOKED_AT));
            let texts = (from..book.next).rev().map(|seq| Book::line(tx, seq)).collect::<Outcome<Vec<_>>>()?;
            Ok(shown(texts.iter().map(String::as_str)))
        })
    }

    /// Question `trail.export`.
    pub(crate) async fn trail_export(&self, folder: Option<String>) -> Outcome<WrittenFile> {
        let text = {
            let mut state = self.state();
            state.keep_trail(true)?;
            let dsk = &state.me()?.dsk;
            state.store()?.read(|tx| {
                let book = Book::read(tx)?;
                let lines = (book.first..book.next).map(|seq| Book::line(tx, seq)).collect::<Outcome<Vec<_>>>()?;
                let lines = lines.iter().map(String::as_str);
                Ok::<_, Failure>(book.trail.export(lines, now_u64(), &dsk.verifying_key(), |text| dsk.sign(text)))
            })?
        };
        let folder = documents::folder(folder.as_deref())?;
        let written = tokio::task::spawn_blocking(move || write_file(&folder, "parlance-trail", "jsonl", &text)).await;
        let path = written.map_err(Failure::store)?.map_err(|error| Failure::new("not-written", error.kind()))?;
        Ok(WrittenFile { path: path.to_string_lossy().into_owned() })
    }
}

/// Writes a file only its owner can read, under a name with today's date that is not taken yet.
fn write_file(folder: &Path, name: &str, ending: &str, text: &str) -> std::io::Result<PathBuf> {
    let day = date(now_ms());
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    for number in 1..=NAMES_LIMIT {
        let more = if number == 1 { String::new() } else { format!("-{number}") };
        let path = folder.join(format!("{name}-{day}{more}.{ending}"));
        match options.open(&path) {
            Ok(mut file) => {
                file.write_all(text.as_bytes())?;
                file.sync_all()?;
                return Ok(path);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(std::io::ErrorKind::AlreadyExists.into())
}

/// The day of a time in Unix milliseconds, as `2026-11-26` (UTC).
fn date(ms: i64) -> String {
    // Days are counted from 1 March of year 0, so that a leap day is the last one of its year.
    let days = ms.div_euclid(86_400_000) + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// A line of the trail, as far as it is shown.
#[derive(Deserialize)]
struct Written {
    seq: u64,
    at: u64,
    #[serde(default)]
    verdict: Option<Verdict>,
}

#[derive(Deserialize)]
struct Verdict {
    entry: Entry,
    #[serde(default)]
    again: Option<Again>,
}

#[derive(Deserialize)]
struct Again {
    count: u64,
}

/// What is shown of lines, the newest first: a line that tells how often another came again is part of it.
fn shown<'a>(newest_first: impl Iterator<Item = &'a str>) -> Vec<TrailLine> {
    let mut lines = Vec::new();
    let mut again: Vec<(Entry, u64, u64)> = Vec::new();
    for text in newest_first {
        let Ok(Written { seq, at, verdict: Some(verdict) }) = serde_json::from_str(text) else { continue };
        if lines.len() >= SHOWN {
            break;
        }
        match verdict.again {
            Some(Again { count }) if verdict.entry.kind != Kind::Flood => again.push((verdict.entry, at, count)),
            more => {
                let mut count = more.map_or(1, |more| more.count);
                if let Some(place) = again.iter().position(|(entry, since, _)| *since == at && *entry == verdict.entry)
                {
                    count += again.swap_remove(place).2;
                }
                lines.push(line(seq, at, &verdict.entry, count));
            }
        }
    }
    lines
}

fn line(seq: u64, at: u64, entry: &Entry, count: u64) -> TrailLine {
    let (layer, _) = entry.rule.split_once('/').unwrap_or((entry.rule.as_str(), ""));
    let (what, verdict) = (what_of(entry.kind), word_of(entry.verdict));
    TrailLine {
        seq: u32::try_from(seq).unwrap_or(u32::MAX),
        at: i64::try_from(at).unwrap_or(i64::MAX),
        what: what.to_owned(),
        subject: entry.subject.clone(),
        verdict: verdict.to_owned(),
        because: entry.code.clone(),
        layer: if layer == "builtIn" { "built-in".to_owned() } else { layer.to_owned() },
        count: u32::try_from(count).unwrap_or(u32::MAX),
    }
}

fn what_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Person => "write",
        Kind::Call => "call",
        Kind::Module => "module",
        Kind::KeyChange => "key-change",
        Kind::Rules => "rules",
        Kind::Flood => "flood",
    }
}

fn word_of(word: Word) -> &'static str {
    match word {
        Word::Allow => "allow",
        Word::Ask => "ask",
        Word::Deny => "deny",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::{KeySource, MasterKey};

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let key = MasterKey::open(folder.path(), KeySource::Unprotected).unwrap();
        let store = Store::open(&folder.path().join("parlance.db"), &key).unwrap();
        (folder, store)
    }

    fn entry(subject: &str) -> Entry {
        Entry::new(Kind::Person, subject, Word::Deny, "nobody", "user/whoMayWrite")
    }

    fn said(entries: impl IntoIterator<Item = (u64, Entry)>) -> Said {
        Said { entries: entries.into_iter().collect(), lost: 0 }
    }

    fn lines(store: &Store) -> Vec<TrailLine> {
        let texts = store.read(|tx| {
            let book = Book::read(tx)?;
            (book.first..book.next).rev().map(|seq| Book::line(tx, seq)).collect::<Outcome<Vec<_>>>()
        });
        shown(texts.unwrap().iter().map(String::as_str))
    }

    #[test]
    fn what_repeats_is_shown_once_with_its_number() {
        let (_folder, store) = store();
        write(
            &store,
            &said([(1, entry("ana@a.localhost")), (2, entry("ben@b.localhost")), (3, entry("ana@a.localhost"))]),
            None,
            Some(9),
        )
        .unwrap();
        let told: Vec<_> = lines(&store).into_iter().map(|line| (line.subject, line.count, line.layer)).collect();
        let expected = [("ben@b.localhost", 1), ("ana@a.localhost", 2)];
        assert_eq!(told, expected.map(|(who, count)| (who.to_owned(), count, "user".to_owned())));
    }

    #[test]
    fn old_segments_are_forgotten_and_what_is_kept_still_verifies() {
        let (_folder, store) = store();
        let dsk = keys::SigningKey::generate();
        let segments = 3 * u64::from(trail::SEGMENT_LINES);
        // Two a second: the trail takes no more in a minute.
        for batch in 0..segments / 400 + 2 {
            let some = (0..400).map(|at| batch * 400 + at).map(|at| (at * 501, entry(&format!("p{at}@a.localhost"))));
            write(&store, &said(some), Some(&dsk), None).unwrap();
        }
        let (export, book) = store
            .read(|tx| {
                let book = Book::read(tx)?;
                let texts = (book.first..book.next).map(|seq| Book::line(tx, seq)).collect::<Outcome<Vec<_>>>()?;
                assert!(book.first == 0 || Book::line(tx, book.first - 1).is_err(), "it is gone");
                let by = dsk.verifying_key();
                let text = book.trail.export(texts.iter().map(String::as_str), 1, &by, |text| dsk.sign(text));
                Ok::<_, Failure>((text, book))
            })
            .unwrap();
        assert!(book.first > 0 && book.next - book.first <= 2 * u64::from(trail::SEGMENT_LINES) + 200);
        let read = trail::verify_export(&export, &dsk.verifying_key()).unwrap();
        assert_eq!(read.from, book.first);
        let other = export.replacen("nobody", "anybody", 1);
        assert!(trail::verify_export(&other, &dsk.verifying_key()).is_err());
    }

    #[test]
    fn days_have_their_names() {
        for (ms, day) in [(0, "1970-01-01"), (1_795_654_800_000, "2026-11-26"), (951_782_400_000, "2000-02-29")] {
            assert_eq!(date(ms), day);
        }
    }

    #[test]
    fn a_file_takes_no_other_ones_place_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let first = write_file(folder.path(), "x", "jsonl", "one").unwrap();
        let second = write_file(folder.path(), "x", "jsonl", "two").unwrap();
        assert_ne!(first, second);
        assert_eq!(std::fs::read_to_string(&first).unwrap(), "one");
        #[cfg(unix)]
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(first).unwrap().permissions()) & 0o777,
            0o600
        );
    }
}
