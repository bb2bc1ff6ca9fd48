//! How good a call was: its figures as a bounded series, and a verdict on them in plain terms.

use serde::{Deserialize, Serialize};

/// Milliseconds of a span at first; a long call is measured in longer ones.
const SPAN_MS: u64 = 5_000;

/// Samples of a call, however long it is: two become one when there would be more.
pub const SAMPLES_LIMIT: usize = 240;

/// From where on a call is worse than good, and from where on bad (loss in per cent, milliseconds there and back,
/// milliseconds of jitter): the same limits that are shown in a call.
const WORSE: [f32; 3] = [3.0, 300.0, 50.0];
const BAD: [f32; 3] = [8.0, 600.0, 150.0];

/// A call that was bad for so many seconds was poor; one that was worse than good for so long was fair.
const NOTICED_S: u32 = 10;

/// What a call's media say at one moment, counted from its beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Reading {
    /// Voice packets that came.
    pub received: u64,
    /// Voice packets that never came, or came after their time.
    pub missing: u64,
    /// Milliseconds there and back, once known.
    pub round_trip_ms: Option<f32>,
    /// How unsteadily packets come, in milliseconds.
    pub jitter_ms: f32,
    /// Bytes that came, once known.
    pub bytes_in: Option<u64>,
    /// Bytes that left, once known.
    pub bytes_out: Option<u64>,
    /// The path is lost just now.
    pub interrupted: bool,
}

/// What was measured in a span.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The end of the span, in milliseconds from the beginning.
    pub at_ms: u64,
    /// How long the span is.
    pub span_ms: u64,
    /// Milliseconds there and back, once known.
    pub round_trip_ms: Option<f32>,
    /// Per cent of the voice that never came or came too late.
    pub loss_percent: f32,
    /// How unsteadily it came.
    pub jitter_ms: f32,
    /// Kilobits a second that came, once known.
    pub kbps_in: Option<f32>,
    /// Kilobits a second that left, once known.
    pub kbps_out: Option<f32>,
    /// The path was lost at its end.
    pub interrupted: bool,
}

/// The figures of a call as they grow.
#[derive(Debug, Clone)]
pub struct Series {
    began_ms: u64,
    span_ms: u64,
    last_ms: u64,
    last: Reading,
    samples: Vec<Sample>,
}

impl Series {
    /// A call whose voice begins to flow now.
    pub fn begin(now_ms: u64, first: Reading) -> Self {
        Self { began_ms: now_ms, span_ms: SPAN_MS, last_ms: now_ms, last: first, samples: Vec::new() }
    }

    /// Whether a reading is wanted now.
    pub fn is_due(&self, now_ms: u64) -> bool {
        now_ms >= self.last_ms.saturating_add(self.span_ms)
    }

    /// Takes a reading; `now_ms` is any clock that does not go back.
    pub fn take(&mut self, now_ms: u64, now: Reading) {
        let span_ms = now_ms.saturating_sub(self.last_ms);
        if span_ms == 0 {
            return;
        }
        if self.samples.len() >= SAMPLES_LIMIT {
            self.samples = self.samples.chunks(2).map(merged).collect();
            self.span_ms *= 2;
        }
        let missing = now.missing.saturating_sub(self.last.missing);
        let came = now.received.saturating_sub(self.last.received);
        let sent = came + missing;
        let rate = |now: Option<u64>, before: Option<u64>| {
            let bytes = now?.checked_sub(before?)?;
            Some(bytes as f32 * 8.0 / span_ms as f32)
        };
        self.samples.push(Sample {
            at_ms: now_ms.saturating_sub(self.began_ms),
            span_ms,
            round_trip_ms: now.round_trip_ms,
            loss_percent: if sent == 0 { 0.0 } else { missing as f32 * 100.0 / sent as f32 },
            jitter_ms: now.jitter_ms,
            kbps_in: rate(now.bytes_in, self.last.bytes_in),
            kbps_out: rate(now.bytes_out, self.last.bytes_out),
            interrupted: now.interrupted,
        });
        self.last_ms = now_ms;
        self.last = now;
    }

    /// The samples, in order.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }
}

/// One or two neighbours as one: the mean of what flows, the worse of what disturbs.
fn merged(pair: &[Sample]) -> Sample {
    let [a, b] = pair else { return pair[0] };
    let mean = |a: f32, b: f32| (a + b) / 2.0;
    let both = |a: Option<f32>, b: Option<f32>| match (a, b) {
        (Some(a), Some(b)) => Some(mean(a, b)),
        (one, other) => one.or(other),
    };
    Sample {
        at_ms: b.at_ms,
        span_ms: a.span_ms + b.span_ms,
        round_trip_ms: both(a.round_trip_ms, b.round_trip_ms),
        loss_percent: mean(a.loss_percent, b.loss_percent),
        jitter_ms: a.jitter_ms.max(b.jitter_ms),
        kbps_in: both(a.kbps_in, b.kbps_in),
        kbps_out: both(a.kbps_out, b.kbps_out),
        interrupted: a.interrupted || b.interrupted,
    }
}

/// How good a call was, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grade {
    /// Nothing was measured.
    Unknown,
    /// Good throughout, or nearly.
    Good,
    /// Worse than good for a while.
    Fair,
    /// Bad for a while.
    Poor,
}

/// What made it so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The path was lost.
    Silence,
    /// Voice was lost on its way here.
    Loss,
    /// The way there and back was long.
    RoundTrip,
    /// Voice came unsteadily.
    Jitter,
}

