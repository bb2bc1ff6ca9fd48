//! A domain whose Node is not honest: a real node, and before it somebody who reads, changes, drops and invents.
//!
//! The world reaches the domain at the crook's port. What the apps and the node say to each other on
//! the wire `ws` passes through [`Crooked::tampers`]; everything else passes as it is.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{SinkExt, StreamExt};
use node::Wire;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message as Frame;

use crate::Domain;

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From an app to the node.
    ToNode,
    /// From the node to an app.
    ToApp,
}

/// What becomes of a message: nothing, itself, or others in its place.
pub type Tamper = dyn FnMut(Way, Value) -> Vec<Value> + Send;

/// A domain with a crook before its node.
pub struct Crooked {
    /// The domain, as the world sees it.
    pub domain: Domain,
    hand: Arc<Hand>,
    listening: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Hand {
    tamper: Mutex<Option<Box<Tamper>>>,
    apps: Mutex<Vec<mpsc::UnboundedSender<Value>>>,
    http: Mutex<String>,
    seen: Mutex<Vec<(Way, Value)>>,
}

impl Crooked {
    /// Starts the domain with a crook who lets everything pass.
    pub async fn start(name: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let domain = Domain::start_behind(name, Wire::Ws, listener.local_addr().unwrap().port()).await;
        let (hand, node) = (Arc::new(Hand::default()), domain.node().port());
        let own = hand.clone();
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, node, own.clone()));
            }
        });
        Self { domain, hand, listening }
    }

    /// From now on each message of the wire becomes what this says.
    pub fn tampers(&self, tamper: impl FnMut(Way, Value) -> Vec<Value> + Send + 'static) {
        *lock(&self.hand.tamper) = Some(Box::new(tamper));
    }

    /// Lets everything pass again.
    pub fn is_honest(&self) {
        *lock(&self.hand.tamper) = None;
    }

    /// Says this to every app that is connected, as if the node had.
    pub fn says(&self, message: &Value) {
        lock(&self.hand.apps).retain(|app| app.send(message.clone()).is_ok());
    }

    /// All that was said on the wire, before it was tampered with.
    pub fn seen(&self) -> Vec<(Way, Value)> {
        lock(&self.hand.seen).clone()
    }

    /// All that was asked by HTTP beside the wire.
    pub fn asked(&self) -> String {
        lock(&self.hand.http).clone()
    }
}

impl Drop for Crooked {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Hand {
    fn passes(&self, way: Way, value: Value) -> Vec<Value> {
        lock(&self.seen).push((way, value.clone()));
        match lock(&self.tamper).as_mut() {
            Some(tamper) => tamper(way, value),
            None => vec![value],
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(stream: TcpStream, node: u16, hand: Arc<Hand>) {
    let mut head = [0; 512];
    let got = stream.peek(&mut head).await.unwrap_or(0);
    if head[..got].starts_with(b"GET /wire/ws") {
        wire(stream, node, &hand).await;
    } else {
        pass(stream, node, &hand).await;
    }
}

/// Passes bytes on, and keeps what was asked.
async fn pass(stream: TcpStream, node: u16, hand: &Hand) {
    let Ok(up) = TcpStream::connect(("127.0.0.1", node)).await else { return };
    let ((mut from_app, mut to_app), (mut from_node, mut to_node)) = (stream.into_split(), up.into_split());
    let asking = async {
        let mut bytes = vec![0; 16 * 1024];
        while let Ok(got) = from_app.read(&mut bytes).await {
            if got == 0 || to_node.write_all(&bytes[..got]).await.is_err() {
                break;
            }
            lock(&hand.http).push_str(&String::from_utf8_lossy(&bytes[..got]));
        }
        // The node may still be answering.
        let _ = to_node.shutdown().await;
    };
    let answering = async {
        // Either side may go at any time.
        let _ = tokio::io::copy(&mut from_node, &mut to_app).await;
        let _ = to_app.shutdown().await;
    };
    tokio::join!(asking, answering);
}

/// Passes the messages of one WebSocket through the crook's hand.
async fn wire(stream: TcpStream, node: u16, hand: &Hand) {
    let Ok(mut app) = tokio_tungstenite::accept_async(stream).await else { return };
    let up = tokio_tungstenite::connect_async(format!("ws://127.0.0.1:{node}/wire/ws")).await;
    let Ok((mut up, _)) = up else { return };
    let (says, mut said) = mpsc::unbounded_channel();
    lock(&hand.apps).push(says);
    loop {
        let (way, frame) = tokio::select! {
            Some(value) = said.recv() => {
                if app.send(Frame::text(Value::to_string(&value))).await.is_err() { return }
                continue;
            }
            frame = app.next() => (Way::ToNode, frame),
            frame = up.next() => (Way::ToApp, frame),
        };
        let Some(Ok(frame)) = frame else { return };
        let frames = match &frame {
            Frame::Text(text) => match serde_json::from_str(text) {
                Ok(value) => hand.passes(way, value).iter().map(|value| Frame::text(value.to_string())).collect(),
                Err(_) => vec![frame],
            },
            Frame::Ping(_) | Frame::Pong(_) => continue,
            _ => vec![frame],
        };
        for frame in frames {
            let sent = if way == Way::ToNode { up.send(frame).await } else { app.send(frame).await };
            if sent.is_err() {
                return;
            }
        }
    }
}
