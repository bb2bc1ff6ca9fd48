//! The one façade between the app and its shells: questions, answers, news and codes.
//!
//! A shell asks with a [`contract::Question`] and gets one answer, or hears
//! [`contract::News`]. It depends on nothing below this crate, and this crate
//! on no shell.

use std::path::PathBuf;

use contract::{ApiError, News, PictureWish, Question};
use runtime::{Runtime, RuntimeConfig};
use serde_json::Value;
use tokio::sync::broadcast;

pub use contract;

mod settings;

pub use runtime::harden_process;
pub use settings::{Profile, ProfileError};

/// What a program logs: what `RUST_LOG` asks for, errors by default, and never a word of the crates that carry calls:
/// theirs name the network addresses of the people who call.
pub fn log_filter() -> String {
    const UNHEARD: [&str; 17] = [
        "webrtc",
        "rtc",
        "rtc_crypto",
        "rtc_datachannel",
        "rtc_dtls",
        "rtc_ice",
        "rtc_interceptor",
        "rtc_mdns",
        "rtc_media",
        "rtc_rtcp",
        "rtc_rtp",
        "rtc_sctp",
        "rtc_sdp",
        "rtc_shared",
        "rtc_srtp",
        "rtc_stun",
        "rtc_turn",
    ];
    let asked = std::env::var("RUST_LOG").unwrap_or_default();
    let quiet = UNHEARD.map(|name| format!("{name}=off")).join(",");
    format!("error,{asked},{quiet}")
}

/// Largest question a shell may ask, in bytes of JSON.
pub const QUESTION_LIMIT: usize = 256 * 1024;

/// The app behind the glass; cheap to clone.
#[derive(Clone)]
pub struct Api {
    runtime: Runtime,
}

impl Api {
    /// Opens a profile and starts its runtime.
    pub async fn open(profile: Profile) -> Result<Self, ApiError> {
        let config = profile.into_config().map_err(|error| trouble("bad-settings", error))?;
        Self::with_config(config).await
    }

    /// Starts a runtime with settings made by hand (tests do).
    pub async fn with_config(config: RuntimeConfig) -> Result<Self, ApiError> {
        let runtime = Runtime::start(config).await.map_err(|failure| trouble(&failure.code, &failure.detail))?;
        Ok(Self { runtime })
    }

    /// Answers a question.
    pub async fn ask(&self, question: Question) -> Result<Value, ApiError> {
        self.runtime.ask(question).await.map_err(|failure| trouble(&failure.code, &failure.detail))
    }

    /// Answers a question that came as JSON from a shell, which may be wrong.
    pub async fn ask_json(&self, question: &str) -> Result<Value, ApiError> {
        if question.len() > QUESTION_LIMIT {
            return Err(trouble("too-large", "the question is too large"));
        }
        let question: Question =
            serde_json::from_str(question).map_err(|_| trouble("bad-question", "no such question"))?;
        self.ask(question).await
    }

    /// The newest picture of a call, for whom the wish came as JSON from a shell, which may be wrong.
    pub async fn picture_json(&self, wish: &str) -> Result<Vec<u8>, ApiError> {
        let small = wish.len() <= QUESTION_LIMIT;
        let wish = small.then(|| serde_json::from_str(wish).ok()).flatten();
        self.picture(wish.ok_or_else(|| trouble("bad-question", "no such wish"))?).await
    }

    /// The newest picture of a call, as [`PictureWish`] says.
    pub async fn picture(&self, wish: PictureWish) -> Result<Vec<u8>, ApiError> {
        self.runtime.picture(wish).await.map_err(|failure| trouble(&failure.code, &failure.detail))
    }

    /// Hears news from now on. A receiver that falls behind asks for everything again.
    pub fn hear(&self) -> broadcast::Receiver<News> {
        self.runtime.hear()
    }

    /// Closes the profile: guests stop, calls end, everything is on disk.
    pub async fn close(&self) {
        self.runtime.close().await;
    }

    /// Where a profile of this name keeps its files.
    pub fn profile_dir(name: &str) -> Result<PathBuf, ApiError> {
        settings::profile_dir(name).map_err(|error| trouble("bad-settings", error))
    }
}

fn trouble(code: &str, detail: impl std::fmt::Display) -> ApiError {
    ApiError { code: code.to_owned(), detail: detail.to_string() }
}
