//! Where a person sits while they speak: the voice thread, from the first call that opens to the last that closes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;

use crate::AudioConfig;
use crate::error::MediaError;
use crate::leg::Leg;
use crate::usage::{Held, Usage};
use crate::voice::{Voice, VoiceOrder};

/// One microphone and one speaker, for as many calls as are open.
#[derive(Default)]
pub(crate) struct Desk {
    running: Mutex<Option<Running>>,
}

struct Running {
    orders: mpsc::Sender<VoiceOrder>,
    thread: JoinHandle<()>,
    seats: usize,
}

/// A call's place at the desk.
pub(crate) struct Seat {
    desk: Arc<Desk>,
    left: bool,
}

impl Desk {
    /// Takes a call in; the first one opens the devices, later ones have those that were chosen since. `rings` says
    /// that nobody accepted it yet.
    pub(crate) fn sit(
        self: &Arc<Self>,
        config: AudioConfig,
        rings: bool,
        leg: Leg,
        usage: &Arc<Usage>,
    ) -> Result<(Seat, mpsc::Sender<VoiceOrder>), MediaError> {
        let mut running = self.lock();
        // One whose codec could not be opened ended by itself.
        let alive = running.take().filter(|running| !running.thread.is_finished());
        let mut now = match alive {
            Some(running) => {
                let Running { orders, .. } = &running;
                // What only rings takes nobody's microphone away.
                if !rings {
                    let _ = orders.send(VoiceOrder::Microphone(config.microphone));
                }
                let _ = orders.send(VoiceOrder::Speaker(config.speaker));
                let _ = orders.send(VoiceOrder::Processing(config.processing));
                running
            }
            None => start(config, usage)?,
        };
        now.seats += 1;
        let orders = now.orders.clone();
        let _ = orders.send(VoiceOrder::Sit(Box::new(leg)));
        *running = Some(now);
        Ok((Seat { desk: Arc::clone(self), left: false }, orders))
    }

    /// Gives the thread to wait for, if the last one left.
    fn leave(&self) -> Option<JoinHandle<()>> {
        let mut running = self.lock();
        let now = running.as_mut()?;
        now.seats = now.seats.saturating_sub(1);
        if now.seats > 0 {
            return None;
        }
        let Running { orders, thread, .. } = running.take()?;
        let _ = orders.send(VoiceOrder::Close);
        Some(thread)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Leaves, and waits until the devices are let go of, if nobody else is there.
    pub(crate) fn leave(mut self) {
        self.left = true;
        if let Some(thread) = self.desk.leave() {
            let _ = thread.join();
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if !self.left {
            drop(self.desk.leave());
        }
    }
}

fn start(config: AudioConfig, usage: &Arc<Usage>) -> Result<Running, MediaError> {
    let (orders, orders_in) = mpsc::channel();
    let hold = usage.hold(Held::Thread);
    let usage = Arc::clone(usage);
    let work = move || {
        priority::voice();
        if Voice::run(&config, orders_in, usage, hold).is_err() {
            tracing::error!("the voice codec could not be opened");
        }
    };
    let thread = std::thread::Builder::new().name("voice".to_owned());
    let thread = thread.spawn(work).map_err(|_| MediaError::Engine("start its voice thread"))?;
    Ok(Running { orders, thread, seats: 0 })
}
