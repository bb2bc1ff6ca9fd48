//! Tells how this machine's clock goes by what an issuer says of the time.

use std::time::{SystemTime, UNIX_EPOCH};

use identity::CLOCK_SKEW_S;
use transport::header::{AGE, DATE, HeaderMap};

/// This machine's time in Unix seconds.
pub(crate) fn unix_now() -> i64 {
    seconds(SystemTime::now())
}

fn seconds(time: SystemTime) -> i64 {
    i64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}

/// How far this machine is ahead of the server that sent these headers; negative: behind.
///
/// An answer out of a cache is older than it looks; the cache says so in `Age` (RFC 9111, section 5.1).
pub(crate) fn ahead_of(headers: &HeaderMap, now: i64) -> Option<i64> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let date = seconds(httpdate::parse_http_date(text(DATE)?).ok()?);
    let age = text(AGE).and_then(|age| age.trim().parse::<u32>().ok()).unwrap_or(0);
    Some(now.saturating_sub(date).saturating_sub(age.into()))
}

/// The difference, if it is more than verifiers forgive.
pub(crate) fn too_far(ahead_s: Option<i64>) -> Option<i64> {
    ahead_s.filter(|by_s| by_s.abs() > CLOCK_SKEW_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(date: &str, age: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, date.parse().unwrap());
        age.map(|age| headers.insert(AGE, age.parse().unwrap()));
        headers
    }

    #[test]
    fn a_clock_is_compared_with_the_servers() {
        let date = "Thu, 26 Nov 2026 01:00:00 GMT";
        let then = 1_795_654_800;
        assert_eq!(ahead_of(&headers(date, None), then), Some(0));
        assert_eq!(too_far(ahead_of(&headers(date, None), then + CLOCK_SKEW_S)), None);
        assert_eq!(too_far(ahead_of(&headers(date, None), then + 121)), Some(121));
        assert_eq!(too_far(ahead_of(&headers(date, None), then - 121)), Some(-121));
    }

    #[test]
    fn an_answer_out_of_a_cache_accuses_nobody() {
        let date = "Thu, 26 Nov 2026 01:00:00 GMT";
        assert_eq!(too_far(ahead_of(&headers(date, Some("3600")), 1_795_654_800 + 3600)), None);
        assert_eq!(ahead_of(&headers(date, Some("long")), 1_795_654_800), Some(0));
    }

    #[test]
    fn a_server_that_tells_no_time_is_believed_nothing() {
        assert_eq!(ahead_of(&HeaderMap::new(), 7), None);
        assert_eq!(ahead_of(&headers("yesterday", None), 7), None);
    }
}
