//! Starts the engine once, lets it read the prelude, and compiles that state to native code.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use wasmtime::{Caller, Engine, Instance, Linker, Memory, Module, OptLevel, Store, Val};
use wasmtime_wizer::{InstanceState, SnapshotVal, ValType, Wizer};

use crate::{Outcome, config};

/// The clock while the snapshot is taken; a guest's clock is set anew when it starts.
const SNAPSHOT_TIME_US: f64 = 1_767_225_600_000_000.0;

/// From the plain engine to native code of the initialised one.
pub fn native(wasm: &[u8], prelude: &[(String, String)], target: &str) -> Outcome<Vec<u8>> {
    let initialised = initialise(wasm, prelude)?;
    let mut config = config::config();
    // Naming the target keeps the build machine's own CPU features out of the code.
    config.target(target)?;
    config.cranelift_opt_level(OptLevel::Speed);
    Ok(Engine::new(&config)?.precompile_module(&initialised)?)
}

fn initialise(wasm: &[u8], prelude: &[(String, String)]) -> Outcome<Vec<u8>> {
    let wizer = Wizer::new();
    let (context, instrumented) = wizer.instrument(wasm)?;
    let mut config = wasmtime::Config::new();
    config.cranelift_opt_level(OptLevel::None);
    let engine = Engine::new(&config)?;
    let module = Module::new(&engine, &instrumented)?;
    let mut store = Store::new(&engine, ());
    let instance = linker(&engine)?.instantiate(&mut store, &module)?;
    for (name, source) in prelude {
        evaluate(&mut store, &instance, name, source)?;
    }
    let mut state = Started { store, instance };
    let snapshot = wizer.snapshot(&context, &mut state);
    Ok(finish(snapshot)?)
}

fn linker(engine: &Engine) -> Outcome<Linker<()>> {
    let mut linker = Linker::new(engine);
    linker.func_wrap("host", "send", |_bytes: i32, _length: i32| -> i32 { 0 })?;
    linker.func_wrap("host", "log", |mut caller: Caller<'_, ()>, _level: i32, text: i32, length: i32| {
        let memory = caller.get_export("memory").and_then(|export| export.into_memory());
        let bytes = memory.and_then(|memory: Memory| {
            memory.data(&caller).get(text as usize..text as usize + length as usize).map(<[u8]>::to_vec)
        });
        eprintln!("prelude: {}", String::from_utf8_lossy(&bytes.unwrap_or_default()));
    })?;
    linker.func_wrap("env", "__rquickjs_host_now_us", || SNAPSHOT_TIME_US)?;
    Ok(linker)
}

fn evaluate(store: &mut Store<()>, instance: &Instance, name: &str, source: &str) -> Outcome<()> {
    let text = format!("{name}\n{source}");
    let inbox = instance.get_typed_func::<u32, u32>(&mut *store, "inbox")?;
    let run = instance.get_typed_func::<u32, i32>(&mut *store, "evaluate")?;
    let memory = instance.get_memory(&mut *store, "memory").ok_or("the engine exports no memory")?;
    let at = inbox.call(&mut *store, text.len() as u32)?;
    memory.write(&mut *store, at as usize, text.as_bytes())?;
    match run.call(&mut *store, text.len() as u32)? {
        0 => Ok(()),
        status => Err(format!("prelude/{name} failed with status {status}").into()),
    }
}

struct Started {
    store: Store<()>,
    instance: Instance,
}

impl InstanceState for Started {
    async fn global_get(&mut self, name: &str, _: ValType) -> SnapshotVal {
        let global = self.instance.get_global(&mut self.store, name).expect("wizer names exported globals");
        match global.get(&mut self.store) {
            Val::I32(value) => SnapshotVal::I32(value),
            Val::I64(value) => SnapshotVal::I64(value),
            Val::F32(value) => SnapshotVal::F32(value),
            Val::F64(value) => SnapshotVal::F64(value),
            other => panic!("the engine has no global of type {other:?}"),
        }
    }

    async fn memory_contents(&mut self, name: &str, contents: impl FnOnce(&[u8]) + Send) {
        let memory = self.instance.get_memory(&mut self.store, name).expect("wizer names exported memories");
        contents(memory.data(&self.store));
    }
}

/// Runs a future that never waits.
fn finish<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a snapshot has nothing to wait for"),
    }
}
