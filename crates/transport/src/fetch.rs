//! Fetches whole documents, never more than asked for.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Method, StatusCode};
use tokio::time::{Instant, timeout_at};
use url::Url;
use url::form_urlencoded;

use crate::error::FetchError;
use crate::limits::{GetLimits, REDIRECT_LIMIT, Redirect};
use crate::net::Net;
use crate::reach::Reach;
use crate::redirect::{host_of, next_hop};

/// A document that came completely, with success.
#[derive(Clone)]
pub struct Fetched {
    /// What was sent.
    pub bytes: Bytes,
    /// What the server says it is.
    pub content_type: Option<String>,
    /// Where it was found in the end.
    pub final_url: Url,
}

/// A request in full.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Whom and what it asks.
    pub url: Url,
    /// Its headers; `Host`, lengths and the like are added.
    pub headers: HeaderMap,
    /// Its body, if any.
    pub body: Option<Bytes>,
}

impl Request {
    /// A plain GET.
    pub fn get(url: Url) -> Self {
        Self { method: Method::GET, url, headers: HeaderMap::new(), body: None }
    }
}

/// An answer in full, whatever its status.
#[derive(Clone)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub bytes: Bytes,
    /// Where it was found in the end.
    pub final_url: Url,
}

impl Net {
    /// Fetches a document; only a success within the limits counts.
    pub async fn get(&self, url: &Url, limits: &GetLimits, reach: &Reach) -> Result<Fetched, FetchError> {
        self.send(Request::get(url.clone()), limits, reach).await.and_then(success)
    }

    /// Posts a form, as OpenID Connect's token endpoint wants it. Redirects are never followed.
    pub async fn post_form(
        &self,
        url: &Url,
        form: &[(&str, &str)],
        limits: &GetLimits,
        reach: &Reach,
    ) -> Result<Fetched, FetchError> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let request = Request { method: Method::POST, url: url.clone(), headers, body: Some(body.into()) };
        self.send(request, limits, reach).await.and_then(success)
    }

    /// Sends any request and reads the whole answer, of any status but a redirect.
    ///
    /// Redirects are followed for GET and HEAD as the limits say; elsewhere
    /// they are an error, so that no body travels to a host nobody chose.
    pub async fn send(&self, request: Request, limits: &GetLimits, reach: &Reach) -> Result<Response, FetchError> {
        let clock = Clock { end: Instant::now() + limits.total, limits };
        let may_follow = matches!(request.method, Method::GET | Method::HEAD);
        let policy = if may_follow { limits.redirect } else { Redirect::None };
        let mut request = request;
        request.url.set_fragment(None);
        for _ in 0..=REDIRECT_LIMIT {
            reach.admit(&request.url)?;
            let answer = clock.run(self.launch(&request, *reach)).await?;
            if !is_redirect(answer.status()) {
                return read_whole(answer, request.url, &clock).await;
            }
            let location = answer.headers().get(LOCATION).map(HeaderValue::as_bytes);
            let next = next_hop(&request.url, location, policy, *reach)?;
            if next.origin() != request.url.origin() {
                // What was meant for one host is not shown to another.
                request.headers.clear();
            }
            request.url = next;
        }
        Err(FetchError::Redirect { from: host_of(&request.url), to: "ever further".into() })
    }

    pub(crate) async fn launch(&self, request: &Request, reach: Reach) -> Result<reqwest::Response, reqwest::Error> {
        let mut builder =
            self.client(reach).request(request.method.clone(), request.url.clone()).headers(request.headers.clone());
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
        }
        builder.send().await
    }
}

pub(crate) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn success(response: Response) -> Result<Fetched, FetchError> {
    if !response.status.is_success() {
        return Err(FetchError::Status(response.status.as_u16()));
    }
    let content_type = response.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(Fetched { bytes: response.bytes, content_type, final_url: response.final_url })
}

/// Two alarms: one for the whole answer, one for each silence in it.
struct Clock<'a> {
    end: Instant,
    limits: &'a GetLimits,
}

impl Clock<'_> {
    async fn run<T>(&self, work: impl Future<Output = Result<T, reqwest::Error>>) -> Result<T, FetchError> {
        let silence = Instant::now() + self.limits.idle;
        let (end, limit) = if silence < self.end { (silence, self.limits.idle) } else { (self.end, self.limits.total) };
        match timeout_at(end, work).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(FetchError::of_chain(&error, millis(self.limits.total))),
            Err(_) => Err(FetchError::TooSlow { after_ms: millis(limit) }),
        }
    }
}

pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

async fn read_whole(mut answer: reqwest::Response, final_url: Url, clock: &Clock<'_>) -> Result<Response, FetchError> {
    let limit = clock.limits.bytes;
    if answer.content_length().is_some_and(|length| length > limit) {
        return Err(FetchError::TooLarge { limit });
    }
    let mut bytes = BytesMut::new();
    while let Some(piece) = clock.run(answer.chunk()).await? {
        if bytes.len() as u64 + piece.len() as u64 > limit {
            return Err(FetchError::TooLarge { limit });
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(Response {
        status: answer.status(),
        headers: std::mem::take(answer.headers_mut()),
        bytes: bytes.freeze(),
        final_url,
    })
}
