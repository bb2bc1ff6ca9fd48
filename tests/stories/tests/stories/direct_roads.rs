//! A large file from device to device over a road that people truly have: a relay between them.

use crate::common::Stage;
use crate::coturn::{Coturn, SECRET};
use crate::direct_files::{SIZE, asks_for, given_out, hears_all_come_directly, sent};
use crate::files::{file, reads};
use node::Relays;

/// A relay, as a domain names it that is told to look for it at this port.
fn relays(port: u16) -> Relays {
    Relays::new(vec![format!("turn:127.0.0.1:{port}?transport=udp")], SECRET.as_bytes()).unwrap()
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
    let mut stage = Stage::relayed([relays(relay.port), relays(relay.port)]).await;
    let chat = stage.become_contacts().await;
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
