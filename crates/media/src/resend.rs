//! Sends the last flight of a handshake again while the other side shows no sign of having it all.
//!
//! The engine (0.21.1) takes any part of the other side's flight for an answer and then stops its own timer. If the rest is
//! lost, and on the other side likewise, both wait for ever: at 5 % loss one call in six was never secured. What is sent here
//! are the same datagrams once more, which a receiver that has them drops (RFC 6347, sections 4.1.2.6 and 4.2.4).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long the other side has for an answer.
const PAUSE: Duration = Duration::from_millis(300);

/// How often a flight is sent again; the handshake has 20 s in all.
const TIMES: u32 = 40;

/// Datagrams of one flight; those of ours are five.
const FLIGHT_LIMIT: usize = 16;

/// What a datagram is, by its first byte (RFC 7983, RFC 6347).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Part of a handshake: change of cipher, alert or handshake proper.
    Handshake,
    /// Sealed with the keys that the handshake agreed on.
    Sealed,
    /// A check of the path.
    Other,
}

impl Kind {
    fn of(datagram: &[u8]) -> Self {
        match datagram.first() {
            Some(20..=22) => Self::Handshake,
            Some(23 | 128..=191) => Self::Sealed,
            _ => Self::Other,
        }
    }
}

/// The last flight, and when it is sent again.
#[derive(Debug, Default)]
pub(crate) struct Resend {
    flight: Vec<(SocketAddr, Vec<u8>)>,
    /// Something of the other side's next flight came.
    is_answered: bool,
    left: u32,
    due: Option<Instant>,
}

impl Resend {
    /// Notes what leaves; whether the time of the next repetition changed.
    pub(crate) fn sends(&mut self, to: SocketAddr, datagram: &[u8], now: Instant) -> bool {
        if Kind::of(datagram) != Kind::Handshake {
            return false;
        }
        if std::mem::take(&mut self.is_answered) || self.flight.is_empty() {
            self.flight.clear();
            self.left = TIMES;
        }
        // The engine repeats a flight as well, numbered anew: the latest stands for it.
        if self.flight.len() == FLIGHT_LIMIT {
            self.flight.remove(0);
        }
        self.flight.push((to, datagram.to_vec()));
        self.due = Some(now + PAUSE);
        true
    }

    /// Notes what arrives.
    pub(crate) fn hears(&mut self, datagram: &[u8]) {
        match Kind::of(datagram) {
            Kind::Handshake => self.is_answered = true,
            // They have the keys, and with them all that we had to say.
            Kind::Sealed => *self = Self::default(),
            Kind::Other => {}
        }
    }

    /// When [`Resend::again`] has something to send.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// What is to be sent again now.
    pub(crate) fn again(&mut self, now: Instant) -> &[(SocketAddr, Vec<u8>)] {
        if self.due.is_none_or(|due| now < due) {
            return &[];
        }
        if self.left == 0 {
            *self = Self::default();
            return &[];
        }
        self.left -= 1;
        self.due = Some(now + PAUSE);
        &self.flight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &[u8] = &[22, 254, 253, 0];
    const FINISHED: &[u8] = &[22, 254, 253, 1];
    const VOICE: &[u8] = &[128, 111];
    const CHECK: &[u8] = &[0, 1];

    fn to() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 9))
    }

    fn again(resend: &mut Resend, now: Instant) -> Vec<Vec<u8>> {
        resend.again(now).iter().map(|(_, datagram)| datagram.clone()).collect()
    }

    #[test]
    fn a_flight_that_nobody_answers_is_sent_again_and_not_for_ever() {
        let (mut resend, mut now) = (Resend::default(), Instant::now());
        assert!(resend.sends(to(), HELLO, now));
        assert!(again(&mut resend, now).is_empty(), "it has its time");
        let mut times = 0;
        while resend.due().is_some() {
            now += PAUSE;
            times += again(&mut resend, now).len();
        }
        assert_eq!(times, TIMES as usize);
    }

    #[test]
    fn part_of_an_answer_does_not_end_it_and_the_next_flight_takes_its_place() {
        let (mut resend, now) = (Resend::default(), Instant::now());
        resend.sends(to(), HELLO, now);
        resend.hears(HELLO);
        assert_eq!(again(&mut resend, now + PAUSE), [HELLO], "the rest of the answer may be lost");
        resend.sends(to(), FINISHED, now + PAUSE);
        assert_eq!(again(&mut resend, now + 2 * PAUSE), [FINISHED]);
    }

    #[test]
    fn it_ends_when_the_other_side_seals_and_checks_of_the_path_are_no_matter_of_it() {
        let (mut resend, now) = (Resend::default(), Instant::now());
        assert!(!resend.sends(to(), CHECK, now));
        resend.sends(to(), FINISHED, now);
        resend.hears(CHECK);
        assert!(resend.due().is_some());
        resend.hears(VOICE);
        assert!(again(&mut resend, now + PAUSE).is_empty());
        assert_eq!(resend.due(), None);
    }

    #[test]
    fn a_flight_that_grows_keeps_its_latest_datagrams() {
        let (mut resend, now) = (Resend::default(), Instant::now());
        for number in 0..40 {
            resend.sends(to(), &[22, number], now);
        }
        let kept = again(&mut resend, now + PAUSE);
        assert_eq!((kept.len(), kept[0][1]), (FLIGHT_LIMIT, 24));
    }
}
