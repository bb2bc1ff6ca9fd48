//! Empties the outbox: what is queued for a domain leaves in its order, and stays until its node has it.
//!
//! What waits for one inbox leaves together, as few requests as it fits into. A few of them are under way at the same
//! time, in their order; what comes while there are as many as may be waits, and leaves together.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use message::{Address, Code, Domain, MessageType};
use seal::parcel;
use serde_json::json;
use store::{ChildState, OnTheWay, OutboxRow, Tx};

use crate::home::{Home, State, body, now_ms};
use crate::objects::Follow;
use crate::trouble::{Failure, Outcome};

/// Rows that are looked at in one go.
const ROUND: usize = 256;

/// Loads to one inbox whose answers are waited for at the same time. They leave in their order and arrive in it; only
/// where a node refuses one and takes the next is something overtaken, and then it is asked for like whatever is lost.
const WINDOW: usize = 4;

/// Rows to one inbox that are under way at the same time: as many as may be late at the other end (`seal`), so that what
/// was overtaken can still be opened.
const ROWS_UNDER_WAY: usize = 64;

/// Loads to all inboxes of one domain whose answers are waited for at the same time: a message for a thousand people of
/// one domain is not asked a thousand times at once.
const LOADS_UNDER_WAY: usize = 128;

/// Text of one load, unless a single parcel is larger: far less than a node takes in one request.
const LOAD_BYTES: usize = 256 * 1024;

/// Longest pause between attempts.
const PAUSE_LIMIT_MS: i64 = 60_000;

/// How a delivery went.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Delivery {
    /// The node has it.
    Done,
    /// It will never be taken.
    Refused,
    /// Not now.
    Later,
    /// Not tried, since what comes before it was not taken.
    Behind,
}

/// What leaves together: rows for one inbox, in their order.
struct Load {
    to: String,
    rows: Vec<OutboxRow>,
    bytes: usize,
}

impl Load {
    fn of(row: OutboxRow) -> Self {
        Self { to: row.to.clone(), bytes: row.message.len(), rows: vec![row] }
    }

    fn has_room_for(&self, row: &OutboxRow) -> bool {
        self.rows.len() < parcel::TOGETHER_LIMIT && self.bytes + row.message.len() <= LOAD_BYTES
    }
}

/// The loads that may leave now, in the order of their rows: of each inbox as many as its window has room for.
fn loads_of(rows: Vec<OutboxRow>, under_way: &HashMap<String, Lane>) -> Vec<Load> {
    let mut loads: Vec<Load> = Vec::new();
    let mut room = LOADS_UNDER_WAY.saturating_sub(under_way.values().map(|lane| lane.loads).sum());
    // The newest load of each inbox, if that inbox takes more.
    let mut newest: HashMap<String, Option<usize>> = HashMap::new();
    let mut begun = under_way.clone();
    for row in rows {
        match newest.get(&row.to) {
            Some(None) => continue,
            _ if begun.get(&row.to).is_some_and(|lane| lane.rows >= ROWS_UNDER_WAY) => {
                newest.insert(row.to, None);
                continue;
            }
            Some(Some(at)) if loads[*at].has_room_for(&row) => {
                begun.entry(row.to.clone()).or_default().rows += 1;
                loads[*at].bytes += row.message.len();
                loads[*at].rows.push(row);
                continue;
            }
            _ => {}
        }
        let lane = begun.entry(row.to.clone()).or_default();
        if room == 0 || lane.is_full() {
            newest.insert(row.to, None);
            continue;
        }
        room -= 1;
        lane.loads += 1;
        lane.rows += 1;
        newest.insert(row.to.clone(), Some(loads.len()));
        loads.push(Load::of(row));
    }
    loads
}

/// What is on its way to one inbox.
#[derive(Debug, Clone, Copy, Default)]
struct Lane {
    loads: usize,
    rows: usize,
    /// One of the loads was refused, and its rows are brought one by one: until all loads are over, nothing more may
    /// overtake them.
    is_apart: bool,
}

impl Lane {
    /// Whether nothing more may follow now.
    fn is_full(&self) -> bool {
        self.loads >= WINDOW || self.rows >= ROWS_UNDER_WAY || self.is_apart
    }
}

/// What is on its way to a domain's node.
struct UnderWay {
    /// Of all domains.
    all: Arc<AtomicUsize>,
    answers: FuturesUnordered<BoxFuture<'static, Answered>>,
    known: OnTheWay,
    lanes: HashMap<String, Lane>,
}

