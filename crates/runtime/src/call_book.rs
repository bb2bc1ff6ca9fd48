//! The book of calls that are over: how they ended, how good they were, and which missed ones were looked at.

use std::collections::{BTreeMap, BTreeSet};

use call::quality::{self, Cause, Grade, Reading, Sample, Series};
use call::{EndReason, Ended};
use contract::{
    CallCause, CallDetails, CallGrade, CallOutcome, CallPath, CallSample, CallStage, CallVerdict, News, PastCall,
    PastCalls,
};
use message::UserAddress;
use serde::{Deserialize, Serialize};
use store::Tx;

use crate::calls::Call;
use crate::home::{Home, State, now_ms, now_u64};
use crate::objects::Follow;
use crate::own::OwnStep;
use crate::persons::{CALL_MISSED, get_or_new, name_of};
use crate::records::kind;
use crate::trouble::{Failure, Outcome};

/// Calls that are kept; of more the oldest go.
const CALLS_LIMIT: usize = 1_000;

/// Calls in one page.
const PAGE: usize = 50;

/// The one voice codec (RFC 7874 asks for it).
const CODEC: &str = "Opus";

/// The figures of the calls that go on, by the name of the call.
#[derive(Default)]
pub(crate) struct Gathering {
    calls: BTreeMap<String, Gathered>,
}

struct Gathered {
    /// When the call was first seen, in Unix milliseconds.
    begun_at: i64,
    /// Once voice flows.
    series: Option<Series>,
    relayed: Option<bool>,
    /// What pictures were sent and seen in.
    picture_codecs: BTreeSet<String>,
}

/// A call that is over, as it is kept; who it was with is called as they are called when it is looked at.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Kept {
    user: UserAddress,
    incoming: bool,
    begun_at: i64,
    seconds: u32,
    outcome: CallOutcome,
    reason: String,
    seen: bool,
    relayed: Option<bool>,
    picture_codecs: BTreeSet<String>,
    verdict: CallVerdict,
}

/// Why somebody's call did not ring here, of which they heard no more than that it is busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InVain {
    /// There were as many calls as there can be.
    AllLinesTaken,
    /// They had just called as often as one may.
    TooOften,
    /// We called each other at the same moment, and nothing came of it.
    Crossed,
}

impl InVain {
    /// The stable code.
    fn code(self) -> &'static str {
        match self {
            Self::AllLinesTaken => "lines-taken",
            Self::TooOften => "too-often",
            Self::Crossed => "crossed",
        }
    }
}

/// What another device of ours says.
#[derive(Deserialize)]
pub(crate) struct Seen {
    until: i64,
}

/// Another device of ours looked at the missed calls.
pub(crate) fn seen_elsewhere(seen: &Seen) -> Vec<Follow> {
    vec![Follow::Own(OwnStep::SeenThere { until: seen.until })]
}

impl Kept {
    fn is_missed(&self) -> bool {
        self.outcome == CallOutcome::Missed && !self.seen
    }

    fn told(&self, tx: &Tx<'_>, id: &str) -> Outcome<PastCall> {
        let person = get_or_new(tx, &self.user)?;
        Ok(PastCall {
            id: id.to_owned(),
            user: self.user.handle(),
            name: name_of(&person),
            incoming: self.incoming,
            begun_at: self.begun_at,
            seconds: self.seconds,
            outcome: self.outcome,
            reason: self.reason.clone(),
            seen: self.seen,
            verdict: self.verdict,
        })
    }
}

fn verdict(samples: &[Sample]) -> CallVerdict {
    let verdict = quality::verdict(samples);
    CallVerdict {
        grade: match verdict.grade {
            Grade::Unknown => CallGrade::Unknown,
            Grade::Good => CallGrade::Good,
            Grade::Fair => CallGrade::Fair,
            Grade::Poor => CallGrade::Poor,
        },
        seconds: verdict.seconds,
        cause: verdict.cause.map(|cause| match cause {
            Cause::Silence => CallCause::Silence,
            Cause::Loss => CallCause::Loss,
            Cause::RoundTrip => CallCause::RoundTrip,
            Cause::Jitter => CallCause::Jitter,
        }),
    }
}

