//! Bytes as text: base64url without padding, and lower-case base32 for names.

use data_encoding::Encoding;

/// Why a text does not stand for bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Characters outside the alphabet, padding, or bits left over at the end.
    #[error("not canonical base64url without padding")]
    NotBase64Url,
    /// Characters outside the alphabet, padding, or bits left over at the end.
    #[error("not canonical lower-case base32 without padding")]
    NotBase32,
}

/// Base64url without padding (RFC 4648, section 5).
pub fn b64url(bytes: &[u8]) -> String {
    data_encoding::BASE64URL_NOPAD.encode(bytes)
}

/// Reads base64url; only the one canonical spelling is accepted, so equal bytes mean equal text.
pub fn from_b64url(text: &str) -> Result<Vec<u8>, TextError> {
    data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| TextError::NotBase64Url)
}

/// Lower-case base32 without padding: fit for addresses and file names.
pub fn base32(bytes: &[u8]) -> String {
    base32_lower().encode(bytes)
}

/// Reads lower-case base32.
pub fn from_base32(text: &str) -> Result<Vec<u8>, TextError> {
    base32_lower().decode(text.as_bytes()).map_err(|_| TextError::NotBase32)
}

fn base32_lower() -> &'static Encoding {
    static LOWER: std::sync::OnceLock<Encoding> = std::sync::OnceLock::new();
    LOWER.get_or_init(|| {
        let mut spec = data_encoding::Specification::new();
        spec.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
        spec.encoding().expect("the alphabet of RFC 4648 in lower case is a valid specification")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_spelling_is_the_published_one() {
        assert_eq!(b64url(&[0xfb, 0xff]), "-_8");
        assert_eq!(base32(b"foobar"), "mzxw6ytboi");
    }

    #[test]
    fn a_second_spelling_of_the_same_bytes_is_refused() {
        for text in ["-_9", "-_8=", "+/8", " -_8", "-_8\n"] {
            assert_eq!(from_b64url(text), Err(TextError::NotBase64Url), "{text:?}");
        }
        for text in ["MZXW6", "mzxw6yt1", "mzxw6ytboj"] {
            assert_eq!(from_base32(text), Err(TextError::NotBase32), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn bytes_come_back_as_they_were(bytes: Vec<u8>) {
            prop_assert_eq!(from_b64url(&b64url(&bytes)).unwrap(), bytes.clone());
            prop_assert_eq!(from_base32(&base32(&bytes)).unwrap(), bytes);
        }
    }
}
