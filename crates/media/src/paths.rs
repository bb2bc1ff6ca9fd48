//! Notices when a call must look for another path: it became quiet, or this device changed networks.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Silence after which a call whose device changed networks looks for a path. Voice comes every
/// 20 ms, and with nobody speaking every 400 ms.
const QUIET_AFTER_CHANGE: Duration = Duration::from_millis(500);
/// Silence after which any call does.
const QUIET: Duration = Duration::from_secs(2);
/// How long a change of networks may be the reason for silence.
const CHANGE_MATTERS: Duration = Duration::from_secs(10);
/// What was asked for has this long to come about.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is known of the way to the peer.
#[derive(Debug)]
pub(crate) struct Paths {
    addresses: BTreeSet<IpAddr>,
    changed: Option<Instant>,
    packets: u64,
    heard: Instant,
    asked: Option<Instant>,
}

impl Paths {
    pub(crate) fn new(now: Instant) -> Self {
        Self { addresses: own_addresses(), changed: None, packets: 0, heard: now, asked: None }
    }

    /// Looks, a few times a second, while voice may flow. Says whether to look for another path.
    pub(crate) fn look(&mut self, addresses: BTreeSet<IpAddr>, packets: u64, now: Instant) -> bool {
        if self.packets != packets {
            (self.packets, self.heard) = (packets, now);
            self.asked = None;
        }
        if self.addresses != addresses {
            // Of one network less nothing is to be had; the silence after it is what counts.
            let is_more = !addresses.is_subset(&self.addresses);
            self.addresses = addresses;
            self.changed = Some(now);
            self.asked = self.asked.filter(|_| !is_more);
        }
        let since = |then: Instant| now.saturating_duration_since(then);
        let changed = self.changed.is_some_and(|changed| since(changed) < CHANGE_MATTERS);
        let quiet = since(self.heard) >= if changed { QUIET_AFTER_CHANGE } else { QUIET };
        let wanted = quiet && self.asked.is_none_or(|asked| since(asked) >= PATIENCE);
        if wanted {
            self.asked = Some(now);
        }
        wanted
    }

    /// Whether the last look found something new.
    pub(crate) fn hears(&self, now: Instant) -> bool {
        self.heard == now
    }

    /// Nothing was to be heard until now.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.heard = now;
    }
}

/// The addresses of this device that a peer may reach.
pub(crate) fn own_addresses() -> BTreeSet<IpAddr> {
    let interfaces = rtc::shared::ifaces::ifaces().unwrap_or_default();
    let addresses = interfaces.into_iter().filter_map(|interface| interface.addr.map(|address| address.ip()));
    addresses.filter(|address| !address.is_loopback() && !address.is_unspecified()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(last: &[u8]) -> BTreeSet<IpAddr> {
        last.iter().map(|last| IpAddr::from([10, 0, 0, *last])).collect()
    }

    fn paths(now: Instant) -> Paths {
        Paths { addresses: set(&[1]), changed: None, packets: 0, heard: now, asked: None }
    }

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn a_call_that_is_heard_stays_on_its_path_whatever_else_comes_and_goes() {
        let begin = Instant::now();
        let mut paths = paths(begin);
        for step in 1..100u64 {
            let addresses = if step % 2 == 0 { set(&[1]) } else { set(&[1, 2]) };
            assert!(!paths.look(addresses, step, begin + ms(200 * step)));
        }
    }

    #[test]
    fn another_network_is_taken_as_soon_as_the_call_is_quiet() {
        let begin = Instant::now();
        let mut paths = paths(begin);
        assert!(!paths.look(set(&[1]), 1, begin));
        assert!(!paths.look(set(&[]), 1, begin + ms(200)), "the cable is out");
        assert!(paths.look(set(&[]), 1, begin + ms(600)));
        assert!(paths.look(set(&[2]), 1, begin + ms(800)), "what is new is tried at once");
        assert!(!paths.look(set(&[2]), 1, begin + ms(1_000)), "and has its time");
        assert!(!paths.look(set(&[2]), 2, begin + ms(1_200)), "it works");
    }

    #[test]
    fn a_quiet_call_asks_now_and_then() {
        let begin = Instant::now();
        let mut paths = paths(begin);
        let asked = (1..=50u64).filter(|step| paths.look(set(&[1]), 0, begin + ms(200 * step))).count();
        assert_eq!(asked, 5, "every two seconds of ten");
    }
}
