//! The engine all guests share: compiled once, instantiated for each.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use message::Message;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use transport::Net;
use wasmtime::{InstancePre, Module};

use crate::config;
use crate::event::GuestEvent;
use crate::guest::{Counters, Guest};
use crate::inbox::Inbox;
use crate::instance::{self, Inside, Instance};
use crate::spec::{GuestSpec, SOURCE_LIMIT};
use crate::ticker::Ticker;
use crate::worker::Worker;

/// Most events that may wait, whatever the budget says.
const UNREAD_LIMIT: usize = 1 << 20;

/// Guests that may run at the same time.
const GUEST_LIMIT: usize = 256;

/// Room for the native stack of a guest. Large enough that QuickJS's own limit
/// on its shadow stack is reached first, and deep recursion becomes an error
/// inside the guest instead of a trap.
const WASM_STACK_BYTES: usize = 8 * 1024 * 1024;

/// Stack of a guest's thread: what its WebAssembly may use, and room for the host.
const THREAD_STACK_BYTES: usize = WASM_STACK_BYTES + 2 * 1024 * 1024;

/// Made by build.rs from sources in this repository; native code never comes from elsewhere.
static ENGINE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/engine.cwasm"));

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The machine lacks what the compiled engine needs.
    #[error("the guest engine does not run on this machine: {0}")]
    Machine(String),
    /// The thread that watches guests could not start.
    #[error("the guest engine's watch could not start")]
    Ticker(#[source] std::io::Error),
}

/// Why a guest could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its source is too long.
    #[error("a guest's source has at most {SOURCE_LIMIT} bytes, this one has {length}")]
    TooLarge {
        /// Its length in bytes.
        length: usize,
    },
    /// Too many run already.
    #[error("at most {GUEST_LIMIT} guests run at the same time")]
    TooMany,
    /// No memory for its engine.
    #[error("no engine for the guest: {0}")]
    Instance(String),
    /// No random seed.
    #[error("the system gives no random numbers: {0}")]
    Entropy(String),
    /// No thread.
    #[error("no thread for the guest")]
    Thread(#[source] std::io::Error),
}

/// Makes guests.
pub struct Engine {
    template: InstancePre<Inside>,
    ticker: Ticker,
    running: Arc<AtomicUsize>,
}

impl Engine {
    /// Makes the engine ready; takes about a millisecond.
    pub fn new() -> Result<Arc<Self>, EngineError> {
        let machine = |error: wasmtime::Error| EngineError::Machine(error.to_string());
        let mut config = config::config();
        // The second is only compared with the first: nothing runs asynchronously here.
        config.max_wasm_stack(WASM_STACK_BYTES).async_stack_size(WASM_STACK_BYTES);
        let engine = wasmtime::Engine::new(&config).map_err(machine)?;
        // SAFETY: these bytes were made by this crate's own build script with
        // the same wasmtime version and stand inside this very binary.
        let module = unsafe { Module::deserialize(&engine, ENGINE) }.map_err(machine)?;
        let template = instance::linker(&engine).and_then(|linker| linker.instantiate_pre(&module)).map_err(machine)?;
        let ticker = Ticker::start(engine).map_err(EngineError::Ticker)?;
        Ok(Arc::new(Self { template, ticker, running: Arc::default() }))
    }

    /// Starts a guest on a thread of its own.
    ///
    /// The receiver gives everything it does, ending with
    /// [`GuestEvent::Stopped`]. A receiver that is not read slows the guest
    /// down; one that is dropped stops it.
    pub fn start(
        self: &Arc<Self>,
        spec: GuestSpec,
        net: Net,
        handle: Handle,
    ) -> Result<(Guest, mpsc::Receiver<GuestEvent>), StartError> {
        if spec.source.len() > SOURCE_LIMIT {
            return Err(StartError::TooLarge { length: spec.source.len() });
        }
        let place = Place::take(&self.running)?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| StartError::Entropy(error.to_string()))?;
        let inbox = Arc::new(Inbox::new(spec.budget.unread_limit));
        let instance = Instance::new(&self.template, &spec.budget, inbox.stopping(), self.ticker.clone())
            .map_err(|error| StartError::Instance(error.to_string()))?;
        let (events, receiver) = mpsc::channel(spec.budget.unread_limit.clamp(1, UNREAD_LIMIT));
        let (counters, cancel) = (Arc::new(Counters::default()), CancellationToken::new());
        let guest = Guest::new(spec.address.clone(), inbox.clone(), counters.clone(), cancel.clone());
        let name = format!("guest-{}", spec.name.chars().take(9).collect::<String>());
        let worker = Worker::new(spec, instance, inbox, events, counters, cancel, net, handle);
        thread::Builder::new()
            .name(name)
            .stack_size(THREAD_STACK_BYTES)
            .spawn(move || {
                worker.run(seed);
                drop(place);
            })
            .map_err(StartError::Thread)?;
        Ok((guest, receiver))
    }

    /// How many guests run now.
    pub fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }
}

/// One of the [`GUEST_LIMIT`] places, given back when dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(running: &Arc<AtomicUsize>) -> Result<Self, StartError> {
        if running.fetch_add(1, Ordering::SeqCst) >= GUEST_LIMIT {
            running.fetch_sub(1, Ordering::SeqCst);
            return Err(StartError::TooMany);
        }
        Ok(Self(running.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Keeps the size of the error in mind: a message comes back in it.
const _: () = assert!(size_of::<Message>() <= 128);
