//! Asks a home to remember what was seen of each domain's catalogue.

use std::collections::HashMap;

use catalogue::Memory;
use message::Domain;

/// Remembers what was seen of each domain's catalogue; a store implements it.
pub trait CatalogueMemory: Send {
    /// What was seen of a domain before.
    fn load(&self, domain: &Domain) -> Option<Memory>;
    /// Keeps what has been seen now.
    fn save(&mut self, domain: &Domain, memory: &Memory);
}

/// Remembers until the process ends; for tests and tools.
#[derive(Debug, Default)]
pub struct ShortMemory(HashMap<Domain, Memory>);

impl CatalogueMemory for ShortMemory {
    fn load(&self, domain: &Domain) -> Option<Memory> {
        self.0.get(domain).cloned()
    }

    fn save(&mut self, domain: &Domain, memory: &Memory) {
        self.0.insert(domain.clone(), memory.clone());
    }
}
