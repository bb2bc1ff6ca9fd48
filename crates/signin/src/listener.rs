//! Waits on a loopback port for the one request by which the browser comes back.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::error::SignInError;
use crate::page::Page;

/// How long a person may take to sign in.
pub(crate) const SIGN_IN_DEADLINE: Duration = Duration::from_secs(600);
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);
const REQUEST_LIMIT: usize = 16 * 1024;
/// Browsers open a few connections ahead; more than this at once is somebody else.
const CONNECTIONS_LIMIT: usize = 16;
const PATH: &str = "/cb";

/// What the browser came back with.
#[derive(Default)]
pub(crate) struct Callback {
    pub state: Option<String>,
    pub code: Option<String>,
    pub error: Option<String>,
    pub iss: Option<String>,
}

/// A listener on a port of its own.
pub(crate) struct Listener {
    socket: TcpListener,
    port: u16,
}

impl Listener {
    /// Listens on the first of these ports that is free, or on any if there are none to choose from.
    pub async fn open(ports: &[u16]) -> Result<Self, SignInError> {
        let fault = |error: std::io::Error| SignInError::NoListener(error.kind());
        let mut taken = SignInError::NoListener(std::io::ErrorKind::AddrInUse);
        for port in if ports.is_empty() { &[0] } else { ports } {
            match TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).await {
                Ok(socket) => {
                    let port = socket.local_addr().map_err(fault)?.port();
                    return Ok(Self { socket, port });
                }
                Err(error) => taken = fault(error),
            }
        }
        Err(taken)
    }

    /// Where the issuer sends the browser back to.
    pub fn redirect_uri(&self) -> String {
        format!("http://127.0.0.1:{}{PATH}", self.port)
    }

    /// The first request that is a callback, and the browser that waits for its page. Whatever else comes
    /// gets a 404.
    pub async fn callback(
        self,
        deadline: Instant,
        cancel: &CancellationToken,
    ) -> Result<(Callback, Browser), SignInError> {
        let mut readers: JoinSet<Option<(Callback, Browser)>> = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(SignInError::Cancelled),
                () = tokio::time::sleep_until(deadline) => return Err(SignInError::TimedOut),
                Some(read) = readers.join_next() => if let Ok(Some(found)) = read {
                    return Ok(found);
                },
                accepted = self.socket.accept(), if readers.len() < CONNECTIONS_LIMIT => match accepted {
                    Ok((stream, _)) => { readers.spawn(read_request(stream, self.port)); }
                    // Out of descriptors, or the peer was gone already: wait rather than spin.
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                },
            }
        }
    }
}

/// A browser that waits for its page.
pub(crate) struct Browser(TcpStream);

impl Browser {
    /// Shows the page; a browser that left does not matter.
    pub async fn show(mut self, page: Page) {
        let answer = page.answer();
        let write = async {
            self.0.write_all(answer.as_bytes()).await?;
            self.0.shutdown().await
        };
        let _gone = timeout(REQUEST_DEADLINE, write).await;
    }
}

async fn read_request(mut stream: TcpStream, port: u16) -> Option<(Callback, Browser)> {
    let head = timeout_at(Instant::now() + REQUEST_DEADLINE, read_head(&mut stream)).await.ok()??;
    let browser = Browser(stream);
    match callback_of(&head, port) {
        Some(callback) => Some((callback, browser)),
        None => {
            browser.show(Page::NotFound).await;
            None
        }
    }
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::with_capacity(1024);
    loop {
        let room = REQUEST_LIMIT.checked_sub(bytes.len()).filter(|room| *room > 0)?;
        let mut piece = [0u8; 2048];
        let size = room.min(piece.len());
        let got = stream.read(&mut piece[..size]).await.ok().filter(|got| *got > 0)?;
        bytes.extend_from_slice(&piece[..got]);
        if bytes.windows(4).any(|end| end == b"\r\n\r\n") {
            return String::from_utf8(bytes).ok();
        }
    }
}

/// The callback, if this is one: a GET of our path at our address, with a state and a code or an error.
pub(crate) fn callback_of(head: &str, port: u16) -> Option<Callback> {
    let mut lines = head.split("\r\n");
    let mut request = lines.next()?.split(' ');
    let (method, target) = (request.next()?, request.next()?);
    // A page that reached us under another name (DNS rebinding) is not the issuer's redirect.
    let host = format!("127.0.0.1:{port}");
    let at_home = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(':'))
        .any(|(name, value)| name.eq_ignore_ascii_case("host") && value.trim() == host);
    if method != "GET" || !at_home || !target.starts_with('/') {
        return None;
    }
    let url = Url::parse(&format!("http://{host}{target}")).ok().filter(|url| url.path() == PATH)?;
    let callback = read_query(&url)?;
    let complete = callback.state.is_some() && (callback.code.is_some() != callback.error.is_some());
    complete.then_some(callback)
}

