//! Opens WebSockets to judged addresses.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::error::Error as WsError;
use tokio_tungstenite::tungstenite::handshake::client::Response as Handshake;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use url::{Host, Url};

use crate::error::FetchError;
use crate::fetch::{is_redirect, millis};
use crate::limits::{CONNECT_DEADLINE, FRAME_LIMIT};
use crate::net::Net;
use crate::reach::Reach;
use crate::redirect::host_of;
use crate::resolve::resolve;

/// A WebSocket over TCP, with TLS or without.
pub type WebSocketStream = tokio_tungstenite::WebSocketStream<Wire>;

/// A WebSocket that stands.
pub struct WebSocket {
    /// Its frames, both ways; messages beyond the bound end it with an error.
    pub stream: WebSocketStream,
    /// The sub-protocol the server chose.
    pub protocol: Option<String>,
}

/// The bytes under a WebSocket.
pub enum Wire {
    /// Plain TCP; only within this machine.
    Plain(TcpStream),
    /// TLS.
    Secure(Box<TlsStream<TcpStream>>),
}

/// Most sub-protocols offered; real clients offer one or two.
const PROTOCOL_LIMIT: usize = 16;

impl Net {
    /// Opens a WebSocket; redirects are never followed.
    pub async fn web_socket(&self, url: &Url, protocols: &[String], reach: &Reach) -> Result<WebSocket, FetchError> {
        if !matches!(url.scheme(), "ws" | "wss") || protocols.len() > PROTOCOL_LIMIT {
            return Err(FetchError::BadUrl);
        }
        reach.admit(url)?;
        match timeout(CONNECT_DEADLINE, self.shake_hands(url, protocols, *reach)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(FetchError::TooSlow { after_ms: millis(CONNECT_DEADLINE) }),
        }
    }

    async fn shake_hands(&self, url: &Url, protocols: &[String], reach: Reach) -> Result<WebSocket, FetchError> {
        let mut plain = url.clone();
        plain.set_fragment(None);
        let uri = plain.as_str().parse().map_err(|_| FetchError::BadUrl)?;
        let mut request = ClientRequestBuilder::new(uri);
        for protocol in protocols {
            request = request.with_sub_protocol(protocol);
        }
        let wire = self.connect(url, reach).await?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(FRAME_LIMIT))
            .max_frame_size(Some(FRAME_LIMIT))
            .max_write_buffer_size(2 * FRAME_LIMIT);
        let (stream, answer) =
            client_async_with_config(request, wire, Some(config)).await.map_err(|error| of_handshake(url, error))?;
        Ok(WebSocket { stream, protocol: chosen_protocol(&answer) })
    }

    /// Connects to an address that has been judged, never to a name.
    async fn connect(&self, url: &Url, reach: Reach) -> Result<Wire, FetchError> {
        let port = url.port_or_known_default().ok_or(FetchError::BadUrl)?;
        let addresses = match url.host().ok_or(FetchError::BadUrl)? {
            Host::Domain(name) => resolve(name, port, reach).await?,
            Host::Ipv4(v4) => vec![(v4, port).into()],
            Host::Ipv6(v6) => vec![(v6, port).into()],
        };
        let mut failure = FetchError::Unreachable("no address".into());
        for address in addresses.into_iter().filter(|address| reach.admits(address.ip())) {
            match TcpStream::connect(address).await {
                Ok(tcp) => {
                    // Small frames should not wait for each other; failing to say so only costs time.
                    let _slower = tcp.set_nodelay(true);
                    return self.secure(url, tcp).await;
                }
                Err(error) => failure = FetchError::of_io(&error),
            }
        }
        Err(failure)
    }

    async fn secure(&self, url: &Url, tcp: TcpStream) -> Result<Wire, FetchError> {
        if url.scheme() != "wss" {
            return Ok(Wire::Plain(tcp));
        }
        let host = url.host_str().ok_or(FetchError::BadUrl)?.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host).map_err(|_| FetchError::BadUrl)?;
        let stream = TlsConnector::from(self.web_socket_tls()).connect(name, tcp).await;
        stream.map(|stream| Wire::Secure(Box::new(stream))).map_err(|error| FetchError::of_io(&error))
    }
}

fn chosen_protocol(answer: &Handshake) -> Option<String> {
    answer.headers().get("sec-websocket-protocol")?.to_str().ok().map(str::to_owned)
}

fn of_handshake(url: &Url, error: WsError) -> FetchError {
    match error {
        WsError::Http(answer) if is_redirect(answer.status()) => {
            FetchError::Redirect { from: host_of(url), to: "?".into() }
        }
        WsError::Http(answer) => FetchError::Status(answer.status().as_u16()),
        WsError::Io(error) => FetchError::of_io(&error),
        WsError::Url(_) | WsError::HttpFormat(_) => FetchError::BadUrl,
        _ => FetchError::Unreachable("the server does not speak WebSocket".into()),
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Secure(tls) => Pin::new(tls.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Self::Secure(tls) => Pin::new(tls.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Secure(tls) => Pin::new(tls.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Secure(tls) => Pin::new(tls.as_mut()).poll_shutdown(cx),
        }
    }
}
