//! Messages as JSON and as a guest's frame: what one reader takes, the other takes too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use message::{Body, Code, MESSAGE_LIMIT, Message, Response};

fuzz_target!(|data: &[u8]| {
    if let Ok(message) = Message::from_json(data) {
        check(&message);
    }
    if let Some(message) = fuzz::text(data).and_then(|text| Message::from_frame(text).ok()) {
        check(&message);
    }
});

fn check(message: &Message) {
    let (json, frame) = (message.to_json(), message.to_frame());
    if json.len() <= MESSAGE_LIMIT {
        assert_eq!(Message::from_json(json.as_bytes()).as_ref(), Ok(message));
    }
    if frame.len() <= MESSAGE_LIMIT {
        assert_eq!(Message::from_frame(&frame).as_ref(), Ok(message));
    }
    assert_eq!(Body::from_json(message.body.as_str()).as_ref(), Ok(&message.body));
    let answer = message.response(&Response::code(Code::OK));
    assert_eq!((answer.response_code(), &answer.to, &answer.from), (Some(Code::OK), &message.from, &message.to));
}
