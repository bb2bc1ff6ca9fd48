//! Opens answers that are read piece by piece, for guests.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use tokio::time::timeout;
use url::Url;

use crate::error::FetchError;
use crate::fetch::{Request, millis};
use crate::limits::{HEAD_DEADLINE, STREAM_IDLE};
use crate::net::Net;
use crate::reach::Reach;

/// The pieces of a body as they come.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, FetchError>> + Send>>;

/// An answer whose head has come.
pub struct Streaming {
    /// The status; a redirect is handed out as it is.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// Who answered.
    pub url: Url,
    /// The body. Ends with an error after 120 s of silence; how much is read is the reader's to bound.
    pub body: ByteStream,
}

impl Net {
    /// Sends a request and returns as soon as the head of its answer is there.
    ///
    /// Redirects are **not** followed: whoever asks on behalf of a guest must
    /// first judge the next URL by the guest's grants, then open it anew.
    pub async fn open(&self, request: Request, reach: &Reach) -> Result<Streaming, FetchError> {
        reach.admit(&request.url)?;
        let answer = match timeout(HEAD_DEADLINE, self.launch(&request, *reach)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(FetchError::of_chain(&error, millis(HEAD_DEADLINE))),
            Err(_) => return Err(FetchError::TooSlow { after_ms: millis(HEAD_DEADLINE) }),
        };
        let (status, headers) = (answer.status(), answer.headers().clone());
        Ok(Streaming { status, headers, url: request.url, body: pieces(answer) })
    }
}

fn pieces(answer: reqwest::Response) -> ByteStream {
    let source = Box::pin(answer.bytes_stream());
    Box::pin(futures_util::stream::unfold(Some(source), |source| async move {
        let mut source = source?;
        match timeout(STREAM_IDLE, source.next()).await {
            Ok(Some(Ok(piece))) => Some((Ok(piece), Some(source))),
            Ok(Some(Err(error))) => Some((Err(FetchError::of_chain(&error, millis(STREAM_IDLE))), None)),
            Ok(None) => None,
            Err(_) => Some((Err(FetchError::TooSlow { after_ms: millis(STREAM_IDLE) }), None)),
        }
    }))
}
