//! A call whose path is cut goes on over another: one machine with a network of its own, where interfaces come and go.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::common::Stage;
use crate::voices;
use contract::{CallStage, CallView, News, Question};
use lab::Person;
use media::{Microphone, NetworkConfig, Speaker};
use serde_json::Value;
use tempfile::TempDir;

/// What a listener may miss while a call moves: the goal is a second, and a busy machine needs more.
const SAFE: Duration = Duration::from_secs(8);

fn ip(arguments: &str) {
    let done = Command::new("ip").args(arguments.split(' ')).status().expect("iproute2 is installed (./dev setup)");
    assert!(done.success(), "ip {arguments}");
}

/// Tells a story in a process whose network has nothing but itself, as root of nothing but that.
fn story(name: &str, work: impl Future<Output = ()>) {
    /// Names the file in which the story says that it was told to its end.
    const INSIDE: &str = "STORY_HAS_A_NETWORK";
    if let Some(told) = std::env::var_os(INSIDE) {
        ip("link set lo up");
        tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(work);
        return std::fs::write(told, name).unwrap();
    }
    let folder = TempDir::new().unwrap();
    let told = folder.path().join("told");
    let (_, module) = module_path!().split_once("::").expect("stories are modules of one program");
    let ended = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("{module}::{name}"), "--nocapture"])
        .env(INSIDE, &told)
        .status();
    let ended = ended.expect("util-linux is installed");
    assert!(ended.success(), "the story failed, or this machine lets nobody make a network namespace (see above)");
    assert_eq!(std::fs::read_to_string(told).ok().as_deref(), Some(name), "the story was not told");
}

/// A cable with an address; the other end of it is nowhere.
fn plug_in(name: &str, address: &str) {
    ip(&format!("link add {name} type veth peer name {name}-far"));
    ip(&format!("addr add {address}/24 dev {name}"));
    ip(&format!("link set {name}-far up"));
    ip(&format!("link set {name} up"));
}

/// Ana and Ben in a call that leaves loopback to their Nodes.
async fn in_a_call(folder: &Path) -> (Stage, CallView) {
    let tone = folder.join("tone.wav");
    voices::tone(&tone, 440.0, 1, 12_000.0);
    let with = |setup: &lab::person::Setup| {
        let mut setup = setup.clone();
        setup.microphone = Microphone::Wav { path: tone.clone(), looped: true };
        setup.speaker = Speaker::Null;
        setup.network = NetworkConfig::default();
        setup
    };
    let mut stage = Stage::set(with, with).await;
    stage.become_contacts().await;
    let _: CallView = stage.ana.ask(Question::CallStart { user: "ben@b.localhost".into() }).await.unwrap();
    let ringing = stage.ben.sees_call(&CallStage::Ringing).await;
    stage.ben.ask::<Value>(Question::CallAccept { call: ringing.call }).await.unwrap();
    stage.ben.sees_call(&CallStage::Connected).await;
    let call = stage.ana.sees_call(&CallStage::Connected).await;
    (stage, call)
}

async fn hears_of(person: &mut Person, what: &str, wanted: impl Fn(&CallView) -> bool) -> CallView {
    person
        .hears(what, |news| match news {
            News::Call(call) if wanted(&call) => Some(call),
            _ => None,
        })
        .await
}

#[test]
fn a_call_whose_path_was_cut_goes_on_over_another_without_being_dialled_again() {
    story("a_call_whose_path_was_cut_goes_on_over_another_without_being_dialled_again", async {
        let folder = TempDir::new().unwrap();
        plug_in("wifi", "10.9.1.1");
        let (mut stage, call) = in_a_call(folder.path()).await;
        ip("link del wifi");
        for person in [&mut stage.ana, &mut stage.ben] {
            let lost = hears_of(person, "the loss of the path", |call| call.stage == CallStage::Reconnecting).await;
            assert_eq!(lost.call, if lost.incoming { lost.call.clone() } else { call.call.clone() });
        }
        plug_in("mobile", "10.9.2.1");
        let since = Instant::now();
        for person in [&mut stage.ana, &mut stage.ben] {
            let back = hears_of(person, "the voice again", |call| call.stage == CallStage::Connected).await;
            println!("heard again {} ms after the other network came", since.elapsed().as_millis());
            assert!(back.connected_at.is_some());
        }
        assert!(since.elapsed() < SAFE);
        stage.ana.ask::<Value>(Question::CallHangup { call: call.call }).await.unwrap();
        stage.ben.is_in_no_call().await;
        stage.close().await;
    });
}

#[test]
fn a_call_that_finds_no_other_path_is_dropped_within_its_limit_on_both_sides() {
    story("a_call_that_finds_no_other_path_is_dropped_within_its_limit_on_both_sides", async {
        let folder = TempDir::new().unwrap();
        plug_in("wifi", "10.9.1.1");
        let (mut stage, _) = in_a_call(folder.path()).await;
        ip("link del wifi");
        for person in [&mut stage.ana, &mut stage.ben] {
            hears_of(person, "the loss of the path", |call| call.stage == CallStage::Reconnecting).await;
            let over = hears_of(person, "the end", |call| matches!(call.stage, CallStage::Ended { .. })).await;
            let CallStage::Ended { reason, .. } = over.stage else { unreachable!() };
            assert_eq!(reason, "dropped");
        }
        stage.close().await;
    });
}
