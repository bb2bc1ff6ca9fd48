//! What the entries of a sigchain say, kind by kind.

use std::fmt;

use keys::VerifyingKey;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;

/// What an entry says.
#[derive(Clone, PartialEq, Eq)]
pub enum EntryBody {
    /// Begins the persona.
    Genesis(Genesis),
    /// An issuer vouches for the root key, in the token with this hash.
    Attest(Attest),
    /// A device may speak for the persona.
    AddDevice(AddDevice),
    /// A device may no longer speak for the persona.
    RevokeDevice(RevokeDevice),
    /// A further issuer knows the persona.
    LinkIdp(IdpLink),
    /// An issuer's word counts no longer.
    UnlinkIdp(IdpLink),
    /// The root key is replaced.
    RotateIrk(NewRoot),
    /// The identity begins anew after the loss of every key.
    Reset(Reset),
    /// A reset shall have no effect.
    Veto(Veto),
}

/// Shows the kind only: names of devices and subjects are a person's.
impl fmt::Debug for EntryBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

/// Body of `genesis`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// Identity root key.
    pub irk: VerifyingKey,
    /// Recovery key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rk: Option<VerifyingKey>,
}

/// Body of `attest`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attest {
    /// Hash of the PK token's text.
    pub pkt_hash: Digest,
    /// The issuer that signed it.
    pub iss: String,
    /// The subject it names.
    pub sub: String,
    /// Until when it may introduce the persona to strangers.
    pub until: i64,
}

/// Body of `add_device`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddDevice {
    /// Device signing key.
    pub dsk: VerifyingKey,
    /// What its owner calls it.
    pub name: String,
    /// When the device stops counting unless added again; at most a year ahead.
    pub expires: i64,
}

/// Body of `revoke_device`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeDevice {
    /// Device signing key.
    pub dsk: VerifyingKey,
}

/// Body of `link_idp` and `unlink_idp`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdpLink {
    /// The issuer.
    pub iss: String,
    /// The subject at that issuer.
    pub sub: String,
}

/// Body of `rotate_irk`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRoot {
    /// The new identity root key.
    pub irk: VerifyingKey,
}

/// Body of `reset`, which is signed by the key it brings.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    /// The new identity root key.
    pub irk: VerifyingKey,
    /// The root key it takes the place of.
    pub old: VerifyingKey,
    /// Hash of the PK token in which an issuer vouches for the new key.
    pub pkt_hash: Digest,
}

/// Body of `veto`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Veto {
    /// Hash of the reset that shall have no effect.
    pub reset: Digest,
}

impl EntryBody {
    /// The word that stands in `type`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Genesis(_) => "genesis",
            Self::Attest(_) => "attest",
            Self::AddDevice(_) => "add_device",
            Self::RevokeDevice(_) => "revoke_device",
            Self::LinkIdp(_) => "link_idp",
            Self::UnlinkIdp(_) => "unlink_idp",
            Self::RotateIrk(_) => "rotate_irk",
            Self::Reset(_) => "reset",
            Self::Veto(_) => "veto",
        }
    }

    pub(super) fn value(&self) -> Value {
        let value = match self {
            Self::Genesis(body) => serde_json::to_value(body),
            Self::Attest(body) => serde_json::to_value(body),
            Self::AddDevice(body) => serde_json::to_value(body),
            Self::RevokeDevice(body) => serde_json::to_value(body),
            Self::LinkIdp(body) | Self::UnlinkIdp(body) => serde_json::to_value(body),
            Self::RotateIrk(body) => serde_json::to_value(body),
            Self::Reset(body) => serde_json::to_value(body),
            Self::Veto(body) => serde_json::to_value(body),
        };
        value.expect("bodies are plain structs of texts and numbers")
    }

    pub(super) fn read(kind: &str, body: Value) -> Option<Result<Self, serde_json::Error>> {
        Some(match kind {
            "genesis" => serde_json::from_value(body).map(Self::Genesis),
            "attest" => serde_json::from_value(body).map(Self::Attest),
            "add_device" => serde_json::from_value(body).map(Self::AddDevice),
            "revoke_device" => serde_json::from_value(body).map(Self::RevokeDevice),
            "link_idp" => serde_json::from_value(body).map(Self::LinkIdp),
            "unlink_idp" => serde_json::from_value(body).map(Self::UnlinkIdp),
            "rotate_irk" => serde_json::from_value(body).map(Self::RotateIrk),
            "reset" => serde_json::from_value(body).map(Self::Reset),
            "veto" => serde_json::from_value(body).map(Self::Veto),
            _ => return None,
        })
    }
}
