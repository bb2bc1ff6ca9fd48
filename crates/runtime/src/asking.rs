//! Bounds how often strangers make this device ask an issuer.
//!
//! Whoever invites us names a domain, and before anybody is asked for consent that domain's issuer
//! has to be asked for its keys. So a stranger chooses, within bounds, whom we contact: a few times
//! a minute for each domain, some more for all of them, and never this machine's own services.

use std::collections::VecDeque;

use message::Domain;

/// The time within which questions are counted, in milliseconds.
const WINDOW_MS: i64 = 60_000;

/// Questions for strangers of one domain within the window.
const PER_DOMAIN: usize = 6;

/// Questions for strangers of all domains within the window.
const IN_ALL: usize = 30;

/// What was asked lately.
#[derive(Default)]
pub(crate) struct Asking {
    /// Oldest first; never more than [`IN_ALL`].
    asked: VecDeque<(i64, Domain)>,
}

impl Asking {
    /// Whether an issuer may be asked now for a stranger of this domain; counts it if so.
    pub(crate) fn may_ask(&mut self, domain: &Domain, now_ms: i64) -> bool {
        while self.asked.front().is_some_and(|(at, _)| !(0..WINDOW_MS).contains(&(now_ms - at))) {
            self.asked.pop_front();
        }
        let alike = self.asked.iter().filter(|(_, other)| other == domain).count();
        if alike >= PER_DOMAIN || self.asked.len() >= IN_ALL {
            return false;
        }
        self.asked.push_back((now_ms, domain.clone()));
        true
    }
}

/// Whether a stranger's domain may be contacted at all: `*.localhost` is this machine, and only
/// the domains that were set up here by hand are there.
pub(crate) fn is_reachable(domain: &Domain, localhost: &std::collections::BTreeMap<Domain, u16>) -> bool {
    !domain.is_loopback() || localhost.contains_key(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(name: &str) -> Domain {
        Domain::parse(name).unwrap()
    }

    #[test]
    fn strangers_of_one_domain_cannot_make_us_ask_without_end() {
        let mut asking = Asking::default();
        let granted = (0..100).filter(|_| asking.may_ask(&domain("evil.example"), 1_000)).count();
        assert_eq!(granted, PER_DOMAIN);
        assert!(asking.may_ask(&domain("good.example"), 1_000), "others are not held up");
        assert!(asking.may_ask(&domain("evil.example"), 1_000 + WINDOW_MS), "later it is possible again");
    }

    #[test]
    fn strangers_of_many_domains_cannot_either() {
        let mut asking = Asking::default();
        let granted = (0..1_000).filter(|at| asking.may_ask(&domain(&format!("d{at}.example")), 5)).count();
        assert_eq!((granted, asking.asked.len()), (IN_ALL, IN_ALL));
    }

    #[test]
    fn a_clock_that_was_set_back_blocks_nobody() {
        let mut asking = Asking::default();
        while asking.may_ask(&domain("evil.example"), 1_000_000) {}
        assert!(asking.may_ask(&domain("evil.example"), 5));
    }

    #[test]
    fn this_machine_is_contacted_only_where_it_was_set_up() {
        let localhost = [(domain("a.localhost"), 7101)].into();
        assert!(is_reachable(&domain("a.localhost"), &localhost));
        assert!(is_reachable(&domain("b.example"), &localhost));
        assert!(!is_reachable(&domain("router.localhost"), &localhost));
    }
}
