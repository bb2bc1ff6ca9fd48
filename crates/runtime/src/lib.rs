//! Brings the rooms together for one device, and owns its tasks.
//!
//! A [`Runtime`] answers the questions of the contract and tells its news. It is
//! the only room that knows all the others: the bus, the guests, identity,
//! sealing, the store, media and the domains it is linked to.

use std::path::PathBuf;

use contract::{News, Question};
use serde_json::Value;
use tokio::sync::broadcast;

mod ask;
mod asking;
mod blocking;
mod calls;
mod chats;
mod commits;
mod comparing;
mod config;
mod consent;
mod documents;
mod first_run;
mod gate;
mod glare;
mod histories;
mod home;
mod idm;
mod inbox;
mod key_changes;
mod key_packages;
mod leases;
mod linking;
mod links;
mod members;
mod modules;
mod objects;
mod outbox;
mod own;
mod patience;
mod persons;
mod records;
mod recovery;
mod registry;
mod restoring;
mod resync;
mod sending;
mod spoken;
mod tasks;
mod trouble;
mod vouching;

pub use config::{Browser, ListedIssuer, RuntimeConfig};
pub use media::AudioConfig;
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
        home.rooms.tasks.start("time", home.clone().keep_time());
        Ok(Self { home })
    }

    /// Answers a question of a shell.
    pub async fn ask(&self, question: Question) -> Result<Value, Failure> {
        self.home.ask(question).await
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

/// Where the profile of this name keeps its files on this system.
pub fn profile_dir(name: &str) -> Result<PathBuf, Failure> {
    store::profile_dir(name).map_err(|error| Failure::new("no-directory", error))
}
