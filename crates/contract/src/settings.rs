//! What a person may set.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{LinkPreviews, NoticeSettings};

/// What a person set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// `system`, `light`, `dark` or `contrast`.
    pub theme: String,
    /// `system`, or a language tag the UI has.
    pub language: String,
    /// 100 to 200.
    pub text_percent: i32,
    /// Whether others learn that we read what they wrote.
    pub read_receipts: bool,
    /// Whether others learn that we are typing.
    pub typing: bool,
    /// Whether this app makes cards of the links one writes.
    pub link_previews: LinkPreviews,
    /// Whether a call has a small window above all others while one works elsewhere.
    pub small_window: bool,
    /// What this device's desktop is shown.
    pub notices: NoticeSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            theme: "system".into(),
            language: "system".into(),
            text_percent: 100,
            read_receipts: true,
            typing: true,
            link_previews: LinkPreviews::default(),
            small_window: true,
            notices: NoticeSettings::default(),
        }
    }
}
