//! The page that a link leads to, and the card that somebody sends of it: `{` begins a card, else a line names the letters of
//! the page that follows it, or says that a text with links does.
#![no_main]

use libfuzzer_sys::fuzz_target;
use preview::{Card, DESCRIPTION_LIMIT, Link, TITLE_LIMIT, fuzzing};
use serde_json::Value;

const TEXT: &str = "look: https://b.org/tea";

fuzz_target!(|data: &[u8]| {
    if data.first() == Some(&b'{') {
        let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
        if let Some(card) = Card::parse(&value, TEXT) {
            judge(&card, TEXT);
        }
        return;
    }
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else { return };
    let (Some(charset), rest) = (fuzz::text(&data[..end]), &data[end + 1..]) else { return };
    if charset == "text" {
        let Some(text) = fuzz::text(rest) else { return };
        for link in Link::all_in(text) {
            assert!(link.as_str().starts_with("https://") && link.host().contains('.'));
            assert!(link.stands_in(text));
        }
        return;
    }
    if let Some(card) = fuzzing::card(TEXT, rest, Some(charset).filter(|charset| !charset.is_empty())) {
        judge(&card, TEXT);
    }
});

/// A card that was made or read is bounded, and is the same when it is read again.
fn judge(card: &Card, text: &str) {
    assert!((1..=TITLE_LIMIT).contains(&card.title().chars().count()));
    assert!(card.description().chars().count() <= DESCRIPTION_LIMIT);
    assert_eq!(Card::parse(&card.to_value(), text).as_ref(), Some(card));
}
