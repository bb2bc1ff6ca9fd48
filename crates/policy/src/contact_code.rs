//! The secret of a contact link, with which a stranger shows that the user gave it to them.
//!
//! The tag is HMAC-SHA-256 over the inbox and the sealed bytes it comes with, so that whoever
//! carries it can use it neither elsewhere nor for other bytes.

use keys::{TextError, b64url, constant_time_eq, from_b64url, hmac_sha256, sha256};
use message::Address;
use zeroize::Zeroizing;

/// Bytes of the secret.
pub const CONTACT_SECRET_BYTES: usize = 16;

const TAG_BYTES: usize = 16;
const CONTEXT: &str = "parlance-contact-code-v1\n";

/// Why a text is no contact code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContactCodeError {
    /// Not base64url.
    #[error("not a contact code: {0}")]
    NotText(TextError),
    /// Not as long as it should be.
    #[error("a contact code has {CONTACT_SECRET_BYTES} bytes")]
    WrongLength,
}

/// The secret in a QR code or link. Wiped when dropped, and not shown.
pub struct ContactCode(Zeroizing<[u8; CONTACT_SECRET_BYTES]>);

impl ContactCode {
    /// A code of random bytes.
    pub fn new(secret: [u8; CONTACT_SECRET_BYTES]) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// Reads a code from a link.
    pub fn parse(text: &str) -> Result<Self, ContactCodeError> {
        let bytes = Zeroizing::new(from_b64url(text).map_err(ContactCodeError::NotText)?);
        let secret = bytes.as_slice().try_into().map_err(|_| ContactCodeError::WrongLength)?;
        Ok(Self::new(secret))
    }

    /// As it stands in a link: whoever has it may ask to be a contact.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(b64url(self.0.as_slice()))
    }

    /// The tag that goes with sealed bytes to an inbox.
    pub fn tag(&self, inbox: &Address, sealed: &[u8]) -> String {
        b64url(&self.mac(inbox, sealed))
    }

    /// Whether a tag was made with this code for these bytes.
    pub fn check(&self, inbox: &Address, sealed: &[u8], tag: &str) -> bool {
        from_b64url(tag).is_ok_and(|tag| constant_time_eq(&tag, &self.mac(inbox, sealed)))
    }

    fn mac(&self, inbox: &Address, sealed: &[u8]) -> [u8; TAG_BYTES] {
        let mut said = format!("{CONTEXT}{inbox}\n").into_bytes();
        said.extend_from_slice(&sha256(sealed));
        let whole = hmac_sha256(self.0.as_slice(), &said);
        std::array::from_fn(|at| whole[at])
    }
}

impl std::fmt::Debug for ContactCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ContactCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inbox(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    #[test]
    fn a_tag_is_good_for_one_code_one_inbox_and_the_bytes_it_came_with() {
        let code = ContactCode::new([1; CONTACT_SECRET_BYTES]);
        let bens = inbox("hyperty://b.example/inbox");
        let tag = code.tag(&bens, b"welcome");
        assert!(ContactCode::parse(&code.to_text()).unwrap().check(&bens, b"welcome", &tag));
        assert!(!code.check(&bens, b"something else", &tag));
        assert!(!code.check(&inbox("hyperty://b.example/other"), b"welcome", &tag));
        assert!(!ContactCode::new([2; CONTACT_SECRET_BYTES]).check(&bens, b"welcome", &tag));
        for forged in ["", "AAAA", &tag[..tag.len() - 2], &"A".repeat(100_000)] {
            assert!(!code.check(&bens, b"welcome", forged));
        }
    }

    #[test]
    fn what_is_no_code_is_refused_and_no_code_shows_itself() {
        assert_eq!(ContactCode::parse("AAAA").unwrap_err(), ContactCodeError::WrongLength);
        assert!(matches!(ContactCode::parse("=").unwrap_err(), ContactCodeError::NotText(_)));
        assert_eq!(format!("{:?}", ContactCode::new([1; CONTACT_SECRET_BYTES])), "ContactCode(…)");
    }
}
