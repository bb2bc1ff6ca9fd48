//! Makes guessing a passphrase slow: counts the attempts and says how long to wait for the next.
//!
//! The count lies beside `key.json`. It stops somebody at the keyboard; who has copied the folder
//! guesses elsewhere, as fast as Argon2id lets them.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::KeyError;
use crate::header::write_private;

const FILE: &str = "attempts.json";
pub(crate) const LOCK: &str = "attempts.lock";
const LIMIT: u64 = 1024;

/// Attempts that cost no waiting.
const FREE: u32 = 3;

/// Seconds to wait after the third failure, the fourth, and so on; the last one for all others.
const DELAYS_S: [u64; 4] = [5, 15, 60, 300];

/// Milliseconds until another attempt may be made after `failed` ones, the last at `last_at_ms`.
///
/// A clock that was set back has passed no time.
pub fn attempt_wait_ms(failed: u32, last_at_ms: u64, now_ms: u64) -> u64 {
    let Some(beyond) = failed.checked_sub(FREE) else { return 0 };
    let last = DELAYS_S.len() - 1;
    let delay_s = DELAYS_S[usize::try_from(beyond).unwrap_or(last).min(last)];
    (delay_s * 1000).saturating_sub(now_ms.saturating_sub(last_at_ms))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attempts {
    failed: u32,
    last_at_ms: u64,
}

/// Whole seconds until the next attempt, for a screen that counts down; 0 if it may be made now.
pub(crate) fn wait_s(dir: &Path, now_ms: u64) -> Result<u64, KeyError> {
    let attempts = read(dir, now_ms)?;
    Ok(attempt_wait_ms(attempts.failed, attempts.last_at_ms, now_ms).div_ceil(1000))
}

/// Counts an attempt before it is made, so that ending the program does not undo it; or refuses it.
pub(crate) fn begin(dir: &Path, now_ms: u64) -> Result<(), KeyError> {
    let _alone = lock(dir)?;
    let attempts = read(dir, now_ms)?;
    let wait_ms = attempt_wait_ms(attempts.failed, attempts.last_at_ms, now_ms);
    if wait_ms == 0 {
        return write(dir, Attempts { failed: attempts.failed.saturating_add(1), last_at_ms: now_ms });
    }
    if now_ms < attempts.last_at_ms {
        // The clock was set back: the wait begins anew, lest it last until the old time has come again.
        write(dir, Attempts { last_at_ms: now_ms, ..attempts })?;
    }
    Err(KeyError::TooSoon { wait_s: wait_ms.div_ceil(1000) })
}

/// The passphrase was right: all is forgiven.
pub(crate) fn succeeded(dir: &Path) {
    if std::fs::remove_file(dir.join(FILE)).is_err() {
        tracing::warn!("the count of wrong passphrases could not be removed");
    }
}

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A count that cannot be read is no count of zero: the longest wait begins now.
fn read(dir: &Path, now_ms: u64) -> Result<Attempts, KeyError> {
    let file = match File::open(dir.join(FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Attempts::default()),
        Err(error) => return Err(error.into()),
    };
    let mut text = Vec::new();
    file.take(LIMIT).read_to_end(&mut text)?;
    if let Ok(attempts) = serde_json::from_slice(&text) {
        return Ok(attempts);
    }
    let worst = Attempts { failed: FREE + DELAYS_S.len() as u32, last_at_ms: now_ms };
    write(dir, worst)?;
    Ok(worst)
}

fn write(dir: &Path, attempts: Attempts) -> Result<(), KeyError> {
    let text = serde_json::to_vec(&attempts).map_err(|_| KeyError::BadHeader)?;
    write_private(dir, FILE, &text)
}

/// Two programs that try at once do not share one count.
fn lock(dir: &Path) -> Result<File, KeyError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(dir.join(LOCK))?;
    file.lock()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: u64 = 1_700_000_000_000;

    #[test]
    fn three_attempts_are_free_and_then_it_takes_longer_and_longer() {
        let waits: Vec<u64> = (0..9).map(|failed| attempt_wait_ms(failed, NOW, NOW) / 1000).collect();
        assert_eq!(waits, [0, 0, 0, 5, 15, 60, 300, 300, 300]);
        assert_eq!(attempt_wait_ms(3, NOW, NOW + 4_999), 1);
        assert_eq!(attempt_wait_ms(3, NOW, NOW + 5_000), 0);
        assert_eq!(attempt_wait_ms(u32::MAX, NOW, NOW), 300_000);
    }

    #[test]
    fn a_clock_set_back_shortens_no_wait_and_does_not_lengthen_it_for_ever() {
        assert_eq!(attempt_wait_ms(5, NOW, NOW - 1), 60_000);
        assert_eq!(attempt_wait_ms(5, NOW, 0), 60_000);
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..3 {
            begin(dir.path(), NOW).unwrap();
        }
        let back = NOW - 1_000_000_000;
        assert_eq!(begin(dir.path(), back), Err(KeyError::TooSoon { wait_s: 5 }));
        assert_eq!(begin(dir.path(), back + 4_000), Err(KeyError::TooSoon { wait_s: 1 }));
        assert_eq!(begin(dir.path(), back + 5_000), Ok(()));
    }

    #[test]
    fn a_refused_attempt_does_not_count() {
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..3 {
            begin(dir.path(), NOW).unwrap();
        }
        for _ in 0..10 {
            assert_eq!(begin(dir.path(), NOW + 1), Err(KeyError::TooSoon { wait_s: 5 }));
        }
        assert_eq!(wait_s(dir.path(), NOW + 1), Ok(5));
        assert_eq!(begin(dir.path(), NOW + 5_000), Ok(()));
        assert_eq!(wait_s(dir.path(), NOW + 5_000), Ok(15));
        succeeded(dir.path());
        assert_eq!(wait_s(dir.path(), NOW + 5_000), Ok(0));
    }

    #[test]
    fn a_damaged_count_is_the_longest_wait_and_not_none() {
        let dir = tempfile::tempdir().unwrap();
        for damaged in ["", "{", "{\"failed\":-1,\"last_at_ms\":0}"] {
            std::fs::write(dir.path().join(FILE), damaged).unwrap();
            assert_eq!(begin(dir.path(), NOW), Err(KeyError::TooSoon { wait_s: 300 }));
            assert_eq!(begin(dir.path(), NOW + 299_000), Err(KeyError::TooSoon { wait_s: 1 }));
        }
    }

    proptest! {
        #[test]
        fn no_wait_is_longer_than_five_minutes_and_none_grows_with_time(
            failed: u32, last: u64, now: u64, later: u64
        ) {
            let wait = attempt_wait_ms(failed, last, now);
            prop_assert!(wait <= 300_000);
            prop_assert!(attempt_wait_ms(failed, last, now.saturating_add(later)) <= wait);
        }
    }
}
