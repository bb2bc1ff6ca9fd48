//! The code that one device shows and the other reads, and what is derived from it.

use message::{Address, UserAddress};
use serde::{Deserialize, Serialize};

use crate::trouble::{Failure, Outcome};

/// How long a code works.
pub(super) const CODE_LIFE_MS: i64 = 10 * 60 * 1000;

/// What a code begins with.
const CODE_PREFIX: &str = "PARLANCE-LINK-1:";

/// Longest code that is read.
const CODE_LIMIT: usize = 2048;

/// What a sealed request to be linked begins with; no MLS message does.
pub(super) const REQUEST_MARK: &[u8] = b"PLNK1";

/// What a code says.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Code {
    pub(super) user: UserAddress,
    pub(super) persona: String,
    pub(super) inbox: Address,
    pub(super) device: keys::VerifyingKey,
    pub(super) secret: String,
}

impl Code {
    pub(super) fn text(&self) -> String {
        format!("{CODE_PREFIX}{}", keys::b64url(serde_json::to_string(self).unwrap_or_default().as_bytes()))
    }

    pub(super) fn parse(text: &str) -> Outcome<Self> {
        let wrong = || Failure::new("wrong-code", "this is no code of another device");
        let text: String = text.chars().take(CODE_LIMIT + 1).filter(|c| !c.is_whitespace()).collect();
        let rest = text.strip_prefix(CODE_PREFIX).filter(|rest| rest.len() <= CODE_LIMIT).ok_or_else(wrong)?;
        let json = keys::from_b64url(rest).map_err(|_| wrong())?;
        let code: Self = serde_json::from_slice(&json).map_err(|_| wrong())?;
        let of_one_domain = code.inbox.domain() == code.user.domain() && code.inbox.scheme() == "hyperty";
        if of_one_domain && secret_of(&code.secret).is_some() { Ok(code) } else { Err(wrong()) }
    }
}

pub(super) fn secret_of(text: &str) -> Option<[u8; 32]> {
    keys::from_b64url(text).ok()?.try_into().ok()
}

/// Six digits that only the two who know the secret can tell, and that name the asking key.
pub(super) fn check_digits(secret: &[u8; 32], dsk: &keys::VerifyingKey) -> String {
    let hash = keys::sha256(&[b"parlance-link-check-v1\n".as_slice(), secret, dsk.as_bytes()].concat());
    let number = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) % 1_000_000;
    format!("{:03} {:03}", number / 1000, number % 1000)
}

pub(super) fn request_key(secret: &[u8; 32]) -> keys::SealKey {
    keys::SealKey::from_bytes(&keys::sha256(&[b"parlance-link-request-v1\n".as_slice(), secret].concat()))
}

/// Whether sealed bytes are a new device that asks to be linked.
pub(crate) fn is_link_request(bytes: &[u8]) -> bool {
    bytes.starts_with(REQUEST_MARK)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn code() -> Code {
        Code {
            user: UserAddress::parse("ana@a.localhost").unwrap(),
            persona: "p".into(),
            inbox: Address::parse("hyperty://a.localhost/inbox").unwrap(),
            device: keys::SigningKey::generate().verifying_key(),
            secret: keys::b64url(&[7; 32]),
        }
    }

    #[test]
    fn a_code_survives_being_copied_with_line_breaks() {
        let text = code().text();
        let (one, two) = text.split_at(text.len() / 2);
        let read = Code::parse(&format!("  {one}\n {two} \n")).unwrap();
        assert_eq!(read.text(), text);
    }

    #[test]
    fn what_is_no_code_is_refused_by_name() {
        let foreign = Code { inbox: Address::parse("hyperty://b.localhost/inbox").unwrap(), ..code() };
        let weak = Code { secret: keys::b64url(b"short"), ..code() };
        for text in ["", "hello", CODE_PREFIX, &foreign.text(), &weak.text(), &"x".repeat(10_000)] {
            assert_eq!(Code::parse(text).err().unwrap().code, "wrong-code");
        }
    }

    #[test]
    fn another_key_or_another_secret_shows_other_digits() {
        let (one, two) = (keys::SigningKey::generate().verifying_key(), keys::SigningKey::generate().verifying_key());
        let digits = check_digits(&[1; 32], &one);
        assert_eq!(digits.len(), 7);
        assert_eq!(digits, check_digits(&[1; 32], &one));
        assert_ne!(digits, check_digits(&[1; 32], &two));
        assert_ne!(digits, check_digits(&[2; 32], &one));
    }
}
