//! Carries the datagrams of one socket that are meant for relays over streams.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use transport::Wire;

use super::frame::{Deframer, padding};
use super::{RelayServer, RelayTransport, Relays, place};
use crate::usage::{Held, Hold, Usage};

/// Datagrams that wait for a stream; more are lost, as datagrams are: old voice is worth nothing.
const WAITING: usize = 64;
/// Datagrams of all streams that wait for the engine.
const ARRIVED: usize = 256;

/// The streams of one socket, one for each relay over TCP or TLS, opened when something is sent there.
#[derive(Debug)]
pub(crate) struct Carrier {
    relays: Arc<Relays>,
    /// The streams begin at the interface of their socket.
    from: IpAddr,
    usage: Arc<Usage>,
    lines: Mutex<HashMap<SocketAddr, Line>>,
    arrived_out: mpsc::Sender<Arrived>,
    arrived: Mutex<mpsc::Receiver<Arrived>>,
}

/// A datagram and the relay it came from, by the address that stands for it.
type Arrived = (SocketAddr, Bytes);

#[derive(Debug)]
struct Line {
    datagrams: mpsc::Sender<Bytes>,
    task: AbortHandle,
    _holds: [Hold; 2],
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Carrier {
    pub(crate) fn new(relays: Arc<Relays>, from: IpAddr, usage: Arc<Usage>) -> Self {
        let (arrived_out, arrived) = mpsc::channel(ARRIVED);
        Self { relays, from, usage, lines: Mutex::default(), arrived_out, arrived: Mutex::new(arrived) }
    }

    /// Sends a datagram over a stream; None if the address stands for no relay.
    ///
    /// A stream that broke off does not come again: the relay forgot what was agreed over it. The
    /// engine gives the relay up, and asks for it anew when it looks for paths again.
    pub(crate) fn send(&self, to: SocketAddr, datagram: &[u8]) -> Option<io::Result<usize>> {
        let server = self.relays.behind(to)?;
        let mut lines = self.lines.lock().expect("no holder of this lock can panic");
        let line = lines.entry(to).or_insert_with(|| self.open(to, server));
        match line.datagrams.try_send(Bytes::copy_from_slice(datagram)) {
            Err(mpsc::error::TrySendError::Closed(_)) => Some(Err(io::ErrorKind::NotConnected.into())),
            Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => Some(Ok(datagram.len())),
        }
    }

    /// The next datagram that came over a stream.
    pub(crate) fn poll_arrived(&self, cx: &mut Context<'_>) -> Poll<Option<Arrived>> {
        self.arrived.lock().expect("no holder of this lock can panic").poll_recv(cx)
    }

    fn open(&self, stand_in: SocketAddr, server: &RelayServer) -> Line {
        let (datagrams, waiting) = mpsc::channel(WAITING);
        let (relays, server, from) = (Arc::clone(&self.relays), server.clone(), self.from);
        let arrived = self.arrived_out.clone();
        let task = tokio::spawn(async move {
            let Some(net) = &relays.net else { return };
            let encrypted = server.uri.transport == RelayTransport::Tls;
            match net.dial_relay(place(&server), encrypted, from).await {
                Ok(wire) => carry(wire, stand_in, waiting, arrived).await,
                Err(error) => {
                    // The text may hold the relay's name; whose relay one uses is one's own affair.
                    tracing::info!(may_pass = error.may_pass(), "a relay could not be reached");
                }
            }
        });
        let holds = [self.usage.hold(Held::Socket), self.usage.hold(Held::Task)];
        Line { datagrams, task: task.abort_handle(), _holds: holds }
    }
}

/// Carries until one of the two ends.
async fn carry(wire: Wire, stand_in: SocketAddr, waiting: mpsc::Receiver<Bytes>, arrived: mpsc::Sender<Arrived>) {
    let (reader, writer) = tokio::io::split(wire);
    tokio::select! {
        () = write(writer, waiting) => {}
        () = read(reader, stand_in, arrived) => {}
    }
}

async fn write(mut stream: tokio::io::WriteHalf<Wire>, mut waiting: mpsc::Receiver<Bytes>) {
    while let Some(datagram) = waiting.recv().await {
        let message = [datagram.as_ref(), padding(&datagram)].concat();
        let written = async {
            stream.write_all(&message).await?;
            if waiting.is_empty() { stream.flush().await } else { Ok(()) }
        };
        if written.await.is_err() {
            return;
        }
    }
}

async fn read(mut stream: tokio::io::ReadHalf<Wire>, stand_in: SocketAddr, arrived: mpsc::Sender<Arrived>) {
    let mut deframer = Deframer::default();
    while matches!(stream.read_buf(deframer.buffer()).await, Ok(read) if read > 0) {
        loop {
            match deframer.next_message() {
                Ok(Some(message)) => drop(arrived.try_send((stand_in, message))),
                Ok(None) => break,
                Err(error) => {
                    tracing::info!(%error, "a relay is left");
                    return;
                }
            }
        }
    }
}
