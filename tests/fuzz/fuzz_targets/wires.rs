//! What comes over the wires of a node, and what is answered to bytes that are no message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use message::{MESSAGE_LIMIT, Message};
use node::fuzzing::{answer_malformed, read_batch, write_row};
use node::limits::BATCH_MESSAGES;

/// No refusal repeats at length what a stranger wrote.
const ANSWER_LIMIT: usize = 2048;

fuzz_target!(|data: &[u8]| {
    let messages = read_batch(data);
    assert!(messages.len() <= BATCH_MESSAGES);
    let rows: Vec<String> = messages.iter().map(write_row).collect();
    let again = format!("[{}]", rows.join(","));
    if again.len() <= MESSAGE_LIMIT {
        assert_eq!(read_batch(again.as_bytes()), messages);
    }
    for message in &messages {
        assert_eq!(Message::from_json(message.to_json().as_bytes()).as_ref(), Ok(message), "one message on every wire");
    }
    if let Err(error) = Message::from_json(data)
        && let Some(answer) = answer_malformed(data, &error)
    {
        let json = answer.to_json();
        assert!(json.len() <= ANSWER_LIMIT, "{} bytes", json.len());
        assert_eq!(Message::from_json(json.as_bytes()), Ok(answer));
    }
});
