//! The bus of a runtime under whatever its guests post: each line is a port's number and a frame.
#![no_main]

use bus::{Action, Bus, HELD_BYTES_PER_PORT, OPEN_PER_PORT, Place, PortId, PortKind};
use libfuzzer_sys::fuzz_target;
use message::{Address, Domain, Grants, Message, Verdict};

const STEPS: usize = 128;

fuzz_target!(|data: &[u8]| {
    let mut world = World::new();
    for step in data.split(|byte| *byte == 0).take(STEPS) {
        world.step(step);
    }
    assert!(world.bus.open() <= world.ports.len() * OPEN_PER_PORT);
    // Whatever happened, everything ends.
    while let Some(at) = world.bus.next_wake() {
        world.now = world.now.max(at);
        let actions = world.bus.tick(world.now);
        world.heed(actions);
    }
    assert_eq!(world.bus.open(), 0);
});

struct World {
    bus: Bus,
    ports: Vec<PortId>,
    now: u64,
    held: usize,
}

impl World {
    fn new() -> Self {
        let address = |text: &str| Address::parse(text).expect("an address");
        let domain = |text: &str| Domain::parse(text).expect("a host name");
        let mut bus = Bus::new(domain("a.example"));
        let guest = |text: &str| PortKind::Guest { speak_as: vec![address(text)], grants: Grants::none() };
        let stub = address("runtime://a.example/protostub/b.example");
        let ports = vec![
            bus.add_port(PortKind::Core { name: "sm".into() }),
            bus.add_port(guest("hyperty://a.example/1")),
            bus.add_port(guest("comm://a.example/9")),
            bus.add_port(PortKind::Stub { domain: domain("b.example"), address: stub, grants: Grants::none() }),
        ];
        let places = [
            (0, "runtime://a.example/sm"),
            (1, "hyperty://a.example/1"),
            (2, "comm://a.example/9"),
            (2, "comm://a.example/9/children/"),
        ];
        for (port, place) in places {
            bus.listen(ports[port], &Place::Below(address(place))).expect("room to listen");
        }
        Self { bus, ports, now: 1_000, held: 0 }
    }

    fn step(&mut self, step: &[u8]) {
        let Some((port, frame)) = step.split_first() else { return };
        let port = usize::from(port.wrapping_sub(b'0'));
        let Some(id) = self.ports.get(port).copied() else {
            self.now += port as u64 * 100;
            let actions = self.bus.tick(self.now);
            return self.heed(actions);
        };
        let Some(message) = fuzz::text(frame).and_then(|frame| Message::from_frame(frame).ok()) else { return };
        self.held += message.body.as_str().len();
        let actions = self.bus.post(self.now, id, message);
        self.heed(actions);
        assert!(self.held <= self.ports.len() * HELD_BYTES_PER_PORT);
    }

    /// Allows what is asked, and connects the stub.
    fn heed(&mut self, actions: Vec<Action>) {
        let mut waiting = actions;
        while let Some(action) = waiting.pop() {
            let more = match action {
                Action::Judge { ticket, .. } => self.bus.verdict(self.now, ticket, Verdict::Allow),
                Action::NeedRoute { domain } if domain.as_str() == "b.example" => {
                    self.bus.route_ready(self.now, &domain, self.ports[3])
                }
                Action::Deliver { .. } | Action::Refused { .. } | Action::NeedRoute { .. } => Vec::new(),
            };
            waiting.extend(more);
        }
    }
}
