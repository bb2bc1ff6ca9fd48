//! The wasmtime settings that the build and the app must share, or the app refuses the engine.

/// Settings of both the compiler in build.rs and the runtime in the app.
pub fn config() -> wasmtime::Config {
    let mut config = wasmtime::Config::new();
    config.epoch_interruption(true);
    config.memory_init_cow(true);
    config.generate_address_map(false);
    config
}
