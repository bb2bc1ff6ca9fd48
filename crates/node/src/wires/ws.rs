//! Wire `ws`: JSON messages, one per frame, over a WebSocket at `/wire/ws`.
//!
//! The node speaks first: `{"challenge":…}`. It ends a session with close code 4000 + the code.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message as Frame, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use message::Message;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::{Door, Peer, answer_malformed};
use crate::config::Wire;
use crate::exchange::SessionId;
use crate::limits::BODY_LIMIT;
use crate::outbox::Outbox;
use crate::switch::{Connected, Outgoing, Switch};

/// How often the node asks whether the other side is still there.
const PING: Duration = Duration::from_secs(25);

/// A socket that is silent for this long is gone.
const SILENCE: Duration = Duration::from_secs(70);

/// What is read from a socket in one go, in bytes. Each session holds a buffer of this size for as long as it is open, also
/// while it says nothing: the library's own 128 KiB were nine tenths of what a silent session cost.
const READ_AT_ONCE: usize = 16 * 1024;

/// Messages written before one flush.
const GATHER: usize = 64;

pub(super) fn routes(door: Door) -> Router {
    Router::new().route("/wire/ws", any(upgrade)).with_state(door)
}

async fn upgrade(State(door): State<Door>, peer: Peer, upgrade: WebSocketUpgrade) -> Response {
    match door.connect(Wire::Ws, peer.0).await {
        Ok(connected) => upgrade
            .max_message_size(BODY_LIMIT)
            .max_frame_size(BODY_LIMIT)
            .read_buffer_size(READ_AT_ONCE)
            .on_upgrade(move |socket| door.goodbyes.track_future(serve(socket, door.switch, connected))),
        Err(refusal) => refusal,
    }
}

async fn serve(socket: WebSocket, switch: Switch, connected: Connected) {
    let Connected { session, challenge, outbox } = connected;
    let (mut sink, stream) = socket.split();
    let greeting = serde_json::json!({ "challenge": challenge }).to_string();
    if sink.send(Frame::Text(greeting.into())).await.is_ok() {
        let (errors, malformed) = mpsc::channel(8);
        let overflow = outbox.overflow();
        tokio::select! {
            () = write(sink, outbox, malformed) => {}
            () = read(stream, &switch, session, errors) => {}
            // Whoever does not read is not waited for.
            () = overflow.cancelled() => {}
        }
    }
    switch.disconnect(session);
}

/// Writes until the exchange ends the session or the socket breaks.
async fn write(mut sink: SplitSink<WebSocket, Frame>, mut outbox: Outbox, mut malformed: mpsc::Receiver<Message>) {
    let mut ping = tokio::time::interval_at(Instant::now() + PING, PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut batch = Vec::with_capacity(GATHER);
    loop {
        tokio::select! {
            taken = outbox.recv_many(&mut batch, GATHER) => if taken == 0 { return },
            Some(answer) = malformed.recv() => batch.push(Outgoing::Message(answer)),
            _ = ping.tick() => {
                if sink.send(Frame::Ping(Default::default())).await.is_err() { return }
            }
        }
        for outgoing in batch.drain(..) {
            let (frame, is_end) = match outgoing {
                Outgoing::Message(message) => (Frame::Text(message.to_json().into()), false),
                Outgoing::Closed(code) => (
                    Frame::Close(Some(CloseFrame { code: 4000 + code.0.min(999), reason: code.0.to_string().into() })),
                    true,
                ),
            };
            if sink.feed(frame).await.is_err() {
                return;
            }
            if is_end {
                // The other side may be gone already; then there is nobody to tell.
                let _ = sink.flush().await;
                return;
            }
        }
        if sink.flush().await.is_err() {
            return;
        }
    }
}

/// Reads until the socket ends, is silent for too long, or sends what is no message too often.
async fn read(mut stream: SplitStream<WebSocket>, switch: &Switch, session: SessionId, errors: mpsc::Sender<Message>) {
    let mut patience = 8;
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(SILENCE, stream.next()).await {
        let bytes = match &frame {
            Frame::Text(text) => text.as_bytes(),
            Frame::Binary(bytes) => bytes.as_ref(),
            Frame::Close(_) => return,
            Frame::Ping(_) | Frame::Pong(_) => continue,
        };
        match Message::from_json(bytes) {
            Ok(message) => switch.receive(session, message).await,
            Err(error) => {
                switch.malformed().await;
                patience -= 1;
                if patience == 0 {
                    return;
                }
                if let Some(answer) = answer_malformed(bytes, &error) {
                    // The queue is short on purpose: whoever floods it gets no answers.
                    let _ = errors.try_send(answer);
                }
            }
        }
    }
}
