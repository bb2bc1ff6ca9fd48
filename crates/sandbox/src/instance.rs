//! One guest's engine: its memory, its three imports, and its deadlines.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wasmtime::{
    Caller, Engine, InstancePre, Linker, Memory, Store, StoreContextMut, StoreLimits, StoreLimitsBuilder, Trap,
    TypedFunc, UpdateDeadline,
};

use crate::clock::{Judgement, TurnClock};
use crate::event::{LogLevel, StopCause};
use crate::spec::Budget;
use crate::ticker::Ticker;

/// Ticks between two looks at a running guest.
const LOOK_TICKS: u64 = 2;

/// How much linear memory a guest gets above its JavaScript heap.
const MEMORY_MARGIN: usize = 32 * 1024 * 1024;

/// Bytes a guest may send in one crossing.
const OUTBOX_LIMIT: usize = 16 * 1024 * 1024;

/// Lines and bytes a guest may log in one crossing.
const LOG_LINES: usize = 100;
const LOG_BYTES: usize = 4096;

/// The engine's own stack limit, below the 1 MiB shadow stack it is linked with.
const JS_STACK_BYTES: u32 = 512 * 1024;

/// A guest's clock has steps of this many microseconds: finer ones help attacks on caches.
const CLOCK_STEP_US: f64 = 1000.0;

/// What `deliver` returns: bits of glue.c.
const OUT_OF_MEMORY: u32 = 1;
const INTERRUPTIONS_SHIFT: u32 = 8;

/// How a crossing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// How many deliveries took too long and were interrupted.
    pub interrupted: u32,
    /// The guest ran out of memory and did not handle it.
    pub out_of_memory: bool,
}

/// What belongs to one instance and is seen by its imports.
pub struct Inside {
    limits: StoreLimits,
    memory: Option<Memory>,
    control_block: usize,
    clock: TurnClock,
    soft: Duration,
    hard: Duration,
    stopping: Arc<AtomicBool>,
    outbox: Vec<u8>,
    logs: Vec<(LogLevel, String)>,
}

/// An error that ends a guest from within the epoch callback.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("asked to stop")]
    Asked,
    #[error("out of time")]
    Timeout,
}

/// The three imports.
pub fn linker(engine: &Engine) -> wasmtime::Result<Linker<Inside>> {
    let mut linker = Linker::new(engine);
    linker.func_wrap("host", "send", send)?;
    linker.func_wrap("host", "log", log)?;
    linker.func_wrap("env", "__rquickjs_host_now_us", now_us)?;
    Ok(linker)
}

fn now_us() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (since.as_micros() as f64 / CLOCK_STEP_US).floor() * CLOCK_STEP_US
}

/// Collects frames; returns 1 when the guest sends too much at once.
fn send(mut caller: Caller<'_, Inside>, at: u32, length: u32) -> i32 {
    let Some(memory) = caller.data().memory else { return 1 };
    let (bytes, inside) = memory.data_and_store_mut(&mut caller);
    let Some(frames) = slice(bytes, at, length) else { return 1 };
    if inside.outbox.len() + frames.len() > OUTBOX_LIMIT {
        return 1;
    }
    inside.outbox.extend_from_slice(frames);
    0
}

fn log(mut caller: Caller<'_, Inside>, level: u32, at: u32, length: u32) {
    let Some(memory) = caller.data().memory else { return };
    let (bytes, inside) = memory.data_and_store_mut(&mut caller);
    if inside.logs.len() >= LOG_LINES {
        return;
    }
    if let Some(text) = slice(bytes, at, length.min(LOG_BYTES as u32)) {
        inside.logs.push((LogLevel::of(level), String::from_utf8_lossy(text).into_owned()));
    }
}

fn slice(bytes: &[u8], at: u32, length: u32) -> Option<&[u8]> {
    let at = at as usize;
    bytes.get(at..at.checked_add(length as usize)?)
}

/// A guest's engine.
pub struct Instance {
    store: Store<Inside>,
    memory: Memory,
    inbox: TypedFunc<u32, u32>,
    deliver: TypedFunc<u32, u32>,
    ticker: Ticker,
    heap: u32,
}

