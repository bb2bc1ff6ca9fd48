//! The words about cards of links: what one is, and whether this app makes them.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The card of a link. Who sent the link made it; nobody is asked to show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct LinkPreview {
    /// The link, which stands in the text beside it.
    pub url: String,
    /// Whose page it is; letters beyond ASCII as `xn--`.
    pub host: String,
    /// What the page calls itself.
    pub title: String,
    /// What it says of itself; may be empty.
    pub description: String,
    /// A small picture, as base64 of a JPEG.
    pub picture: Option<String>,
}

/// Whether this app makes cards of the links one writes. Making one tells the site that somebody at this network
/// address looks at it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum LinkPreviews {
    /// Never, and it is not offered.
    Never,
    /// It is offered, and made when the person says so.
    #[default]
    Ask,
    /// For each link that one writes.
    Always,
}
