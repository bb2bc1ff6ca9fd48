//! The rules as they are kept: ceilings, contacts and consents.

use std::collections::BTreeMap;

use message::{Domain, Grants, UserAddress};
use serde::{Deserialize, Serialize};

use crate::ceiling::Ceiling;
use crate::organisation::Charter;

/// All rules of one user on one device. The default knows nobody and has consented to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Rules {
    /// What the organisation allows at most.
    pub organisation: Ceiling,
    /// The organisation's document behind that, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charter: Option<Charter>,
    /// What the user allows at most.
    pub user: Ceiling,
    /// What the user has said of people.
    pub contacts: BTreeMap<UserAddress, Contact>,
    /// What the user has said of modules.
    #[serde(with = "as_list")]
    pub modules: BTreeMap<ModuleName, Consent>,
}

/// What a user has said of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Contact {
    /// May write and call.
    Accepted,
    /// May do nothing.
    Blocked,
}

/// Names a package of a domain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ModuleName {
    /// Who signs it.
    pub domain: Domain,
    /// Its name within the domain, such as `protocolstub/default`.
    pub package: String,
}

/// What a user has said of a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "lowercase")]
pub enum Consent {
    /// It may run with these rights.
    Granted {
        /// The rights.
        grants: Grants,
    },
    /// It may not run; asked again only when the user reaches for it.
    Refused,
}

/// JSON keys are texts, so a map by name is written as a list of pairs.
mod as_list {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Consent, ModuleName};

    pub fn serialize<S: Serializer>(map: &BTreeMap<ModuleName, Consent>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(map)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<ModuleName, Consent>, D::Error> {
        Ok(Vec::<(ModuleName, Consent)>::deserialize(from)?.into_iter().collect())
    }
}