/// What became of a call that ended like this.
fn outcome_of(incoming: bool, ended: &Ended) -> CallOutcome {
    let fails = matches!(
        ended.reason,
        EndReason::Failed { .. } | EndReason::FingerprintMismatch | EndReason::NotPermitted | EndReason::Dropped
    );
    match (ended.reason, incoming) {
        _ if ended.spoke_ms.is_some() => CallOutcome::Answered,
        (EndReason::Declined, _) => CallOutcome::Declined,
        (EndReason::Elsewhere, _) => CallOutcome::Elsewhere,
        (EndReason::Busy, false) => CallOutcome::Busy,
        // Whoever was called and did not answer missed it, whatever happened to it while it rang.
        (_, true) if !fails || ended.code.starts_with("failed-ringing") => CallOutcome::Missed,
        _ if fails => CallOutcome::Failed,
        _ => CallOutcome::Unanswered,
    }
}

/// The book, newest first.
fn book(tx: &Tx<'_>) -> Outcome<Vec<(String, Kept)>> {
    let mut all: Vec<(String, Kept)> = tx.list(kind::PAST_CALL).map_err(Failure::store)?;
    all.sort_by(|(a, one), (b, other)| (other.begun_at, b).cmp(&(one.begun_at, a)));
    Ok(all)
}

fn missed_in(all: &[(String, Kept)]) -> u32 {
    u32::try_from(all.iter().filter(|(_, kept)| kept.is_missed()).count()).unwrap_or(u32::MAX)
}

/// Writes a call into the book; the oldest make room.
fn keep(tx: &Tx<'_>, id: &str, kept: &Kept, samples: &[Sample]) -> Outcome<u32> {
    tx.put(kind::PAST_CALL, id, kept).map_err(Failure::store)?;
    if !samples.is_empty() {
        tx.put(kind::CALL_FIGURES, id, samples).map_err(Failure::store)?;
    }
    let mut all = book(tx)?;
    for (oldest, _) in all.drain(CALLS_LIMIT.min(all.len())..) {
        forget(tx, &oldest)?;
    }
    Ok(missed_in(&all))
}

/// Takes a call out of the book; says whether it was in it.
fn forget(tx: &Tx<'_>, id: &str) -> Outcome<bool> {
    tx.delete(kind::CALL_FIGURES, id).map_err(Failure::store)?;
    tx.delete(kind::PAST_CALL, id).map_err(Failure::store)
}

impl Home {
    /// Reads the figures of the calls that go on, when it is time.
    pub(crate) fn gather_figures(&self) {
        let mut state = self.state();
        let State { calls, gathering, .. } = &mut *state;
        let now = now_u64();
        for call in calls.list.iter().filter(|call| !call.echo) {
            let gathered = gathering.calls.entry(call.view.call.clone()).or_insert_with(|| Gathered {
                begun_at: now_ms(),
                series: None,
                relayed: None,
                picture_codecs: BTreeSet::new(),
            });
            let Some(media) = call.media.as_ref().filter(|_| call.view.connected_at.is_some()) else { continue };
            for pictures in [media.video_stats(), media.screen_stats()] {
                let codecs = [pictures.sent_codec, pictures.codec].into_iter().flatten();
                gathered.picture_codecs.extend(codecs.map(str::to_owned));
            }
            if gathered.series.as_ref().is_some_and(|series| !series.is_due(now)) {
                continue;
            }
            let stats = media.stats();
            let reading = Reading {
                received: stats.received,
                missing: stats.lost + stats.late,
                round_trip_ms: stats.round_trip_ms,
                jitter_ms: stats.jitter_ms,
                bytes_in: stats.bytes_in,
                bytes_out: stats.bytes_out,
                interrupted: call.view.stage == CallStage::Reconnecting,
            };
            gathered.relayed = stats.relayed.or(gathered.relayed);
            match &mut gathered.series {
                Some(series) => series.take(now, reading),
                None => gathered.series = Some(Series::begin(now, reading)),
            }
        }
    }

    /// A call is over: it is written into the book.
    pub(crate) fn note_past_call(&self, state: &mut State, call: &Call, ended: &Ended) {
        let gathered = state.gathering.calls.remove(&call.view.call);
        if call.echo {
            return;
        }
        let seconds = u32::try_from(ended.spoke_ms.unwrap_or(0) / 1_000).unwrap_or(u32::MAX);
        let now = now_ms();
        let series = gathered.as_ref().and_then(|gathered| gathered.series.as_ref());
        let samples = series.map(|series| series.samples().to_vec()).unwrap_or_default();
        let kept = Kept {
            user: call.user.clone(),
            incoming: call.view.incoming,
            begun_at: gathered.as_ref().map_or(now, |gathered| gathered.begun_at),
            seconds,
            outcome: outcome_of(call.view.incoming, ended),
            reason: ended.code.clone(),
            seen: false,
            relayed: gathered.as_ref().and_then(|gathered| gathered.relayed),
            picture_codecs: gathered.as_ref().map(|gathered| gathered.picture_codecs.clone()).unwrap_or_default(),
            verdict: verdict(&samples),
        };
        self.write_down(state, &kept, &samples);
    }

