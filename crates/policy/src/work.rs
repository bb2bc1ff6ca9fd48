//! Proof of work that a stranger brings, bound to one inbox and one day.
//!
//! A stamp is `1.<day>.<salt>.<counter>`; SHA-256 of context, inbox and stamp begins with as many
//! zero bits as are asked for. That a stamp is used once only is for the caller to see to.

use message::Address;

/// Longest stamp in bytes of text.
pub const STAMP_LIMIT: usize = 64;

/// Bytes of the salt.
pub const SALT_BYTES: usize = 12;

const CONTEXT: &str = "parlance-work-v1\n";

/// How far another clock's day may be away from ours.
const DAYS_OF_SKEW: u32 = 1;

/// Why a stamp is worth nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WorkError {
    /// Not a stamp.
    #[error("not a stamp of work")]
    Malformed,
    /// Made for another day.
    #[error("the work was done for another day")]
    WrongDay,
    /// Not enough work, or done for another inbox.
    #[error("the work is of {got} bits, asked for are {asked}")]
    TooLittle {
        /// What was asked for.
        asked: u8,
        /// What it is worth here.
        got: u8,
    },
}

/// What a stranger works on: an inbox and a day.
#[derive(Debug, Clone)]
pub struct ProofOfWork {
    inbox: Address,
    day: u32,
}

/// Work that was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worked {
    /// What it is worth.
    pub bits: u8,
    /// Names the stamp: keep it for three days, and refuse it the second time.
    pub once: [u8; 32],
}

impl ProofOfWork {
    /// The challenge of an inbox on a day, counted from the beginning of 1970.
    pub fn challenge(inbox: &Address, day: u32) -> Self {
        Self { inbox: inbox.clone(), day }
    }

    /// The day of a time in milliseconds.
    pub fn day_of(now_ms: u64) -> u32 {
        u32::try_from(now_ms / 86_400_000).unwrap_or(u32::MAX)
    }

    /// Works, from `first` on, at most `tries` times, so that the caller can stop or show progress.
    /// `salt` is random, one for each stamp.
    pub fn solve(&self, bits: u8, salt: [u8; SALT_BYTES], first: u64, tries: u64) -> Option<String> {
        let beginning = format!("1.{}.{}.", self.day, keys::b64url(&salt));
        (first..first.saturating_add(tries))
            .map(|counter| format!("{beginning}{counter}"))
            .find(|stamp| zero_bits(&self.hash(stamp)) >= bits)
    }

    /// What a stamp is worth, if it is worth enough. The challenge is that of today.
    pub fn check(&self, stamp: &str, bits: u8) -> Result<Worked, WorkError> {
        let day = self.read(stamp).ok_or(WorkError::Malformed)?;
        if day.abs_diff(self.day) > DAYS_OF_SKEW {
            return Err(WorkError::WrongDay);
        }
        let once = self.hash(stamp);
        match zero_bits(&once) {
            got if got < bits => Err(WorkError::TooLittle { asked: bits, got }),
            got => Ok(Worked { bits: got, once }),
        }
    }

    /// The day of a stamp that is written as [`solve`](Self::solve) writes it.
    fn read(&self, stamp: &str) -> Option<u32> {
        if stamp.len() > STAMP_LIMIT {
            return None;
        }
        let mut parts = stamp.split('.');
        let (form, day, salt, counter) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let (number, count): (u32, u64) = (day.parse().ok()?, counter.parse().ok()?);
        let spelt_once = number.to_string() == day && count.to_string() == counter;
        let salted = keys::from_b64url(salt).is_ok_and(|bytes| bytes.len() == SALT_BYTES);
        (form == "1" && parts.next().is_none() && spelt_once && salted).then_some(number)
    }

    fn hash(&self, stamp: &str) -> [u8; 32] {
        keys::sha256(format!("{CONTEXT}{}\n{stamp}", self.inbox).as_bytes())
    }
}

fn zero_bits(hash: &[u8; 32]) -> u8 {
    let whole = hash.iter().take_while(|byte| **byte == 0).count();
    let rest = hash.get(whole).map_or(0, |byte| byte.leading_zeros());
    u8::try_from(whole * 8).unwrap_or(u8::MAX).saturating_add(u8::try_from(rest).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BITS: u8 = 10;
    const TODAY: u32 = 20_783;

    fn challenge(inbox: &str, day: u32) -> ProofOfWork {
        ProofOfWork::challenge(&Address::parse(inbox).unwrap(), day)
    }

    fn bens() -> ProofOfWork {
        challenge("hyperty://b.example/inbox", TODAY)
    }

    fn stamp() -> String {
        bens().solve(BITS, [7; SALT_BYTES], 0, 1_000_000).unwrap()
    }

    #[test]
    fn work_counts_for_one_inbox_around_one_day() {
        let stamp = stamp();
        assert!(bens().check(&stamp, BITS).unwrap().bits >= BITS);
        for day in [TODAY - 1, TODAY + 1] {
            assert!(challenge("hyperty://b.example/inbox", day).check(&stamp, BITS).is_ok());
        }
        for day in [TODAY - 2, TODAY + 2, 0, u32::MAX] {
            assert_eq!(challenge("hyperty://b.example/inbox", day).check(&stamp, BITS), Err(WorkError::WrongDay));
        }
        let elsewhere = challenge("hyperty://b.example/other", TODAY).check(&stamp, BITS);
        assert!(matches!(elsewhere, Err(WorkError::TooLittle { asked: BITS, .. })));
    }

    #[test]
    fn a_stamp_has_one_spelling_so_that_it_can_be_used_once() {
        let stamp = stamp();
        let [form, day, salt, counter] = stamp.split('.').collect::<Vec<_>>()[..] else { panic!("four parts") };
        for other in [
            format!("{form}.0{day}.{salt}.{counter}"),
            format!("{form}.{day}.{salt}.+{counter}"),
            format!("{form}.{day}.{salt}.0{counter}"),
            format!("{form}.{day}.{salt}=.{counter}"),
            format!("{stamp}.x"),
            format!("2{stamp}"),
            "x".repeat(10_000),
            String::new(),
        ] {
            assert_eq!(bens().check(&other, 0), Err(WorkError::Malformed), "{other}");
        }
    }

    #[test]
    fn who_stops_early_has_nothing() {
        assert_eq!(bens().solve(60, [7; SALT_BYTES], 0, 100), None);
        let two = (0..2).map(|salt| bens().solve(4, [salt; SALT_BYTES], 0, 10_000).unwrap());
        let once: Vec<_> = two.map(|stamp| bens().check(&stamp, 4).unwrap().once).collect();
        assert_ne!(once[0], once[1]);
    }

    #[test]
    fn zero_bits_are_counted_from_the_front() {
        let mut hash = [0u8; 32];
        assert_eq!(zero_bits(&hash), u8::MAX);
        hash[1] = 0x10;
        assert_eq!(zero_bits(&hash), 11);
        hash[0] = 0x80;
        assert_eq!(zero_bits(&hash), 0);
    }
}