/// What became of a load.
enum Answered {
    /// It is over, for each of its parts.
    Done(Vec<(Load, Delivery)>),
    /// It was refused as a whole.
    Refused(Load),
}

impl UnderWay {
    fn new(all: Arc<AtomicUsize>) -> Self {
        Self { all, answers: FuturesUnordered::new(), known: OnTheWay::default(), lanes: HashMap::new() }
    }

    fn begin(&mut self, load: &Load) {
        self.all.fetch_add(1, Ordering::Relaxed);
        self.known.rows.extend(load.rows.iter().map(|row| row.id));
        let lane = self.lanes.entry(load.to.clone()).or_default();
        lane.loads += 1;
        lane.rows += load.rows.len();
        if lane.is_full() {
            self.known.full.insert(load.to.clone());
        }
    }

    /// What is left of a load is brought one by one.
    fn set_apart(&mut self, to: &str) {
        self.lanes.entry(to.to_owned()).or_default().is_apart = true;
        self.known.full.insert(to.to_owned());
    }

    fn end(&mut self, done: &[(Load, Delivery)]) {
        for row in done.iter().flat_map(|(load, _)| &load.rows) {
            self.known.rows.remove(&row.id);
        }
        let Some((load, _)) = done.first() else { return };
        self.all.fetch_sub(1, Ordering::Relaxed);
        if let Some(lane) = self.lanes.get_mut(&load.to) {
            lane.loads -= 1;
            lane.rows -= done.iter().map(|(load, _)| load.rows.len()).sum::<usize>();
            if lane.loads == 0 || !lane.is_full() {
                self.known.full.remove(&load.to);
            }
            if lane.loads == 0 {
                self.lanes.remove(&load.to);
            }
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.all.fetch_sub(self.lanes.values().map(|lane| lane.loads).sum(), Ordering::Relaxed);
    }
}

impl Home {
    /// Starts emptying the outbox of a domain, unless that is being done.
    pub(crate) fn pump(&self, state: &mut State, domain: &Domain) {
        let is_live = state.links.session(domain).is_some();
        let link = state.links.get_or_add(domain);
        if link.pumping {
            link.pump_again = true;
            if is_live {
                // What is put off for one inbox holds up no other.
                link.wake.notify_one();
            }
            return;
        }
        link.pumping = true;
        let (home, domain) = (self.clone(), domain.clone());
        self.rooms.tasks.start("outbox", async move {
            loop {
                let pause = home.empty_outbox(&domain).await;
                let again = {
                    let mut state = home.state();
                    let link = state.links.get_or_add(&domain);
                    let again = std::mem::take(&mut link.pump_again);
                    if pause.is_none() && !again {
                        link.pumping = false;
                        return;
                    }
                    again
                };
                if let (Some(pause), false) = (pause, again) {
                    let wake = home.state().links.get_or_add(&domain).wake.clone();
                    let _ = tokio::time::timeout(pause, wake.notified()).await;
                }
            }
        });
    }

