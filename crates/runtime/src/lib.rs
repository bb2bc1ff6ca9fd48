//! Brings the rooms together for one device, and owns its tasks.
//!
//! A [`Runtime`] answers the questions of the contract and tells its news. It is
//! the only room that knows all the others: the bus, the guests, identity,
//! sealing, the store, media and the domains it is linked to.

use std::path::PathBuf;

use contract::{News, PictureWish, Question};
use serde_json::Value;
use tokio::sync::broadcast;

mod apart;
mod archives;
mod ask;
mod asking;
mod behind;
mod blocking;
mod brought;
mod call_book;
mod calls;
mod chat;
mod chats;
mod circle;
mod comings;
mod commits;
mod comparing;
mod config;
mod consent;
mod documents;
mod doors;
mod doubts;
mod echo;
mod files;
mod first_run;
mod gate;
mod gates;
mod glare;
mod held;
mod histories;
mod home;
mod idm;
mod inbox;
mod inviting;
mod issuers;
mod key_changes;
mod key_packages;
mod leases;
mod linking;
mod links;
mod locking;
mod members;
mod modules;
mod muting;
mod objects;
mod outbox;
mod own;
mod parsed;
mod paths;
mod patience;
mod personas;
mod persons;
mod pictures;
mod preparing;
mod previews;
mod proxies;
mod rechecks;
mod records;
mod recovery;
mod refreshing;
mod refusing;
mod registry;
mod relays;
mod renewals;
mod resetting;
mod restoring;
mod resync;
mod retention;
mod rules;
mod sending;
mod settling;
mod sharing;
mod sound;
mod spoken;
mod tasks;
mod together;
mod trail_book;
mod trouble;
mod upkeep;
mod verdicts;
mod vouching;

pub use config::{Browser, IssuerLanguage, ListedIssuer, OrganisationSource, RuntimeConfig};
pub use media::{AudioConfig, openh264_places};
pub use transport::NetConfig;
pub use trouble::Failure;

use home::Home;

/// One device's runtime; cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    home: Home,
}

impl Runtime {
    /// Opens the profile as far as that is possible without a person, and starts the tasks.
    pub async fn start(config: RuntimeConfig) -> Result<Self, Failure> {
        let home = Home::new(config)?;
        home.open_store().await;
        home.begin();
        home.rooms.tasks.start_lasting("time", home.clone().keep_time());
        Ok(Self { home })
    }

    /// Answers a question of a shell.
    pub async fn ask(&self, question: Question) -> Result<Value, Failure> {
        self.home.ask(question).await
    }

    /// The newest picture of a call, for a shell to draw.
    pub async fn picture(&self, wish: PictureWish) -> Result<Vec<u8>, Failure> {
        self.home.picture(wish).await
    }

    /// Hears news from now on.
    pub fn hear(&self) -> broadcast::Receiver<News> {
        self.home.rooms.news.subscribe()
    }

    /// Ends calls, guests and tasks, and waits for the last one.
    pub async fn close(&self) {
        self.home.close().await;
    }
}

/// Keeps the memory of this process to itself, as far as the system helps: no core dump, no other program of
/// the same user that reads along. To be called first of all.
pub fn harden_process() {
    let hardened = store::harden_process();
    tracing::debug!(hardened.no_core, hardened.not_dumpable, "the process keeps its memory to itself");
}

/// Where the profile of this name keeps its files on this system.
pub fn profile_dir(name: &str) -> Result<PathBuf, Failure> {
    store::profile_dir(name).map_err(|error| Failure::new("no-directory", error))
}
