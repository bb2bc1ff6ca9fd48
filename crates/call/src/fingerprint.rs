//! The SHA-256 fingerprint of a certificate, as a session description names it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// SHA-256 over a DER certificate: `AB:CD:…`, 32 bytes in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint([u8; 32]);

/// Why a text is not a fingerprint we accept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FingerprintError {
    /// Only SHA-256 is accepted; weaker and unknown hashes are refused, never skipped.
    #[error("fingerprints must use sha-256")]
    NotSha256,
    /// The value is not 32 bytes written as `AB:CD:…`.
    #[error("the fingerprint is not 32 bytes in hexadecimal")]
    Malformed,
}

impl Fingerprint {
    /// Takes the digest of a certificate.
    pub fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads the value of an `a=fingerprint:` line: `sha-256 AB:CD:…`.
    pub fn parse_attribute(value: &str) -> Result<Self, FingerprintError> {
        let (hash, hex) = value.split_once(' ').ok_or(FingerprintError::Malformed)?;
        if !hash.eq_ignore_ascii_case("sha-256") {
            return Err(FingerprintError::NotSha256);
        }
        Self::parse(hex.trim())
    }

    /// Reads `AB:CD:…`, in either case.
    pub fn parse(hex: &str) -> Result<Self, FingerprintError> {
        let mut bytes = [0; 32];
        let mut pairs = hex.split(':');
        for byte in &mut bytes {
            let pair = pairs.next().ok_or(FingerprintError::Malformed)?;
            *byte = hex_pair(pair).ok_or(FingerprintError::Malformed)?;
        }
        match pairs.next() {
            None => Ok(Self(bytes)),
            Some(_) => Err(FingerprintError::Malformed),
        }
    }
}

fn hex_pair(pair: &str) -> Option<u8> {
    let well_formed = pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
    well_formed.then(|| u8::from_str_radix(pair, 16).ok()).flatten()
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (idx, byte) in self.0.iter().enumerate() {
            if idx > 0 {
                f.write_str(":")?;
            }
            write!(f, "{byte:02X}")?;
        }
        Ok(())
    }
}

// A fingerprint links two log lines to one call, so it stays out of logs.
impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(…)")
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = FingerprintError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> String {
        (0..32).map(|n| format!("{n:02x}")).collect::<Vec<_>>().join(":")
    }

    #[test]
    fn a_fingerprint_reads_in_either_case_and_prints_in_upper_case() {
        let lower = Fingerprint::parse_attribute(&format!("sha-256 {}", text())).unwrap();
        let upper = Fingerprint::parse_attribute(&format!("SHA-256 {}", text().to_uppercase())).unwrap();
        assert_eq!(lower, upper);
        assert_eq!(lower.to_string(), text().to_uppercase());
    }

    #[test]
    fn weaker_hashes_are_refused() {
        for hash in ["sha-1", "md5", "sha-512", "sha256", ""] {
            let error = Fingerprint::parse_attribute(&format!("{hash} {}", text())).unwrap_err();
            assert_eq!(error, FingerprintError::NotSha256);
        }
    }

    #[test]
    fn half_a_fingerprint_is_refused() {
        let longer = format!("{}:00", text());
        for broken in ["", "00", &text()[3..], &longer, &text().replace(':', ""), &text().replacen("00", "+1", 1)] {
            assert_eq!(Fingerprint::parse(broken), Err(FingerprintError::Malformed), "{broken}");
        }
    }

    #[test]
    fn a_log_line_never_shows_it() {
        let fingerprint = Fingerprint::parse(&text()).unwrap();
        assert_eq!(format!("{fingerprint:?}"), "Fingerprint(…)");
    }
}