    /// Sends all that is due, and what comes meanwhile. Returns how long to wait if something is left.
    async fn empty_outbox(&self, domain: &Domain) -> Option<Duration> {
        let wake = self.state().links.get_or_add(domain).wake.clone();
        let mut under_way = UnderWay::new(self.rooms.under_way.clone());
        loop {
            let Ok(due) = self.due(domain, &under_way.known) else {
                tracing::warn!("the outbox could not be read");
                return Some(Duration::from_secs(1));
            };
            let loads = loads_of(due, &under_way.lanes);
            if loads.is_empty() && under_way.answers.is_empty() {
                return self.next_due(domain);
            }
            let (mut done, mut answered) = (Vec::new(), None);
            if loads.is_empty() {
                tokio::select! {
                    came = under_way.answers.next() => answered = came,
                    // Something more is to leave.
                    () = wake.notified() => {}
                }
            } else {
                tokio::select! {
                    biased;
                    ready = self.domain_ready(domain, None) => match ready {
                        Ok(from) => {
                            for load in loads {
                                under_way.begin(&load);
                                under_way.answers.push(self.deliver(&from, load).boxed());
                            }
                        }
                        Err(failure) => {
                            tracing::debug!(code = failure.code, "the outbox waits");
                            done.extend(firsts(loads).map(|load| (load, Delivery::Later)));
                        }
                    },
                    // Nobody knows how long the domain takes; what came is settled.
                    came = under_way.answers.next(), if !under_way.answers.is_empty() => answered = came,
                }
            }
            while let Some(one) = answered {
                match one {
                    Answered::Done(parts) => {
                        under_way.end(&parts);
                        done.extend(parts);
                    }
                    Answered::Refused(load) => {
                        under_way.set_apart(&load.to);
                        under_way.answers.push(self.clone().deliver_apart(load, domain.clone()).boxed());
                    }
                }
                answered = under_way.answers.next().now_or_never().flatten();
            }
            if let Err(failure) = self.settle(&done) {
                // What was not noted is brought again, and known by its mark.
                tracing::warn!(code = failure.code, "the outbox could not be kept");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }

    fn due(&self, domain: &Domain, under_way: &OnTheWay) -> Outcome<Vec<OutboxRow>> {
        let state = self.state();
        state
            .store()?
            .read(|tx| tx.outbox_due_but(Some(domain.as_str()), now_ms(), ROUND, under_way))
            .map_err(Failure::store)
    }

    fn next_due(&self, domain: &Domain) -> Option<Duration> {
        let state = self.state();
        let at = state.store.as_ref()?.read(|tx| tx.outbox_next(domain.as_str())).ok()??;
        Some(Duration::from_millis(u64::try_from(at - now_ms()).unwrap_or(0).max(50)))
    }

    /// Brings a load to its inbox; it is on its way when this returns.
    fn deliver(&self, from: &Address, load: Load) -> impl Future<Output = Answered> + Send + use<> {
        let answer = self.bring(from, &load);
        async move {
            match answer.await {
                Delivery::Refused if load.rows.len() > 1 => Answered::Refused(load),
                delivery => Answered::Done(vec![(load, delivery)]),
            }
        }
    }

    /// Brings what a load consists of one by one: whatever was wrong with one of them is no matter of the others.
    async fn deliver_apart(self, load: Load, domain: Domain) -> Answered {
        let mut done = Vec::with_capacity(load.rows.len());
        let mut rows = load.rows.into_iter();
        for row in rows.by_ref() {
            let load = Load::of(row);
            let delivery = match self.domain_ready(&domain, None).await {
                Ok(from) => self.bring(&from, &load).await,
                Err(_) => Delivery::Later,
            };
            done.push((load, delivery));
            if delivery == Delivery::Later {
                break;
            }
        }
        // What is not taken now holds up all that follows.
        done.extend(rows.map(|row| (Load::of(row), Delivery::Behind)));
        Answered::Done(done)
    }

    fn bring(&self, from: &Address, load: &Load) -> impl Future<Output = Delivery> + Send + use<> {
        let parcels: Result<Vec<Vec<u8>>, _> = load.rows.iter().map(|row| keys::from_b64url(&row.message)).collect();
        let answer = match (Address::parse(&load.to), parcels) {
            (Ok(to), Ok(parcels)) => {
                let sealed = match load.rows.as_slice() {
                    [one] => one.message.clone(),
                    _ => keys::b64url(&parcel::join(&parcels)),
                };
                let body = body(&json!({ "v": 1, "sealed": sealed }));
                Some(self.ask_at_once(MessageType::Create, from.clone(), to, body))
            }
            _ => None,
        };
        async move {
            let Some(answer) = answer else { return Delivery::Refused };
            match answer.await.code {
                code if code.is_success() => Delivery::Done,
                Code::NOT_FOUND | Code::TOO_LARGE | Code::BAD_REQUEST => Delivery::Refused,
                code => {
                    tracing::debug!(code = code.0, "the outbox waits");
                    Delivery::Later
                }
            }
        }
    }

    /// Notes how deliveries went, all in one transaction.
    fn settle(&self, done: &[(Load, Delivery)]) -> Outcome<()> {
        if done.is_empty() {
            return Ok(());
        }
        let mut state = self.state();
        // A power cut may take this back: what the node has is then brought again, and known by its mark.
        let follow = state.store()?.write_soon(|tx| {
            let mut follow = Vec::new();
            for (load, delivery) in done {
                match delivery {
                    Delivery::Done => follow.extend(took_leave(tx, load, ChildState::Sent)?),
                    Delivery::Refused => follow.extend(took_leave(tx, load, ChildState::Failed)?),
                    Delivery::Behind => {}
                    Delivery::Later => {
                        // The order is kept: what comes after waits too.
                        let Some(first) = load.rows.first() else { continue };
                        let attempts = first.attempts + 1;
                        let pause = (250_i64 << attempts.min(8)).min(PAUSE_LIMIT_MS);
                        tx.outbox_retry(first.id, now_ms() + pause, attempts).map_err(Failure::store)?;
                    }
                }
            }
            Ok::<_, Failure>(follow)
        })?;
        state.held.committed();
        self.follow_up(&mut state, follow);
        Ok(())
    }
}

/// The first load of each inbox.
fn firsts(loads: Vec<Load>) -> impl Iterator<Item = Load> {
    let mut seen = HashSet::new();
    loads.into_iter().filter(move |load| seen.insert(load.to.clone()))
}

/// What a load carried waits no longer.
fn took_leave(tx: &Tx<'_>, load: &Load, state: ChildState) -> Outcome<Vec<Follow>> {
    let mut follow = Vec::new();
    for row in &load.rows {
        tx.outbox_done(row.id).map_err(Failure::store)?;
        for child in &row.children {
            if tx.advance_child(child, state).map_err(Failure::store)? {
                follow.push(Follow::ChildShown(child.clone()));
            }
        }
    }
    Ok(follow)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, to: &str, bytes: usize) -> OutboxRow {
        OutboxRow { id, to: to.into(), message: "A".repeat(bytes), ..OutboxRow::default() }
    }

    fn ids(loads: &[Load]) -> Vec<Vec<i64>> {
        loads.iter().map(|load| load.rows.iter().map(|row| row.id).collect()).collect()
    }

    fn loads(rows: Vec<OutboxRow>) -> Vec<Load> {
        loads_of(rows, &HashMap::new())
    }

    #[test]
    fn what_waits_for_one_inbox_leaves_together_in_its_order() {
        let found = loads(vec![row(1, "ben", 9), row(2, "cleo", 9), row(3, "ben", 9)]);
        assert_eq!(ids(&found), [vec![1, 3], vec![2]]);
    }

    #[test]
    fn a_load_has_a_bound_in_number_and_in_bytes_and_the_next_begins_behind_it() {
        let many = loads((0..100).map(|id| row(id, "ben", 9)).collect());
        assert_eq!(ids(&many), [(0..64).collect::<Vec<_>>()], "and no more than may be late is under way");
        let large = loads(vec![row(1, "ben", 9), row(2, "ben", LOAD_BYTES), row(3, "ben", 9), row(4, "ben", 9)]);
        assert_eq!(ids(&large), [vec![1], vec![2], vec![3, 4]], "nothing goes before what is older");
    }

    #[test]
    fn what_goes_to_a_thousand_inboxes_of_a_domain_leaves_some_at_a_time() {
        let rows = || (0..1000).map(|id| row(id, &format!("p{id}"), 9)).collect::<Vec<_>>();
        assert_eq!(loads(rows()).len(), LOADS_UNDER_WAY);
        let busy = |count: usize| (0..count).map(|n| (format!("q{n}"), Lane { loads: 1, rows: 1, is_apart: false }));
        assert_eq!(loads_of(rows(), &busy(LOADS_UNDER_WAY - 3).collect()).len(), 3);
        assert!(loads_of(rows(), &busy(LOADS_UNDER_WAY).collect()).is_empty());
    }

    #[test]
    fn an_inbox_whose_window_is_full_waits_and_holds_up_no_other() {
        let rows = vec![row(1, "ben", 9), row(2, "cleo", 9)];
        let found =
            loads_of(rows, &HashMap::from([("ben".to_owned(), Lane { loads: WINDOW, rows: WINDOW, is_apart: false })]));
        assert_eq!(ids(&found), [[2]]);
        let large: Vec<OutboxRow> = (0..9).map(|id| row(id, "ben", LOAD_BYTES)).collect();
        let found = loads_of(large, &HashMap::from([("ben".to_owned(), Lane { loads: 1, rows: 1, is_apart: false })]));
        assert_eq!(ids(&found), [[0], [1], [2]], "and what is behind it stays behind it");
        let apart = HashMap::from([("ben".to_owned(), Lane { loads: 1, rows: 1, is_apart: true })]);
        assert!(loads_of(vec![row(7, "ben", 9)], &apart).is_empty(), "what is brought one by one is not overtaken");
    }
}
