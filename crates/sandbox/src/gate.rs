//! Judges what a guest sends: as whom it speaks, to whom, and how often.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use message::{Address, AddressPattern, Code, Grants, Message, MessageError, MessageType, Response};

/// Requests whose answers are awaited from a guest; the oldest are forgotten beyond it.
const AWAITED_LIMIT: usize = 4096;

/// What becomes of something a guest sent.
#[derive(Debug, PartialEq)]
pub enum Passage {
    /// It goes out.
    Pass(Message),
    /// The guest hears that it does not.
    Refuse(Message),
    /// It is dropped; there is nobody to tell.
    Drop(DropReason),
}

/// Why something was dropped.
#[derive(Debug, PartialEq)]
pub enum DropReason {
    /// Not a message.
    Malformed(MessageError),
    /// Not even text.
    NotText,
    /// Not allowed, and of a kind that is not answered.
    Refused(Code),
}

/// The rules for one guest's messages.
pub struct Gate {
    own: Address,
    speak_as: Vec<AddressPattern>,
    grants: Grants,
    rate: Bucket,
    /// Requests the guest may answer, though it may not speak to the sender of its own will.
    awaited: HashMap<(u64, Address), Address>,
    awaited_order: VecDeque<(u64, Address)>,
}

impl Gate {
    /// The rules of a guest with this address.
    pub fn new(own: Address, speak_as: Vec<AddressPattern>, grants: Grants, messages_per_second: u32) -> Self {
        let rate = Bucket::new(messages_per_second);
        Self { own, speak_as, grants, rate, awaited: HashMap::new(), awaited_order: VecDeque::new() }
    }

    fn owns(&self, address: &Address) -> bool {
        address.is_within(&self.own) || self.speak_as.iter().any(|pattern| pattern.covers(address))
    }

    /// Remembers a request, so that the guest may answer it.
    pub fn note_delivery(&mut self, message: &Message) {
        let answerable_anyway = self.grants.may_speak_to(&message.from) && self.owns(&message.to);
        if !message.kind.wants_response() || answerable_anyway {
            return;
        }
        if self.awaited_order.len() >= AWAITED_LIMIT
            && let Some(oldest) = self.awaited_order.pop_front()
        {
            self.awaited.remove(&oldest);
        }
        let key = (message.id, message.from.clone());
        self.awaited_order.push_back(key.clone());
        self.awaited.insert(key, message.to.clone());
    }

    /// Judges one frame of a guest.
    pub fn judge(&mut self, frame: &[u8]) -> Passage {
        let Ok(text) = std::str::from_utf8(frame) else { return Passage::Drop(DropReason::NotText) };
        let mut message = match Message::from_frame(text) {
            Ok(message) => message,
            Err(error) => return Passage::Drop(DropReason::Malformed(error)),
        };
        let claimed = message.from.clone();
        if !self.owns(&message.from) {
            message.from = self.own.clone();
        }
        if !self.rate.take() {
            return refuse(message, Code::TOO_MANY, "too many messages a second");
        }
        if let Some(asked) = self.answered(&message) {
            if claimed == asked {
                message.from = claimed;
            }
            return Passage::Pass(message);
        }
        if self.grants.may_speak_to(&message.to) {
            return Passage::Pass(message);
        }
        refuse(message, Code::FORBIDDEN, "not granted: this guest may not send messages there")
    }

    /// Whether this answers a request that was delivered; then, to whom that request went.
    fn answered(&mut self, message: &Message) -> Option<Address> {
        if message.kind != MessageType::Response || self.awaited.is_empty() {
            return None;
        }
        let key = (message.id, message.to.clone());
        let asked = self.awaited.get(&key)?.clone();
        if !message.response_code().is_some_and(Code::is_provisional) {
            self.awaited.remove(&key);
            self.awaited_order.retain(|other| *other != key);
        }
        Some(asked)
    }
}

fn refuse(message: Message, code: Code, why: &str) -> Passage {
    if message.kind.wants_response() {
        Passage::Refuse(message.response(&Response::because(code, why)))
    } else {
        Passage::Drop(DropReason::Refused(code))
    }
}

