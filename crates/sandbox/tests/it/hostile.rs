//! Twenty-two attacks: each is stopped in time, harms nobody else, and leaves its guest able to start again.
//!
//! "In time" is one second of the guest's own CPU time, measured on its
//! thread, so that a busy machine cannot make an honest stop look late.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::support::{Actor, engine, on_message, request, spec};
use sandbox::{GuestEvent, StopCause};

const CPU_LIMIT: Duration = Duration::from_secs(1);
const WALL_LIMIT: Duration = Duration::from_secs(10);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/hostile/guests")
}

/// CPU time of this process's thread of that name, from `/proc`.
#[cfg(target_os = "linux")]
fn cpu_of(thread: &str) -> Option<Duration> {
    let tasks = fs::read_dir("/proc/self/task").ok()?;
    tasks.filter_map(Result::ok).find_map(|task| {
        let name = fs::read_to_string(task.path().join("comm")).ok()?;
        let spent = fs::read_to_string(task.path().join("schedstat")).ok()?;
        let nanoseconds = spent.split(' ').next()?.parse().ok()?;
        (name.trim() == thread).then(|| Duration::from_nanos(nanoseconds))
    })
}

#[cfg(not(target_os = "linux"))]
fn cpu_of(_thread: &str) -> Option<Duration> {
    None
}

/// How an attack ended.
#[derive(Debug)]
enum End {
    /// An error inside the guest, or an interruption; it lives on.
    Alive,
    Stopped(StopCause),
}

/// Runs an attack until the guest answers again or is stopped.
async fn attack(guest: &mut Actor, thread: &str) -> (End, Duration) {
    let before = cpu_of(thread).unwrap_or_default();
    let mut spent = Duration::ZERO;
    guest.guest.post(request(1, r#"{"attack":true}"#)).unwrap();
    // A second request: answered by a guest that survived.
    guest.guest.post(request(2, "{}")).unwrap();
    loop {
        let event = tokio::time::timeout(Duration::from_millis(5), guest.events.recv()).await;
        spent = spent.max(cpu_of(thread).unwrap_or_default().saturating_sub(before));
        match event {
            Ok(Some(GuestEvent::Message(message))) if message.id == 2 => return (End::Alive, spent),
            Ok(Some(GuestEvent::Stopped(cause))) => return (End::Stopped(cause), spent),
            Ok(None) => panic!("the guest went without a word"),
            Ok(Some(_)) | Err(_) => {}
        }
    }
}

async fn is_stopped(name: &str) {
    let source = fs::read_to_string(folder().join(format!("{name}.js"))).unwrap();
    let engine = engine();
    let mut neighbour = Actor::ready(&engine, &on_message("reply({code: 200, value: 'here'})")).await;
    let mut hostile = spec(&source);
    hostile.name = "hostile".into();
    let mut guest = Actor::ready_with(&engine, hostile.clone()).await;

    let begun = Instant::now();
    let neighbours = async {
        for _ in 0..20 {
            assert_eq!(neighbour.ask("{}").await["value"], "here", "another guest was harmed");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let ((end, cpu), ()) = tokio::join!(attack(&mut guest, "guest-hostile"), neighbours);
    let wall = begun.elapsed();
    println!("{name}: {end:?} after {} ms of CPU, {} ms in all", cpu.as_millis(), wall.as_millis());
    assert!(cpu <= CPU_LIMIT, "{name} ran for {cpu:?}");
    assert!(wall <= WALL_LIMIT, "{name} lasted {wall:?}");
    assert!(guest.guest.stats().memory <= 96 << 20, "{name} has {} bytes", guest.guest.stats().memory);
    if let End::Stopped(cause) = end {
        assert!(
            matches!(cause, StopCause::Timeout | StopCause::Memory | StopCause::Stack),
            "{name} broke the engine: {cause:?}"
        );
    }

    let mut again = Actor::ready_with(&engine, hostile).await;
    assert_eq!(again.ask("{}").await["value"], "alive");
    assert_eq!(neighbour.ask("{}").await["value"], "here");
}

macro_rules! attacks {
    ($($name:ident),* $(,)?) => {
        const ATTACKS: &[&str] = &[$(stringify!($name)),*];
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            is_stopped(stringify!($name).trim_start_matches("r#")).await;
        })*
    };
}

attacks!(
    r#loop,
    catchloop,
    promiseloop,
    allocarr,
    allocab,
    alloccatch,
    allocstr,
    recurse,
    recursefinally,
    jsondeep,
    stringifydeep,
    parsedeep,
    regexbomb,
    regexdeep,
    bigint,
    sparse,
    nativeindexof,
    nativeincludes,
    natives,
    nativeloop,
    sortbomb,
    replbomb,
);

#[test]
fn every_attack_script_is_run() {
    let mut scripts: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap().replace(".js", ""))
        .collect();
    let mut run: Vec<String> = ATTACKS.iter().map(|name| name.replace("r#", "")).collect();
    scripts.sort();
    run.sort();
    assert_eq!(scripts, run);
}

#[tokio::test]
async fn a_guest_that_attacks_while_it_starts_is_stopped() {
    let mut guest = Actor::start(&engine(), spec("for (;;) {}"));
    assert_eq!(guest.stopped().await, StopCause::Timeout);
}

#[tokio::test]
async fn a_guest_is_stopped_in_the_middle_of_its_work() {
    let mut spec = spec(&on_message("for (;;) {}"));
    (spec.budget.soft_ms, spec.budget.hard_ms) = (60_000, 120_000);
    let mut guest = Actor::ready_with(&engine(), spec).await;
    guest.post("{}");
    tokio::time::sleep(Duration::from_millis(20)).await;
    let begun = Instant::now();
    guest.guest.stop();
    assert_eq!(guest.stopped().await, StopCause::Asked);
    assert!(begun.elapsed() < WALL_LIMIT);
}

#[tokio::test]
async fn a_guest_that_is_interrupted_again_and_again_is_stopped() {
    let mut spec = spec(&on_message("for (;;) {}"));
    (spec.budget.soft_ms, spec.budget.hard_ms) = (20, 200);
    let mut guest = Actor::ready_with(&engine(), spec).await;
    for _ in 0..5 {
        guest.post("{}");
    }
    assert_eq!(guest.stopped().await, StopCause::Timeout);
    assert!(guest.guest.stats().interrupted >= 3);
}
