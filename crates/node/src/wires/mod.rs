//! The protocols between a domain's stub and its node; one is in force at a time.

mod ports;
mod sse;
mod sse2;
mod ws;

#[cfg(feature = "fuzzing")]
pub(crate) use sse2::fuzzing;

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use message::{Address, Code, Message, MessageError, MessageType};
use serde::Deserialize;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::config::Wire;
use crate::exchange::ConnectError;
use crate::switch::{Connected, Switch};
use ports::Ports;

/// What every wire needs.
#[derive(Clone)]
pub struct Door {
    /// The exchange behind it.
    pub switch: Switch,
    /// The wire in force.
    pub wire: watch::Receiver<Wire>,
    /// Sockets that still say goodbye; HTTP knows of its own only.
    pub goodbyes: TaskTracker,
}

impl Door {
    async fn connect(&self, wire: Wire, peer: SocketAddr) -> Result<Connected, Response> {
        self.switch.connect(wire, peer.ip()).await.map_err(|error| match error {
            ConnectError::OtherWire => upgrade_required(*self.wire.borrow()),
            ConnectError::TooOften => (StatusCode::TOO_MANY_REQUESTS, error.to_string()).into_response(),
            ConnectError::Full | ConnectError::Stopping => {
                (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response()
            }
        })
    }
}

/// The routes of all wires; those not in force answer 426.
pub fn routes(door: Door) -> Router {
    let guarded = |router: Router, wire: Wire| {
        // Not on what is no path of the wire at all: that is a 404.
        router.route_layer(axum::middleware::from_fn_with_state((door.wire.clone(), wire), only_in_force))
    };
    Router::new()
        .merge(guarded(ws::routes(door.clone()), Wire::Ws))
        .merge(guarded(sse::routes(door.clone(), Ports::new(door.switch.clone())), Wire::Sse))
        .merge(guarded(sse2::routes(door.clone(), Ports::new(door.switch.clone())), Wire::Sse2))
}

async fn only_in_force(
    State((force, wire)): State<(watch::Receiver<Wire>, Wire)>,
    request: Request,
    next: Next,
) -> Response {
    let now = *force.borrow();
    if now == wire { next.run(request).await } else { upgrade_required(now) }
}

/// The domain speaks another protocol now (RFC 9110, 15.5.22 asks for an `Upgrade` field).
fn upgrade_required(now: Wire) -> Response {
    let body = axum::Json(serde_json::json!({ "code": 426, "wire": now.as_str() }));
    let mut response = (StatusCode::UPGRADE_REQUIRED, body).into_response();
    let value = HeaderValue::from_static(match now {
        Wire::Ws => "parlance-ws",
        Wire::Sse => "parlance-sse",
        Wire::Sse2 => "parlance-sse2",
    });
    response.headers_mut().insert(header::UPGRADE, value);
    response
}

/// Finds out whom to answer when bytes are no message, so that the sender need not wait for nothing.
pub(crate) fn answer_malformed(bytes: &[u8], error: &MessageError) -> Option<Message> {
    #[derive(Deserialize)]
    struct Loose {
        id: u64,
        from: Address,
        #[serde(rename = "type")]
        kind: String,
    }
    let loose: Loose = serde_json::from_slice(bytes).ok()?;
    if matches!(loose.kind.as_str(), "response" | "event" | "close") || loose.id > message::ID_LIMIT {
        return None;
    }
    let node = Address::parse(&format!("domain://msg-node.{}/session", loose.from.domain_str())).ok()?;
    let code = if matches!(error, MessageError::TooLarge { .. }) { Code::TOO_LARGE } else { Code::BAD_REQUEST };
    let body = message::Body::of(&message::Response::because(code, error.to_string())).ok()?;
    Some(Message { id: loose.id, kind: MessageType::Response, from: node, to: loose.from, body })
}

/// The network address a request came from.
type Peer = ConnectInfo<SocketAddr>;

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(bytes: &[u8]) -> Option<Message> {
        answer_malformed(bytes, &Message::from_json(bytes).unwrap_err())
    }

    #[test]
    fn a_refusal_is_itself_a_message() {
        let greeting =
            |id: u64, kind: &str| format!(r#"{{"id":{id},"type":"{kind}","from":"runtime://a.localhost/x"}}"#);
        let refusal = answer(greeting(7, "greet").as_bytes()).unwrap();
        assert_eq!(Message::from_json(refusal.to_json().as_bytes()).unwrap(), refusal);
        assert_eq!(answer(greeting(1 << 53, "greet").as_bytes()), None, "no answer could carry that id");
    }
}
