//! The message that all rooms, guests and nodes exchange: `{id, type, from, to, body}`.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::address::{Address, AddressError};
use crate::code::Code;
use crate::limits::{DEPTH_LIMIT, MESSAGE_LIMIT};

/// A number that pairs a request with its responses, unique per sender.
pub type MessageId = u64;

/// Largest id that survives a trip through a guest (2^53 - 1, the largest safe integer of JavaScript).
pub const ID_LIMIT: MessageId = (1 << 53) - 1;

/// How much of a parser's complaint is kept.
const REASON_CHARS: usize = 160;

/// Why bytes are not a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Larger than [`MESSAGE_LIMIT`].
    #[error("a message has at most {MESSAGE_LIMIT} bytes, this one has {length}")]
    TooLarge {
        /// Its length in bytes.
        length: usize,
    },
    /// Nested deeper than [`DEPTH_LIMIT`].
    #[error("a message body is nested at most {DEPTH_LIMIT} deep")]
    TooDeep,
    /// Not JSON, or not of the envelope's shape.
    #[error("not a message: {0}")]
    Malformed(String),
    /// `from` or `to` is no address.
    #[error("{field} is no address: {source}")]
    Address {
        /// Which of the two.
        field: &'static str,
        /// What is wrong with it.
        source: AddressError,
    },
    /// The id is above 2^53 - 1.
    #[error("a message id is at most 2^53 - 1")]
    IdTooLarge,
    /// The body is not of the shape the receiver needs.
    #[error("the body is not what was expected: {0}")]
    Body(String),
}

/// What a message asks for (reference data model, Message; lower case on the wire).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageType {
    /// Make a resource.
    Create,
    /// Get a resource.
    Read,
    /// Change a resource, or report a change of it.
    Update,
    /// Remove a resource.
    Delete,
    /// Hear about a resource from now on.
    Subscribe,
    /// Hear no more about it.
    Unsubscribe,
    /// The answer to a request; its body carries a [`Code`].
    Response,
    /// Carries a request on to the one who decides.
    Forward,
    /// Call a method.
    Execute,
    /// Tell, without asking for an answer.
    Event,
    /// Open a session with a node.
    Open,
    /// Close a session with a node.
    Close,
}

impl MessageType {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Subscribe => "subscribe",
            Self::Unsubscribe => "unsubscribe",
            Self::Response => "response",
            Self::Forward => "forward",
            Self::Execute => "execute",
            Self::Event => "event",
            Self::Open => "open",
            Self::Close => "close",
        }
    }

    /// Reads the word on the wire.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "create" => Self::Create,
            "read" => Self::Read,
            "update" => Self::Update,
            "delete" => Self::Delete,
            "subscribe" => Self::Subscribe,
            "unsubscribe" => Self::Unsubscribe,
            "response" => Self::Response,
            "forward" => Self::Forward,
            "execute" => Self::Execute,
            "event" => Self::Event,
            "open" => Self::Open,
            "close" => Self::Close,
            _ => return None,
        })
    }

    /// Whether the sender waits for an answer.
    pub fn wants_response(self) -> bool {
        !matches!(self, Self::Response | Self::Event | Self::Close)
    }
}

/// The body of a message: JSON text that is parsed only where somebody looks into it.
#[derive(Clone, PartialEq, Eq)]
pub struct Body(Arc<str>);

impl Body {
    /// The empty object.
    pub fn empty() -> Self {
        Self("{}".into())
    }

    /// Writes a value as a body.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, MessageError> {
        let text = serde_json::to_string(value).map_err(|e| MessageError::Body(reason(&e)))?;
        Ok(Self(text.into()))
    }

    /// Takes JSON text as a body, checking its size and depth and that it is JSON.
    pub fn from_json(text: &str) -> Result<Self, MessageError> {
        if text.len() > MESSAGE_LIMIT {
            return Err(MessageError::TooLarge { length: text.len() });
        }
        check_depth(text.as_bytes(), DEPTH_LIMIT)?;
        let raw: &RawValue = serde_json::from_str(text).map_err(|e| MessageError::Malformed(reason(&e)))?;
        // Without the blanks around it, as it stands inside an envelope.
        Ok(Self(raw.get().into()))
    }

    /// Reads the body as a `T`.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, MessageError> {
        serde_json::from_str(&self.0).map_err(|e| MessageError::Body(reason(&e)))
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shows the length only: a body may hold what people wrote.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// A message between two addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Pairs requests and responses.
    pub id: MessageId,
    /// What it asks for.
    pub kind: MessageType,
    /// Who sent it; stamped by the bus, never believed from a guest.
    pub from: Address,
    /// Whom it is for.
    pub to: Address,
    /// What it says.
    pub body: Body,
}