/// Each parameter at most once: what stands twice, two readers read differently.
fn read_query(url: &Url) -> Option<Callback> {
    let mut callback = Callback::default();
    for (name, value) in url.query_pairs() {
        let place = match name.as_ref() {
            "state" => &mut callback.state,
            "code" => &mut callback.code,
            "error" => &mut callback.error,
            "iss" => &mut callback.iss,
            _ => continue,
        };
        if place.replace(value.into_owned()).is_some() {
            return None;
        }
    }
    Some(callback)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(request: &str) -> Option<Callback> {
        callback_of(&format!("{request}\r\n\r\n"), 7)
    }

    #[test]
    fn the_issuers_redirect_is_read() {
        let found = read("GET /cb?code=c%201&state=s&iss=https%3A%2F%2Fi HTTP/1.1\r\nHost: 127.0.0.1:7").unwrap();
        assert_eq!(
            (found.code.as_deref(), found.state.as_deref(), found.iss.as_deref()),
            (Some("c 1"), Some("s"), Some("https://i"))
        );
    }

    #[test]
    fn whatever_else_comes_is_no_callback() {
        for request in [
            "GET /cb HTTP/1.1\r\nHost: 127.0.0.1:7",
            "GET /cb?code=c HTTP/1.1\r\nHost: 127.0.0.1:7",
            "GET /cb?state=s HTTP/1.1\r\nHost: 127.0.0.1:7",
            "GET /cb?code=c&state=s HTTP/1.1",
            "GET /cb?code=c&state=s HTTP/1.1\r\nHost: evil.example:7",
            "GET /cb?code=c&state=s HTTP/1.1\r\nX: y\r\n\r\nHost: 127.0.0.1:7",
            "GET /cb?code=c&state=s&state=t HTTP/1.1\r\nHost: 127.0.0.1:7",
            "GET /cb?code=c&error=e&state=s HTTP/1.1\r\nHost: 127.0.0.1:7",
            "GET /favicon.ico HTTP/1.1\r\nHost: 127.0.0.1:7",
            "POST /cb?code=c&state=s HTTP/1.1\r\nHost: 127.0.0.1:7",
            "GET http://evil/cb?code=c&state=s HTTP/1.1\r\nHost: 127.0.0.1:7",
            "GET",
            "",
        ] {
            assert!(read(request).is_none(), "{request}");
        }
    }

    #[tokio::test]
    async fn a_silent_connection_does_not_keep_the_browser_waiting() {
        let listener = Listener::open(&[]).await.unwrap();
        let port = listener.port;
        let _silent = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let browser = tokio::spawn(async move {
            let mut stray = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            stray.write_all(b"GET /favicon.ico HTTP/1.1\r\n\r\n").await.unwrap();
            let mut page = String::new();
            stray.read_to_string(&mut page).await.unwrap();
            assert!(page.starts_with("HTTP/1.1 404"));
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            stream
                .write_all(format!("GET /cb?code=c&state=s HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n").as_bytes())
                .await
                .unwrap();
            let mut page = String::new();
            stream.read_to_string(&mut page).await.unwrap();
            assert!(page.starts_with("HTTP/1.1 200"));
        });
        let (callback, waiting) =
            listener.callback(Instant::now() + REQUEST_DEADLINE, &CancellationToken::new()).await.unwrap();
        assert_eq!(callback.code.as_deref(), Some("c"));
        waiting.show(Page::Done).await;
        browser.await.unwrap();
    }

    #[tokio::test]
    async fn a_port_that_is_taken_gives_way_to_the_next() {
        let free = Listener::open(&[]).await.unwrap().port;
        let first = Listener::open(&[]).await.unwrap();
        let second = Listener::open(&[first.port, free]).await.unwrap();
        assert_eq!(second.redirect_uri(), format!("http://127.0.0.1:{free}/cb"));
        let none = Listener::open(&[first.port, free]).await;
        assert_eq!(none.err(), Some(SignInError::NoListener(std::io::ErrorKind::AddrInUse)));
    }

    #[tokio::test]
    async fn waiting_ends_with_the_deadline_or_when_told() {
        let cancel = CancellationToken::new();
        let soon = Instant::now() + Duration::from_millis(10);
        let late = Listener::open(&[]).await.unwrap().callback(soon, &cancel).await;
        assert_eq!(late.err(), Some(SignInError::TimedOut));
        cancel.cancel();
        let told = Listener::open(&[]).await.unwrap().callback(soon, &cancel).await;
        assert_eq!(told.err(), Some(SignInError::Cancelled));
    }
}
