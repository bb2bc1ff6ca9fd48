//! Who listens where: exact places, and places with everything below them.

use std::collections::HashMap;
use std::sync::Arc;

use message::Address;

use crate::limits::{LISTENERS_PER_PLACE, PLACE_DEPTH, PLACES_PER_PORT};
use crate::port::PortId;

/// Where a port listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// At this address only.
    At(Address),
    /// At this address and at every address below it.
    Below(Address),
}

/// Why a port cannot listen there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ListenError {
    /// The port is gone or never was.
    #[error("there is no such port")]
    NoSuchPort,
    /// The place has [`LISTENERS_PER_PLACE`] listeners.
    #[error("an address has at most {LISTENERS_PER_PLACE} listeners")]
    PlaceFull,
    /// The port listens at [`PLACES_PER_PORT`] places.
    #[error("a port listens at no more than {PLACES_PER_PORT} places")]
    TooManyPlaces,
    /// More than [`PLACE_DEPTH`] segments, too deep for [`Place::Below`].
    #[error("a place to listen below has at most {PLACE_DEPTH} segments")]
    TooDeep,
}

/// The table of listeners. The most specific place that matches an address wins.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    at: HashMap<Box<str>, Arc<[PortId]>>,
    below: HashMap<Box<str>, Arc<[PortId]>>,
}

impl Listeners {
    /// Whether something changed; a port that listens already stays as it is.
    pub fn add(&mut self, port: PortId, place: &Place) -> Result<bool, ListenError> {
        let (table, key) = self.table(place);
        if matches!(place, Place::Below(_)) && depth(key) > PLACE_DEPTH {
            return Err(ListenError::TooDeep);
        }
        let ports = table.entry(key.into()).or_insert_with(|| Arc::new([]));
        if ports.contains(&port) {
            return Ok(false);
        }
        if ports.len() >= LISTENERS_PER_PLACE {
            return Err(ListenError::PlaceFull);
        }
        *ports = ports.iter().copied().chain([port]).collect();
        Ok(true)
    }

    /// Whether the port had listened there.
    pub fn remove(&mut self, port: PortId, place: &Place) -> bool {
        let (table, key) = self.table(place);
        let Some(ports) = table.get_mut(key) else { return false };
        if !ports.contains(&port) {
            return false;
        }
        *ports = ports.iter().copied().filter(|p| *p != port).collect();
        if ports.is_empty() {
            table.remove(key);
        }
        true
    }

    /// Forgets a port everywhere.
    pub fn forget(&mut self, port: PortId) {
        for table in [&mut self.at, &mut self.below] {
            table.retain(|_, ports| {
                if ports.contains(&port) {
                    *ports = ports.iter().copied().filter(|p| *p != port).collect();
                }
                !ports.is_empty()
            });
        }
    }

    /// The listeners of the most specific place that matches.
    pub fn of(&self, address: &Address) -> Option<&Arc<[PortId]>> {
        self.at.get(address.as_str()).or_else(|| self.nearest_below(address))
    }

    fn nearest_below(&self, address: &Address) -> Option<&Arc<[PortId]>> {
        if self.below.is_empty() {
            return None;
        }
        let text = address.as_str().trim_end_matches('/');
        let start = address.scheme().len() + 3 + address.domain_str().len();
        let ends = text.bytes().enumerate().skip(start).filter(|(_, byte)| *byte == b'/').map(|(at, _)| at);
        let mut found = None;
        // From the domain downwards, a bounded number of segments: a hostile path costs no more.
        for end in ends.take(PLACE_DEPTH + 1).chain([text.len()]) {
            found = self.below.get(&text[..end]).or(found);
        }
        found
    }

    fn table<'a, 'p>(&'a mut self, place: &'p Place) -> (&'a mut HashMap<Box<str>, Arc<[PortId]>>, &'p str) {
        match place {
            Place::At(address) => (&mut self.at, address.as_str()),
            Place::Below(address) => (&mut self.below, address.as_str().trim_end_matches('/')),
        }
    }
}

fn depth(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'/').count().saturating_sub(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    #[test]
    fn the_most_specific_place_wins() {
        let mut listeners = Listeners::default();
        listeners.add(PortId(1), &Place::Below(address("comm://a.example"))).unwrap();
        listeners.add(PortId(2), &Place::Below(address("comm://a.example/1/"))).unwrap();
        listeners.add(PortId(3), &Place::At(address("comm://a.example/1/changes"))).unwrap();
        let heard = |text: &str| listeners.of(&address(text)).map(|ports| ports[0].0);
        assert_eq!(heard("comm://a.example/1/changes"), Some(3));
        assert_eq!(heard("comm://a.example/1/children/"), Some(2));
        assert_eq!(heard("comm://a.example/1"), Some(2));
        assert_eq!(heard("comm://a.example/12"), Some(1));
        assert_eq!(heard("comm://a.example"), Some(1));
        assert_eq!(heard("comm://a.example.evil.example/1"), None);
    }

    #[test]
    fn a_port_that_stops_listening_is_forgotten() {
        let mut listeners = Listeners::default();
        let place = Place::Below(address("comm://a.example/1"));
        assert!(listeners.add(PortId(1), &place).unwrap());
        assert!(!listeners.add(PortId(1), &place).unwrap());
        assert!(listeners.remove(PortId(1), &place));
        assert!(!listeners.remove(PortId(1), &place));
        assert!(listeners.of(&address("comm://a.example/1")).is_none());
    }

    #[test]
    fn an_endless_path_costs_a_bounded_number_of_looks() {
        let mut listeners = Listeners::default();
        listeners.add(PortId(1), &Place::Below(address("comm://a.example/1"))).unwrap();
        let deep = format!("comm://a.example/1{}", "/x".repeat(200));
        assert!(listeners.of(&address(&deep)).is_some());
        assert_eq!(listeners.add(PortId(1), &Place::Below(address(&deep))), Err(ListenError::TooDeep));
    }
}
