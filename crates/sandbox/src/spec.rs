//! Says who a guest is and what it may cost.

use std::sync::Arc;

use message::{Address, AddressPattern, Grants};
use transport::Reach;
use url::Url;

use crate::shelf::{MemoryShelf, Shelf};

/// Largest source of a guest; the largest known packages have 300 KB.
pub const SOURCE_LIMIT: usize = 4 * 1024 * 1024;

/// How a guest's source is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Entry {
    /// Found out by looking at the source.
    #[default]
    Auto,
    /// A script that leaves a global `activate` (first and second generation).
    Umd,
    /// An ES module whose default export is a class with `_start` (third generation).
    Class,
    /// A script that calls `System.register` (third generation).
    SystemJs,
}

impl Entry {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Umd => "umd",
            Self::Class => "class",
            Self::SystemJs => "systemjs",
        }
    }
}

/// What a guest may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Messages it may send in a second; more are refused with 429.
    pub messages_per_second: u32,
    /// Messages that may wait for it, and events of it that may wait for us.
    pub unread_limit: usize,
    /// CPU time of one delivery after which its JavaScript is interrupted.
    pub soft_ms: u64,
    /// CPU time of one delivery after which the guest is stopped.
    pub hard_ms: u64,
    /// Bytes of its JavaScript heap.
    pub heap: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { messages_per_second: 100_000, unread_limit: 1024, soft_ms: 200, hard_ms: 400, heap: 64 * 1024 * 1024 }
    }
}

/// A guest to be started.
#[derive(Clone)]
pub struct GuestSpec {
    /// Its name for people and threads.
    pub name: String,
    /// Its address; it speaks with this one or one below it.
    pub address: Address,
    /// Further addresses it may speak with, as a stub does for its domain.
    pub speak_as: Vec<AddressPattern>,
    /// Its JavaScript.
    pub source: String,
    /// How the source is packed.
    pub entry: Entry,
    /// What it is told when it starts.
    pub config: serde_json::Value,
    /// What it may do.
    pub grants: Grants,
    /// How far its network connections may go.
    pub reach: Reach,
    /// What it may cost.
    pub budget: Budget,
    /// Where its source came from; its `location`.
    pub location: Url,
    /// Where it keeps things, within its grant.
    pub shelf: Arc<dyn Shelf>,
}

impl GuestSpec {
    /// A guest with no rights, the default budget and an empty shelf.
    pub fn new(name: impl Into<String>, address: Address, source: impl Into<String>) -> Self {
        let reach = Reach::for_domain(&address.domain());
        let location = Url::parse(&format!("https://{}/", address.domain_str()))
            .unwrap_or_else(|_| Url::parse("https://guest.invalid/").expect("a constant that is a URL"));
        Self {
            name: name.into(),
            address,
            speak_as: Vec::new(),
            source: source.into(),
            entry: Entry::Auto,
            config: serde_json::Value::Object(serde_json::Map::new()),
            grants: Grants::none(),
            reach,
            budget: Budget::default(),
            location,
            shelf: Arc::new(MemoryShelf::default()),
        }
    }

    /// The same with these rights.
    pub fn with_grants(mut self, grants: Grants) -> Self {
        self.grants = grants;
        self
    }
}

/// Names the guest's domain alone: sources and configurations may hold anything.
impl std::fmt::Debug for GuestSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GuestSpec").field("name", &self.name).field("address", &self.address).finish_non_exhaustive()
    }
}
