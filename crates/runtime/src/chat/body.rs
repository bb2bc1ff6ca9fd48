//! Reads what a child of a conversation says: hostile JSON becomes one of a few words.

use blob::Descriptor;
use message::Address;
use serde_json::Value;

use super::after::Act;
use super::mentions::{Mention, mentions_in};
use super::polls::Poll;

/// Longest message in characters; the chat Hyperty has the same limit.
pub(crate) const TEXT_LIMIT: usize = 16_384;

/// Longest name of a message in bytes: an address, and which child of it.
const ID_LIMIT: usize = 640;

/// Most characters one emoji is made of; families and flags of regions have about ten.
const EMOJI_LIMIT: usize = 16;

/// The longest time after which messages end: a year.
const TIMER_LIMIT_S: u32 = 366 * 86_400;

/// What a child says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    /// Words.
    Text(Text),
    /// A file, and words with it.
    File(Box<Attached>),
    /// A question with answers to choose from; when it ends, if it does, in seconds.
    Poll { poll: Poll, ends_after: u32 },
    /// Something about another message.
    Act { to: String, act: Act },
    /// From now on messages end after so many seconds; 0 for never.
    Timer { seconds: u32 },
    /// Anything else.
    Unknown,
}

/// Words of a person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) text: String,
    /// The message it answers.
    pub(crate) reply: Option<String>,
    /// Whether it comes from another conversation.
    pub(crate) forwarded: bool,
    /// After how many seconds it ends; 0 for never.
    pub(crate) ends_after: u32,
    /// Whom it names.
    pub(crate) mentions: Vec<Mention>,
    /// The card of a link in it, as its author made it.
    pub(crate) card: Option<Box<preview::Card>>,
}

/// A file that somebody sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attached {
    /// What is said with it; its words may be empty.
    pub(crate) said: Text,
    pub(crate) file: Descriptor,
}

impl Attached {
    /// The words that stand for it where there is no room for more: what is said with it, or its name.
    pub(crate) fn words(&self) -> &str {
        if self.said.text.is_empty() { self.file.name.as_str() } else { &self.said.text }
    }
}

impl Body {
    /// Reads a child of this conversation.
    pub(crate) fn parse(value: &Value, conversation: &Address) -> Self {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let on = || value.get("on").and_then(Value::as_bool);
        let to = || text("to").filter(|id| is_child_of(id, conversation)).map(str::to_owned);
        let act = |act: Option<Act>| match (to(), act) {
            (Some(to), Some(act)) => Self::Act { to, act },
            _ => Self::Unknown,
        };
        let said = |words: &str| Text {
            text: words.to_owned(),
            reply: text("reply").filter(|id| is_child_of(id, conversation)).map(str::to_owned),
            forwarded: value.get("forwarded").and_then(Value::as_bool).unwrap_or(false),
            ends_after: seconds(value.get("ends")).unwrap_or(0),
            mentions: mentions_in(value.get("mentions"), words),
            card: value.get("preview").and_then(|card| preview::Card::parse(card, words)).map(Box::new),
        };
        match text("type").unwrap_or_default() {
            "text" => match text("text").filter(|text| fits(text)) {
                Some(words) => Self::Text(said(words)),
                None => Self::Unknown,
            },
            "file" => match value.get("file").map(Descriptor::parse) {
                Some(Ok(file)) => {
                    // Words that do not fit are left out; the file is still there.
                    let words = text("text").filter(|text| fits(text)).unwrap_or_default();
                    Self::File(Box::new(Attached { said: said(words), file }))
                }
                _ => Self::Unknown,
            },
            "poll" => match Poll::parse(value) {
                Some(poll) => Self::Poll { poll, ends_after: seconds(value.get("ends")).unwrap_or(0) },
                None => Self::Unknown,
            },
            "vote" => act(super::polls::choices_in(value.get("choices")).map(|choices| Act::Vote { choices })),
            "close" => act(Some(Act::Close)),
            "react" => {
                let emoji = text("emoji").filter(|emoji| is_emoji(emoji)).map(str::to_owned);
                act(emoji.zip(on()).map(|(emoji, on)| Act::React { emoji, on }))
            }
            "edit" => act(text("text").filter(|text| fits(text)).map(|text| Act::Edit { text: text.to_owned() })),
            "delete" => act(Some(Act::Delete)),
            "pin" => act(on().map(|on| Act::Pin { on })),
            "timer" => seconds(value.get("seconds")).map_or(Self::Unknown, |seconds| Self::Timer { seconds }),
            _ => Self::Unknown,
        }
    }
}

