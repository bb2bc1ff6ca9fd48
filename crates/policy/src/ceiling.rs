//! What an organisation or a user allows at most, whatever a package asks for.

use std::collections::BTreeSet;

use message::{Address, AddressPattern, Domain, Grants};
use serde::{Deserialize, Serialize};

use crate::people::PeopleRules;

/// Limits that stand above every package. The default limits nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Ceiling {
    /// Rights beyond these are taken away; none means no limit.
    pub at_most: Option<Grants>,
    /// Addresses that no message goes to or comes from.
    pub never: Vec<AddressPattern>,
    /// Domains with which nothing is exchanged.
    pub blocked_domains: BTreeSet<Domain>,
    /// What is said of people.
    pub people: PeopleRules,
}

impl Ceiling {
    /// Whether a domain may be dealt with.
    pub fn allows_domain(&self, domain: &Domain) -> bool {
        !self.blocked_domains.contains(domain)
    }

    /// Whether a message may be exchanged with an address.
    pub fn allows(&self, address: &Address) -> bool {
        let blocked = || {
            let domain = bus::domain_of(address);
            self.blocked_domains.iter().any(|blocked| blocked.as_str() == domain)
        };
        !self.never.iter().any(|pattern| pattern.covers(address)) && !blocked()
    }

    /// What remains of a package's grants.
    pub fn of(&self, grants: &Grants) -> Grants {
        self.at_most.as_ref().map_or_else(|| grants.clone(), |most| common(grants, most))
    }
}

/// The rights that both lists give.
pub fn common(one: &Grants, other: &Grants) -> Grants {
    let both = |a: &[message::Origin], b: &[message::Origin]| a.iter().filter(|o| b.contains(o)).cloned().collect();
    Grants {
        speak_to: common_patterns(&one.speak_to, &other.speak_to),
        fetch: both(&one.fetch, &other.fetch),
        web_socket: both(&one.web_socket, &other.web_socket),
        timers: one.timers && other.timers,
        storage: one.storage.min(other.storage),
        media: one.media && other.media,
    }
}

/// Of each pair of patterns the narrower one, if one contains the other.
fn common_patterns(one: &[AddressPattern], other: &[AddressPattern]) -> Vec<AddressPattern> {
    let mut found: Vec<AddressPattern> = Vec::new();
    for a in one {
        for b in other {
            let narrower = if contains(a, b) {
                b
            } else if contains(b, a) {
                a
            } else {
                continue;
            };
            if !found.contains(narrower) {
                found.push(narrower.clone());
            }
        }
    }
    found
}

/// Whether every address that `inner` means is meant by `outer`.
fn contains(outer: &AddressPattern, inner: &AddressPattern) -> bool {
    match outer.as_str().strip_suffix('*') {
        Some(beginning) => inner.as_str().starts_with(beginning),
        None => outer == inner,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaking(patterns: &[&str]) -> Grants {
        let speak_to = patterns.iter().map(|text| AddressPattern::parse(text).unwrap()).collect();
        Grants { speak_to, ..Grants::none() }
    }

    #[test]
    fn of_two_patterns_the_narrower_one_remains() {
        let package = speaking(&["comm://*", "runtime://a.example/sm", "domain://x.example"]);
        let most = speaking(&["comm://a.example/*", "runtime://a.example/*"]);
        assert_eq!(common(&package, &most), speaking(&["comm://a.example/*", "runtime://a.example/sm"]));
        assert_eq!(common(&package, &speaking(&["*"])), package);
        assert_eq!(common(&package, &Grants::none()), Grants::none());
    }

    #[test]
    fn a_blocked_domain_is_blocked_with_its_services() {
        let ceiling = Ceiling { blocked_domains: ["b.example".parse().unwrap()].into(), ..Ceiling::default() };
        for (address, allowed) in [
            ("hyperty://b.example/1", false),
            ("domain://registry.b.example", false),
            ("hyperty://b.example.org/1", true),
        ] {
            assert_eq!(ceiling.allows(&address.parse().unwrap()), allowed, "{address}");
        }
    }
}
