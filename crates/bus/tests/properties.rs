//! What holds for a bus whatever its ports do.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::HashMap;

use bus::{Action, Bus, Place, PortId, PortKind, Ticket};
use message::{Address, Body, Code, ConsentQuestion, Domain, Grants, Message, MessageType, Response, Verdict};
use proptest::prelude::*;

const PLACES: [&str; 8] = [
    "runtime://a.example/sm",
    "hyperty://a.example/1",
    "hyperty://a.example/1/below",
    "comm://a.example/9",
    "comm://a.example/9/children/",
    "runtime://a.example/protostub/b.example",
    "hyperty://b.example/7",
    "hyperty://c.example/7",
];
const KINDS: [MessageType; 4] = [MessageType::Create, MessageType::Event, MessageType::Read, MessageType::Update];

#[derive(Debug, Clone)]
enum Step {
    Listen {
        port: usize,
        place: usize,
        below: bool,
    },
    Unlisten {
        port: usize,
        place: usize,
        below: bool,
    },
    Post {
        port: usize,
        kind: usize,
        from: usize,
        to: usize,
    },
    /// Answers the nth delivered request, rightly or from another port.
    Answer {
        nth: usize,
        port: Option<usize>,
        code: u16,
    },
    Judge {
        nth: usize,
        verdict: u8,
    },
    RouteReady {
        domain: usize,
    },
    RouteAsking {
        domain: usize,
    },
    RouteFailed {
        domain: usize,
    },
    Remove {
        port: usize,
    },
    Wait {
        ms: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (port, place) = (0..5_usize, 0..PLACES.len());
    prop_oneof![
        4 => (port.clone(), place.clone(), any::<bool>()).prop_map(|(port, place, below)| Step::Listen { port, place, below }),
        1 => (port.clone(), place.clone(), any::<bool>()).prop_map(|(port, place, below)| Step::Unlisten { port, place, below }),
        8 => (port.clone(), 0..KINDS.len(), place.clone(), place)
            .prop_map(|(port, kind, from, to)| Step::Post { port, kind, from, to }),
        6 => (any::<usize>(), proptest::option::weighted(0.2, port.clone()), prop_oneof![Just(100_u16), Just(200), Just(404)])
            .prop_map(|(nth, port, code)| Step::Answer { nth, port, code }),
        8 => (any::<usize>(), 0..6_u8).prop_map(|(nth, verdict)| Step::Judge { nth, verdict }),
        1 => (0..2_usize).prop_map(|domain| Step::RouteReady { domain }),
        1 => (0..2_usize).prop_map(|domain| Step::RouteAsking { domain }),
        1 => (0..2_usize).prop_map(|domain| Step::RouteFailed { domain }),
        1 => port.prop_map(|port| Step::Remove { port }),
        2 => (0..20_000_u64).prop_map(|ms| Step::Wait { ms }),
    ]
}

struct World {
    bus: Bus,
    now: u64,
    ports: Vec<PortId>,
    listening: Vec<(PortId, usize, bool)>,
    tickets: Vec<Ticket>,
    asked: Vec<(PortId, Message)>,
    /// Final answers by (port, id of its request).
    finals: HashMap<(PortId, u64), usize>,
    requests: Vec<(PortId, u64)>,
    removed: Vec<PortId>,
    routed: Vec<PortId>,
}

fn address(place: usize) -> Address {
    Address::parse(PLACES[place]).unwrap()
}

fn domains() -> [Domain; 2] {
    ["b.example", "c.example"].map(|text| Domain::parse(text).unwrap())
}

impl World {
    fn new() -> Self {
        let mut bus = Bus::new(Domain::parse("a.example").unwrap());
        let guest = |speak: usize| PortKind::Guest { speak_as: vec![address(speak)], grants: Grants::none() };
        let stub = PortKind::Stub { domain: domains()[0].clone(), address: address(5), grants: Grants::none() };
        let kinds =
            [PortKind::Core { name: "sm".into() }, guest(1), guest(3), stub, PortKind::Core { name: "ua".into() }];
        let ports = kinds.map(|kind| bus.add_port(kind)).to_vec();
        Self {
            bus,
            now: 1_000,
            ports,
            listening: Vec::new(),
            tickets: Vec::new(),
            asked: Vec::new(),
            finals: HashMap::new(),
            requests: Vec::new(),
            removed: Vec::new(),
            routed: Vec::new(),
        }
    }

