//! Wire `sse2`, "protocol 2": another framing at other paths, to show that stubs hide all of it.
//!
//! `POST /wire/2/hello` gives `[token, challenge]`; `GET /wire/2/stream` sends events named `batch`, each
//! the base64url of a JSON array of `[id, type, from, to, body]`; `POST /wire/2/batch` takes such an
//! array. The token stands in the field `x-wire2-token`. A last event `end` carries the code.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::StreamExt;
use message::{Address, Body, Message, MessageError, MessageType};
use serde_json::json;
use serde_json::value::RawValue;

use super::ports::{ListenError, Ports};
use super::{Door, Peer};
use crate::config::Wire;
use crate::limits::BATCH_MESSAGES;
use crate::switch::Outgoing;

const FIELD: &str = "x-wire2-token";

/// Messages in one event; with [`message::MESSAGE_LIMIT`] this bounds an event at 16 MiB.
const GATHER: usize = 16;

const ALIVE: Duration = Duration::from_secs(15);

type Context = State<(Door, Ports)>;

pub(super) fn routes(door: Door, ports: Ports) -> Router {
    Router::new()
        .route("/wire/2/hello", post(hello))
        .route("/wire/2/stream", get(stream))
        .route("/wire/2/batch", post(batch))
        .with_state((door, ports))
}

async fn hello(State((door, ports)): Context, peer: Peer) -> Response {
    match door.connect(Wire::Sse2, peer.0).await {
        Ok(connected) => (StatusCode::CREATED, Json(ports.open(connected))).into_response(),
        Err(refusal) => refusal,
    }
}

fn token(headers: &HeaderMap) -> &str {
    headers.get(FIELD).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn stream(State((_, ports)): Context, headers: HeaderMap) -> Response {
    match ports.listen(token(&headers), GATHER) {
        Ok(stream) => {
            let events = stream.flat_map(|batch| futures_util::stream::iter(events(&batch)));
            Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE).text("2")).into_response()
        }
        Err(ListenError::Unknown) => StatusCode::UNAUTHORIZED.into_response(),
        Err(ListenError::Taken) => StatusCode::CONFLICT.into_response(),
    }
}

fn events(batch: &[Outgoing]) -> Vec<Result<Event, Infallible>> {
    let rows: Vec<String> = batch
        .iter()
        .filter_map(|one| match one {
            Outgoing::Message(message) => Some(write_row(message)),
            Outgoing::Closed(_) => None,
        })
        .collect();
    let mut events = Vec::with_capacity(2);
    if !rows.is_empty() {
        let json = format!("[{}]", rows.join(","));
        events.push(Ok(Event::default().event("batch").data(keys::b64url(json.as_bytes()))));
    }
    if let Some(Outgoing::Closed(code)) = batch.last() {
        events.push(Ok(Event::default().event("end").data(code.0.to_string())));
    }
    events
}

fn write_row(message: &Message) -> String {
    // Addresses hold no quotes or backslashes (see `Address::parse`).
    format!(
        r#"[{},"{}","{}","{}",{}]"#,
        message.id,
        message.kind.as_str(),
        message.from,
        message.to,
        message.body.as_str()
    )
}

/// `[id, type, from, to, body]`.
type Row<'a> = (u64, String, Address, Address, &'a RawValue);

fn read_rows(body: &[u8]) -> Result<Vec<Row<'_>>, &'static str> {
    let rows: Vec<Row<'_>> = serde_json::from_slice(body).map_err(|_| "not an array of [id, type, from, to, body]")?;
    if rows.len() > BATCH_MESSAGES { Err("too many messages in one batch") } else { Ok(rows) }
}

fn read_row((id, kind, from, to, body): Row<'_>) -> Result<Message, MessageError> {
    let kind = MessageType::parse(&kind).ok_or_else(|| MessageError::Malformed("no such message type".into()))?;
    if id > message::ID_LIMIT {
        return Err(MessageError::IdTooLarge);
    }
    Ok(Message { id, kind, from, to, body: Body::from_json(body.get())? })
}

async fn batch(State((door, ports)): Context, headers: HeaderMap, body: Bytes) -> Response {
    let Some(session) = ports.session(token(&headers)) else { return StatusCode::UNAUTHORIZED.into_response() };
    let rows = match read_rows(&body) {
        Ok(rows) => rows,
        Err(why) => return refuse(&door, why).await,
    };
    for row in rows {
        match read_row(row) {
            Ok(message) => door.switch.receive(session, message).await,
            Err(error) => return refuse(&door, &error.to_string()).await,
        }
    }
    StatusCode::ACCEPTED.into_response()
}

async fn refuse(door: &Door, why: &str) -> Response {
    door.switch.malformed().await;
    (StatusCode::BAD_REQUEST, Json(json!([400, why]))).into_response()
}

/// What the fuzzers of `tests/fuzz` see of this wire.
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing {
    use super::*;

    /// Reads the body of a `POST /wire/2/batch`, as far as it is sound.
    pub fn read_batch(body: &[u8]) -> Vec<Message> {
        let rows = read_rows(body).unwrap_or_default();
        rows.into_iter().map_while(|row| read_row(row).ok()).collect()
    }

    /// Writes a message as a row of an event.
    pub fn write_row(message: &Message) -> String {
        super::write_row(message)
    }
}
