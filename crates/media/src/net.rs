//! The sockets of a call: our own, so that buffers, interface, marking and alerts are ours.

use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use tokio::io::ReadBuf;
use tokio::sync::mpsc;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, RecvMeta, Runtime, TokioRuntime,
    Transmit,
};

use crate::config::NetworkConfig;
use crate::relay::{Carrier, Relays, is_stand_in};
use crate::resend::Resend;
use crate::supervisor::Signal;
use crate::usage::{Held, Hold, Usage};

/// What we ask the system for; with its default, bursts overflow.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;
/// DSCP 46, "expedited forwarding", in its place in the traffic class byte.
const EXPEDITED: u32 = 46 << 2;

/// While a handshake waits for its turn, timers of the engine last no longer than this.
///
/// The engine (0.21.1) sends the first message of the handshake only when its next timer is due,
/// which is that of the connectivity checks; without this each call begins so much later.
const HURRY: Duration = Duration::from_millis(5);

/// The tokio runtime with our sockets, counting what one call holds.
#[derive(Debug)]
pub(crate) struct CallRuntime {
    tokio: TokioRuntime,
    bind_device: Option<String>,
    expedited: bool,
    hurry: Arc<AtomicBool>,
    relays: Arc<Relays>,
    usage: Arc<Usage>,
    signals: mpsc::Sender<Signal>,
}

impl CallRuntime {
    pub(crate) fn new(
        network: &NetworkConfig,
        relays: Arc<Relays>,
        usage: Arc<Usage>,
        signals: mpsc::Sender<Signal>,
    ) -> Self {
        Self {
            tokio: TokioRuntime,
            bind_device: network.bind_device.clone(),
            expedited: network.expedited,
            hurry: Arc::default(),
            relays,
            usage,
            signals,
        }
    }

    /// Set while the handshake runs.
    pub(crate) fn hurry(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.hurry)
    }

    fn tune(&self, socket: &std::net::UdpSocket) -> io::Result<()> {
        let v6 = socket.local_addr()?.is_ipv6();
        let socket = socket2::SockRef::from(socket);
        // Best effort: the system may give less.
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
        if self.expedited {
            let _ = if v6 { socket.set_tclass_v6(EXPEDITED) } else { socket.set_tos_v4(EXPEDITED) };
        }
        // An address alone does not choose the interface on Linux: the routing table does.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(device) = &self.bind_device {
            socket.bind_device(Some(device.as_bytes()))?;
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        if self.bind_device.is_some() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        Ok(())
    }
}

impl Runtime for CallRuntime {
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) -> Box<dyn JoinHandle> {
        let watched = Watched { _hold: self.usage.hold(Held::Task), signals: self.signals.clone() };
        self.tokio.spawn(Box::pin(async move {
            let _watched = watched;
            future.await;
        }))
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        self.tune(&socket)?;
        socket.set_nonblocking(true)?;
        let io = tokio::net::UdpSocket::from_std(socket)?;
        let carrier = Carrier::new(Arc::clone(&self.relays), io.local_addr()?.ip(), Arc::clone(&self.usage));
        let again = Again::new();
        let _hold = self.usage.hold(Held::Socket);
        Ok(Arc::new(CallSocket { io, carrier, again, signals: self.signals.clone(), _hold }))
    }

    fn wrap_tcp_listener(&self, listener: std::net::TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        self.tokio.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(
        &'a self,
        remote_addr: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<Arc<dyn AsyncTcpStream>>> + Send + 'a>> {
        self.tokio.connect_tcp(remote_addr)
    }

    fn resolve_host<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>> {
        Box::pin(async move {
            match self.relays.resolve(host).await {
                Some(resolved) => resolved,
                None => self.tokio.resolve_host(host).await,
            }
        })
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        let hurried = self.hurry.load(Ordering::Acquire);
        self.tokio.sleep(if hurried { duration.min(HURRY) } else { duration })
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        self.tokio.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        self.tokio.block_on(future);
    }

    fn yield_now(&self) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        self.tokio.yield_now()
    }

    fn name(&self) -> &'static str {
        "parlance"
    }
}

/// Tells when a task of the engine broke; a silent death would leave a call that only looks alive.
struct Watched {
    _hold: Hold,
    signals: mpsc::Sender<Signal>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.signals.try_send(Signal::EngineBroke);
        }
    }
}

#[derive(Debug)]
struct CallSocket {
    io: tokio::net::UdpSocket,
    carrier: Carrier,
    again: Mutex<Again>,
    signals: mpsc::Sender<Signal>,
    _hold: Hold,
}

/// The handshake's last flight, with the timer that brings it to mind.
#[derive(Debug)]
struct Again {
    resend: Resend,
    timer: Pin<Box<tokio::time::Sleep>>,
    /// Who reads from the socket, and with it looks at the timer.
    reader: Option<Waker>,
}

