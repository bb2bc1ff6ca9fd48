//! Several children of one author in one sealed message: the inner messages, as a JSON list.
//!
//! Under load a device says many things in a moment. To seal, carry, open and acknowledge them one by one costs many
//! times what they are; together they leave in their order and come in it. One that is refused is refused alone.

use message::{Address, Message, MessageType};
use serde_json::value::RawValue;

/// Children in one sealed message.
pub const BUNDLE_LIMIT: usize = 64;

/// Bytes of their inner messages, unless it is one alone: a bundle is small against all other limits.
pub const BUNDLE_BYTES: usize = 64 * 1024;

/// What is sealed of one or several children.
pub fn write(inner: &[Message]) -> String {
    match inner {
        [one] => one.to_json(),
        many => format!("[{}]", many.iter().map(Message::to_json).collect::<Vec<_>>().join(",")),
    }
}

/// Why a plaintext is no message and no bundle, or one in a bundle is no child.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// No message can be read from it, or no list of texts.
    #[error("{0}")]
    Unreadable(String),
    /// A message for another object than the one whose group sealed it.
    #[error("the message is for another object than its group")]
    AnotherObject,
    /// One child alone, none, or more than [`BUNDLE_LIMIT`].
    #[error("a bundle has more than one child, and no more than it may")]
    Count,
    /// Something else than a child of the object.
    #[error("a bundle is of children of its object")]
    NoChild,
}

/// What was sealed.
#[derive(Debug)]
pub enum Sealed {
    /// An inner message of any kind.
    One(Message),
    /// Several children, and why others beside them are none: each is refused alone.
    Many(Vec<Message>, Vec<BundleError>),
}

/// Reads what was sealed for an object.
pub fn read(plaintext: &[u8], url: &Address) -> Result<Sealed, BundleError> {
    let unreadable = |error: &dyn std::fmt::Display| BundleError::Unreadable(error.to_string());
    if plaintext.first() != Some(&b'[') {
        let one = Message::from_json(plaintext).map_err(|e| unreadable(&e))?;
        if one.to.base() != *url {
            return Err(BundleError::AnotherObject);
        }
        return Ok(Sealed::One(one));
    }
    let texts: Vec<&RawValue> = serde_json::from_slice(plaintext).map_err(|e| unreadable(&e))?;
    if texts.len() < 2 || texts.len() > BUNDLE_LIMIT {
        return Err(BundleError::Count);
    }
    let (mut children, mut refused) = (Vec::with_capacity(texts.len()), Vec::new());
    for text in texts {
        match Message::from_json(text.get().as_bytes()) {
            Ok(one) if one.kind == MessageType::Create && below(&one.to, url) == Some("children") => children.push(one),
            Ok(_) => refused.push(BundleError::NoChild),
            Err(error) => refused.push(unreadable(&error)),
        }
    }
    Ok(Sealed::Many(children, refused))
}

/// Which part of an object an address names.
fn below<'a>(to: &'a Address, url: &Address) -> Option<&'a str> {
    Some(to.as_str().strip_prefix(url.as_str())?.strip_prefix('/')?.trim_matches('/'))
}

#[cfg(test)]
mod tests {
    use message::Body;

    use super::*;

    fn child(url: &str, number: usize) -> Message {
        let from = Address::parse("user://a.localhost/ana").unwrap();
        let to = Address::parse(&format!("{url}/children/")).unwrap();
        Message { id: 0, kind: MessageType::Create, from, to, body: Body::of(&number).unwrap() }
    }

    fn children(count: usize) -> Vec<Message> {
        (0..count).map(|number| child("comm://a.localhost/one", number)).collect()
    }

    fn read_back(plaintext: &[u8]) -> (Vec<Message>, usize) {
        match read(plaintext, &Address::parse("comm://a.localhost/one").unwrap()).unwrap() {
            Sealed::One(one) => (vec![one], 0),
            Sealed::Many(children, refused) => (children, refused.len()),
        }
    }

    #[test]
    fn children_come_out_of_a_bundle_in_the_order_in_which_they_went_in() {
        for count in [1, 2, BUNDLE_LIMIT] {
            assert_eq!(read_back(write(&children(count)).as_bytes()), (children(count), 0));
        }
    }

    #[test]
    fn what_is_no_bundle_is_refused_as_a_whole() {
        let url = Address::parse("comm://a.localhost/one").unwrap();
        let refused = |plaintext: &[u8]| read(plaintext, &url).is_err();
        for bad in [write(&[]), write(&children(BUNDLE_LIMIT + 1)), format!("[{}]", write(&children(1))), "[".into()] {
            assert!(refused(bad.as_bytes()), "{bad}");
        }
        let other = child("comm://a.localhost/two", 1);
        assert_eq!(read(other.to_json().as_bytes(), &url).unwrap_err(), BundleError::AnotherObject);
    }

    #[test]
    fn what_hides_in_a_bundle_is_refused_alone() {
        let [one, two] = [child("comm://a.localhost/one", 1), child("comm://a.localhost/one", 2)];
        let mut no_child = two.clone();
        (no_child.kind, no_child.to) = (MessageType::Event, one.to.base());
        let further = Message { to: Address::parse("comm://a.localhost/one/children/x/y").unwrap(), ..two.clone() };
        for odd in [child("comm://a.localhost/two", 1), child("comm://a.localhost/onetwo", 1), no_child, further] {
            let bundle = write(&[one.clone(), odd, two.clone()]);
            assert_eq!(read_back(bundle.as_bytes()), (vec![one.clone(), two.clone()], 1));
        }
        let bundle = format!("[{},[],{}]", one.to_json(), two.to_json());
        assert_eq!(read_back(bundle.as_bytes()), (vec![one, two], 1));
    }
}