/// How good a call was, for how long it was not, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// In a word.
    pub grade: Grade,
    /// For how many seconds it was as the grade says, if that is not good.
    pub seconds: u32,
    /// What was wrong for the longest time then.
    pub cause: Option<Cause>,
}

/// The verdict on a call.
pub fn verdict(samples: &[Sample]) -> Verdict {
    let good = |grade| Verdict { grade, seconds: 0, cause: None };
    if samples.is_empty() {
        return good(Grade::Unknown);
    }
    for (grade, limits) in [(Grade::Poor, BAD), (Grade::Fair, WORSE)] {
        let wrong = |sample: &&Sample| worst(sample, limits).is_some();
        let ms: u64 = samples.iter().filter(wrong).map(|sample| sample.span_ms).sum();
        let seconds = u32::try_from(ms.div_ceil(1_000)).unwrap_or(u32::MAX);
        if seconds >= NOTICED_S {
            let longest = |cause: &Cause| -> u64 {
                let of = samples.iter().filter(|sample| worst(sample, limits) == Some(*cause));
                of.map(|sample| sample.span_ms).sum()
            };
            let causes = [Cause::Jitter, Cause::RoundTrip, Cause::Loss, Cause::Silence];
            return Verdict { grade, seconds, cause: causes.into_iter().max_by_key(longest) };
        }
    }
    good(Grade::Good)
}

/// What is beyond its limit in a sample; of several the first that people notice.
fn worst(sample: &Sample, [loss, round_trip, jitter]: [f32; 3]) -> Option<Cause> {
    if sample.interrupted {
        Some(Cause::Silence)
    } else if sample.loss_percent > loss {
        Some(Cause::Loss)
    } else if sample.round_trip_ms.is_some_and(|ms| ms > round_trip) {
        Some(Cause::RoundTrip)
    } else if sample.jitter_ms > jitter {
        Some(Cause::Jitter)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call in which each second brings 50 packets, of which some are missing.
    struct Line {
        series: Series,
        now_ms: u64,
        reading: Reading,
    }

    impl Line {
        fn begins() -> Self {
            let reading = Reading { bytes_in: Some(0), bytes_out: Some(0), ..Reading::default() };
            Self { series: Series::begin(1_000, reading), now_ms: 1_000, reading }
        }

        fn speaks(mut self, seconds: u64, loss_percent: u64, with: impl Fn(&mut Reading)) -> Self {
            for _ in 0..seconds {
                self.now_ms += 1_000;
                self.reading.received += 50 - loss_percent / 2;
                self.reading.missing += loss_percent / 2;
                self.reading.bytes_in = self.reading.bytes_in.map(|bytes| bytes + 4_000);
                with(&mut self.reading);
                if self.series.is_due(self.now_ms) {
                    self.series.take(self.now_ms, self.reading);
                }
            }
            self
        }

        fn verdict(&self) -> Verdict {
            verdict(self.series.samples())
        }
    }

    fn as_usual(_: &mut Reading) {}

    #[test]
    fn a_call_without_figures_has_no_verdict_and_a_clean_one_is_good() {
        assert_eq!(Line::begins().verdict().grade, Grade::Unknown);
        let clean = Line::begins().speaks(60, 0, as_usual);
        assert_eq!(clean.verdict(), Verdict { grade: Grade::Good, seconds: 0, cause: None });
        assert_eq!(clean.series.samples()[3].kbps_in, Some(32.0));
    }

    #[test]
    fn forty_seconds_of_lost_voice_make_a_call_poor_for_forty_seconds() {
        let line = Line::begins().speaks(60, 0, as_usual).speaks(40, 20, as_usual).speaks(600, 0, as_usual);
        assert_eq!(line.verdict(), Verdict { grade: Grade::Poor, seconds: 40, cause: Some(Cause::Loss) });
    }

    #[test]
    fn a_hiccup_is_forgiven() {
        assert_eq!(Line::begins().speaks(60, 0, as_usual).speaks(5, 20, as_usual).verdict().grade, Grade::Good);
    }

    #[test]
    fn a_long_way_is_named_and_makes_a_call_fair() {
        let line = Line::begins().speaks(30, 0, |reading| reading.round_trip_ms = Some(450.0));
        assert_eq!(line.verdict(), Verdict { grade: Grade::Fair, seconds: 30, cause: Some(Cause::RoundTrip) });
    }

    #[test]
    fn a_path_that_was_lost_is_silence_and_not_a_good_line() {
        let line = Line::begins().speaks(20, 0, as_usual).speaks(15, 0, |reading| {
            reading.interrupted = true;
            reading.received -= 50;
        });
        assert_eq!(line.verdict(), Verdict { grade: Grade::Poor, seconds: 15, cause: Some(Cause::Silence) });
    }

    #[test]
    fn somebody_who_keeps_silent_loses_nothing() {
        let line = Line::begins().speaks(20, 0, as_usual).speaks(60, 0, |reading| reading.received -= 50);
        assert_eq!(line.verdict().grade, Grade::Good);
    }

    #[test]
    fn two_hours_fit_into_the_same_room_and_keep_their_verdict() {
        let line = Line::begins().speaks(3_600, 0, as_usual).speaks(600, 20, as_usual).speaks(3_000, 0, as_usual);
        assert!(line.series.samples().len() <= SAMPLES_LIMIT);
        let Verdict { grade, seconds, cause } = line.verdict();
        assert_eq!((grade, cause), (Grade::Poor, Some(Cause::Loss)));
        assert!((560..=680).contains(&seconds), "{seconds}");
        let whole: u64 = line.series.samples().iter().map(|sample| sample.span_ms).sum();
        assert!(whole >= 7_100_000, "no span is forgotten: {whole}");
    }
}
