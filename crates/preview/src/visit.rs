//! Visits a page and its picture: over TLS, to public addresses, within time and bytes, saying nothing of who asks.

use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};
use transport::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use transport::{Net, Request, Streaming};

use crate::card::Card;
use crate::error::PreviewError;
use crate::limits::{HOPS_LIMIT, PAGE_BYTES, PATIENCE, PICTURE_BYTES, PICTURE_LIMIT, PICTURE_SIDE};
use crate::link::Link;
use crate::near;
use crate::page::Page;

/// What pages may be, and pictures.
const PAGES: &str = "text/html,application/xhtml+xml";
const PICTURES: &str = "image/jpeg,image/png,image/webp,image/gif";

/// What a visit brought home; nothing of it is drawn yet.
pub struct Visit {
    link: Link,
    page: Page,
    picture: Vec<u8>,
}

/// Visits the page behind a link, once. At most six seconds.
pub async fn visit(net: &Net, link: &Link) -> Result<Visit, PreviewError> {
    let end = Instant::now() + PATIENCE;
    let fetched = timeout_at(end, fetch(net, link, PAGES, PAGE_BYTES)).await.map_err(|_| PreviewError::TooSlow)??;
    let charset = fetched.media.split_once("charset=").map(|(_, name)| name.trim_matches([' ', '"', ';']).to_owned());
    let page = Page::read(&fetched.bytes, charset.as_deref());
    if page.title.is_empty() {
        return Err(PreviewError::Nameless);
    }
    // A page has a card without its picture, too.
    let place = Some(&page.picture).filter(|place| !place.is_empty()).and_then(|place| fetched.at.join(place).ok());
    let picture = match place {
        Some(place) => timeout_at(end, fetch(net, &place, PICTURES, PICTURE_BYTES)).await.ok().and_then(Result::ok),
        None => None,
    };
    let picture = picture.filter(|fetched| fetched.whole).map(|fetched| fetched.bytes).unwrap_or_default();
    Ok(Visit { link: link.clone(), page, picture })
}

impl Visit {
    /// Draws the picture small. Takes a moment: never on a thread that others wait for.
    pub fn into_card(self) -> Card {
        let picture = if self.picture.is_empty() {
            Vec::new()
        } else {
            pictures::small(&self.picture, PICTURE_SIDE, PICTURE_LIMIT).unwrap_or_default()
        };
        Card { link: self.link, title: self.page.title, description: self.page.description, picture }
    }
}

struct Fetched {
    /// Where it was found in the end.
    at: Link,
    /// What it is, as the server says.
    media: String,
    bytes: Vec<u8>,
    /// Whether there was no more.
    whole: bool,
}

/// Fetches the beginning of something of the wanted media types, following a few redirects, each judged anew.
async fn fetch(net: &Net, link: &Link, wanted: &'static str, most: usize) -> Result<Fetched, PreviewError> {
    let mut at = link.clone();
    for _ in 0..=HOPS_LIMIT {
        let mut request = Request::get(at.url().clone());
        request.url.set_fragment(None);
        request.headers.insert(ACCEPT, HeaderValue::from_static(wanted));
        let (way, reach) = near::way(at.url(), net);
        let answer = way.open(request, &reach).await?;
        match answer.status.as_u16() {
            301 | 302 | 303 | 307 | 308 => {
                let to = text(&answer.headers, LOCATION).ok_or(PreviewError::Hops)?;
                at = at.join(to)?;
            }
            200 => return read(at, answer, wanted, most).await,
            status => return Err(PreviewError::Status(status)),
        }
    }
    Err(PreviewError::Hops)
}

async fn read(at: Link, mut answer: Streaming, wanted: &str, most: usize) -> Result<Fetched, PreviewError> {
    let media = text(&answer.headers, CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
    let plain = media.split(';').next().unwrap_or_default().trim();
    let packed = text(&answer.headers, CONTENT_ENCODING).is_some_and(|how| how != "identity");
    if packed || !wanted.split(',').any(|one| one == plain) {
        return Err(PreviewError::NotAPage);
    }
    let mut bytes = Vec::new();
    while let Some(piece) = answer.body.next().await {
        let piece = piece?;
        let room = most - bytes.len();
        bytes.extend_from_slice(&piece[..piece.len().min(room)]);
        if piece.len() > room {
            // The connection ends with the answer: the rest is not fetched.
            return Ok(Fetched { at, media, bytes, whole: false });
        }
    }
    Ok(Fetched { at, media, bytes, whole: true })
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
