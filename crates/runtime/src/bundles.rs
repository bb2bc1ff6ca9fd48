//! Several children of one author in one sealed message: the inner messages, as a JSON list.
//!
//! Under load a device says many things in a moment. To seal, carry, open and acknowledge them one by one costs many
//! times what they are; together they leave in their order, and come in it or not at all.

use message::{Message, MessageType};
use serde_json::value::RawValue;

use crate::trouble::{Failure, Outcome};

/// Children in one sealed message.
pub(crate) const BUNDLE_LIMIT: usize = 64;

/// Bytes of their inner messages, unless it is one alone: a bundle is small against all other limits.
pub(crate) const BUNDLE_BYTES: usize = 64 * 1024;

/// What is sealed of one or several children.
pub(crate) fn write(inner: &[Message]) -> String {
    match inner {
        [one] => one.to_json(),
        many => format!("[{}]", many.iter().map(Message::to_json).collect::<Vec<_>>().join(",")),
    }
}

/// What was sealed: an inner message of any kind, or several children.
pub(crate) fn read(plaintext: &[u8]) -> Outcome<Vec<Message>> {
    let malformed = |error: &dyn std::fmt::Display| Failure::new("malformed", error);
    if plaintext.first() != Some(&b'[') {
        return Ok(vec![Message::from_json(plaintext).map_err(|e| malformed(&e))?]);
    }
    let texts: Vec<&RawValue> = serde_json::from_slice(plaintext).map_err(|e| malformed(&e))?;
    if texts.len() < 2 || texts.len() > BUNDLE_LIMIT {
        return Err(malformed(&"a bundle has more than one child, and no more than it may"));
    }
    let inner = texts.iter().map(|text| Message::from_json(text.get().as_bytes()));
    let inner: Vec<Message> = inner.collect::<Result<_, _>>().map_err(|e| malformed(&e))?;
    let first = &inner[0];
    let alike =
        |one: &Message| one.kind == MessageType::Create && one.to == first.to && one.to.path().ends_with("/children/");
    if !inner.iter().all(alike) {
        return Err(malformed(&"a bundle is of children of one object"));
    }
    Ok(inner)
}

#[cfg(test)]
mod tests {
    use message::{Address, Body};

    use super::*;

    fn child(url: &str, number: usize) -> Message {
        let from = Address::parse("user://a.localhost/ana").unwrap();
        let to = Address::parse(&format!("{url}/children/")).unwrap();
        Message { id: 0, kind: MessageType::Create, from, to, body: Body::of(&number).unwrap() }
    }

    fn children(count: usize) -> Vec<Message> {
        (0..count).map(|number| child("comm://a.localhost/one", number)).collect()
    }

    #[test]
    fn children_come_out_of_a_bundle_in_the_order_in_which_they_went_in() {
        for count in [1, 2, BUNDLE_LIMIT] {
            assert_eq!(read(write(&children(count)).as_bytes()).unwrap(), children(count));
        }
    }

    #[test]
    fn nothing_hides_in_a_bundle() {
        let refused = |inner: &[Message]| read(write(inner).as_bytes()).unwrap_err().code;
        assert_eq!(refused(&[]), "malformed", "nobody");
        assert_eq!(refused(&children(BUNDLE_LIMIT + 1)), "malformed", "too many");
        let [one, mut other] = [child("comm://a.localhost/one", 1), child("comm://a.localhost/two", 2)];
        assert_eq!(refused(&[one.clone(), other.clone()]), "malformed", "another object");
        (other.kind, other.to) = (MessageType::Event, one.to.clone());
        assert_eq!(refused(&[one, other]), "malformed", "no child");
        assert_eq!(read(b"[[]]").unwrap_err().code, "malformed");
    }
}
