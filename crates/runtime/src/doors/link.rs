//! The text of a link into a group: what it says, signed by the device that made it.
//!
//! `parlance:name@domain?group=PAYLOAD.SIGNATURE`, both base64url: a JSON object and an Ed25519 signature over it and
//! the address before it. The name and the number of people are the maker's word at the time, so whoever reads the
//! link asks nobody; and nobody can put another group's name on it.

use keys::{Signature, SigningKey, VerifyingKey};
use message::{Address, UserAddress};
use policy::ContactCode;
use serde::{Deserialize, Serialize};

use crate::circle::clean_name;
use crate::trouble::{Failure, Outcome};

const SCHEME: &str = "parlance:";
const GROUP: &str = "?group=";
const CONTEXT: &str = "parlance-group-link-v1\n";

/// Bytes of a link; ours have some 450.
const LINK_LIMIT: usize = 2048;

/// What a link says.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Payload {
    #[serde(rename = "g")]
    pub(super) chat: Address,
    #[serde(rename = "n")]
    pub(super) name: String,
    #[serde(rename = "p")]
    pub(super) people: u32,
    /// Unix milliseconds.
    #[serde(rename = "u")]
    pub(super) until: i64,
    #[serde(rename = "i")]
    pub(super) id: String,
    /// Whoever knows it may ask.
    #[serde(rename = "c")]
    pub(super) code: String,
    /// The device that made it, and that answers.
    #[serde(rename = "d")]
    pub(super) device: String,
    #[serde(rename = "a", default)]
    pub(super) approval: bool,
}

/// A link that was read: well formed, and signed by the device it names; whose that is, is not known yet.
#[derive(Clone)]
pub(super) struct Read {
    pub(super) by: UserAddress,
    pub(super) said: Payload,
    pub(super) device: VerifyingKey,
}

fn forged(error: impl std::fmt::Display) -> Failure {
    Failure::new("invite-forged", error)
}

fn signed(by: &UserAddress, payload: &str) -> Vec<u8> {
    format!("{CONTEXT}{}\n{payload}", by.handle()).into_bytes()
}

impl Payload {
    /// The link, as it is given to people.
    pub(super) fn text(&self, by: &UserAddress, key: &SigningKey) -> Outcome<String> {
        let payload = serde_json::to_vec(self).map_err(|e| Failure::new("malformed", e))?;
        let payload = keys::b64url(&payload);
        let signature = key.sign(&signed(by, &payload));
        Ok(format!("{SCHEME}{}{GROUP}{payload}.{signature}", by.handle()))
    }
}

impl Read {
    /// The secret with which one shows that one has the link.
    pub(super) fn code(&self) -> Outcome<ContactCode> {
        ContactCode::parse(&self.said.code).map_err(forged)
    }
}

/// Reads a link as it was pasted or scanned.
pub(super) fn read(text: &str) -> Outcome<Read> {
    let text = text.trim();
    if text.len() > LINK_LIMIT {
        return Err(forged("it is longer than a link is"));
    }
    let link = text.strip_prefix(SCHEME).ok_or_else(|| forged("it is no link of ours"))?;
    let (by, rest) = link.split_once(GROUP).ok_or_else(|| forged("it leads into no group"))?;
    let by = UserAddress::parse(by).map_err(forged)?;
    let (payload, signature) = rest.split_once('.').ok_or_else(|| forged("it is not signed"))?;
    let said = keys::from_b64url(payload).map_err(forged)?;
    let said: Payload = serde_json::from_slice(&said).map_err(forged)?;
    let device = VerifyingKey::parse(&said.device).map_err(forged)?;
    let signature = Signature::parse(signature).map_err(forged)?;
    device.verify(&signed(&by, payload), &signature).map_err(forged)?;
    let named = clean_name(&said.name).is_some_and(|name| name == said.name);
    if !named || said.chat.scheme() != "comm" || said.chat != said.chat.base() || said.id.len() > 64 {
        return Err(forged("it leads into no group"));
    }
    let read = Read { by, said, device };
    read.code()?;
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(key: &SigningKey) -> String {
        let payload = Payload {
            chat: Address::parse("comm://a.localhost/choir").unwrap(),
            name: "Choir".into(),
            people: 12,
            until: 5,
            id: "one".into(),
            code: ContactCode::new([7; 16]).to_text().to_string(),
            device: key.verifying_key().to_string(),
            approval: false,
        };
        payload.text(&UserAddress::parse("ana@a.localhost").unwrap(), key).unwrap()
    }

    #[test]
    fn a_link_is_read_as_it_was_made() {
        let read = read(&format!("  {}\n", made(&SigningKey::generate()))).unwrap();
        assert_eq!(
            (read.by.handle().as_str(), read.said.name.as_str(), read.said.people),
            ("ana@a.localhost", "Choir", 12)
        );
        assert_eq!(read.code().unwrap().to_text(), ContactCode::new([7; 16]).to_text());
    }

    #[test]
    fn a_link_that_was_changed_is_no_link() {
        let link = made(&SigningKey::generate());
        let (head, rest) = link.split_once(GROUP).unwrap();
        let (payload, signature) = rest.split_once('.').unwrap();
        let mut said: serde_json::Value = serde_json::from_slice(&keys::from_b64url(payload).unwrap()).unwrap();
        said["n"] = "Board".into();
        let renamed = keys::b64url(said.to_string().as_bytes());
        for wrong in [
            format!("{head}{GROUP}{renamed}.{signature}"),
            format!("parlance:eve@a.localhost{GROUP}{payload}.{signature}"),
            format!("{head}{GROUP}{payload}"),
            format!("{head}{GROUP}{payload}.AAAA"),
            format!("https://x.example/{rest}"),
            format!("{link}{}", "A".repeat(LINK_LIMIT)),
            head.to_owned(),
            String::new(),
        ] {
            assert_eq!(read(&wrong).err().unwrap().code, "invite-forged", "{wrong}");
        }
    }
}
