//! Which stub leads to which domain, and the messages that wait for one.

use std::collections::{HashMap, VecDeque};

use message::{Address, Domain, PROVISIONAL_DEADLINE_MS};

use crate::limits::{PARKED_PER_DOMAIN, WAITING_DOMAINS};
use crate::port::PortId;

/// Labels of a domain's services in `domain://<service>.<domain>` addresses.
const SERVICES: [&str; 8] = ["msg-node.", "registry.", "idm.", "linking.", "account.", "gate.", "relay.", "blobs."];

/// The domain whose stub leads to an address: `domain://registry.b.example` is reached through `b.example`.
pub fn domain_of(address: &Address) -> &str {
    let domain = address.domain_str();
    if address.scheme() != "domain" {
        return domain;
    }
    SERVICES.iter().find_map(|service| domain.strip_prefix(service)).unwrap_or(domain)
}

/// The way to one domain.
#[derive(Debug)]
pub(crate) enum Route {
    /// Its stub is connected.
    Ready(PortId),
    /// Its stub is being fetched or connected.
    Waiting(Waiting),
}

#[derive(Debug)]
pub(crate) struct Waiting {
    /// The domain itself.
    pub domain: Domain,
    /// Entries that wait; those that are over meanwhile are skipped.
    pub parked: VecDeque<u64>,
    /// Since when.
    pub since: u64,
    /// Whether a person is being asked, so that requests wait longer.
    pub asking: bool,
}

/// What parking a message led to.
pub(crate) enum Parked {
    /// It is the first one: somebody has to fetch the stub.
    First,
    /// It waits with others; true if a person is being asked.
    Behind(bool),
    /// No room.
    Full,
}

/// The table of routes.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    by_domain: HashMap<Box<str>, Route>,
    waiting: usize,
}

impl Routes {
    pub fn get(&self, domain: &str) -> Option<&Route> {
        self.by_domain.get(domain)
    }

    /// Lets an entry wait for a domain's stub; `alive` tells which entries still wait.
    pub fn park(&mut self, now: u64, domain: &Domain, entry: u64, alive: impl Fn(u64) -> bool) -> Parked {
        match self.by_domain.get_mut(domain.as_str()) {
            Some(Route::Waiting(waiting)) => {
                if waiting.parked.len() >= PARKED_PER_DOMAIN {
                    waiting.parked.retain(|id| alive(*id));
                }
                if waiting.parked.len() >= PARKED_PER_DOMAIN {
                    return Parked::Full;
                }
                waiting.parked.push_back(entry);
                Parked::Behind(waiting.asking)
            }
            // A ready route is used, never parked at.
            Some(Route::Ready(_)) => Parked::Full,
            None if self.waiting >= WAITING_DOMAINS => Parked::Full,
            None => {
                let waiting =
                    Waiting { domain: domain.clone(), parked: VecDeque::from([entry]), since: now, asking: false };
                self.by_domain.insert(domain.as_str().into(), Route::Waiting(waiting));
                self.waiting += 1;
                Parked::First
            }
        }
    }

    /// Opens a route; returns what had waited for it.
    pub fn open(&mut self, domain: &Domain, port: PortId) -> VecDeque<u64> {
        let old = self.by_domain.insert(domain.as_str().into(), Route::Ready(port));
        self.parked_of(old)
    }

    /// Ends a route or the wait for it; returns what had waited.
    pub fn close(&mut self, domain: &str) -> VecDeque<u64> {
        let old = self.by_domain.remove(domain);
        self.parked_of(old)
    }

    /// A person is being asked; returns what waits.
    pub fn asking(&mut self, domain: &str) -> Vec<u64> {
        match self.by_domain.get_mut(domain) {
            Some(Route::Waiting(waiting)) if !waiting.asking => {
                waiting.asking = true;
                waiting.parked.iter().copied().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Ends every route through a port.
    pub fn forget(&mut self, port: PortId) {
        self.by_domain.retain(|_, route| !matches!(route, Route::Ready(at) if *at == port));
    }

    /// Domains that were waited for in vain.
    pub fn overdue(&self, now: u64) -> Vec<Domain> {
        self.waits().filter(|w| due(w) <= now).map(|w| w.domain.clone()).collect()
    }

    /// When the next wait is over.
    pub fn next_wake(&self) -> Option<u64> {
        if self.waiting == 0 { None } else { self.waits().map(due).min() }
    }

    fn waits(&self) -> impl Iterator<Item = &Waiting> {
        self.by_domain.values().filter_map(|route| match route {
            Route::Waiting(waiting) => Some(waiting),
            Route::Ready(_) => None,
        })
    }

    fn parked_of(&mut self, old: Option<Route>) -> VecDeque<u64> {
        match old {
            Some(Route::Waiting(waiting)) => {
                self.waiting -= 1;
                waiting.parked
            }
            _ => VecDeque::new(),
        }
    }
}

fn due(waiting: &Waiting) -> u64 {
    waiting.since.saturating_add(PROVISIONAL_DEADLINE_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_reached_through_its_domain() {
        let of = |text: &str| domain_of(&Address::parse(text).unwrap()).to_owned();
        assert_eq!(of("domain://registry.b.example"), "b.example");
        assert_eq!(of("domain://msg-node.b.example/sm"), "b.example");
        assert_eq!(of("hyperty://registry.b.example/1"), "registry.b.example");
    }
}
