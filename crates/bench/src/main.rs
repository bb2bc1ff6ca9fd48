//! Measures what the goals speak of: `./dev bench NAME…` in a release build.
//!
//! One file per benchmark, each ending in a [`report::Report`]. To add one,
//! write its file and a line in [`BENCHMARKS`], and name it in
//! `crates/xtask/src/bench.rs`. A missed goal is no failure: the table marks it
//! as falling short, and the figures are written all the same.

mod bus;
mod call;
mod conversation;
mod duo;
mod files;
mod first_contact;
mod guests;
mod history;
mod impaired;
mod machine;
mod messages;
mod node;
mod process;
mod report;
mod seen;
mod soak;
mod sound;
mod sync;
mod trust;

use std::future::Future;
use std::process::ExitCode;

use report::Report;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Why a benchmark could not be run.
pub(crate) type Failed = Box<dyn std::error::Error + Send + Sync>;

/// The threads of a benchmark's async runtime: as many as the smallest machine we measure on has cores.
pub(crate) const THREADS: usize = 2;

/// Something that can be measured.
struct Benchmark {
    /// Its name on the command line and of its file of figures.
    name: &'static str,
    /// What it measures.
    about: &'static str,
    /// Measures it.
    run: fn() -> Result<Report, Failed>,
}

/// All there are.
const BENCHMARKS: &[Benchmark] = &[
    Benchmark { name: "bus", about: "messages through the bus and between guests", run: bus::run },
    Benchmark { name: "call", about: "a call: set-up, mouth to ear, glass to glass, beside Chromium", run: call::run },
    Benchmark {
        name: "files",
        about: "a large file: from device to device, through the Node, and beside other programs",
        run: files::run,
    },
    Benchmark {
        name: "first-contact",
        about: "from an unknown domain to the first message delivered there",
        run: first_contact::run,
    },
    Benchmark { name: "impaired", about: "voice and picture over bad roads", run: impaired::run },
    Benchmark { name: "soak", about: "a call that is left running", run: soak::run },
    Benchmark {
        name: "history",
        about: "a conversation of 100,000 messages: opened, looked through, searched",
        run: history::run,
    },
    Benchmark {
        name: "messages",
        about: "words across two domains: how many a second, and how soon they are delivered",
        run: messages::run,
    },
    Benchmark {
        name: "node",
        about: "the Node's throughput, fan-out and idle sessions, beside mosquitto and prosody",
        run: node::run,
    },
    Benchmark { name: "sync", about: "one update until 200, 1,000 and 10,000 observers have it", run: sync::run },
    Benchmark {
        name: "trust",
        about: "recognising people, adding devices, sealing for one and for many",
        run: trust::run,
    },
];

fn main() -> ExitCode {
    // Silent unless `RUST_LOG` asks: what is measured does not write.
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::builder().with_default_directive(LevelFilter::OFF.into()).from_env_lossy())
        .with_writer(std::io::stderr)
        .init();
    let names: Vec<String> = std::env::args().skip(1).collect();
    let known = |name: &String| BENCHMARKS.iter().find(|benchmark| benchmark.name == name);
    if names.is_empty() || names.iter().any(|name| known(name).is_none()) {
        eprintln!("usage: bench NAME…");
        BENCHMARKS.iter().for_each(|benchmark| eprintln!("  {:<14} {}", benchmark.name, benchmark.about));
        return ExitCode::from(2);
    }
    for benchmark in names.iter().filter_map(known) {
        if let Err(error) = measure(benchmark) {
            eprintln!("{}: {error}", benchmark.name);
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn measure(benchmark: &Benchmark) -> Result<(), Failed> {
    // Before the benchmark itself makes load.
    let conditions = machine::Conditions::now();
    let report = (benchmark.run)()?;
    println!("{}: {}\n{conditions}\n\n{report}", benchmark.name, benchmark.about);
    let file = report.write(benchmark.name, &conditions)?;
    println!("written to {}", file.display());
    Ok(())
}

/// Runs the async part of a benchmark to its end.
pub(crate) fn wait_for<T>(work: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?.block_on(work)
}
