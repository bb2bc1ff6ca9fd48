//! Measures how many messages a second the bus routes: `cargo run --release -p bus --example throughput`.

use std::time::Instant;

use bus::{Action, Bus, Place, PortKind};
use message::{Address, AddressError, Body, Code, Domain, Grants, Message, MessageType, Response, Verdict};

const ROUNDS: u64 = 500_000;
const LISTENERS: usize = 10_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut bus = Bus::new(Domain::parse("a.example")?);
    let chat = Address::parse("hyperty://a.example/chat")?;
    let core = bus.add_port(PortKind::Core { name: "sm".into() });
    let guest = bus.add_port(PortKind::Guest { speak_as: vec![chat.clone()], grants: Grants::none() });
    bus.listen(guest, &Place::At(chat.clone()))?;
    let objects = objects()?;
    for object in &objects {
        bus.listen(core, &Place::Below(object.clone()))?;
    }
    let children: Result<Vec<Address>, AddressError> = objects.iter().map(|object| object.below("children/")).collect();
    let children = children?;
    let body = Body::from_json(&format!(r#"{{"value":"{}"}}"#, "x".repeat(300)))?;
    let response = Response::code(Code::OK);
    let begin = Instant::now();
    let mut messages = 0_u64;
    for id in 0..ROUNDS {
        let to = children[id as usize % LISTENERS].clone();
        let message = Message { id, kind: MessageType::Create, from: chat.clone(), to, body: body.clone() };
        let mut actions = bus.post(id, guest, message);
        while let Some(action) = actions.pop() {
            match action {
                Action::Judge { ticket, .. } => actions.extend(bus.verdict(id, ticket, Verdict::Allow)),
                Action::Deliver { port, message, .. } => {
                    messages += 1;
                    if port == core {
                        actions.extend(bus.post(id, core, message.response(&response)));
                    }
                }
                Action::NeedRoute { .. } | Action::Refused { .. } => {}
            }
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "{messages} messages (requests and answers, each judged), {LISTENERS} listeners: {:.0}/s",
        messages as f64 / seconds
    );
    Ok(())
}

fn objects() -> Result<Vec<Address>, AddressError> {
    (0..LISTENERS).map(|number| Address::parse(&format!("comm://a.example/{number}"))).collect()
}
