//! The end of the trail, where lines are added: folded, numbered, linked, signed in batches.

use keys::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::entry::{Entry, Kind, Word};
use crate::line::{Again, Carry, Checkpoint, Line, Verdict, Wire, hash, signed};

/// Within this time equal verdicts are folded into one line.
pub const FOLD_MS: u64 = 60_000;

/// How many different verdicts are watched for repetition at once.
pub const FOLDED_AT_ONCE: usize = 64;

/// Most lines of verdicts that begin within a minute; of more, only the number is kept.
pub const LINES_PER_MINUTE: u32 = 120;

/// After so many lines a checkpoint is due.
pub const CHECKPOINT_EVERY: u32 = 64;

/// After so many lines a new segment is due.
pub const SEGMENT_LINES: u32 = 10_000;

/// What is needed to add a line; keep it in the transaction in which the lines are kept.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trail {
    next: u64,
    prev: Option<String>,
    /// Lines since the last checkpoint.
    unsigned: u32,
    segment: u64,
    in_segment: u32,
    /// Oldest first.
    folds: Vec<Fold>,
    minute: Minute,
}

/// A verdict that stands in a line, and how often it was said again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Fold {
    entry: Entry,
    since: u64,
    until: u64,
    again: u64,
}

/// How much was written within the running minute, and how much was not.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Minute {
    since: u64,
    lines: u32,
    left_out: u64,
}

impl Trail {
    /// A trail without a line.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records a verdict. Gives the lines to keep now, in order; often one, none while it only repeats.
    pub fn append(&mut self, at: u64, entry: Entry) -> Vec<Line> {
        let mut lines = self.close(|fold| is_over(fold.since, at), is_over(self.minute.since, at), at);
        if let Some(fold) = self.folds.iter_mut().find(|fold| fold.entry == entry) {
            (fold.again, fold.until) = (fold.again.saturating_add(1), at);
            return lines;
        }
        if self.minute.lines >= LINES_PER_MINUTE {
            self.minute.left_out = self.minute.left_out.saturating_add(1);
            return lines;
        }
        if self.folds.len() >= FOLDED_AT_ONCE {
            let oldest = self.folds.remove(0);
            lines.extend(self.told(oldest));
        }
        self.minute.lines += 1;
        lines.push(self.verdict(at, entry.clone(), None));
        self.folds.push(Fold { entry, since: at, until: at, again: 0 });
        lines
    }

    /// Tells what was folded until now: before an export, and when the app ends.
    pub fn flush(&mut self, at: u64) -> Vec<Line> {
        self.close(|_| true, true, at)
    }

    /// Whether a checkpoint is due.
    pub fn checkpoint_due(&self) -> bool {
        self.unsigned >= CHECKPOINT_EVERY
    }

    /// The device `by` signs everything until now.
    pub fn checkpoint(&mut self, at: u64, by: &VerifyingKey, sign: impl FnOnce(&[u8]) -> Signature) -> Line {
        self.sign(at, by, false, sign)
    }

    /// Whether a new segment is due.
    pub fn segment_due(&self) -> bool {
        self.in_segment >= SEGMENT_LINES
    }

    /// Begins a new segment and gives its first line. Afterwards all lines before may be forgotten.
    pub fn rotate(&mut self, at: u64) -> Line {
        self.segment += 1;
        self.in_segment = 0;
        let segment = self.segment;
        self.add(at, |wire| wire.carry = Some(Carry { segment }))
    }

    /// The trail as JSON lines, for whoever wants to check it. `lines` are all that were kept, or those
    /// from the beginning of a segment; call [`flush`](Self::flush) first. The trail itself goes on unchanged.
    pub fn export<'a>(
        &self,
        lines: impl IntoIterator<Item = &'a str>,
        at: u64,
        by: &VerifyingKey,
        sign: impl FnOnce(&[u8]) -> Signature,
    ) -> String {
        let mut text = String::new();
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        text.push_str(self.clone().sign(at, by, true, sign).text());
        text.push('\n');
        text
    }

    fn sign(&mut self, at: u64, by: &VerifyingKey, end: bool, sign: impl FnOnce(&[u8]) -> Signature) -> Line {
        let sig = sign(&signed(self.next, self.prev.as_deref(), at, by, end));
        let line = self.add(at, |wire| wire.checkpoint = Some(Checkpoint { by: *by, end, sig }));
        self.unsigned = 0;
        line
    }

    /// Lines of the folds that are over, and of the minute if it is.
    fn close(&mut self, over: impl Fn(&Fold) -> bool, minute_over: bool, at: u64) -> Vec<Line> {
        let (closed, open) = std::mem::take(&mut self.folds).into_iter().partition(over);
        self.folds = open;
        let closed: Vec<Fold> = closed;
        let mut lines: Vec<Line> = closed.into_iter().filter_map(|fold| self.told(fold)).collect();
        if minute_over {
            let Minute { since, left_out, .. } =
                std::mem::replace(&mut self.minute, Minute { since: at, lines: 0, left_out: 0 });
            let flood = Entry::new(Kind::Flood, "", Word::Deny, "flood", "builtIn/trail");
            lines
                .extend((left_out > 0).then(|| self.verdict(since, flood, Some(Again { count: left_out, until: at }))));
        }
        lines
    }

    fn told(&mut self, fold: Fold) -> Option<Line> {
        let again = Again { count: fold.again, until: fold.until };
        (fold.again > 0).then(|| self.verdict(fold.since, fold.entry, Some(again)))
    }

    fn verdict(&mut self, at: u64, entry: Entry, again: Option<Again>) -> Line {
        self.add(at, |wire| wire.verdict = Some(Verdict { entry, again }))
    }

    fn add(&mut self, at: u64, what: impl FnOnce(&mut Wire)) -> Line {
        let mut wire =
            Wire { seq: self.next, prev: self.prev.take(), at, verdict: None, checkpoint: None, carry: None };
        what(&mut wire);
        let line = Line::write(&wire);
        self.next += 1;
        self.prev = Some(hash(line.text()));
        self.unsigned = self.unsigned.saturating_add(1);
        self.in_segment = self.in_segment.saturating_add(1);
        line
    }
}

/// Shows how long it is: what is folded names people.
impl std::fmt::Debug for Trail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Trail({} lines)", self.next)
    }
}

/// Whether the time for folding is over; a clock that went back ends it too.
fn is_over(since: u64, at: u64) -> bool {
    at < since || at - since >= FOLD_MS
}
