//! How often one person may make a device ring, and how often it is written down that they tried in vain.

use std::collections::{BTreeMap, VecDeque};

/// The time in which attempts are counted.
const WINDOW_MS: u64 = 60_000;
/// Rings of a contact in that time: whoever was not heard may try again.
const RINGS_OF_A_CONTACT: usize = 3;
/// People who are remembered at once.
const PEOPLE: usize = 256;

/// The rings of the last minute.
#[derive(Debug, Default)]
pub struct Attempts {
    rings: BTreeMap<String, VecDeque<u64>>,
    /// When it was last written down that somebody called in vain.
    noted: BTreeMap<String, u64>,
}

impl Attempts {
    /// Whether an attempt of this person rings; it is counted if it does. A stranger's rings once a
    /// minute, a contact's three times.
    pub fn may_ring(&mut self, person: &str, is_contact: bool, now_ms: u64) -> bool {
        self.rings.retain(|_, rings| {
            rings.retain(|at| now_ms.saturating_sub(*at) < WINDOW_MS);
            !rings.is_empty()
        });
        // Strangers can be many; contacts are chosen.
        if self.rings.len() >= PEOPLE && !is_contact {
            return false;
        }
        let limit = if is_contact { RINGS_OF_A_CONTACT } else { 1 };
        let rings = self.rings.entry(person.to_owned()).or_default();
        if rings.len() >= limit {
            return false;
        }
        rings.push_back(now_ms);
        true
    }

    /// Whether an attempt that does not ring is written down: once a minute for one person. Nobody fills the
    /// history of somebody else by calling again and again, nor does a crowd.
    pub fn may_be_noted(&mut self, person: &str, now_ms: u64) -> bool {
        self.noted.retain(|_, at| now_ms.saturating_sub(*at) < WINDOW_MS);
        if self.noted.len() >= PEOPLE || self.noted.contains_key(person) {
            return false;
        }
        self.noted.insert(person.to_owned(), now_ms);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of 200 attempts within a minute ring.
    fn rings(attempts: &mut Attempts, person: &str, is_contact: bool, from_ms: u64) -> usize {
        (0..200u64).filter(|n| attempts.may_ring(person, is_contact, from_ms + n * 299)).count()
    }

    #[test]
    fn two_hundred_attempts_of_a_stranger_in_a_minute_ring_once() {
        let mut attempts = Attempts::default();
        assert_eq!(rings(&mut attempts, "user://c.localhost/mallory", false, 1_000), 1);
        assert_eq!(rings(&mut attempts, "user://c.localhost/mallory", false, 61_000), 1, "and once in the next");
        assert_eq!(rings(&mut attempts, "user://b.localhost/ben", true, 61_000), 3, "nobody pays for another");
    }

    #[test]
    fn a_contact_may_try_again() {
        let mut attempts = Attempts::default();
        let tries: Vec<_> = (0..5u64).map(|n| attempts.may_ring("ben", true, n * 15_000)).collect();
        assert_eq!(tries, [true, true, true, false, true], "the first is a minute ago by then");
    }

    #[test]
    fn who_calls_in_vain_is_written_down_once_a_minute_and_a_crowd_does_not_fill_the_book() {
        let mut attempts = Attempts::default();
        let noted = |attempts: &mut Attempts, person: &str, from_ms: u64| {
            (0..200u64).filter(|n| attempts.may_be_noted(person, from_ms + n * 299)).count()
        };
        assert_eq!(noted(&mut attempts, "ben", 1_000), 1);
        assert_eq!(noted(&mut attempts, "cleo", 1_000), 1, "nobody pays for another");
        assert_eq!(noted(&mut attempts, "ben", 61_000), 1, "and once in the next");
        let crowd = (0..10_000).filter(|n| attempts.may_be_noted(&format!("stranger {n}"), 200_000)).count();
        assert_eq!(crowd, PEOPLE);
        assert!(attempts.may_be_noted("ben", 200_000 + WINDOW_MS));
    }

    #[test]
    fn a_crowd_of_strangers_neither_fills_the_memory_nor_keeps_contacts_out() {
        let mut attempts = Attempts::default();
        let rang = (0..10_000).filter(|n| attempts.may_ring(&format!("stranger {n}"), false, 5)).count();
        assert_eq!(rang, PEOPLE);
        assert!(attempts.may_ring("ben", true, 6));
        assert!(attempts.may_ring("stranger", false, 5 + WINDOW_MS));
    }
}