/// A token bucket that holds one second's worth.
struct Bucket {
    per_second: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second);
        Self { per_second, tokens: per_second, filled: Instant::now() }
    }

    fn take(&mut self) -> bool {
        if self.tokens < 1.0 {
            let now = Instant::now();
            let gained = now.duration_since(self.filled).as_secs_f64() * self.per_second;
            self.tokens = (self.tokens + gained).min(self.per_second);
            self.filled = now;
        }
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use message::Body;
    use proptest::prelude::*;

    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    fn gate(speak_to: &str) -> Gate {
        let grants = Grants { speak_to: vec![AddressPattern::parse(speak_to).unwrap()], ..Grants::none() };
        Gate::new(address("hyperty://a/1"), vec![], grants, 1000)
    }

    #[test]
    fn a_guest_speaks_only_as_itself() {
        let mut gate = gate("comm://a/*");
        for (claimed, stamped) in [
            ("hyperty://a/1", "hyperty://a/1"),
            ("hyperty://a/1/part", "hyperty://a/1/part"),
            ("hyperty://a/11", "hyperty://a/1"),
            ("user://b/ben", "hyperty://a/1"),
        ] {
            let frame = format!("1\nevent\n{claimed}\ncomm://a/2\n{{}}");
            let Passage::Pass(message) = gate.judge(frame.as_bytes()) else { panic!("{claimed}") };
            assert_eq!(message.from, address(stamped));
        }
    }

    #[test]
    fn a_stub_may_speak_as_its_domain() {
        let mut gate = gate("*");
        gate.speak_as = vec![AddressPattern::parse("hyperty://b/*").unwrap()];
        let Passage::Pass(message) = gate.judge(b"1\nevent\nhyperty://b/9\ncomm://a/2\n{}") else { panic!() };
        assert_eq!(message.from, address("hyperty://b/9"));
    }

    #[test]
    fn what_is_not_granted_is_refused_with_a_reason() {
        let mut gate = gate("comm://a/*");
        let Passage::Refuse(answer) = gate.judge(b"7\ncreate\nhyperty://a/1\ncomm://b/2\n{}") else { panic!() };
        assert_eq!((answer.id, answer.response_code()), (7, Some(Code::FORBIDDEN)));
        assert_eq!(answer.to, address("hyperty://a/1"));
        assert_eq!(
            gate.judge(b"7\nevent\nhyperty://a/1\ncomm://b/2\n{}"),
            Passage::Drop(DropReason::Refused(Code::FORBIDDEN))
        );
    }

    #[test]
    fn a_request_may_be_answered_once_though_its_sender_is_not_granted() {
        let mut gate = gate("comm://a/*");
        let request = Message {
            id: 5,
            kind: MessageType::Execute,
            from: address("runtime://a/ua"),
            to: address("comm://a/3/children/"),
            body: Body::empty(),
        };
        let answer = |code: u16| format!("5\nresponse\ncomm://a/3/children/\nruntime://a/ua\n{{\"code\":{code}}}");
        assert!(matches!(gate.judge(answer(200).as_bytes()), Passage::Drop(_)), "nobody asked yet");
        gate.note_delivery(&request);
        for code in [100, 200] {
            let Passage::Pass(message) = gate.judge(answer(code).as_bytes()) else { panic!("{code}") };
            assert_eq!(message.from, request.to);
        }
        assert!(matches!(gate.judge(answer(200).as_bytes()), Passage::Drop(_)), "it was answered already");
    }

    #[test]
    fn a_flood_is_answered_with_429() {
        let mut gate = gate("*");
        gate.rate = Bucket::new(3);
        let frame = b"7\ncreate\nhyperty://a/1\ncomm://b/2\n{}";
        for _ in 0..3 {
            assert!(matches!(gate.judge(frame), Passage::Pass(_)));
        }
        let Passage::Refuse(answer) = gate.judge(frame) else { panic!() };
        assert_eq!(answer.response_code(), Some(Code::TOO_MANY));
    }

    proptest! {
        #[test]
        fn any_frame_is_judged_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = gate("*").judge(&bytes);
        }

        #[test]
        fn any_lines_are_judged_without_harm(lines in proptest::collection::vec("\\PC{0,30}|[0-9]{1,20}|create|hyperty://a/1", 0..8)) {
            let _ = gate("*").judge(lines.join("\n").as_bytes());
        }
    }
}
