//! Two media engines in a call with each other, straight or over a road that is as bad as one likes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use media::{AudioConfig, CallMedia, InUse, MediaEngine, MediaEvent};
use road::{Road, RoadPort};
use tokio::sync::mpsc::{Receiver, channel};

use crate::Failed;

/// Longest anything is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Two people in a call.
pub(crate) struct Duo {
    pub(crate) ana: CallMedia,
    pub(crate) ben: CallMedia,
    engines: [Arc<MediaEngine>; 2],
    road: Option<Road>,
    tellers: Vec<tokio::task::JoinHandle<()>>,
    /// From Ben's acceptance to his first sound, in milliseconds.
    pub(crate) setup_ms: f64,
}

impl Duo {
    /// Connects them and waits until Ben hears Ana.
    pub(crate) async fn connect(ana: AudioConfig, ben: AudioConfig, road: Option<Road>) -> Result<Self, Failed> {
        let engines = [MediaEngine::new(ana), MediaEngine::new(ben)];
        let (ana_events, ana_told) = channel(64);
        let (ben_events, ben_told) = channel(64);
        let ana = engines[0].open_call("ana", ana_events).await?;
        let offer = ana.create_offer().await?;
        let accepted = Instant::now();
        let ben = engines[1].open_call("ben", ben_events).await?;
        let answer = ben.accept_offer(&offer).await?;
        let heard = Arc::new(tokio::sync::Notify::new());
        let failed = Arc::new(AtomicBool::new(false));
        let tellers = vec![
            tokio::spawn(carry(ana_told, ben.clone(), road.as_ref().map(Road::for_ben), None, Arc::clone(&failed))),
            tokio::spawn(carry(
                ben_told,
                ana.clone(),
                road.as_ref().map(Road::for_ana),
                Some(Arc::clone(&heard)),
                Arc::clone(&failed),
            )),
        ];
        ana.accept_answer(&answer).await?;
        let connected = tokio::time::timeout(PATIENCE, heard.notified()).await.is_ok();
        let setup_ms = accepted.elapsed().as_secs_f64() * 1_000.0;
        let duo = Self { ana, ben, engines, road, tellers, setup_ms };
        if !connected || failed.load(Ordering::Acquire) {
            duo.hang_up().await;
            return Err("the two did not hear each other".into());
        }
        Ok(duo)
    }

    /// Ends the call; gives what both engines still hold.
    pub(crate) async fn hang_up(self) -> [InUse; 2] {
        self.ana.close().await;
        self.ben.close().await;
        for teller in self.tellers {
            let _ = tokio::time::timeout(PATIENCE, teller).await;
        }
        drop(self.road);
        self.engines.map(|engine| engine.in_use())
    }
}

/// Carries somebody's candidates to the other, with the road's port in place of the true one.
async fn carry(
    mut told: Receiver<MediaEvent>,
    other: CallMedia,
    port: Option<RoadPort>,
    heard: Option<Arc<tokio::sync::Notify>>,
    failed: Arc<AtomicBool>,
) {
    while let Some(event) = told.recv().await {
        match event {
            MediaEvent::Candidate(candidate) => {
                let candidate = match &port {
                    Some(port) => port.instead_of(&candidate),
                    None => Some(candidate),
                };
                if let Some(candidate) = candidate {
                    let _ = other.add_candidate(&candidate).await;
                }
            }
            MediaEvent::FirstAudio { .. } => {
                if let Some(heard) = &heard {
                    heard.notify_one();
                }
            }
            MediaEvent::Failed { .. } => failed.store(true, Ordering::Release),
            MediaEvent::Closed => return,
            _ => {}
        }
    }
}