fn seconds(value: Option<&Value>) -> Option<u32> {
    value.and_then(Value::as_u64).and_then(|seconds| u32::try_from(seconds).ok()).filter(|s| *s <= TIMER_LIMIT_S)
}

/// Whether a text is neither empty nor too long, counted as people count.
pub(crate) fn fits(text: &str) -> bool {
    !text.is_empty() && text.len() <= 4 * TEXT_LIMIT && text.chars().count() <= TEXT_LIMIT
}

/// Whether a name is that of a child of this very conversation.
pub(crate) fn is_child_of(id: &str, conversation: &Address) -> bool {
    let name = id.strip_prefix(conversation.as_str()).and_then(|rest| rest.strip_prefix("/children/"));
    id.len() <= ID_LIMIT
        && name.is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
}

/// Whether a text is one emoji and nothing that could be taken for words, or that turns their direction.
pub(crate) fn is_emoji(text: &str) -> bool {
    let is_key = |c: char| c.is_ascii_digit() || c == '#' || c == '*';
    let keycap = text.ends_with('\u{20e3}');
    let count = text.chars().count();
    (1..=EMOJI_LIMIT).contains(&count)
        && text
            .chars()
            .enumerate()
            .all(|(at, c)| is_pictured(c) || (at == 0 && keycap && is_key(c)) || (at > 0 && joins(c)))
}

fn is_pictured(c: char) -> bool {
    matches!(c,
        '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}'
        | '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{27bf}' | '\u{2900}'..='\u{297f}' | '\u{2b00}'..='\u{2bff}'
        | '\u{1f000}'..='\u{1faff}')
}

/// What binds the parts of an emoji: joiner, presentation, keycap, tags of regions.
fn joins(c: char) -> bool {
    matches!(c, '\u{200d}' | '\u{fe0f}' | '\u{20e3}' | '\u{e0020}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn chat() -> Address {
        Address::parse("comm://a.localhost/one").unwrap()
    }

    fn body(value: &Value) -> Body {
        Body::parse(value, &chat())
    }

    #[test]
    fn words_are_read_with_what_they_answer() {
        let Body::Text(text) =
            body(&json!({ "type": "text", "text": "yes", "reply": format!("{}/children/abc-1", chat()) }))
        else {
            panic!("no text");
        };
        assert_eq!((text.text.as_str(), text.reply.is_some(), text.forwarded), ("yes", true, false));
    }

    #[test]
    fn a_name_of_another_conversation_or_of_nothing_is_no_name() {
        let far = ["comm://a.localhost/other/children/abc-1", "comm://a.localhost/one/children/", "abc-1", "", "../x"];
        let long = format!("{}/children/{}", chat(), "a".repeat(ID_LIMIT));
        let odd = format!("{}/children/a/../b", chat());
        for id in far.into_iter().chain([long.as_str(), odd.as_str()]) {
            assert_eq!(body(&json!({ "type": "delete", "to": id })), Body::Unknown, "{id}");
            let text = body(&json!({ "type": "text", "text": "still words", "reply": id }));
            assert!(matches!(text, Body::Text(Text { reply: None, .. })), "{id}");
        }
    }

    #[test]
    fn an_emoji_is_one_picture_and_no_words() {
        for emoji in ["👍", "❤️", "👨‍👩‍👧‍👦", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "1️⃣", "🇵🇹", "👋🏽", "☕"]
        {
            assert!(is_emoji(emoji), "{emoji}");
        }
        let long = "👍".repeat(EMOJI_LIMIT + 1);
        for text in
            ["", "a", "1", "12\u{20e3}", "👍 ", "\u{202e}👍", "\u{200d}", "\u{fe0f}👍", "<b>", "مرحبا", long.as_str()]
        {
            assert!(!is_emoji(text), "{text:?}");
        }
    }

    #[test]
    fn what_is_malformed_says_nothing() {
        let to = format!("{}/children/abc-1", chat());
        for value in [
            json!(null),
            json!([]),
            json!("text"),
            json!({ "type": 5 }),
            json!({ "type": "text", "text": "" }),
            json!({ "type": "text", "text": "x".repeat(TEXT_LIMIT + 1) }),
            json!({ "type": "react", "to": to, "emoji": "👍" }),
            json!({ "type": "react", "to": to, "emoji": "word", "on": true }),
            json!({ "type": "edit", "to": to }),
            json!({ "type": "edit", "to": to, "text": "" }),
            json!({ "type": "pin", "to": [to], "on": true }),
            json!({ "type": "timer", "seconds": -1 }),
            json!({ "type": "timer", "seconds": u64::MAX }),
        ] {
            assert_eq!(body(&value), Body::Unknown, "{value}");
        }
    }
}
