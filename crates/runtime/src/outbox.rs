//! Empties the outbox: what is queued for a domain leaves in its order, and stays until its node has it.
//!
//! What waits for one inbox leaves together, as few messages as it fits into, and is settled together. A few of
//! these are under way to an inbox at the same time, one after the other in their order, so that a slow answer holds
//! nothing up; inboxes do not wait for each other.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use message::{Address, Code, Domain, MessageType};
use serde_json::json;
use store::{ChildState, OutboxRow, Tx};

use crate::home::{Home, State, body, now_ms};
use crate::objects::Follow;
use crate::parcel;
use crate::trouble::{Failure, Outcome};

/// Rows taken from the store at once.
const BATCH: usize = 512;

/// Text of one load, unless a single parcel is larger.
const LOAD_BYTES: usize = 256 * 1024;

/// Loads under way to one inbox.
const LOADS_PER_INBOX: usize = 3;

/// Loads under way to one domain, far fewer than requests its stub keeps in mind.
const LOADS_LIMIT: usize = 512;

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
}

/// What leaves together: rows for one inbox, in their order.
struct Load {
    to: String,
    rows: Vec<OutboxRow>,
    bytes: usize,
}

/// Rows by their inbox, each in its order.
fn loads_of(rows: Vec<OutboxRow>) -> Vec<Load> {
    let mut loads: Vec<Load> = Vec::new();
    let mut last: HashMap<String, usize> = HashMap::new();
    for row in rows {
        let bytes = row.message.len();
        let open = last.get(&row.to).and_then(|at| loads.get_mut(*at));
        let fits = |load: &&mut Load| load.rows.len() < parcel::TOGETHER_LIMIT && load.bytes + bytes <= LOAD_BYTES;
        match open.filter(fits) {
            Some(load) => {
                load.bytes += bytes;
                load.rows.push(row);
            }
            None => {
                last.insert(row.to.clone(), loads.len());
                loads.push(Load { to: row.to.clone(), rows: vec![row], bytes });
            }
        }
    }
    loads
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

    /// Sends all that is due. Returns how long to wait if something is left.
    async fn empty_outbox(&self, domain: &Domain) -> Option<Duration> {
        let wake = self.state().links.get_or_add(domain).wake.clone();
        let mut under_way = FuturesUnordered::new();
        let mut per_inbox: HashMap<String, usize> = HashMap::new();
        let mut after = 0;
        loop {
            let has_room = under_way.len() < LOADS_LIMIT && per_inbox.values().all(|loads| *loads < LOADS_PER_INBOX);
            if has_room {
                let rows = self.due(domain, after).ok()?;
                if rows.is_empty() && under_way.is_empty() {
                    return self.next_due(domain);
                }
                let from = match rows.is_empty() {
                    true => None,
                    false => match self.domain_ready(domain, None).await {
                        Ok(from) => Some(from),
                        Err(failure) => {
                            tracing::debug!(code = failure.code, "the outbox waits");
                            self.put_off(domain, loads_of(rows));
                            return self.next_due(domain);
                        }
                    },
                };
                after = rows.last().map_or(after, |row| row.id);
                for load in loads_of(rows) {
                    *per_inbox.entry(load.to.clone()).or_default() += 1;
                    let from = from.clone();
                    under_way.push(async move {
                        let delivery = match from {
                            Some(from) => self.deliver(from, &load).await,
                            None => Delivery::Later,
                        };
                        (load, delivery)
                    });
                }
            }
            let mut done = Vec::new();
            tokio::select! {
                Some(one) = under_way.next() => done.push(one),
                () = wake.notified(), if has_room => continue,
            }
            // What was answered meanwhile is settled with it.
            while let Some(Some(one)) = futures_util::FutureExt::now_or_never(under_way.next()) {
                done.push(one);
            }
            for (load, delivery) in &done {
                if let Some(loads) = per_inbox.get_mut(&load.to) {
                    *loads -= 1;
                    if *loads == 0 {
                        per_inbox.remove(&load.to);
                    }
                }
                if *delivery == Delivery::Later {
                    // It is looked at again when it is due.
                    after = 0;
                }
            }
            if let Err(failure) = self.settle(&done) {
                tracing::warn!(code = failure.code, "the outbox could not be kept");
                return Some(Duration::from_secs(1));
            }
            if after == 0 && !under_way.is_empty() {
                // Nothing that is under way is sent twice: the rest is waited for first.
                let rest: Vec<_> = std::mem::take(&mut under_way).collect().await;
                per_inbox.clear();
                if let Err(failure) = self.settle(&rest) {
                    tracing::warn!(code = failure.code, "the outbox could not be kept");
                    return Some(Duration::from_secs(1));
                }
            }
        }
    }

    /// The domain is not reached: the next attempt comes later.
    fn put_off(&self, domain: &Domain, loads: Vec<Load>) {
        let later: Vec<(Load, Delivery)> = loads.into_iter().map(|load| (load, Delivery::Later)).collect();
        if let Err(failure) = self.settle(&later) {
            tracing::warn!(%domain, code = failure.code, "the outbox could not be kept");
        }
    }

    fn due(&self, domain: &Domain, after: i64) -> Outcome<Vec<OutboxRow>> {
        let state = self.state();
        let due = |tx: &Tx<'_>| tx.outbox_due_after(Some(domain.as_str()), after, now_ms(), BATCH);
        state.store()?.read(due).map_err(Failure::store)
    }

    fn next_due(&self, domain: &Domain) -> Option<Duration> {
        let state = self.state();
        let at = state.store.as_ref()?.read(|tx| tx.outbox_next(domain.as_str())).ok()??;
        Some(Duration::from_millis(u64::try_from(at - now_ms()).unwrap_or(0).max(50)))
    }

    async fn deliver(&self, from: Address, load: &Load) -> Delivery {
        let parcels: Result<Vec<Vec<u8>>, _> = load.rows.iter().map(|row| keys::from_b64url(&row.message)).collect();
        let (Ok(to), Ok(parcels)) = (Address::parse(&load.to), parcels) else { return Delivery::Refused };
        let sealed = match load.rows.as_slice() {
            [one] => one.message.clone(),
            _ => keys::b64url(&parcel::join(&parcels)),
        };
        let body = body(&json!({ "v": 1, "sealed": sealed }));
        let answer = self.request(MessageType::Create, from, to, body).await;
        match answer.code {
            code if code.is_success() => Delivery::Done,
            Code::NOT_FOUND | Code::TOO_LARGE | Code::BAD_REQUEST => Delivery::Refused,
            code => {
                tracing::debug!(code = code.0, "the outbox waits");
                Delivery::Later
            }
        }
    }

    /// Notes how deliveries went, all in one transaction.
    fn settle(&self, done: &[(Load, Delivery)]) -> Outcome<()> {
        let mut state = self.state();
        let follow = state.store()?.write(|tx| {
            let mut follow = Vec::new();
            for (load, delivery) in done {
                match delivery {
                    Delivery::Done => follow.extend(took_leave(tx, load, ChildState::Sent)?),
                    Delivery::Refused => follow.extend(took_leave(tx, load, ChildState::Failed)?),
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
        self.follow_up(&mut state, follow);
        Ok(())
    }
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

    #[test]
    fn what_waits_for_one_inbox_leaves_together_in_its_order() {
        let loads = loads_of(vec![row(1, "ben", 9), row(2, "cleo", 9), row(3, "ben", 9)]);
        let ids = |load: &Load| load.rows.iter().map(|row| row.id).collect::<Vec<_>>();
        assert_eq!(loads.iter().map(ids).collect::<Vec<_>>(), [vec![1, 3], vec![2]]);
    }

    #[test]
    fn a_load_has_a_bound_in_number_and_in_bytes() {
        let many = loads_of((0..100).map(|id| row(id, "ben", 9)).collect());
        assert_eq!(many.iter().map(|load| load.rows.len()).collect::<Vec<_>>(), [64, 36]);
        let large = loads_of((0..3).map(|id| row(id, "ben", LOAD_BYTES - 1)).collect());
        assert_eq!(large.len(), 3);
    }
}
