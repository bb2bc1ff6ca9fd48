//! What can be ready before somebody accepts a call that rings here: sockets, the answer, the speaker, and our candidates.
//!
//! Nothing of it reaches the caller before: our candidates would tell where we are, and a check of theirs
//! would be answered from there. The microphone stays closed as well.

use std::sync::Arc;

use message::Address;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::calls::{Call, media_failure};
use crate::home::Home;
use crate::records::{Object, Side};
use crate::sending::get_object;
use crate::trouble::{Failure, Outcome};

/// The candidates of our own that a call holds back; the media engine finds fewer.
const HELD_LIMIT: usize = 64;

/// How far a call is prepared.
#[derive(Default)]
pub(crate) struct Preparing {
    /// Media are opened once, whoever asks for them first.
    opening: Arc<Mutex<()>>,
    /// Our candidates, until the answer is given.
    held: Vec<String>,
    /// The person said so; what the connector says of it does not count.
    accepted: bool,
}

impl Preparing {
    pub(crate) fn opening(&self) -> Arc<Mutex<()>> {
        Arc::clone(&self.opening)
    }

    pub(crate) fn accept(&mut self) {
        self.accepted = true;
    }
}

impl Call {
    /// It came here and its person did not accept it yet.
    pub(crate) fn rings_here(&self) -> bool {
        self.view.incoming && !self.preparing.accepted
    }
}

/// What the caller offers in the sealed object of a call.
pub(crate) fn offer_in(object: &Object) -> Option<&str> {
    match &object.side {
        Side::Observer(observer) => observer.value().pointer("/offer/sdp").and_then(Value::as_str),
        _ => None,
    }
}

impl Home {
    /// Makes ready what whoever accepts would have to wait for.
    pub(crate) fn prepare_answer_soon(&self, object: &Address) {
        let (home, object) = (self.clone(), object.clone());
        self.rooms.tasks.start("call preparation", async move {
            if let Err(failure) = home.prepare_answer(&object).await {
                // Whoever accepts tries again, and is told what is wrong then.
                tracing::info!(code = failure.code, "a call that rings could not be prepared");
            }
        });
    }

    async fn prepare_answer(&self, object: &Address) -> Outcome<()> {
        let offer = self.sealed_offer(object)?;
        let media = self.media_of(object.as_str()).await?;
        media.prepare_answer(&offer).await.map_err(media_failure)
    }

    fn sealed_offer(&self, url: &Address) -> Outcome<String> {
        let state = self.state();
        let object = state.store()?.read(|tx| get_object(tx, url))?;
        let offer = offer_in(&object).filter(|_| object.is_open()).map(str::to_owned);
        offer.ok_or_else(|| Failure::new("not-sealed", "this call has no sealed offer"))
    }

    /// The connector is code of a domain; it answers no call that its person did not accept.
    pub(crate) fn must_be_accepted(&self, name: &str) -> Outcome<()> {
        let mut state = self.state();
        let call = state.calls.known(name).ok_or_else(|| Failure::unknown("call"))?;
        if call.rings_here() { Err(Failure::new("not-accepted", "nobody accepted this call yet")) } else { Ok(()) }
    }

    /// Keeps a candidate of ours back while the call rings here; says whether it did.
    pub(crate) fn holds_candidate(&self, url: &Address, candidate: &str) -> bool {
        let mut state = self.state();
        let Some(call) = state.calls.find(url).filter(|call| call.rings_here()) else { return false };
        if call.preparing.held.len() < HELD_LIMIT {
            call.preparing.held.push(candidate.to_owned());
        }
        true
    }

    /// The candidates that were held back; they go with the answer.
    pub(crate) fn show_candidates(&self, name: &str) -> Vec<String> {
        let mut state = self.state();
        state.calls.known(name).map(|call| std::mem::take(&mut call.preparing.held)).unwrap_or_default()
    }
}
