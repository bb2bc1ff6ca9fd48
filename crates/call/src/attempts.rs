//! How often one person may make a device ring.

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
    fn a_crowd_of_strangers_neither_fills_the_memory_nor_keeps_contacts_out() {
        let mut attempts = Attempts::default();
        let rang = (0..10_000).filter(|n| attempts.may_ring(&format!("stranger {n}"), false, 5)).count();
        assert_eq!(rang, PEOPLE);
        assert!(attempts.may_ring("ben", true, 6));
        assert!(attempts.may_ring("stranger", false, 5 + WINDOW_MS));
    }
}
