//! What a guest writes to its host. The two files are read by themselves: all of the sandbox would
//! bring its compiler along.
#![no_main]
#![allow(dead_code, reason = "only the reading half is used here")]

use libfuzzer_sys::fuzz_target;
use message::{Address, AddressPattern, Grants, Message, MessageType};

#[path = "../../../crates/sandbox/src/control.rs"]
mod control;
#[path = "../../../crates/sandbox/src/frame.rs"]
mod frame;
#[path = "../../../crates/sandbox/src/gate.rs"]
mod gate;

use control::GuestCall;
use frame::{Frame, Kind};
use gate::{Gate, Passage};

fuzz_target!(|data: &[u8]| {
    let own = Address::parse("hyperty://a.localhost/1").expect("an address");
    let pattern = |text| AddressPattern::parse(text).expect("a pattern");
    let grants = Grants { speak_to: vec![pattern("comm://a.localhost/*")], ..Grants::none() };
    let mut gate = Gate::new(own.clone(), vec![pattern("comm://a.localhost/1*")], grants.clone(), 1_000);
    let asked = "7\nread\nruntime://a.localhost/ua\nhyperty://a.localhost/1\n";
    gate.note_delivery(&Message::from_frame(asked).expect("a message"));

    let mut again = Vec::new();
    let frames: Vec<Frame<'_>> = frame::read(data).collect();
    for one in &frames {
        match one {
            Frame::Message(bytes) => {
                frame::write(&mut again, Kind::Message, &[bytes]);
                match gate.judge(bytes) {
                    Passage::Pass(message) => {
                        let speaks_as_itself =
                            message.from.is_within(&own) || message.from.as_str().starts_with("comm://a.localhost/1");
                        let answers = message.kind == MessageType::Response && message.id == 7;
                        assert!(speaks_as_itself && (answers || grants.may_speak_to(&message.to)));
                    }
                    Passage::Refuse(answer) => assert_eq!(answer.kind, MessageType::Response),
                    Passage::Drop(_) => {}
                }
            }
            Frame::Control(header, bytes) => {
                frame::write(&mut again, Kind::Control, &[header, b"\n", bytes]);
                let _ = serde_json::from_slice::<GuestCall>(header);
            }
            Frame::Unknown => {}
        }
    }
    let known: Vec<&Frame<'_>> = frames.iter().filter(|one| **one != Frame::Unknown).collect();
    assert!(frame::read(&again).collect::<Vec<_>>().iter().eq(known));
});
