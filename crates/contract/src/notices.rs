//! The words about notices: what the desktop shows of what came, and which conversations are quiet.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The end of a mute that has none: the last moment a calendar of JavaScript knows, in Unix milliseconds.
pub const MUTED_FOR_EVER: i64 = 8_640_000_000_000_000;

/// What this device's desktop is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase", default)]
pub struct NoticeSettings {
    /// Whether there are notices at all.
    pub on: bool,
    /// How much of a message they tell.
    pub detail: NoticeDetail,
    /// Whether they sound.
    pub sound: bool,
    /// What is shown when somebody unknown asks for contact.
    pub requests: RequestNotices,
    /// Whether a missed call is shown.
    pub missed_calls: bool,
}

impl Default for NoticeSettings {
    fn default() -> Self {
        Self {
            on: true,
            detail: NoticeDetail::NameAndText,
            sound: true,
            requests: RequestNotices::Gentle,
            missed_calls: true,
        }
    }
}

/// How much a notice tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeDetail {
    /// Who wrote, and what.
    NameAndText,
    /// Who wrote.
    Name,
    /// Only that there is something new.
    Nothing,
}

/// What is shown of requests for contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum RequestNotices {
    /// One notice without a sound.
    Gentle,
    /// None; the list of conversations has them.
    Silent,
}

/// For how long a conversation is quiet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum MuteTime {
    /// Not any more.
    Off,
    /// One hour.
    Hour,
    /// Eight hours.
    EightHours,
    /// Seven days.
    Week,
    /// Until somebody takes it back.
    Always,
}

impl MuteTime {
    /// When a mute that begins now ends, in Unix milliseconds.
    pub fn until(self, now: i64) -> i64 {
        const HOUR: i64 = 3_600_000;
        match self {
            Self::Off => 0,
            Self::Hour => now + HOUR,
            Self::EightHours => now + 8 * HOUR,
            Self::Week => now + 7 * 24 * HOUR,
            Self::Always => MUTED_FOR_EVER,
        }
    }
}
