//! How many messages a second guests exchange and the bus routes, and how fast a guest starts.

use std::time::{Duration, Instant};

use bus::{Action, Bus, Place, PortKind};
use message::{Address, Body, Code, Domain, Grants, Message, MessageType, Response, Verdict};

use crate::guests::{BODY_BYTES, ECHO, Nursery, PARSE, ping_pong};
use crate::report::{Figure, Goal, Report};
use crate::{Failed, wait_for};

/// Rounds of everything.
const ROUNDS: usize = 7;

/// Length of one round between guests.
const ROUND: Duration = Duration::from_secs(2);

/// Starts of a guest.
const STARTS: usize = 101;

/// A true guest: the stub by which others reach a domain that speaks over a WebSocket.
const STUB: &str = include_str!("../../../hyperties/protostubs/a-ws.js");

/// Requests in one round of the bus.
const REQUESTS: u64 = 200_000;

/// Places somebody listens to while the bus is measured.
const LISTENERS: usize = 10_000;

/// Measures.
pub(crate) fn run() -> Result<Report, Failed> {
    let (echoed, parsed, starts) = wait_for(async {
        let nursery = Nursery::new()?;
        let (mut echoed, mut parsed) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            echoed.push(ping_pong(&nursery, ECHO, ROUND).await?);
            parsed.push(ping_pong(&nursery, PARSE, ROUND).await?);
        }
        Ok((echoed, parsed, cold_starts(&nursery).await?))
    })?;
    let routed: Result<Vec<f64>, Failed> = (0..ROUNDS).map(|_| route()).collect();
    Ok(Report::new(
        format!(
            "\
Guest to guest: two guests in two sandboxes send each other messages with bodies of {BODY_BYTES} bytes, over the bus
and the policy of a runtime; each arrival counts as one message; {ROUNDS} rounds of {} s. In the first row a guest
reads the envelope and sends the body back untouched; in the second it parses, changes and writes the body.
Cold start: a stub of {} bytes, from the order to start it until it listens; {STARTS} starts, engine ready.
Bus: requests of a guest and the answers, each judged; {LISTENERS} places are listened to.",
            ROUND.as_secs(),
            STUB.len(),
        ),
        vec![
            Figure::new("guest_to_guest_per_s", "/s", echoed).with_goal(
                Goal::AtLeast(50_000.0),
                "budget of the design; the paper reports around 5,000/s between Hyperties",
            ),
            Figure::new("guest_to_guest_parsed_per_s", "/s", parsed)
                .with_reference("no goal; the price of looking into the body"),
            Figure::new("guest_cold_start_ms", "ms", starts)
                .with_goal(Goal::AtMost(10.0), "budget of the design for a guest of 7 KB"),
            Figure::new("bus_messages_per_s", "/s", routed?).with_reference("the bus alone, without sandboxes"),
        ],
    ))
}

async fn cold_starts(nursery: &Nursery) -> Result<Vec<f64>, Failed> {
    let mut starts = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        let begun = Instant::now();
        let guest = nursery.start("short", STUB).await?;
        starts.push(begun.elapsed().as_secs_f64() * 1000.0);
        drop(guest);
    }
    Ok(starts)
}

/// One round of the bus: a guest creates children of data objects, and the core answers.
fn route() -> Result<f64, Failed> {
    let mut bus = Bus::new(Domain::parse("a.example")?);
    let chat = Address::parse("hyperty://a.example/chat")?;
    let core = bus.add_port(PortKind::Core { name: "sm".into() });
    let guest = bus.add_port(PortKind::Guest { speak_as: vec![chat.clone()], grants: Grants::none() });
    bus.listen(guest, &Place::At(chat.clone()))?;
    let mut children = Vec::with_capacity(LISTENERS);
    for number in 0..LISTENERS {
        let object = Address::parse(&format!("comm://a.example/{number}"))?;
        children.push(object.below("children/")?);
        bus.listen(core, &Place::Below(object))?;
    }
    let body = Body::from_json(&format!(r#"{{"value":"{}"}}"#, "x".repeat(BODY_BYTES - r#"{"value":""}"#.len())))?;
    let response = Response::code(Code::OK);
    let mut messages = 0_u64;
    let begun = Instant::now();
    for (id, to) in (0..REQUESTS).zip(children.iter().cycle()) {
        let (kind, from) = (MessageType::Create, chat.clone());
        let message = Message { id, kind, from, to: to.clone(), body: body.clone() };
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
                Action::NeedRoute { .. } | Action::Refused { .. } => return Err("a message went nowhere".into()),
            }
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    if messages == 2 * REQUESTS { Ok(messages as f64 / seconds) } else { Err("messages were lost".into()) }
}