impl Instance {
    /// Maps a fresh copy of the initialised engine.
    pub fn new(
        template: &InstancePre<Inside>,
        budget: &Budget,
        stopping: Arc<AtomicBool>,
        ticker: Ticker,
    ) -> wasmtime::Result<Self> {
        let limits =
            StoreLimitsBuilder::new().memory_size(budget.heap.saturating_add(MEMORY_MARGIN)).instances(1).build();
        let inside = Inside {
            limits,
            memory: None,
            control_block: 0,
            clock: TurnClock::default(),
            soft: Duration::from_millis(budget.soft_ms),
            hard: Duration::from_millis(budget.hard_ms),
            stopping,
            outbox: Vec::new(),
            logs: Vec::new(),
        };
        let mut store = Store::new(template.module().engine(), inside);
        store.limiter(|inside| &mut inside.limits);
        store.epoch_deadline_callback(look);
        store.set_epoch_deadline(LOOK_TICKS);
        let instance = template.instantiate(&mut store)?;
        let memory = instance
            .get_memory(&mut store, "memory")
            .ok_or_else(|| wasmtime::Error::msg("the engine exports no memory"))?;
        let inbox = instance.get_typed_func(&mut store, "inbox")?;
        let deliver = instance.get_typed_func(&mut store, "deliver")?;
        let control_block = instance.get_typed_func::<(), u32>(&mut store, "control_block")?.call(&mut store, ())?;
        let inside = store.data_mut();
        inside.memory = Some(memory);
        inside.control_block = control_block as usize;
        let heap = u32::try_from(budget.heap).unwrap_or(u32::MAX);
        Ok(Self { store, memory, inbox, deliver, ticker, heap })
    }

    /// The payload of the first frame: random numbers of its own, and its limits.
    pub fn seed(&self, random: [u8; 32]) -> Vec<u8> {
        let mut seed = random.to_vec();
        seed.extend_from_slice(&self.heap.to_le_bytes());
        seed.extend_from_slice(&JS_STACK_BYTES.to_le_bytes());
        seed
    }

    /// Hands over a batch of frames and lets the guest work on it.
    pub fn deliver(&mut self, batch: &[u8]) -> Result<Turn, StopCause> {
        let length = u32::try_from(batch.len()).map_err(|_| StopCause::Memory)?;
        let _running = self.ticker.running();
        self.store.data_mut().clock.restart();
        self.store.set_epoch_deadline(LOOK_TICKS);
        let at = self.inbox.call(&mut self.store, length).map_err(cause)?;
        if at == 0 {
            return Err(StopCause::Memory);
        }
        self.memory.write(&mut self.store, at as usize, batch).map_err(|_| StopCause::Memory)?;
        let status = self.deliver.call(&mut self.store, length).map_err(cause)?;
        Ok(Turn { interrupted: status >> INTERRUPTIONS_SHIFT, out_of_memory: status & OUT_OF_MEMORY != 0 })
    }

    /// What the guest sent since it was last asked; give the buffer back with [`Self::reuse`].
    pub fn take_outbox(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.store.data_mut().outbox)
    }

    /// Gives an emptied buffer back, unless it grew large.
    pub fn reuse(&mut self, mut outbox: Vec<u8>) {
        if outbox.capacity() <= 1024 * 1024 {
            outbox.clear();
            self.store.data_mut().outbox = outbox;
        }
    }

    /// What the guest logged.
    pub fn take_logs(&mut self) -> Vec<(LogLevel, String)> {
        std::mem::take(&mut self.store.data_mut().logs)
    }

    /// Bytes of its linear memory.
    pub fn memory_bytes(&self) -> u64 {
        self.memory.data_size(&self.store) as u64
    }
}

/// Looks at a guest that has been running for a while.
fn look(mut context: StoreContextMut<'_, Inside>) -> wasmtime::Result<UpdateDeadline> {
    let Some(memory) = context.data().memory else { return Ok(UpdateDeadline::Continue(LOOK_TICKS)) };
    let (bytes, inside) = memory.data_and_store_mut(&mut context);
    if inside.stopping.load(Ordering::Acquire) {
        return Err(wasmtime::Error::new(Ended::Asked));
    }
    let at = inside.control_block;
    let Some(block) = bytes.get_mut(at..at + 8) else { return Err(wasmtime::Error::new(Ended::Timeout)) };
    let serial = u32::from_le_bytes([block[4], block[5], block[6], block[7]]);
    match inside.clock.judge(serial, inside.soft, inside.hard) {
        Judgement::GoOn => {}
        Judgement::SoftStop => block[0] = 1,
        Judgement::HardStop => return Err(wasmtime::Error::new(Ended::Timeout)),
    }
    Ok(UpdateDeadline::Continue(LOOK_TICKS))
}

fn cause(error: wasmtime::Error) -> StopCause {
    match error.downcast_ref::<Ended>() {
        Some(Ended::Asked) => return StopCause::Asked,
        Some(Ended::Timeout) => return StopCause::Timeout,
        None => {}
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => StopCause::Stack,
        Some(trap) => StopCause::Crash(trap.to_string()),
        None => StopCause::Crash("the engine failed".into()),
    }
}
