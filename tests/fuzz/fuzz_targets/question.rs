//! What a web view asks the shell.
#![no_main]

use contract::{ConsentChoice, Question};
use libfuzzer_sys::fuzz_target;
use serde_json::{from_slice, from_value, to_value};

fuzz_target!(|data: &[u8]| {
    if let Ok(question) = from_slice::<Question>(data) {
        let value = to_value(&question).expect("what was read can be written");
        let again: Question = from_value(value.clone()).expect("what was written can be read");
        assert_eq!(to_value(&again).ok(), Some(value));
    }
    if let Ok(choice) = from_slice::<ConsentChoice>(data) {
        fuzz::same_as_json(&choice);
    }
});
