//! How often somebody may do something.

use std::collections::HashMap;
use std::hash::Hash;

use crate::limits::RATE_KEYS;

/// A bucket that fills with time and empties with use.
#[derive(Debug, Clone)]
pub struct Bucket {
    level: f64,
    at_ms: i64,
}

impl Bucket {
    /// A full bucket.
    pub fn full(burst: f64, now_ms: i64) -> Self {
        Self { level: burst, at_ms: now_ms }
    }

    /// Takes so much; says whether it was there.
    pub fn take(&mut self, much: f64, per_second: f64, burst: f64, now_ms: i64) -> bool {
        let elapsed = (now_ms - self.at_ms).max(0) as f64 / 1000.0;
        self.level = (self.level + elapsed * per_second).min(burst);
        self.at_ms = now_ms;
        let enough = self.level >= much;
        if enough {
            self.level -= much;
        }
        enough
    }
}

/// Counts events per key in windows of fixed length.
#[derive(Debug)]
pub struct Windows<K> {
    length_ms: i64,
    counts: HashMap<K, (i64, u32)>,
}

impl<K: Eq + Hash> Windows<K> {
    /// Windows of this length.
    pub fn of(length_ms: i64) -> Self {
        Self { length_ms, counts: HashMap::new() }
    }

    /// Counts one event; says whether it was within the limit.
    pub fn count(&mut self, key: K, limit: u32, now_ms: i64) -> bool {
        if self.counts.len() >= RATE_KEYS {
            self.forget_old(now_ms);
        }
        let (since, count) = self.counts.entry(key).or_insert((now_ms, 0));
        if now_ms - *since >= self.length_ms {
            (*since, *count) = (now_ms, 0);
        }
        *count = count.saturating_add(1);
        *count <= limit
    }

    /// Forgets a key.
    pub fn forget(&mut self, key: &K) {
        self.counts.remove(key);
    }

    fn forget_old(&mut self, now_ms: i64) {
        let length = self.length_ms;
        self.counts.retain(|_, (since, _)| now_ms - *since < length);
        if self.counts.len() >= RATE_KEYS {
            self.counts.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_allows_its_burst_and_then_its_rate() {
        let mut bucket = Bucket::full(3.0, 0);
        let burst: Vec<bool> = (0..4).map(|_| bucket.take(1.0, 10.0, 3.0, 0)).collect();
        assert_eq!(burst, [true, true, true, false]);
        assert!(bucket.take(1.0, 10.0, 3.0, 100));
        assert!(!bucket.take(1.0, 10.0, 3.0, 100));
    }

    #[test]
    fn a_window_counts_anew_when_it_is_over() {
        let mut windows = Windows::of(1000);
        assert!(windows.count("ana", 1, 0));
        assert!(!windows.count("ana", 1, 999));
        assert!(windows.count("ben", 1, 999));
        assert!(windows.count("ana", 1, 1000));
    }
}