/// The body of a response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// How it went.
    pub code: Code,
    /// Why, in words a developer can act on.
    #[serde(default, alias = "desc", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What was asked for.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub value: serde_json::Value,
}

impl Response {
    /// A bare code.
    pub fn code(code: Code) -> Self {
        Self { code, description: None, value: serde_json::Value::Null }
    }

    /// A code with its reason.
    pub fn because(code: Code, description: impl Into<String>) -> Self {
        Self { code, description: Some(description.into()), value: serde_json::Value::Null }
    }

    /// 200 with a value.
    pub fn ok(value: serde_json::Value) -> Self {
        Self { code: Code::OK, description: None, value }
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    id: u64,
    #[serde(rename = "type")]
    kind: MessageType,
    from: String,
    to: String,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
}

impl Message {
    /// Reads a message from JSON (the paper's common message format).
    pub fn from_json(bytes: &[u8]) -> Result<Self, MessageError> {
        if bytes.len() > MESSAGE_LIMIT {
            return Err(MessageError::TooLarge { length: bytes.len() });
        }
        // The envelope is one level above its body.
        check_depth(bytes, DEPTH_LIMIT + 1)?;
        let text = std::str::from_utf8(bytes).map_err(|e| MessageError::Malformed(reason(&e)))?;
        let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|e| MessageError::Malformed(reason(&e)))?;
        if envelope.id > ID_LIMIT {
            return Err(MessageError::IdTooLarge);
        }
        Ok(Self {
            id: envelope.id,
            kind: envelope.kind,
            from: parse_end("from", &envelope.from)?,
            to: parse_end("to", &envelope.to)?,
            body: envelope.body.map_or_else(Body::empty, |raw| Body(raw.get().into())),
        })
    }

    /// Writes the message as JSON.
    pub fn to_json(&self) -> String {
        let mut text =
            String::with_capacity(96 + self.from.as_str().len() + self.to.as_str().len() + self.body.0.len());
        use fmt::Write;
        // Addresses hold no quotes, backslashes or control characters (see `Address::parse`).
        let written = write!(
            text,
            r#"{{"id":{},"type":"{}","from":"{}","to":"{}","body":{}}}"#,
            self.id,
            self.kind.as_str(),
            self.from,
            self.to,
            self.body.as_str()
        );
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
        text
    }

    /// Writes the message as a guest reads it: four lines of envelope, then the body's JSON.
    ///
    /// A guest that only looks at the envelope never parses the body; JSON is
    /// what costs the most inside a guest.
    pub fn to_frame(&self) -> String {
        format!("{}\n{}\n{}\n{}\n{}", self.id, self.kind.as_str(), self.from, self.to, self.body.as_str())
    }

    /// Reads what a guest wrote. `from` is what the guest claims; the bus stamps over it.
    pub fn from_frame(frame: &str) -> Result<Self, MessageError> {
        if frame.len() > MESSAGE_LIMIT {
            return Err(MessageError::TooLarge { length: frame.len() });
        }
        let mut lines = frame.splitn(5, '\n');
        let mut line = |name: &str| lines.next().ok_or_else(|| MessageError::Malformed(format!("no {name}")));
        let id = line("id")?.parse::<u64>().map_err(|_| MessageError::Malformed("the id is a number".into()))?;
        if id > ID_LIMIT {
            return Err(MessageError::IdTooLarge);
        }
        let kind =
            MessageType::parse(line("type")?).ok_or_else(|| MessageError::Malformed("no such message type".into()))?;
        let from = parse_end("from", line("from")?)?;
        let to = parse_end("to", line("to")?)?;
        let body = line("body")?;
        let body = if body.is_empty() { Body::empty() } else { Body::from_json(body)? };
        Ok(Self { id, kind, from, to, body })
    }

    /// The answer to this message: same id, ends swapped.
    pub fn response(&self, response: &Response) -> Message {
        let body = serde_json::to_string(response).map_or_else(|_| Body::empty(), |text| Body(text.into()));
        Message { id: self.id, kind: MessageType::Response, from: self.to.clone(), to: self.from.clone(), body }
    }

    /// The code of a response, or `None` when this is not one.
    pub fn response_code(&self) -> Option<Code> {
        #[derive(Deserialize)]
        struct OnlyCode {
            code: Code,
        }
        (self.kind == MessageType::Response)
            .then(|| self.body.parse::<OnlyCode>().map_or(Code::FAILED, |only| only.code))
    }
}

