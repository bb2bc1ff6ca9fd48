//! What can go wrong on the stage, in words for the person who runs the story.

use std::path::PathBuf;
use std::time::Duration;

use thirtyfour::error::WebDriverError;

/// Why the story did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// A program is not there.
    #[error("{program} is missing: {remedy}")]
    Missing {
        /// Its name.
        program: String,
        /// How to get it.
        remedy: String,
    },
    /// A program does not run.
    #[error("{program} did not start: {source}")]
    DidNotStart {
        /// Its name.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// A program runs, but does not say that it is ready.
    #[error("{program} was not ready after {} s; its log is {}", .after.as_secs(), .log.display())]
    NotReady {
        /// Its name.
        program: String,
        /// How long it had.
        after: Duration,
        /// What it wrote.
        log: PathBuf,
    },
    /// A program ended by itself.
    #[error("{program} ended ({status}); its log is {}", .log.display())]
    Ended {
        /// Its name.
        program: String,
        /// How.
        status: String,
        /// What it wrote.
        log: PathBuf,
    },
    /// Somebody did not get to see what they should.
    #[error("{who} did not see {what} within {} s{also}", .after.as_secs())]
    NotSeen {
        /// Whose window.
        who: String,
        /// What was to be seen.
        what: String,
        /// How long it had.
        after: Duration,
        /// What was seen instead.
        also: String,
    },
    /// Somebody saw something that must not be there.
    #[error("{who} saw {what}")]
    Seen {
        /// Whose window.
        who: String,
        /// What was seen.
        what: String,
    },
    /// What was said is not what was heard.
    #[error("{who} did not hear {what}: {found}")]
    NotHeard {
        /// Who listened.
        who: String,
        /// What was said.
        what: String,
        /// What the recording shows.
        found: String,
    },
    /// The web driver refused a command.
    #[error("{who}: {source}")]
    Driver {
        /// Whose window.
        who: String,
        /// What it said.
        source: Box<WebDriverError>,
    },
    /// The screen did not answer.
    #[error("the screen: {0}")]
    Screen(String),
    /// A file could not be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl StageError {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    pub(crate) fn driver(who: &str) -> impl FnOnce(WebDriverError) -> Self {
        let who = who.to_owned();
        move |source| Self::Driver { who, source: Box::new(source) }
    }
}
