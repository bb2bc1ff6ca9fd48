//! Measures messages between two guests in two sandboxes, and how fast a guest starts.
//!
//! `cargo run --release -p sandbox --example pingpong [seconds] [window]`

use std::time::{Duration, Instant};

use message::{Address, AddressPattern, Body, Grants, Message, MessageType};
use sandbox::{Engine, Guest, GuestEvent, GuestSpec};
use tokio::runtime::Handle;
use tokio::sync::mpsc::Receiver;
use transport::{Net, NetConfig};

const ECHO: &str = "function activate(url, bus) {
  bus.addListener(url, (message) => {
    const other = message.from;
    message.from = message.to;
    message.to = other;
    bus.postMessage(message);
  });
  return {};
}";

fn address(name: &str) -> Address {
    Address::parse(&format!("hyperty://a.localhost/{name}")).expect("a good address")
}

async fn start(engine: &std::sync::Arc<Engine>, net: &Net, name: &str) -> (Guest, Receiver<GuestEvent>) {
    let grants = Grants { speak_to: vec![AddressPattern::parse("*").expect("a pattern")], ..Grants::none() };
    let mut spec = GuestSpec::new(name, address(name), ECHO).with_grants(grants);
    spec.budget.messages_per_second = u32::MAX;
    let (guest, mut events) = engine.start(spec, net.clone(), Handle::current()).expect("a guest");
    assert_eq!(events.recv().await, Some(GuestEvent::Ready));
    (guest, events)
}

/// Carries what one guest says to the other; counts it.
async fn carry(mut from: Receiver<GuestEvent>, to: Guest, until: Instant) -> u64 {
    let (mut count, mut events) = (0, Vec::new());
    while Instant::now() < until && from.recv_many(&mut events, 256).await > 0 {
        for event in events.drain(..) {
            if let GuestEvent::Message(message) = event {
                count += 1;
                // The other side may be at its end already.
                if to.post(message).is_err() {
                    return count;
                }
            }
        }
    }
    count
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|text| text.parse::<u64>().ok());
    let (seconds, window) = (numbers.next().unwrap_or(3), numbers.next().unwrap_or(256));
    let engine = Engine::new().expect("an engine");
    let net = Net::new(NetConfig::default()).expect("a network");
    let begun = Instant::now();
    for _ in 0..100 {
        start(&engine, &net, "short").await;
    }
    println!("start of a small guest: {:.2} ms", begun.elapsed().as_secs_f64() * 10.0);

    let (one, from_one) = start(&engine, &net, "one").await;
    let (two, from_two) = start(&engine, &net, "two").await;
    let body = Body::from_json(&format!("{{\"text\":\"{}\"}}", "x".repeat(288))).expect("JSON");
    for id in 1..=window {
        let message =
            Message { id, kind: MessageType::Event, from: address("two"), to: address("one"), body: body.clone() };
        one.post(message).expect("room");
    }
    let begun = Instant::now();
    let until = begun + Duration::from_secs(seconds);
    let (there, back) = tokio::join!(
        tokio::spawn(carry(from_one, two.clone(), until)),
        tokio::spawn(carry(from_two, one.clone(), until))
    );
    let count = there.unwrap_or(0) + back.unwrap_or(0);
    println!(
        "{:.0} messages/s of {} bytes, {window} on the way",
        count as f64 / begun.elapsed().as_secs_f64(),
        body.as_str().len()
    );
}
