//! Empties the outbox: what is queued for a domain leaves in its order, and stays until its node has it.
//!
//! What waits for one inbox leaves together, as few requests as it fits into, one after the other: the next leaves once
//! the node has the one before, so that nothing is overtaken. Inboxes do not wait for each other within a round.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::join_all;
use message::{Address, Code, Domain, MessageType};
use serde_json::json;
use store::{ChildState, OutboxRow, Tx};

use crate::home::{Home, State, body, now_ms};
use crate::objects::Follow;
use crate::parcel;
use crate::trouble::{Failure, Outcome};

/// Rows of one round.
const ROUND: usize = 256;

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

/// The loads of each inbox, in the order of their rows.
fn loads_of(rows: Vec<OutboxRow>) -> Vec<Vec<Load>> {
    let mut lanes: Vec<Vec<Load>> = Vec::new();
    let mut at: HashMap<String, usize> = HashMap::new();
    for row in rows {
        let lane = *at.entry(row.to.clone()).or_insert_with(|| {
            lanes.push(Vec::new());
            lanes.len() - 1
        });
        match lanes[lane].last_mut().filter(|load| load.has_room_for(&row)) {
            Some(load) => {
                load.bytes += row.message.len();
                load.rows.push(row);
            }
            None => lanes[lane].push(Load::of(row)),
        }
    }
    lanes
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

    /// Sends all that is due, round by round. Returns how long to wait if something is left.
    async fn empty_outbox(&self, domain: &Domain) -> Option<Duration> {
        loop {
            let lanes = loads_of(self.due(domain).ok()?);
            if lanes.is_empty() {
                return self.next_due(domain);
            }
            let done: Vec<(Load, Delivery)> = match self.domain_ready(domain, None).await {
                Ok(from) => join_all(lanes.into_iter().map(|lane| self.deliver_lane(&from, lane)))
                    .await
                    .into_iter()
                    .flatten()
                    .collect(),
                Err(failure) => {
                    tracing::debug!(code = failure.code, "the outbox waits");
                    lanes.into_iter().filter_map(|lane| Some((lane.into_iter().next()?, Delivery::Later))).collect()
                }
            };
            if let Err(failure) = self.settle(&done) {
                tracing::warn!(code = failure.code, "the outbox could not be kept");
                return Some(Duration::from_secs(1));
            }
        }
    }

    fn due(&self, domain: &Domain) -> Outcome<Vec<OutboxRow>> {
        let state = self.state();
        state.store()?.read(|tx| tx.outbox_due(Some(domain.as_str()), now_ms(), ROUND)).map_err(Failure::store)
    }

    fn next_due(&self, domain: &Domain) -> Option<Duration> {
        let state = self.state();
        let at = state.store.as_ref()?.read(|tx| tx.outbox_next(domain.as_str())).ok()??;
        Some(Duration::from_millis(u64::try_from(at - now_ms()).unwrap_or(0).max(50)))
    }

    /// Brings what waits for one inbox, in its order; what is not taken now holds up all that follows.
    async fn deliver_lane(&self, from: &Address, lane: Vec<Load>) -> Vec<(Load, Delivery)> {
        let mut done = Vec::with_capacity(lane.len());
        for load in lane {
            let delivery = self.deliver(from, &load).await;
            if delivery != Delivery::Refused || load.rows.len() == 1 {
                done.push((load, delivery));
            } else {
                // Whatever was wrong with one of them is no matter of the others.
                for row in load.rows {
                    let load = Load::of(row);
                    let delivery = self.deliver(from, &load).await;
                    done.push((load, delivery));
                    if delivery == Delivery::Later {
                        break;
                    }
                }
            }
            if matches!(done.last(), Some((_, Delivery::Later))) {
                break;
            }
        }
        done
    }

    async fn deliver(&self, from: &Address, load: &Load) -> Delivery {
        let parcels: Result<Vec<Vec<u8>>, _> = load.rows.iter().map(|row| keys::from_b64url(&row.message)).collect();
        let (Ok(to), Ok(parcels)) = (Address::parse(&load.to), parcels) else { return Delivery::Refused };
        let sealed = match load.rows.as_slice() {
            [one] => one.message.clone(),
            _ => keys::b64url(&parcel::join(&parcels)),
        };
        let body = body(&json!({ "v": 1, "sealed": sealed }));
        let answer = self.request(MessageType::Create, from.clone(), to, body).await;
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
        // A power cut may take this back: what the node has is then brought again, and known by its mark.
        let follow = state.store()?.write_soon(|tx| {
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
        state.held.committed();
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

    fn ids(lane: &[Load]) -> Vec<Vec<i64>> {
        lane.iter().map(|load| load.rows.iter().map(|row| row.id).collect()).collect()
    }

    #[test]
    fn what_waits_for_one_inbox_leaves_together_in_its_order() {
        let lanes = loads_of(vec![row(1, "ben", 9), row(2, "cleo", 9), row(3, "ben", 9)]);
        assert_eq!(lanes.iter().map(|lane| ids(lane)).collect::<Vec<_>>(), [vec![vec![1, 3]], vec![vec![2]]]);
    }

    #[test]
    fn a_load_has_a_bound_in_number_and_in_bytes_and_the_next_begins_behind_it() {
        let many = loads_of((0..100).map(|id| row(id, "ben", 9)).collect());
        assert_eq!(ids(&many[0]), [(0..64).collect::<Vec<_>>(), (64..100).collect()]);
        let large = loads_of(vec![row(1, "ben", 9), row(2, "ben", LOAD_BYTES), row(3, "ben", 9), row(4, "ben", 9)]);
        assert_eq!(ids(&large[0]), [vec![1], vec![2], vec![3, 4]], "nothing goes before what is older");
    }
}
