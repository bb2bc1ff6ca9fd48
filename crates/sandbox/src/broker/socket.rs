//! WebSockets for a guest: granted origins only, no faster than it reads.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use transport::WebSocketStream;
use transport::tungstenite::protocol::frame::coding::CloseCode;
use transport::tungstenite::{Message as Frame, Utf8Bytes, protocol::CloseFrame};
use url::Url;

use crate::broker::{Port, Way, is_granted};
use crate::control::HostNews;

/// WebSockets that may be open at the same time.
const SOCKET_LIMIT: usize = 8;

/// What waits for a guest to read it, in units of [`UNIT_BYTES`]: room for the largest frame.
const WINDOW: u32 = 32;
const UNIT_BYTES: usize = 64 * 1024;

/// Bytes a guest may have waiting to be sent.
const UNSENT_LIMIT: usize = 4 * 1024 * 1024;

/// How long the other side may take to close.
const CLOSE_DEADLINE: Duration = Duration::from_secs(3);

/// The code for a connection that was lost (RFC 6455, 7.4.1).
const LOST: u16 = 1006;

/// A guest's WebSockets.
pub struct Sockets {
    way: Way,
    port: Port,
    open: HashMap<u64, Open>,
}

struct Open {
    window: Arc<Window>,
    outgoing: mpsc::UnboundedSender<Outgoing>,
    unsent: Arc<AtomicUsize>,
    cancel: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

enum Outgoing {
    Data(Frame, usize),
    Close(u16, String),
}

/// How much the guest has yet to read.
struct Window {
    room: Semaphore,
    unread: Mutex<VecDeque<u32>>,
}

impl Window {
    fn unread(&self) -> std::sync::MutexGuard<'_, VecDeque<u32>> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sockets {
    /// None yet.
    pub fn new(way: Way, port: Port) -> Self {
        Self { way, port, open: HashMap::new() }
    }

    /// Opens one, or tells why not.
    pub fn open(&mut self, id: u64, url: &str, protocols: Vec<String>) {
        self.open.retain(|_, socket| !socket.task.is_finished());
        let url = match self.admit(id, url) {
            Ok(url) => url,
            Err(reason) => return self.port.tell(&HostNews::SocketClosed { id, code: LOST, reason, clean: false }),
        };
        let window = Arc::new(Window { room: Semaphore::new(WINDOW as usize), unread: Mutex::default() });
        let (outgoing, receiver) = mpsc::unbounded_channel();
        let unsent = Arc::new(AtomicUsize::new(0));
        let cancel = self.port.cancel.child_token();
        let line = Line { id, port: self.port.clone(), window: window.clone(), unsent: unsent.clone() };
        let work = run(line, url, protocols, self.way.clone(), receiver);
        let task = self.port.handle.spawn({
            let cancel = cancel.clone();
            async move {
                cancel.run_until_cancelled(work).await;
            }
        });
        self.open.insert(id, Open { window, outgoing, unsent, cancel, task });
    }

    fn admit(&self, id: u64, url: &str) -> Result<Url, String> {
        if self.open.len() >= SOCKET_LIMIT || self.open.contains_key(&id) {
            return Err(format!("at most {SOCKET_LIMIT} WebSockets are open at the same time"));
        }
        let url = Url::parse(url).map_err(|_| "not a URL")?;
        if is_granted(&self.way.grants.web_socket, &url) {
            return Ok(url);
        }
        Err(format!("not granted: this guest may not connect to {}", url.origin().ascii_serialization()))
    }

    /// Sends a frame; a guest that sends faster than the line takes loses the line.
    pub fn send(&mut self, id: u64, text: bool, bytes: Bytes) {
        let Some(socket) = self.open.get(&id) else { return };
        let size = bytes.len();
        let frame = if text { Utf8Bytes::try_from(bytes).map(Frame::Text).ok() } else { Some(Frame::Binary(bytes)) };
        let Some(frame) = frame else { return };
        if socket.unsent.fetch_add(size, Ordering::AcqRel) + size > UNSENT_LIMIT {
            socket.cancel.cancel();
            self.open.remove(&id);
            let reason = "too much waits to be sent".into();
            return self.port.tell(&HostNews::SocketClosed { id, code: LOST, reason, clean: false });
        }
        let _gone = socket.outgoing.send(Outgoing::Data(frame, size));
    }

    /// The guest read the oldest frame.
    pub fn pull(&mut self, id: u64) {
        if let Some(socket) = self.open.get(&id)
            && let Some(units) = socket.window.unread().pop_front()
        {
            socket.window.room.add_permits(units as usize);
        }
    }

