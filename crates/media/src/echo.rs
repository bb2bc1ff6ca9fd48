//! The echo test: a call to oneself, answered inside this engine, that needs no network and no other person.
//!
//! It is a true call (codec, handshake, jitter buffer, devices) over the loopback interface; the
//! far end says again what it heard, a moment later.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::config::{AudioConfig, Microphone, NetworkConfig, Speaker};
use crate::engine::MediaEngine;
use crate::error::{MediaError, MediaEvent};
use crate::session::{CallMedia, WeakCallMedia};

/// How much later one hears oneself: long enough to have finished a word.
const AFTER: Duration = Duration::from_millis(1_500);
/// What may wait to be told.
const EVENTS: usize = 64;

impl MediaEngine {
    /// Calls the echo. What happens is told as for any call; [`CallMedia::stats`] has the numbers.
    ///
    /// Must be called on a tokio runtime. Takes two of [`crate::OPEN_CALLS`].
    pub async fn open_echo_test(
        &self,
        id: impl Into<String>,
        events: Sender<MediaEvent>,
    ) -> Result<CallMedia, MediaError> {
        let network = NetworkConfig::loopback_only();
        let ours = AudioConfig { network: network.clone(), ..self.config() };
        let theirs = AudioConfig {
            microphone: Microphone::Echo { after: AFTER },
            speaker: Speaker::Null,
            network,
            ..AudioConfig::default()
        };
        let (far_events, far_told) = channel(EVENTS);
        let (near_events, near_told) = channel(EVENTS);
        let far = self.open_with(&Arc::default(), theirs, None, "echo", far_events).await?;
        let near = self.open_with(&self.desk, ours, None, id, near_events).await?;
        let answer = far.accept_offer(&near.create_offer().await?).await?;
        tokio::spawn(carry_candidates(far_told, near.downgrade()));
        tokio::spawn(tell(near_told, far, events));
        near.accept_answer(&answer).await?;
        Ok(near)
    }
}

/// Carries the far end's candidates to us, as long as we are there.
async fn carry_candidates(mut told: Receiver<MediaEvent>, near: WeakCallMedia) {
    while let Some(event) = told.recv().await {
        if let (MediaEvent::Candidate(candidate), Some(near)) = (event, near.upgrade()) {
            let _ = near.add_candidate(&candidate).await;
        }
    }
}

/// Carries our candidates to the far end and all else to the owner; lets go of the far end when we have hung up.
async fn tell(mut told: Receiver<MediaEvent>, far: CallMedia, events: Sender<MediaEvent>) {
    while let Some(event) = told.recv().await {
        match event {
            MediaEvent::Candidate(candidate) => drop(far.add_candidate(&candidate).await),
            MediaEvent::Closed => {
                far.close().await;
                let _ = events.send(MediaEvent::Closed).await;
                return;
            }
            MediaEvent::Level { .. } => drop(events.try_send(event)),
            event => drop(events.send(event).await),
        }
    }
}
