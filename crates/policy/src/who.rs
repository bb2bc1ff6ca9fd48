//! Who may contact the user: one rule per kind of contact.

use std::collections::BTreeSet;

use message::Domain;
use serde::{Deserialize, Serialize};

/// Most issuers or domains one rule names.
pub const WHO_LIST_LIMIT: usize = 64;

/// Most work that can be asked of a stranger: about half a minute of one core.
pub const PROOF_OF_WORK_BITS_LIMIT: u8 = 26;

const ISSUER_TEXT_LIMIT: usize = 512;

/// Who may do something towards us. Accepted contacts always may, unless nobody may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum WhoMay {
    /// Nobody, not even contacts.
    Nobody,
    /// Accepted contacts.
    Contacts,
    /// Accepted contacts, and people known to a contact whose code was compared.
    ContactsOfVerified,
    /// Accepted contacts, and people for whom one of these issuers vouches.
    FromIssuers(BTreeSet<String>),
    /// Accepted contacts, and people whom an issuer places in one of these domains.
    FromDomains(BTreeSet<Domain>),
    /// Anyone, if need be with proof of work.
    #[serde(rename_all = "camelCase")]
    Anyone {
        /// How many leading bits of the hash are zero; none: no work is asked for.
        #[serde(default)]
        proof_of_work_bits: Option<u8>,
    },
}

impl WhoMay {
    /// Anyone, without work.
    pub const ANYONE: Self = Self::Anyone { proof_of_work_bits: None };

    /// Whether lists and numbers are within their bounds.
    pub(crate) fn fits(&self) -> bool {
        match self {
            Self::Nobody | Self::Contacts | Self::ContactsOfVerified => true,
            Self::FromIssuers(issuers) => {
                issuers.len() <= WHO_LIST_LIMIT
                    && issuers.iter().all(|issuer| (1..=ISSUER_TEXT_LIMIT).contains(&issuer.len()))
            }
            Self::FromDomains(domains) => domains.len() <= WHO_LIST_LIMIT,
            Self::Anyone { proof_of_work_bits } => {
                proof_of_work_bits.is_none_or(|bits| (1..=PROOF_OF_WORK_BITS_LIMIT).contains(&bits))
            }
        }
    }

    /// Whether everybody whom this lets in is let in by `other` too.
    pub fn is_within(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nobody, _) => true,
            (_, Self::Nobody) => false,
            (Self::Contacts, _) => true,
            (Self::Anyone { proof_of_work_bits: own }, Self::Anyone { proof_of_work_bits: most }) => {
                own.unwrap_or(0) >= most.unwrap_or(0)
            }
            // A stranger from anywhere brings no work unless it is asked for.
            (_, Self::Anyone { proof_of_work_bits }) => proof_of_work_bits.unwrap_or(0) == 0,
            (Self::FromIssuers(own), Self::FromIssuers(most)) => own.is_subset(most),
            (Self::FromDomains(own), Self::FromDomains(most)) => own.is_subset(most),
            (Self::ContactsOfVerified, Self::ContactsOfVerified) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issuers(list: &[&str]) -> WhoMay {
        WhoMay::FromIssuers(list.iter().map(|one| (*one).to_owned()).collect())
    }

    #[test]
    fn each_rule_stands_within_the_wider_ones_only() {
        let work = |bits| WhoMay::Anyone { proof_of_work_bits: Some(bits) };
        for (narrow, wide) in [
            (WhoMay::Nobody, WhoMay::Contacts),
            (WhoMay::Contacts, issuers(&["https://i.example"])),
            (issuers(&["https://i.example"]), issuers(&["https://i.example", "https://j.example"])),
            (issuers(&["https://i.example"]), WhoMay::ANYONE),
            (work(20), work(10)),
            (work(1), WhoMay::ANYONE),
        ] {
            assert!(narrow.is_within(&wide), "{narrow:?} {wide:?}");
            assert!(!wide.is_within(&narrow), "{wide:?} {narrow:?}");
        }
        assert!(!issuers(&["https://i.example"]).is_within(&work(10)), "they would bring no work");
    }

    #[test]
    fn it_is_written_as_people_would_write_it() {
        for (who, text) in [
            (WhoMay::Nobody, r#""nobody""#),
            (issuers(&["https://i.example"]), r#"{"fromIssuers":["https://i.example"]}"#),
            (WhoMay::Anyone { proof_of_work_bits: Some(18) }, r#"{"anyone":{"proofOfWorkBits":18}}"#),
        ] {
            assert_eq!(serde_json::to_string(&who).unwrap(), text);
            assert_eq!(serde_json::from_str::<WhoMay>(text).unwrap(), who);
        }
        assert!(serde_json::from_str::<WhoMay>(r#"{"anyone":{"bits":1}}"#).is_err(), "a misspelt rule is refused");
    }
}