impl Again {
    fn new() -> Mutex<Self> {
        Mutex::new(Self {
            resend: Resend::default(),
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            reader: None,
        })
    }
}

impl CallSocket {
    fn again(&self) -> MutexGuard<'_, Again> {
        self.again.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends the last flight again if its time has come; the caller is woken for the next time.
    fn send_again(&self, cx: &mut Context<'_>) {
        let again = &mut *self.again();
        if !again.reader.as_ref().is_some_and(|reader| reader.will_wake(cx.waker())) {
            again.reader = Some(cx.waker().clone());
        }
        while let Some(due) = again.resend.due() {
            again.timer.as_mut().reset(due.into());
            if again.timer.as_mut().poll(cx).is_pending() {
                return;
            }
            for (to, datagram) in again.resend.again(Instant::now()) {
                // What is lost here is sent once more.
                let _ = self.io.try_send_to(datagram, *to);
            }
        }
    }
}

impl AsyncUdpSocket for CallSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        if refuses_certificate(transmit.contents) {
            let _ = self.signals.try_send(Signal::CertificateRefused);
        }
        match self.carrier.send(transmit.destination, transmit.contents) {
            Some(carried) => Poll::Ready(carried),
            None => {
                let sent = ready!(self.io.poll_send_to(cx, transmit.contents, transmit.destination));
                let again = &mut *self.again();
                if again.resend.sends(transmit.destination, transmit.contents, Instant::now())
                    && let Some(reader) = again.reader.take()
                {
                    reader.wake();
                }
                Poll::Ready(sent)
            }
        }
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let (Some(buffer), Some(meta)) = (bufs.first_mut(), meta.first_mut()) else {
            return Poll::Ready(Ok(0));
        };
        while let Poll::Ready(Some((relay, datagram))) = self.carrier.poll_arrived(cx) {
            // As from a socket, what is larger than its reader expects is of no use.
            if let Some(place) = buffer.get_mut(..datagram.len()) {
                place.copy_from_slice(&datagram);
                *meta = received(datagram.len(), relay);
                return Poll::Ready(Ok(1));
            }
        }
        self.send_again(cx);
        loop {
            let mut read = ReadBuf::new(buffer);
            let sender = ready!(self.io.poll_recv_from(cx, &mut read))?;
            if !is_stand_in(sender) {
                self.again().resend.hears(read.filled());
                *meta = received(read.filled().len(), sender);
                return Poll::Ready(Ok(1));
            }
        }
    }
}

fn received(length: usize, sender: SocketAddr) -> RecvMeta {
    let mut meta = RecvMeta::default();
    (meta.len, meta.stride, meta.addr) = (length, length.max(1), sender);
    meta
}

/// Whether an outgoing datagram is our own DTLS alert "fatal, bad certificate".
///
/// The engine checks the certificate against the description during the handshake, but it
/// tells nobody that it refused: it sends this alert (in the clear, epoch 0) and stays
/// "connecting". Only what *we* send is looked at; a peer cannot forge it.
fn refuses_certificate(datagram: &[u8]) -> bool {
    const ALERT: u8 = 21;
    const EPOCH_AND_LEVEL: std::ops::Range<usize> = 3..5;
    const FATAL_BAD_CERTIFICATE: [u8; 2] = [2, 42];
    datagram.first() == Some(&ALERT)
        && datagram.get(EPOCH_AND_LEVEL) == Some(&[0, 0])
        && datagram.get(13..15) == Some(&FATAL_BAD_CERTIFICATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_refusal_is_recognised() {
        let alert = [21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 7, 0, 2, 2, 42];
        assert!(refuses_certificate(&alert));
        let mut farewell = alert;
        farewell[13..].copy_from_slice(&[1, 0]);
        assert!(!refuses_certificate(&farewell));
        assert!(!refuses_certificate(&alert[..14]));
        assert!(!refuses_certificate(&[]));
        assert!(!refuses_certificate(&[128; 200]));
    }

    #[tokio::test]
    async fn a_socket_is_marked_and_counted() {
        let usage = Arc::new(Usage::default());
        let (signals, _kept) = mpsc::channel(1);
        let runtime = CallRuntime::new(&NetworkConfig::default(), Arc::default(), Arc::clone(&usage), signals);
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let probe = socket.try_clone().unwrap();
        let wrapped = runtime.wrap_udp_socket(socket).unwrap();
        assert_eq!(socket2::SockRef::from(&probe).tos_v4().unwrap(), EXPEDITED);
        assert_eq!(usage.now().sockets, 1);
        drop(wrapped);
        assert_eq!(usage.now().sockets, 0);
    }
}
