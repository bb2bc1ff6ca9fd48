//! Counts epochs, so that running guests are looked at; rests while none runs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How often a running guest may be looked at.
pub const TICK: Duration = Duration::from_millis(5);

/// Ticks without any delivery after which the ticker rests.
const IDLE_TICKS: u32 = 200;

/// The thread that counts epochs; it ends when the last handle is gone.
#[derive(Clone)]
pub struct Ticker {
    shared: Arc<Shared>,
    _life: Arc<Life>,
}

struct Life(Arc<Shared>);

impl Drop for Life {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::SeqCst);
        let _guard = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.bell.notify_one();
    }
}

#[derive(Default)]
struct Shared {
    /// Grows with each delivery.
    activity: AtomicU64,
    running: AtomicU64,
    resting: AtomicBool,
    closed: AtomicBool,
    lock: Mutex<()>,
    bell: Condvar,
}

impl Ticker {
    /// Starts counting for an engine.
    pub fn start(engine: wasmtime::Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let mine = shared.clone();
        thread::Builder::new().name("guest-ticker".into()).spawn(move || mine.run(&engine))?;
        Ok(Self { _life: Arc::new(Life(shared.clone())), shared })
    }

    /// Marks that a guest runs until the mark is dropped.
    pub fn running(&self) -> Running {
        self.shared.activity.fetch_add(1, Ordering::Relaxed);
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.resting.load(Ordering::SeqCst) {
            let _guard = self.shared.lock.lock().unwrap_or_else(PoisonError::into_inner);
            self.shared.bell.notify_one();
        }
        Running(self.shared.clone())
    }
}

/// A guest runs while this lives.
pub struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shared {
    fn run(&self, engine: &wasmtime::Engine) {
        let (mut seen, mut idle) = (0, 0);
        while !self.closed.load(Ordering::SeqCst) {
            thread::sleep(TICK);
            engine.increment_epoch();
            let activity = self.activity.load(Ordering::Relaxed);
            let busy = activity != seen || self.running.load(Ordering::SeqCst) > 0;
            seen = activity;
            idle = if busy { 0 } else { idle + 1 };
            if idle >= IDLE_TICKS {
                self.rest();
                idle = 0;
            }
        }
    }

    fn rest(&self) {
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.resting.store(true, Ordering::SeqCst);
        while self.running.load(Ordering::SeqCst) == 0 && !self.closed.load(Ordering::SeqCst) {
            // The timeout only guards against a bell that rang for nobody.
            let (again, _) =
                self.bell.wait_timeout(guard, Duration::from_secs(10)).unwrap_or_else(PoisonError::into_inner);
            guard = again;
        }
        self.resting.store(false, Ordering::SeqCst);
    }
}
