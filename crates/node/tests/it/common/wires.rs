//! The three wires, seen from the other side.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{SinkExt, StreamExt};
use message::{Address, Body, Message, MessageType};
use node::Wire;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::protocol::Message as Frame;

use super::WAIT;
use super::oidc::http;

/// What comes from the node.
#[derive(Debug)]
pub enum Heard {
    Message(Message),
    Closed(u16),
}

/// A connection whose wire no longer matters.
pub struct Link {
    pub challenge: String,
    out: mpsc::UnboundedSender<Vec<u8>>,
    heard: mpsc::UnboundedReceiver<Heard>,
    wire: Wire,
    deaf: Arc<AtomicBool>,
    _task: Ends,
}

struct Ends(Vec<tokio::task::JoinHandle<()>>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.iter().for_each(|task| task.abort());
    }
}

impl Link {
    /// Connects; an error is the HTTP status.
    pub async fn connect(port: u16, wire: Wire) -> Result<Self, u16> {
        match wire {
            Wire::Ws => ws(port).await,
            Wire::Sse => posts(port, wire, "sse/session", "sse/events", "sse/send", "parlance-session").await,
            Wire::Sse2 => posts(port, wire, "2/hello", "2/stream", "2/batch", "x-wire2-token").await,
        }
    }

    pub fn send(&self, message: Message) {
        let text = match self.wire {
            Wire::Ws | Wire::Sse => message.to_json(),
            Wire::Sse2 => {
                let body: Value = message.body.parse().unwrap();
                json!([[message.id, message.kind, message.from, message.to, body]]).to_string()
            }
        };
        self.send_bytes(text.into_bytes());
    }

    pub fn send_bytes(&self, bytes: Vec<u8>) {
        // The task may have ended with the session.
        let _ = self.out.send(bytes);
    }

    /// Leaves what comes in the socket from now on; only the WebSocket can.
    pub fn stop_reading(&self) {
        self.deaf.store(true, Ordering::Relaxed);
    }

    pub async fn hear(&mut self) -> Heard {
        let heard = tokio::time::timeout(WAIT, self.heard.recv()).await.expect("the node says something in time");
        heard.unwrap_or(Heard::Closed(0))
    }

    /// What comes next, however long it takes; the end when the connection is lost.
    pub async fn hear_or_end(&mut self) -> Heard {
        self.heard.recv().await.unwrap_or(Heard::Closed(0))
    }

    /// The answer to a request, or nothing when the connection is lost; other messages are left out.
    pub async fn answer_or_end(&mut self, id: u64) -> Option<Message> {
        loop {
            match self.hear_or_end().await {
                Heard::Message(message) if message.kind == MessageType::Response && message.id == id => {
                    return Some(message);
                }
                Heard::Message(_) => {}
                Heard::Closed(_) => return None,
            }
        }
    }

    /// Whether nothing comes for a moment.
    pub async fn is_quiet(&mut self) -> bool {
        tokio::time::timeout(std::time::Duration::from_millis(150), self.heard.recv()).await.is_err()
    }
}

async fn ws(port: u16) -> Result<Link, u16> {
    let connected = tokio_tungstenite::connect_async(format!("ws://127.0.0.1:{port}/wire/ws")).await;
    let mut socket = match connected {
        Ok((socket, _)) => socket,
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => return Err(response.status().as_u16()),
        // Nobody listens there.
        Err(_) => return Err(0),
    };
    let Some(Ok(greeting)) = socket.next().await else { return Err(0) };
    let greeting: Value = serde_json::from_str(greeting.to_text().unwrap()).unwrap();
    let (out, mut outgoing) = mpsc::unbounded_channel::<Vec<u8>>();
    let (hears, heard) = mpsc::unbounded_channel();
    let deaf = Arc::<AtomicBool>::default();
    let is_deaf = deaf.clone();
    let task = tokio::spawn(async move {
        loop {
            tokio::select! {
                bytes = outgoing.recv() => match bytes {
                    Some(bytes) => if socket.send(Frame::text(String::from_utf8_lossy(&bytes).into_owned())).await.is_err() { break },
                    None => break,
                },
                frame = socket.next(), if !is_deaf.load(Ordering::Relaxed) => match frame {
                    Some(Ok(Frame::Text(text))) => {
                        let _ = hears.send(Heard::Message(Message::from_json(text.as_bytes()).unwrap()));
                    }
                    Some(Ok(Frame::Close(close))) => {
                        let _ = hears.send(Heard::Closed(close.map_or(0, |close| u16::from(close.code) - 4000)));
                        break;
                    }
                    Some(Ok(_)) => {}
                    _ => break,
                }
            }
        }
    });
    let challenge = greeting["challenge"].as_str().unwrap().to_owned();
    Ok(Link { challenge, out, heard, wire: Wire::Ws, deaf, _task: Ends(vec![task]) })
}

async fn posts(
    port: u16,
    wire: Wire,
    open: &str,
    events: &str,
    send: &'static str,
    field: &'static str,
) -> Result<Link, u16> {
    let base = format!("http://127.0.0.1:{port}/wire/");
    let response = http().post(format!("{base}{open}")).send().await.unwrap();
    if !response.status().is_success() {
        return Err(response.status().as_u16());
    }
    let opened: Value = response.json().await.unwrap();
    let part =
        |index: usize, name: &str| opened.get(index).or_else(|| opened.get(name)).unwrap().as_str().unwrap().to_owned();
    let (token, challenge) = (part(0, "session"), part(1, "challenge"));
    let (out, mut outgoing) = mpsc::unbounded_channel::<Vec<u8>>();
    let (hears, heard) = mpsc::unbounded_channel();
    let stream = http().get(format!("{base}{events}")).header(field, &token).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    let reader = tokio::spawn(async move {
        let mut stream = stream.bytes_stream();
        let (mut text, mut name) = (String::new(), String::new());
        while let Some(Ok(chunk)) = stream.next().await {
            text.push_str(std::str::from_utf8(&chunk).unwrap());
            while let Some(end) = text.find('\n') {
                let line: String = text.drain(..=end).collect();
                if let Some(event) = line.trim_end().strip_prefix("event: ") {
                    name = event.to_owned();
                } else if let Some(data) = line.trim_end().strip_prefix("data: ") {
                    hear(&name, data).into_iter().for_each(|one| drop(hears.send(one)));
                }
            }
        }
    });
    let writer = tokio::spawn(async move {
        while let Some(bytes) = outgoing.recv().await {
            let _ = http().post(format!("{base}{send}")).header(field, &token).body(bytes).send().await;
        }
    });
    Ok(Link { challenge, out, heard, wire, deaf: Arc::default(), _task: Ends(vec![reader, writer]) })
}

fn hear(name: &str, data: &str) -> Vec<Heard> {
    match name {
        "message" => vec![Heard::Message(Message::from_json(data.as_bytes()).unwrap())],
        "closed" => {
            let body: Value = serde_json::from_str(data).unwrap();
            vec![Heard::Closed(u16::try_from(body["code"].as_u64().unwrap()).unwrap())]
        }
        "end" => vec![Heard::Closed(data.parse().unwrap())],
        "batch" => {
            let rows: Vec<(u64, MessageType, Address, Address, Value)> =
                serde_json::from_slice(&keys::from_b64url(data).unwrap()).unwrap();
            let read = |(id, kind, from, to, body): (_, _, _, _, Value)| {
                Heard::Message(Message { id, kind, from, to, body: Body::of(&body).unwrap() })
            };
            rows.into_iter().map(read).collect()
        }
        _ => Vec::new(),
    }
}
