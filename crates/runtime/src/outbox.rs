//! Empties the outbox: what is queued for a domain leaves in its order, and stays until its node has it.

use std::time::Duration;

use message::{Address, Body, Code, Domain, MessageType};
use store::{ChildState, OutboxRow};

use crate::home::{Home, State, now_ms};
use crate::objects::Follow;
use crate::trouble::{Failure, Outcome};

/// Rows taken from the store at once.
const BATCH: usize = 32;

/// Longest pause between attempts.
const PAUSE_LIMIT_MS: i64 = 60_000;

/// How a delivery went.
enum Delivery {
    /// The node has it.
    Done,
    /// It will never be taken.
    Refused,
    /// Not now.
    Later,
}

impl Home {
    /// Starts emptying the outbox of a domain, unless that is being done.
    pub(crate) fn pump(&self, state: &mut State, domain: &Domain) {
        let link = state.links.get_or_add(domain);
        if link.pumping {
            link.pump_again = true;
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
        loop {
            let rows = self.due(domain).ok()?;
            if rows.is_empty() {
                return self.next_due(domain);
            }
            for row in rows {
                let delivery = self.deliver(domain, &row).await;
                let later = matches!(delivery, Delivery::Later);
                if let Err(failure) = self.settle(&row, delivery) {
                    tracing::warn!(code = failure.code, "the outbox could not be kept");
                    return Some(Duration::from_secs(1));
                }
                if later {
                    // The order is kept: what comes after waits too.
                    return self.next_due(domain);
                }
            }
        }
    }

    fn due(&self, domain: &Domain) -> Outcome<Vec<OutboxRow>> {
        let state = self.state();
        state.store()?.read(|tx| tx.outbox_due(Some(domain.as_str()), now_ms(), BATCH)).map_err(Failure::store)
    }

    fn next_due(&self, domain: &Domain) -> Option<Duration> {
        let state = self.state();
        let at = state.store.as_ref()?.read(|tx| tx.outbox_next(domain.as_str())).ok()??;
        Some(Duration::from_millis(u64::try_from(at - now_ms()).unwrap_or(0).max(50)))
    }

    async fn deliver(&self, domain: &Domain, row: &OutboxRow) -> Delivery {
        let from = match self.domain_ready(domain, None).await {
            Ok(from) => from,
            Err(failure) => {
                tracing::debug!(code = failure.code, "the outbox waits");
                return Delivery::Later;
            }
        };
        let (Ok(to), Ok(body)) = (Address::parse(&row.to), Body::from_json(&row.message)) else {
            return Delivery::Refused;
        };
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

    fn settle(&self, row: &OutboxRow, delivery: Delivery) -> Outcome<()> {
        let mut state = self.state();
        let store = state.store()?;
        let follow = store.write(|tx| {
            let shown = |child_state: ChildState| -> Outcome<Vec<Follow>> {
                let Some(child) = &row.child else { return Ok(Vec::new()) };
                let changed = tx.advance_child(child, child_state).map_err(Failure::store)?;
                Ok(if changed { vec![Follow::ChildShown(child.clone())] } else { Vec::new() })
            };
            match &delivery {
                Delivery::Done => {
                    tx.outbox_done(row.id).map_err(Failure::store)?;
                    shown(ChildState::Sent)
                }
                Delivery::Refused => {
                    tx.outbox_done(row.id).map_err(Failure::store)?;
                    shown(ChildState::Failed)
                }
                Delivery::Later => {
                    let attempts = row.attempts + 1;
                    let pause = (250_i64 << attempts.min(8)).min(PAUSE_LIMIT_MS);
                    tx.outbox_retry(row.id, now_ms() + pause, attempts).map_err(Failure::store)?;
                    Ok::<_, Failure>(Vec::new())
                }
            }
        })?;
        self.follow_up(&mut state, follow);
        Ok(())
    }
}