    /// Somebody called and it did not ring: they are missed all the same, but who calls again and again stands in
    /// the book once a minute.
    pub(crate) fn note_call_in_vain(&self, state: &mut State, user: &UserAddress, why: InVain) {
        if !state.calls.attempts.may_be_noted(user.address().as_str(), now_u64()) {
            return;
        }
        let kept = Kept {
            user: user.clone(),
            incoming: true,
            begun_at: now_ms(),
            seconds: 0,
            outcome: CallOutcome::Missed,
            reason: why.code().to_owned(),
            seen: false,
            relayed: None,
            picture_codecs: BTreeSet::new(),
            verdict: CallVerdict::default(),
        };
        self.write_down(state, &kept, &[]);
        self.call_line(state, user, CALL_MISSED, 0);
    }

    fn write_down(&self, state: &mut State, kept: &Kept, samples: &[Sample]) {
        // Two calls may end in the same millisecond.
        let id = format!("{}-{}", now_ms(), state.take_id());
        let Ok(store) = state.store() else { return };
        let noted = store.write(|tx| {
            let missed = keep(tx, &id, kept, samples)?;
            Ok::<_, Failure>((kept.told(tx, &id)?, missed))
        });
        match noted {
            Ok((told, missed)) => {
                self.tell(News::PastCall(told));
                self.tell(News::CallsMissed { count: missed });
            }
            Err(failure) => tracing::warn!(code = failure.code, "a call was not written into the book"),
        }
    }

    /// Question `call.book`.
    pub(crate) fn call_book(&self, missed: bool, before: Option<&str>) -> Outcome<PastCalls> {
        let state = self.state();
        state.store()?.read(|tx| {
            let all = book(tx)?;
            let unseen = missed_in(&all);
            let after = before.and_then(|before| all.iter().position(|(id, _)| id == before)).map_or(0, |at| at + 1);
            let wanted = |(_, kept): &&(String, Kept)| !missed || kept.outcome == CallOutcome::Missed;
            let mut rest = all[after..].iter().filter(wanted);
            let page = rest.by_ref().take(PAGE).map(|(id, kept)| kept.told(tx, id)).collect::<Outcome<_>>()?;
            Ok(PastCalls { calls: page, more: rest.next().is_some(), missed: unseen })
        })
    }

    /// Question `call.look`.
    pub(crate) fn call_look(&self, id: &str) -> Outcome<CallDetails> {
        let state = self.state();
        state.store()?.read(|tx| {
            let kept: Option<Kept> = tx.get(kind::PAST_CALL, id).map_err(Failure::store)?;
            let kept = kept.ok_or_else(|| Failure::unknown("call"))?;
            let path = kept.relayed.map(|relayed| if relayed { CallPath::Relayed } else { CallPath::Direct });
            let samples: Vec<Sample> = tx.get(kind::CALL_FIGURES, id).map_err(Failure::store)?.unwrap_or_default();
            let span = samples.iter().map(|sample| sample.span_ms).max().unwrap_or(0);
            Ok(CallDetails {
                call: kept.told(tx, id)?,
                codec: (!samples.is_empty()).then(|| CODEC.to_owned()),
                picture_codecs: kept.picture_codecs.iter().cloned().collect(),
                path,
                every: whole_seconds(span),
                samples: samples.iter().map(shown).collect(),
            })
        })
    }

    /// Question `call.forget`.
    pub(crate) fn call_forget(&self, id: &str) -> Outcome<()> {
        let state = self.state();
        let missed = state.store()?.write(|tx| {
            if !forget(tx, id)? {
                return Err(Failure::unknown("call"));
            }
            Ok(missed_in(&book(tx)?))
        })?;
        self.tell(News::PastCallGone { id: id.to_owned() });
        self.tell(News::CallsMissed { count: missed });
        Ok(())
    }

    /// Question `call.seen`.
    pub(crate) fn call_seen(&self) -> Outcome<()> {
        let mut state = self.state();
        let until = now_ms();
        if self.see_calls(&mut state, until)? > 0 {
            self.follow_up(&mut state, vec![Follow::Own(OwnStep::CallsSeen { until })]);
        }
        Ok(())
    }

