//! Two people whose every packet goes through a relay, for which their Nodes give credentials that do not last.

use std::collections::BTreeSet;
use std::time::Duration;

use contract::{CallDetails, CallFigures, CallPath, ContactState, PastCalls, Question};
use lab::person::Setup;
use lab::{Domain, Person};
use node::{Relays, Wire};
use serde_json::Value;
use tempfile::TempDir;

use crate::common;
use crate::coturn::{Coturn, SECRET};
use crate::several_calls::{accepts, calls, connected};
use crate::voices::{Voice, seconds};

const ANA: &str = "ana@a.localhost";
const BEN: &str = "ben@b.localhost";

/// How long a credential is good, in seconds: long enough for a busy machine to begin a call with it, and short enough
/// to be waited for.
const LIFE_S: u32 = 30;

/// The voice of somebody who shows no address of their own.
fn hidden(voice: &Voice, setup: &Setup) -> Setup {
    let mut setup = voice.of(setup);
    setup.network.relay_only = true;
    setup
}

/// Who was given a place at the relay: user names, each of which begins with the second in which it ends.
fn served(relay: &Coturn) -> BTreeSet<String> {
    let log = relay.log();
    let lines = log.lines().filter(|line| line.contains("ALLOCATE processed, success"));
    lines.filter_map(|line| Some(line.split_once("user <")?.1.split_once('>')?.0.to_owned())).collect()
}

fn ends_at(username: &str) -> i64 {
    username.split_once(':').unwrap().0.parse().unwrap()
}

/// Ana calls Ben, both hear each other, and both see afterwards that it went through the relay.
async fn they_speak(ana: &Person, ben: &Person) {
    calls(ana, BEN).await;
    accepts(ben, ANA).await;
    let call = connected(ana, BEN).await;
    connected(ben, ANA).await;
    ana.until("Ben's voice", async |ana| {
        let figures: CallFigures = ana.ask(Question::CallFigures { call: call.call.clone() }).await.unwrap();
        figures.first_audio_ms
    })
    .await;
    // Until the figures of the call are read a second time: at first the path may not be known.
    tokio::time::sleep(Duration::from_secs(7)).await;
    ana.ask::<Value>(Question::CallHangup { call: call.call }).await.unwrap();
    for person in [ana, ben] {
        person.is_in_no_call().await;
        let book: PastCalls = person.ask(Question::CallBook { missed: false, before: None }).await.unwrap();
        let details: CallDetails = person.ask(Question::CallLook { id: book.calls[0].id.clone() }).await.unwrap();
        assert_eq!(details.path, Some(CallPath::Relayed));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_finds_the_relay_with_credentials_of_the_node_and_those_that_ran_out_are_asked_for_anew() {
    common::logs();
    let relay = Coturn::on_loopback();
    relay.until_ready();
    let folder = TempDir::new().unwrap();
    let voices = [Voice::new(folder.path(), "ana", 440.0), Voice::new(folder.path(), "ben", 1_000.0)];
    let uri = format!("turn:{}:{}?transport=udp", relay.ip, relay.port);
    let relays = || Relays::new(vec![uri.clone()], SECRET.as_bytes()).unwrap().good_for(LIFE_S);
    let mut a = Domain::with_relays("a.localhost", Wire::Ws, relays()).await;
    let mut b = Domain::with_relays("b.localhost", Wire::Sse, relays()).await;
    let setup = Setup::with(&[&a, &b]);
    let mut ana = Person::new("ana", hidden(&voices[0], &setup)).await;
    let mut ben = Person::new("ben", hidden(&voices[1], &setup)).await;
    ana.signs_up(&a, None).await;
    ben.signs_up(&b, None).await;
    ana.asks_for_contact(BEN).await;
    ben.accepts(ANA).await;
    ana.sees_contact(BEN, ContactState::Accepted).await;
    assert!(served(&relay).is_empty(), "nobody asks before there is a call");

    they_speak(&ana, &ben).await;
    let first = served(&relay);
    assert!(first.len() >= 2, "each has credentials of their own: {first:?}");
    assert!(first.iter().all(|name| !name.contains("ana") && !name.contains("ben")));
    // The relay is a program of its own and keeps its own time: until it takes the first ones no more.
    let ends = first.iter().map(|name| ends_at(name)).max().unwrap();
    let left = (ends + 1) * 1_000 - clock::now_ms();
    tokio::time::sleep(Duration::from_millis(left.max(0).unsigned_abs())).await;

    they_speak(&ana, &ben).await;
    let second: BTreeSet<String> = served(&relay).difference(&first).cloned().collect();
    assert!(second.len() >= 2, "both asked anew: {second:?}");
    assert!(second.iter().all(|name| ends_at(name) > ends), "{second:?} after {ends}");

    for person in [&mut ana, &mut ben] {
        person.close().await;
    }
    for domain in [&mut a, &mut b] {
        domain.stop().await;
    }
    let [at_ana, at_ben] = &voices;
    for (ears, other) in [(at_ana, at_ben), (at_ben, at_ana)] {
        let heard = seconds(&ears.heard_of(other));
        assert!(heard >= 2.0, "{} Hz was heard for {heard} s in two calls", other.hertz);
    }
}