    /// The guest hangs up.
    pub fn close(&mut self, id: u64, code: u16, reason: String) {
        if let Some(socket) = self.open.get(&id) {
            let _gone = socket.outgoing.send(Outgoing::Close(code, reason));
        }
    }
}

/// What the task of one WebSocket holds.
struct Line {
    id: u64,
    port: Port,
    window: Arc<Window>,
    unsent: Arc<AtomicUsize>,
}

/// How a line ended.
struct End {
    code: u16,
    reason: String,
    clean: bool,
}

impl End {
    fn lost(reason: impl Into<String>) -> Self {
        Self { code: LOST, reason: reason.into(), clean: false }
    }
}

async fn run(line: Line, url: Url, protocols: Vec<String>, way: Way, outgoing: mpsc::UnboundedReceiver<Outgoing>) {
    let end = match way.net.web_socket(&url, &protocols, &way.reach).await {
        Ok(socket) => {
            let protocol = socket.protocol.unwrap_or_default();
            line.port.tell(&HostNews::SocketOpened { id: line.id, protocol });
            line.carry(socket.stream, outgoing).await
        }
        Err(error) => End::lost(error.to_string()),
    };
    let End { code, reason, clean } = end;
    line.port.tell(&HostNews::SocketClosed { id: line.id, code, reason, clean });
}

type Sink = SplitSink<WebSocketStream, Frame>;
type Source = SplitStream<WebSocketStream>;

impl Line {
    /// Carries frames both ways until the line ends.
    async fn carry(&self, stream: WebSocketStream, mut outgoing: mpsc::UnboundedReceiver<Outgoing>) -> End {
        let (mut sink, mut source) = stream.split();
        let mut waiting: Option<(bool, Bytes)> = None;
        loop {
            tokio::select! {
                order = outgoing.recv() => match order {
                    Some(Outgoing::Data(frame, size)) => {
                        if let Err(end) = self.send(&mut sink, frame, size).await {
                            return end;
                        }
                    }
                    Some(Outgoing::Close(code, reason)) => return close(&mut sink, &mut source, code, reason).await,
                    None => return End::lost("the guest is gone"),
                },
                units = self.room_for(waiting.as_ref()), if waiting.is_some() => {
                    if let Some((text, bytes)) = waiting.take() {
                        self.window.unread().push_back(units);
                        self.port.tell_with(&HostNews::SocketData { id: self.id, text }, bytes);
                    }
                }
                frame = source.next(), if waiting.is_none() => match frame {
                    Some(Ok(Frame::Text(text))) => waiting = Some((true, text.into())),
                    Some(Ok(Frame::Binary(bytes))) => waiting = Some((false, bytes)),
                    Some(Ok(Frame::Close(frame))) => return closed(frame),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return End::lost("the connection was lost"),
                },
            }
        }
    }

    /// Waits until the guest has room for what waits; returns the units it takes.
    async fn room_for(&self, waiting: Option<&(bool, Bytes)>) -> u32 {
        let bytes = waiting.map_or(0, |(_, bytes)| bytes.len());
        let units = u32::try_from(1 + bytes / UNIT_BYTES).unwrap_or(WINDOW).min(WINDOW);
        if let Ok(permit) = self.window.room.acquire_many(units).await {
            permit.forget();
        }
        units
    }

    async fn send(&self, sink: &mut Sink, frame: Frame, size: usize) -> Result<(), End> {
        sink.send(frame).await.map_err(|_| End::lost("the connection was lost"))?;
        self.unsent.fetch_sub(size, Ordering::AcqRel);
        self.port.tell(&HostNews::SocketSent { id: self.id, bytes: size });
        Ok(())
    }
}

fn closed(frame: Option<CloseFrame>) -> End {
    let (code, reason) = frame.map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
    End { code, reason, clean: true }
}

/// Says goodbye and waits for the other side to do the same.
async fn close(sink: &mut Sink, source: &mut Source, code: u16, reason: String) -> End {
    let frame = CloseFrame { code: CloseCode::from(code), reason: reason.clone().into() };
    let goodbye = async {
        sink.send(Frame::Close(Some(frame))).await.ok()?;
        while let Some(frame) = source.next().await {
            if let Frame::Close(_) = frame.ok()? {
                break;
            }
        }
        Some(())
    };
    match timeout(CLOSE_DEADLINE, goodbye).await {
        Ok(Some(())) => End { code, reason, clean: true },
        _ => End::lost("the other side did not close"),
    }
}
