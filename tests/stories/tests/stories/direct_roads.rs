//! A large file from device to device over the roads that people truly have: a relay between them, and packets that are lost.

use crate::common::Stage;
use crate::coturn::{Coturn, SECRET};
use crate::direct_files::{
    SIZE, asks_for, given_out, hears_all_come_directly, hears_direct_progress, only_the_device_gives, sent,
};
use crate::files::{file, reads};
use node::Relays;
use road::{Quality, RoadToServer};

/// Above what comes directly at all, and small enough for a road on which little passes.
const SMALLER: usize = 5 * 1024 * 1024;

/// How much comes over a bad road.
const BAD_FOR: u64 = 3 * 128 * 1024;

/// A relay, as a domain names it that is told to look for it at this port.
fn relays(port: u16) -> Relays {
    Relays::new(vec![format!("turn:127.0.0.1:{port}?transport=udp")], SECRET.as_bytes()).unwrap()
}

/// Both reach each other through the relay alone, and the relay over a road of this quality each.
async fn over(relay: &Coturn, quality: Quality) -> (Stage, [RoadToServer; 2]) {
    let anas = RoadToServer::build(relay.port, quality, 11).await.unwrap();
    let bens = RoadToServer::build(relay.port, quality, 12).await.unwrap();
    let stage = Stage::relayed([relays(anas.port()), relays(bens.port())]).await;
    (stage, [anas, bens])
}

/// Bytes that peers were sent through the relay, as it counted them when each of its guests left.
fn carried(relay: &Coturn) -> u64 {
    let log = relay.log();
    let ends = log.lines().filter(|line| line.contains("peer usage") && line.contains("sb="));
    ends.filter_map(|line| line.split_once("sb=")?.1.split([',', ' ']).next()?.parse::<u64>().ok()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_reach_each_other_only_through_a_relay_give_a_large_file_past_every_domain() {
    let relay = Coturn::on_loopback();
    relay.until_ready();
    // The relay throws away what two of its own sockets hand each other faster than it reads; no road is that fast.
    let good = Quality { loss: 0, delay_ms: 2, jitter_ms: 0, mbit: 50.0 };
    let (mut stage, _roads) = over(&relay, good).await;
    let chat = only_the_device_gives(&mut stage).await;
    let plain = file(SIZE);
    let message = sent(&stage, &chat, &plain).await;
    asks_for(&stage.ben, &message.id).await;
    hears_all_come_directly(&mut stage.ben, 0, SIZE).await;
    assert!(reads(&stage.ben, &message.id).await == plain, "what came is what went");
    assert_eq!((given_out(&stage.a).await, given_out(&stage.b).await), (0, 0));
    let through = async |_: &lab::Person| (carried(&relay) >= SIZE as u64).then_some(());
    stage.ben.until("the relay to say that it carried all of it", through).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_road_that_loses_packets_loses_nothing_of_a_file_and_brings_nothing_twice() {
    let relay = Coturn::on_loopback();
    relay.until_ready();
    // On the way from one to the other there are two of these: 30 ms, and of a hundred packets two are lost.
    let bad = Quality { loss: 1, delay_ms: 15, jitter_ms: 0, mbit: 50.0 };
    let (mut stage, roads) = over(&relay, bad).await;
    let chat = only_the_device_gives(&mut stage).await;
    let plain = file(SMALLER);
    let message = sent(&stage, &chat, &plain).await;
    asks_for(&stage.ben, &message.id).await;
    // Little passes on such a road; when enough of it came so, the tunnel is at its end.
    let here = hears_direct_progress(&mut stage.ben, BAD_FOR).await;
    roads.iter().for_each(|road| road.becomes(Quality { loss: 0, delay_ms: 2, ..bad }));
    hears_all_come_directly(&mut stage.ben, here, SMALLER).await;
    assert!(reads(&stage.ben, &message.id).await == plain, "what came is what went");
    assert_eq!((given_out(&stage.a).await, given_out(&stage.b).await), (0, 0));
    stage.close().await;
}