    fn take(&mut self, step: Step) {
        let actions = match step {
            Step::Listen { port, place, below } => {
                let at = if below { Place::Below(address(place)) } else { Place::At(address(place)) };
                if self.bus.listen(self.ports[port], &at).is_ok() {
                    self.listening.push((self.ports[port], place, below));
                }
                Vec::new()
            }
            Step::Unlisten { port, place, below } => {
                let at = if below { Place::Below(address(place)) } else { Place::At(address(place)) };
                self.bus.unlisten(self.ports[port], &at);
                let gone = (self.ports[port], place, below);
                self.listening.retain(|listening| *listening != gone);
                Vec::new()
            }
            Step::Post { port, kind, from, to } => {
                let id = self.requests.len() as u64;
                let message =
                    Message { id, kind: KINDS[kind], from: address(from), to: address(to), body: Body::empty() };
                let port = self.ports[port];
                if message.kind.wants_response() && !self.removed.contains(&port) {
                    self.requests.push((port, id));
                }
                self.bus.post(self.now, port, message)
            }
            Step::Answer { nth, port, code } => {
                if self.asked.is_empty() {
                    return;
                }
                let (asked, request) = self.asked[nth % self.asked.len()].clone();
                let from = port.map_or(asked, |port| self.ports[port]);
                self.bus.post(self.now, from, request.response(&Response::code(Code(code))))
            }
            Step::Judge { nth, verdict } => {
                if self.tickets.is_empty() {
                    return;
                }
                let ticket = self.tickets[nth % self.tickets.len()];
                let question = ConsentQuestion::Contact { user: "ben@b.example".parse().unwrap() };
                let verdict = match verdict {
                    0 => Verdict::deny("no", "no"),
                    1 => Verdict::Ask { question },
                    _ => Verdict::Allow,
                };
                self.bus.verdict(self.now, ticket, verdict)
            }
            Step::RouteReady { domain } => {
                self.routed.push(self.ports[3]);
                self.bus.route_ready(self.now, &domains()[domain], self.ports[3])
            }
            Step::RouteAsking { domain } => self.bus.route_asking(&domains()[domain]),
            Step::RouteFailed { domain } => {
                self.bus.route_failed(&domains()[domain], &Response::code(Code::UNAVAILABLE))
            }
            Step::Remove { port } => {
                self.removed.push(self.ports[port]);
                let gone = self.ports[port];
                self.listening.retain(|(listener, ..)| *listener != gone);
                self.bus.remove_port(gone)
            }
            Step::Wait { ms } => {
                self.now += ms;
                self.bus.tick(self.now)
            }
        };
        for action in actions {
            self.see(action);
        }
    }

    fn see(&mut self, action: Action) {
        match action {
            Action::Deliver { port, message, .. } => {
                assert!(!self.removed.contains(&port), "a removed port hears something");
                match message.response_code() {
                    Some(code) if !code.is_provisional() => *self.finals.entry((port, message.id)).or_default() += 1,
                    Some(_) => assert!(!self.finals.contains_key(&(port, message.id)), "provisional after final"),
                    None => {
                        let listens = self.listening.iter().any(|(listener, place, below)| {
                            *listener == port
                                && (message.to == address(*place) || (*below && message.to.is_within(&address(*place))))
                        });
                        let routed = self.routed.contains(&port) && message.to.domain_str() == "b.example";
                        assert!(listens || routed, "{port} does not listen at {}", message.to);
                        if message.kind.wants_response() {
                            self.asked.push((port, message));
                        }
                    }
                }
            }
            Action::Judge { ticket, to, .. } => {
                assert!(!to.is_empty());
                self.tickets.push(ticket);
            }
            Action::NeedRoute { .. } | Action::Refused { .. } => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_request_gets_one_final_answer_and_nothing_reaches_who_does_not_listen(
        steps in proptest::collection::vec(step(), 1..120)
    ) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
            prop_assert!(world.bus.open() <= bus::OPEN_LIMIT);
        }
        world.take(Step::Wait { ms: 10_000_000 });
        prop_assert_eq!(world.bus.open(), 0);
        prop_assert_eq!(world.bus.next_wake(), None);
        for key in &world.requests {
            let expected = usize::from(!world.removed.contains(&key.0));
            let got = world.finals.get(key).copied().unwrap_or(0);
            prop_assert!(got == expected || (expected == 0 && got <= 1), "{:?}: {} final answers", key, got);
        }
        prop_assert!(world.finals.values().all(|count| *count == 1));
    }
}