    /// The missed calls up to a moment were looked at; says how many that are.
    pub(crate) fn see_calls(&self, state: &mut State, until: i64) -> Outcome<usize> {
        let (seen, missed) = state.store()?.write(|tx| {
            let mut all = book(tx)?;
            let mut seen = Vec::new();
            for (id, kept) in all.iter_mut().filter(|(_, kept)| kept.is_missed() && kept.begun_at <= until) {
                kept.seen = true;
                tx.put(kind::PAST_CALL, id, kept).map_err(Failure::store)?;
                seen.push(kept.told(tx, id)?);
            }
            Ok::<_, Failure>((seen, missed_in(&all)))
        })?;
        let count = seen.len();
        if count > 0 {
            seen.into_iter().for_each(|call| self.tell(News::PastCall(call)));
            self.tell(News::CallsMissed { count: missed });
        }
        Ok(count)
    }
}

fn whole_seconds(ms: u64) -> u32 {
    u32::try_from(ms.div_ceil(1_000)).unwrap_or(u32::MAX)
}

fn shown(sample: &Sample) -> CallSample {
    CallSample {
        at: whole_seconds(sample.at_ms),
        round_trip_ms: sample.round_trip_ms,
        loss_percent: sample.loss_percent,
        jitter_ms: sample.jitter_ms,
        kbps_in: sample.kbps_in,
        kbps_out: sample.kbps_out,
    }
}

#[cfg(test)]
mod tests {
    use call::{FailureCode, Party, Stage};
    use store::{KeySource, MasterKey, Store};

    use super::*;

    fn ended(reason: EndReason, spoke_ms: Option<u64>) -> Ended {
        Ended { reason, code: reason.code().into_owned(), by: Party::Them, at: 0, spoke_ms }
    }

    #[test]
    fn each_end_of_a_call_has_its_place_in_the_book() {
        use CallOutcome::*;
        let failed = |stage, code| EndReason::Failed { stage, code };
        for (incoming, reason, spoke, outcome) in [
            (true, EndReason::HungUp, None, Missed),
            (true, EndReason::NoAnswer, None, Missed),
            (true, EndReason::Declined, None, Declined),
            (true, EndReason::Elsewhere, None, Elsewhere),
            (true, EndReason::HungUp, Some(5_000), Answered),
            (true, failed(Stage::Securing, FailureCode::TimedOut), None, Failed),
            (true, failed(Stage::Ringing, FailureCode::AtPeer), None, Missed),
            (false, EndReason::HungUp, None, Unanswered),
            (false, EndReason::NoAnswer, None, Unanswered),
            (false, EndReason::Offline, None, Unanswered),
            (false, EndReason::Busy, None, Busy),
            (false, EndReason::Declined, None, Declined),
            (false, EndReason::NotPermitted, None, Failed),
            (false, EndReason::FingerprintMismatch, None, Failed),
            (false, EndReason::Dropped, Some(60_000), Answered),
        ] {
            assert_eq!(outcome_of(incoming, &ended(reason, spoke)), outcome, "{incoming} {reason:?} {spoke:?}");
        }
    }

    #[test]
    fn the_book_keeps_the_newest_calls_and_no_more() {
        let folder = tempfile::TempDir::new().unwrap();
        let key = MasterKey::open(folder.path(), KeySource::Unprotected).unwrap();
        let store = Store::open(&folder.path().join("parlance.db"), &key).unwrap();
        let kept = |at: i64| Kept {
            user: UserAddress::parse("ben@b.localhost").unwrap(),
            incoming: true,
            begun_at: at,
            seconds: 0,
            outcome: CallOutcome::Missed,
            reason: "no-answer".into(),
            seen: false,
            relayed: None,
            picture_codecs: BTreeSet::new(),
            verdict: CallVerdict::default(),
        };
        let count = i64::try_from(CALLS_LIMIT).unwrap() + 2;
        let missed = store.write(|tx| {
            for at in 0..count - 1 {
                tx.put(kind::PAST_CALL, &format!("{at}"), &kept(at)).map_err(Failure::store)?;
            }
            keep(tx, "newest", &kept(count), &[])
        });
        assert_eq!(missed.unwrap() as usize, CALLS_LIMIT);
        let all = store.read(book).unwrap();
        assert_eq!(all.len(), CALLS_LIMIT);
        assert_eq!(all[0].0, "newest");
        assert_eq!(all.last().unwrap().0, "2", "the two oldest went");
    }
}
