//! Lets the OpenID Connect library speak through our own, bounded HTTP.

use openidconnect::{HttpRequest, HttpResponse};
use transport::{FetchError, GetLimits, Net, Reach, Request};
use url::Url;

const ANSWER_LIMIT: u64 = 128 * 1024;

/// Sends one request of the library's within the issuer's reach; redirects are refused.
pub(crate) async fn send(net: Net, reach: Reach, request: HttpRequest) -> Result<HttpResponse, FetchError> {
    let (parts, body) = request.into_parts();
    let url = Url::parse(&parts.uri.to_string()).map_err(|_| FetchError::BadUrl)?;
    let request = Request { method: parts.method, url, headers: parts.headers, body: Some(body.into()) };
    let answer = net.send(request, &GetLimits::of_bytes(ANSWER_LIMIT), &reach).await?;
    let mut response = HttpResponse::new(answer.bytes.to_vec());
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    Ok(response)
}
