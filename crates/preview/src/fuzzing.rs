//! Opens the reader of pages to the fuzzers of `tests/fuzz`.

use crate::page::Page;
use crate::{Card, Link};

/// The card of the first link of a text, had it led to this page; without the picture that the page names.
pub fn card(text: &str, page: &[u8], charset: Option<&str>) -> Option<Card> {
    let link = Link::all_in(text).next()?;
    let Page { title, description, picture } = Page::read(page, charset);
    let picture = link.join(&picture);
    assert!(picture.is_err() || picture.is_ok_and(|at| at.as_str().starts_with("https://")));
    (!title.is_empty()).then(|| Card { link, title, description, picture: Vec::new() })
}
