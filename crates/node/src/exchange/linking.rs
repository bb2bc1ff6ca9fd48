//! The one thing a device without an account may say: the first word to a device its owner has already.
//!
//! What it says is sealed for that device; the node only keeps strangers from flooding an inbox this way.

use message::{Address, Body, Code, Message, MessageType};
use serde::Deserialize;

use super::session::Role;
use super::{Exchange, SessionId};
use crate::limits::{LINKING_AGE_MS, LINKING_BYTES, LINKING_PER_SESSION};
use crate::records::RecordsError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    to: Address,
    sealed: String,
}

impl Request {
    fn read(message: &Message) -> Option<Self> {
        let request: Self = message.body.parse().ok()?;
        let fits = (1..=LINKING_BYTES).contains(&request.sealed.len()) && keys::from_b64url(&request.sealed).is_ok();
        (fits && message.kind == MessageType::Create).then_some(request)
    }
}

impl Exchange {
    pub(super) fn on_linking(&mut self, id: SessionId, message: &Message, now_ms: i64) -> Result<(), RecordsError> {
        let Some(proven) = self.proven(id) else { return Ok(()) };
        if proven.role != Role::Member || proven.user.is_some() {
            self.refuse(id, message, Code::FORBIDDEN, "linking is for a device that has no account yet");
            return Ok(());
        }
        let from = proven.address.clone();
        let Some(Request { to, sealed }) = Request::read(message) else {
            self.refuse(
                id,
                message,
                Code::BAD_REQUEST,
                "name an inbox and what is sealed, in base64url of at most 8 KiB",
            );
            return Ok(());
        };
        // Counted before the inbox is looked for, so that nobody tries many.
        let said = self.sessions.get_mut(&id).map_or(u32::MAX, |session| {
            session.linkings = session.linkings.saturating_add(1);
            session.linkings
        });
        if said > LINKING_PER_SESSION {
            return self.too_many(id, message);
        }
        if to.domain() != self.domain || !self.records.is_inbox(to.as_str(), now_ms / 1000)? {
            self.refuse(id, message, Code::NOT_FOUND, "no such inbox");
            return Ok(());
        }
        if !self.linkings.count((), self.limits.linking_per_minute, now_ms) {
            return self.too_many(id, message);
        }
        let body = Body::of(&serde_json::json!({ "v": 1, "sealed": sealed }));
        let body = body.expect("a short text within two members is a body");
        let parcel = Message { id: 0, kind: MessageType::Create, from, to, body };
        self.hand_over(id, message.clone(), parcel, LINKING_AGE_MS, now_ms)
    }

    fn too_many(&mut self, id: SessionId, message: &Message) -> Result<(), RecordsError> {
        self.stats.limited += 1;
        self.refuse(id, message, Code::TOO_MANY, "too many linking messages; try again in a minute");
        Ok(())
    }
}
