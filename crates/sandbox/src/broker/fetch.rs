//! Fetches for a guest: granted origins only, in pieces, no faster than it reads.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use transport::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION};
use transport::{Method, Request, StatusCode, Streaming};
use url::Url;

use crate::broker::{Port, Way, is_granted};
use crate::control::HostNews;

/// Fetches that may run at the same time.
const FETCH_LIMIT: usize = 16;

/// Pieces that wait for a guest to read them, and their largest size.
const WINDOW: usize = 4;
const PIECE_BYTES: usize = 64 * 1024;

/// How long a guest may leave a body unread.
const READER_DEADLINE: Duration = Duration::from_secs(60);

/// Redirects that are followed.
const REDIRECT_LIMIT: usize = 5;

/// Headers of a request, and their bytes.
const HEADER_LIMIT: usize = 64;
const HEADER_BYTES: usize = 16 * 1024;

/// Headers a guest must not set: they belong to the connection or name somebody else.
const FORBIDDEN_HEADERS: [&str; 12] = [
    "connection",
    "content-length",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "origin",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A guest's fetches.
pub struct Fetches {
    way: Way,
    port: Port,
    running: HashMap<u64, Running>,
}

struct Running {
    room: Arc<Semaphore>,
    cancel: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Fetches {
    /// None yet.
    pub fn new(way: Way, port: Port) -> Self {
        Self { way, port, running: HashMap::new() }
    }

    /// Begins a fetch, or tells why not.
    pub fn open(&mut self, id: u64, url: &str, method: &str, headers: Vec<(String, String)>, body: Bytes) {
        self.running.retain(|_, fetch| !fetch.task.is_finished());
        let request = match self.prepare(id, url, method, headers, body) {
            Ok(request) => request,
            Err(text) => return self.port.tell(&HostNews::FetchError { id, text }),
        };
        let (room, cancel) = (Arc::new(Semaphore::new(WINDOW)), self.port.cancel.child_token());
        let work = run(id, request, self.way.clone(), self.port.clone(), room.clone());
        let task = self.port.handle.spawn({
            let cancel = cancel.clone();
            async move {
                cancel.run_until_cancelled(work).await;
            }
        });
        self.running.insert(id, Running { room, cancel, task });
    }

    fn prepare(
        &self,
        id: u64,
        url: &str,
        method: &str,
        headers: Vec<(String, String)>,
        body: Bytes,
    ) -> Result<Request, String> {
        if self.running.len() >= FETCH_LIMIT || self.running.contains_key(&id) {
            return Err(format!("at most {FETCH_LIMIT} fetches run at the same time"));
        }
        let url = Url::parse(url).map_err(|_| "not a URL")?;
        self.way.admit(&url)?;
        let method = match method {
            "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" => method.parse::<Method>().ok(),
            _ => None,
        };
        let method = method.ok_or("the method is not supported")?;
        let body = (!body.is_empty()).then_some(body);
        Ok(Request { method, url, headers: header_map(headers)?, body })
    }

    /// The guest took a piece: there is room for one more.
    pub fn pull(&mut self, id: u64) {
        if let Some(fetch) = self.running.get(&id)
            && fetch.room.available_permits() < WINDOW
        {
            fetch.room.add_permits(1);
        }
    }

    /// The guest wants no more.
    pub fn cancel(&mut self, id: u64) {
        if let Some(fetch) = self.running.remove(&id) {
            fetch.cancel.cancel();
        }
    }
}

impl Way {
    /// Whether this guest may fetch this URL.
    fn admit(&self, url: &Url) -> Result<(), String> {
        if is_granted(&self.grants.fetch, url) {
            Ok(())
        } else {
            Err(format!("not granted: this guest may not fetch from {}", url.origin().ascii_serialization()))
        }
    }
}

fn header_map(headers: Vec<(String, String)>) -> Result<HeaderMap, String> {
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if headers.len() > HEADER_LIMIT || bytes > HEADER_BYTES {
        return Err("too many headers".into());
    }
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        if FORBIDDEN_HEADERS.contains(&name.as_str()) || name.starts_with("sec-") {
            continue;
        }
        let name = HeaderName::try_from(name).map_err(|_| "not a header")?;
        map.append(name, HeaderValue::try_from(value).map_err(|_| "not a header")?);
    }
    Ok(map)
}

async fn run(id: u64, request: Request, way: Way, port: Port, room: Arc<Semaphore>) {
    let end = match open(request, &way).await {
        Ok(answer) => stream(id, answer, &port, &room).await,
        Err(text) => Err(text),
    };
    match end {
        Ok(()) => port.tell(&HostNews::FetchEnd { id }),
        Err(text) => port.tell(&HostNews::FetchError { id, text }),
    }
}

/// Opens a request and follows its redirects, each judged like the first.
async fn open(mut request: Request, way: &Way) -> Result<Streaming, String> {
    for _ in 0..=REDIRECT_LIMIT {
        let answer = way.net.open(request.clone(), &way.reach).await.map_err(|error| error.to_string())?;
        let Some(next) = redirect(&request, &answer) else { return Ok(answer) };
        way.admit(&next.url)?;
        request = next;
    }
    Err(format!("more than {REDIRECT_LIMIT} redirects"))
}

/// The request that a redirect asks for (RFC 9110, 15.4).
fn redirect(request: &Request, answer: &Streaming) -> Option<Request> {
    if !matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = answer.headers.get(LOCATION)?.to_str().ok()?;
    let mut next = request.clone();
    next.url = request.url.join(location).ok()?;
    if next.url.origin() != request.url.origin() {
        next.headers.remove(AUTHORIZATION);
    }
    let keeps_method = matches!(answer.status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
    if !keeps_method && request.method != Method::HEAD {
        next.method = Method::GET;
        next.body = None;
    }
    Some(next)
}

async fn stream(id: u64, mut answer: Streaming, port: &Port, room: &Semaphore) -> Result<(), String> {
    let headers = answer
        .headers
        .iter()
        .filter(|(name, _)| *name != "set-cookie")
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect();
    port.tell(&HostNews::FetchHead {
        id,
        status: answer.status.as_u16(),
        status_text: answer.status.canonical_reason().unwrap_or_default(),
        headers,
        url: answer.url.as_str(),
    });
    while let Some(piece) = answer.body.next().await {
        let mut piece = piece.map_err(|error| error.to_string())?;
        while !piece.is_empty() {
            let part = piece.split_to(piece.len().min(PIECE_BYTES));
            match timeout(READER_DEADLINE, room.acquire()).await {
                Ok(Ok(permit)) => permit.forget(),
                _ => return Err("the body was not read in time".into()),
            }
            port.tell_with(&HostNews::FetchChunk { id }, part);
        }
    }
    Ok(())
}
