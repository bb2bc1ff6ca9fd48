//! Wire `sse`: messages by HTTP POST one way, by Server-Sent Events the other.
//!
//! `POST /wire/sse/session` gives `{session, challenge}`; the session's token then stands in the field
//! `parlance-session` of `GET /wire/sse/events` and `POST /wire/sse/send`. The last event of an ended
//! session is `closed` with `{"code":…}`.

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
use message::Message;
use serde_json::json;

use super::ports::{ListenError, Ports};
use super::{Door, Peer};
use crate::config::Wire;
use crate::switch::Outgoing;

const FIELD: &str = "parlance-session";

/// How often a quiet stream shows that it is alive.
const ALIVE: Duration = Duration::from_secs(15);

type Context = State<(Door, Ports)>;

pub(super) fn routes(door: Door, ports: Ports) -> Router {
    Router::new()
        .route("/wire/sse/session", post(open))
        .route("/wire/sse/events", get(events))
        .route("/wire/sse/send", post(send))
        .with_state((door, ports))
}

async fn open(State((door, ports)): Context, peer: Peer) -> Response {
    match door.connect(Wire::Sse, peer.0).await {
        Ok(connected) => {
            let (session, challenge) = ports.open(connected);
            (StatusCode::CREATED, Json(json!({ "session": session, "challenge": challenge }))).into_response()
        }
        Err(refusal) => refusal,
    }
}

fn token(headers: &HeaderMap) -> &str {
    headers.get(FIELD).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn events(State((_, ports)): Context, headers: HeaderMap) -> Response {
    match ports.listen(token(&headers), 1) {
        Ok(stream) => {
            let events = stream.flat_map(|batch| futures_util::stream::iter(batch.into_iter().map(event)));
            Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE)).into_response()
        }
        Err(ListenError::Unknown) => StatusCode::UNAUTHORIZED.into_response(),
        Err(ListenError::Taken) => StatusCode::CONFLICT.into_response(),
    }
}

fn event(outgoing: Outgoing) -> Result<Event, Infallible> {
    Ok(match outgoing {
        Outgoing::Message(message) => Event::default().event("message").data(message.to_json()),
        Outgoing::Closed(code) => Event::default().event("closed").data(json!({ "code": code }).to_string()),
    })
}

async fn send(State((door, ports)): Context, headers: HeaderMap, body: Bytes) -> Response {
    let Some(session) = ports.session(token(&headers)) else { return StatusCode::UNAUTHORIZED.into_response() };
    match Message::from_json(&body) {
        Ok(message) => {
            door.switch.receive(session, message).await;
            StatusCode::ACCEPTED.into_response()
        }
        Err(error) => {
            door.switch.malformed().await;
            (StatusCode::BAD_REQUEST, Json(json!({ "code": 400, "description": error.to_string() }))).into_response()
        }
    }
}
