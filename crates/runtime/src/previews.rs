//! Makes cards of links that the person writes, and keeps the last ones until they are sent.

use std::collections::VecDeque;
use std::sync::Arc;

use contract::{LinkPreview, LinkPreviews};
use preview::{Card, Link, PreviewError};
use tokio::sync::Semaphore;

use crate::files::base64;
use crate::home::Home;
use crate::trouble::{Failure, Outcome};

/// Cards that wait to be sent; of more the oldest go, and are made again when they are wanted.
const WAITING_LIMIT: usize = 16;

/// Pages that are visited at the same time; a person writes one message.
const VISITS_LIMIT: usize = 3;

/// Cards that were made and may be sent.
pub(crate) struct Previews {
    waiting: VecDeque<Card>,
    visits: Arc<Semaphore>,
}

impl Default for Previews {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), visits: Arc::new(Semaphore::new(VISITS_LIMIT)) }
    }
}

impl Previews {
    fn card(&self, link: &Link) -> Option<&Card> {
        self.waiting.iter().find(|card| card.link() == link)
    }

    fn keep(&mut self, card: Card) {
        self.waiting.retain(|one| one.link() != card.link());
        if self.waiting.len() >= WAITING_LIMIT {
            self.waiting.pop_front();
        }
        self.waiting.push_back(card);
    }
}

impl Home {
    /// Question `link.preview`: visits the page, once; a card that is here already is given again.
    pub(crate) async fn link_preview(&self, url: &str) -> Outcome<LinkPreview> {
        let link = Link::parse(url).map_err(|error| failed(&error.into()))?;
        if self.settings().link_previews == LinkPreviews::Never {
            return Err(Failure::new("previews-off", "the person wants no previews of links"));
        }
        let visits = {
            let state = self.state();
            state.store()?;
            if let Some(card) = state.previews.card(&link) {
                return Ok(card_view(card));
            }
            state.previews.visits.clone()
        };
        let Ok(_visit) = visits.try_acquire_owned() else {
            return Err(Failure::new("too-many", "other pages are being visited"));
        };
        let visit = preview::visit(&self.rooms.net, &link).await.map_err(|error| failed(&error))?;
        let drawn = tokio::task::spawn_blocking(move || visit.into_card()).await;
        let card = drawn.map_err(|error| Failure::new("no-preview", error))?;
        let shown = card_view(&card);
        let mut state = self.state();
        // A profile that was closed meanwhile keeps nothing.
        state.store()?;
        state.previews.keep(card);
        Ok(shown)
    }

    /// The card that was made of this link, if it may be sent.
    pub(crate) fn card_of(&self, url: &str) -> Option<Card> {
        let link = Link::parse(url).ok()?;
        if self.settings().link_previews == LinkPreviews::Never {
            return None;
        }
        self.state().previews.card(&link).cloned()
    }
}

fn failed(error: &PreviewError) -> Failure {
    Failure::new(error.code(), error)
}

/// A card as a shell sees it.
pub(crate) fn card_view(card: &Card) -> LinkPreview {
    LinkPreview {
        url: card.link().as_str().to_owned(),
        host: card.link().host().to_owned(),
        title: card.title().to_owned(),
        description: card.description().to_owned(),
        picture: (!card.picture().is_empty()).then(|| base64(card.picture())),
    }
}