fn parse_end(field: &'static str, text: &str) -> Result<Address, MessageError> {
    Address::parse(text).map_err(|source| MessageError::Address { field, source })
}

/// A parser's words, bounded: they can repeat what a stranger wrote.
fn reason(error: &dyn fmt::Display) -> String {
    error.to_string().chars().take(REASON_CHARS).collect()
}

/// Refuses JSON that is nested too deep, before a recursive parser sees it.
fn check_depth(bytes: &[u8], limit: usize) -> Result<(), MessageError> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for &byte in bytes {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth += 1;
                if depth > limit {
                    return Err(MessageError::TooDeep);
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> Message {
        Message {
            id: 7,
            kind: MessageType::Create,
            from: Address::parse("hyperty://a.localhost/1").unwrap(),
            to: Address::parse("comm://b.localhost/2/children/").unwrap(),
            body: Body::from_json(r#"{"value":"hello"}"#).unwrap(),
        }
    }

    #[test]
    fn a_message_survives_json_and_frame() {
        assert_eq!(Message::from_json(hello().to_json().as_bytes()).unwrap(), hello());
        assert_eq!(Message::from_frame(&hello().to_frame()).unwrap(), hello());
    }

    #[test]
    fn a_body_may_be_equally_deep_in_json_and_in_a_frame() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let deepest = Message { body: Body::from_json(&nested(DEPTH_LIMIT)).unwrap(), ..hello() };
        assert_eq!(Message::from_json(deepest.to_json().as_bytes()).unwrap(), deepest);
        assert_eq!(Message::from_frame(&deepest.to_frame()).unwrap(), deepest);
        let deeper = hello().to_json().replace(r#"{"value":"hello"}"#, &nested(DEPTH_LIMIT + 1));
        assert_eq!(Message::from_json(deeper.as_bytes()), Err(MessageError::TooDeep));
        assert_eq!(Body::from_json(&nested(DEPTH_LIMIT + 1)), Err(MessageError::TooDeep));
    }

    #[test]
    fn a_refusal_repeats_little_of_what_was_written() {
        let long = "x".repeat(10_000);
        let bytes = format!(r#"{{"id":1,"type":"{long}","from":"a://b","to":"a://b"}}"#);
        assert!(Message::from_json(bytes.as_bytes()).unwrap_err().to_string().len() < 1_000);
        let body = Body::of(&long).unwrap();
        assert!(body.parse::<u64>().unwrap_err().to_string().len() < 1_000);
    }

    #[test]
    fn blanks_around_a_body_are_no_part_of_it() {
        assert_eq!(Body::from_json(" {}\r\n").unwrap(), Body::empty());
    }

    #[test]
    fn an_answer_goes_back_to_the_sender() {
        let answer = hello().response(&Response::code(Code::OK));
        assert_eq!((answer.id, &answer.to, &answer.from), (7, &hello().from, &hello().to));
        assert_eq!(answer.response_code(), Some(Code::OK));
    }

    #[test]
    fn bad_messages_are_refused_with_their_reason() {
        let json = hello().to_json();
        let deep = json.replace(r#""hello""#, &format!("{}1{}", "[".repeat(40), "]".repeat(40)));
        assert_eq!(Message::from_json(deep.as_bytes()), Err(MessageError::TooDeep));
        let huge = json.replace("hello", &"x".repeat(MESSAGE_LIMIT));
        assert!(matches!(Message::from_json(huge.as_bytes()), Err(MessageError::TooLarge { .. })));
        let id = json.replace(r#""id":7"#, r#""id":9007199254740992"#);
        assert_eq!(Message::from_json(id.as_bytes()), Err(MessageError::IdTooLarge));
        let from = json.replace("hyperty://a", "hyperty://A");
        assert!(matches!(Message::from_json(from.as_bytes()), Err(MessageError::Address { field: "from", .. })));
        for bad in ["", "null", "[]", "{}", r#"{"id":1}"#, "\u{feff}{}"] {
            assert!(matches!(Message::from_json(bad.as_bytes()), Err(MessageError::Malformed(_))), "{bad}");
        }
        assert!(Message::from_frame("1\ncreate\nhyperty://a/1\nhyperty://b/1\n{").is_err());
        assert!(Message::from_frame("1\ncreate").is_err());
    }

    #[test]
    fn a_log_line_does_not_hold_the_text() {
        assert!(!format!("{:?}", hello()).contains("hello"));
    }
}
