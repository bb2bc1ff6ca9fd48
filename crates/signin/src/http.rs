//! Lets the OpenID Connect library speak through our own, bounded HTTP.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use openidconnect::{HttpRequest, HttpResponse};
use transport::header::{HeaderMap, HeaderName, HeaderValue};
use transport::{FetchError, GetLimits, Net, Reach, Request, StatusCode};
use url::Url;

use crate::clock::{ahead_of, unix_now};
use crate::proof::Prover;

const ANSWER_LIMIT: u64 = 128 * 1024;
const NONCE_LIMIT: usize = 512;
const PROOF: HeaderName = HeaderName::from_static("dpop");
const PROOF_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

type Answering = Pin<Box<dyn Future<Output = Result<HttpResponse, FetchError>> + Send>>;

/// The way to one issuer's token endpoint; cheap to clone.
#[derive(Clone)]
pub(crate) struct Wire(Arc<Inner>);

struct Inner {
    net: Net,
    reach: Reach,
    prover: Option<Prover>,
    ahead_s: Mutex<Option<i64>>,
}

impl Wire {
    pub fn new(net: &Net, reach: Reach, prover: Option<Prover>) -> Self {
        Self(Arc::new(Inner { net: net.clone(), reach, prover, ahead_s: Mutex::new(None) }))
    }

    /// What the library calls for every request.
    pub fn as_client(&self) -> impl Fn(HttpRequest) -> Answering + Send + Sync + 'static {
        let wire = self.clone();
        move |request| {
            let wire = wire.clone();
            Box::pin(async move { wire.send(request).await })
        }
    }

    /// Sends one request of the library's within the issuer's reach; redirects are refused. An issuer that
    /// wants its own nonce in a proof (RFC 9449, section 8) gets it, once.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        let (parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string()).map_err(|_| FetchError::BadUrl)?;
        let request = Request { method: parts.method, url, headers: parts.headers, body: Some(body.into()) };
        let first = self.once(&request, None).await?;
        match self.wanted_nonce(&first) {
            Some(nonce) => self.once(&request, Some(&nonce)).await,
            None => Ok(first),
        }
    }

    /// How far this machine's clock was ahead of the issuer's when it answered last.
    pub fn ahead_s(&self) -> Option<i64> {
        *self.0.ahead_s.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn once(&self, request: &Request, nonce: Option<&str>) -> Result<HttpResponse, FetchError> {
        let mut request = request.clone();
        if let Some(prover) = &self.0.prover {
            let proof = prover.proof(&request.url, nonce, unix_now());
            request.headers.insert(PROOF, HeaderValue::try_from(proof).map_err(|_| FetchError::BadUrl)?);
        }
        let answer = self.0.net.send(request, &GetLimits::of_bytes(ANSWER_LIMIT), &self.0.reach).await?;
        *self.0.ahead_s.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
            ahead_of(&answer.headers, unix_now());
        if is_busy(answer.status) {
            return Err(FetchError::Status(answer.status.as_u16()));
        }
        let mut response = HttpResponse::new(answer.bytes.to_vec());
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }

    fn wanted_nonce(&self, answer: &HttpResponse) -> Option<String> {
        let asked =
            self.0.prover.is_some() && answer.status().is_client_error() && error_of(answer.body()) == NONCE_ERROR;
        asked.then(|| nonce_in(answer.headers())).flatten()
    }
}

const NONCE_ERROR: &str = "use_dpop_nonce";

fn nonce_in(headers: &HeaderMap) -> Option<String> {
    let nonce = headers.get(PROOF_NONCE)?.to_str().ok()?;
    (!nonce.is_empty() && nonce.len() <= NONCE_LIMIT).then(|| nonce.to_owned())
}

/// OAuth's error code in an answer, or nothing.
pub(crate) fn error_of(body: &[u8]) -> String {
    let answer: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let error = answer.as_ref().and_then(|answer| answer.get("error")).and_then(serde_json::Value::as_str);
    error.unwrap_or_default().to_owned()
}

/// Whether a server says that it is the moment, and not the request, that is wrong.
pub(crate) fn is_busy(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}
