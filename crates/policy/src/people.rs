//! What one layer, an organisation or a user, says of people.

use std::collections::BTreeSet;

use message::Domain;
use serde::{Deserialize, Serialize};

use crate::issuer_rule::IssuerRule;
use crate::item::Item;
use crate::who::WhoMay;

/// A day in seconds.
pub const DAY_S: i64 = 86_400;

/// Most issuers a layer lists, and most domains it names.
pub const RULE_LIST_LIMIT: usize = 256;

/// Most issuers that can be asked for: a person shows four tokens at most.
pub const ISSUERS_REQUIRED_LIMIT: u8 = 4;

const YEARS_S: i64 = 10 * 365 * DAY_S;
const DAY_OF_LOCKING_S: u32 = 86_400;

/// Rules about people. What a layer does not mention, it leaves to the others.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct PeopleRules {
    /// Who may write to us first, or want us in a conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who_may_write: Option<WhoMay>,
    /// Who may call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who_may_call: Option<WhoMay>,
    /// Who may show us their screen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who_may_share_screen: Option<WhoMay>,
    /// How much issuers' weight it takes to write, unless a code was compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuers_required_to_write: Option<u8>,
    /// How much issuers' weight it takes to call, unless a code was compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuers_required_to_call: Option<u8>,
    /// Issuers that are believed beside the built-in ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trusted_issuers: Vec<IssuerRule>,
    /// Up to this age an attestation is shown as fresh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fresh_age_s: Option<i64>,
    /// Up to this age an attestation introduces a stranger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_contact_age_s: Option<i64>,
    /// Up to this age an attestation counts at all, contacts' too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age_s: Option<i64>,
    /// Whether nothing is exchanged with a verified contact whose keys changed without a good reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_on_key_change: Option<bool>,
    /// Whether only the own domain is dealt with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block_external: Option<bool>,
    /// If given: the only domains dealt with beside the own one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_domains: Option<BTreeSet<Domain>>,
    /// After how long without a touch the app locks itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_lock_after_s: Option<u32>,
    /// Whether a passphrase protects the keys beside the system's keyring.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_passphrase: Option<bool>,
}

impl PeopleRules {
    /// The first item that is out of its bounds.
    pub(crate) fn misfit(&self) -> Option<Item> {
        let who = |rule: &Option<WhoMay>| rule.as_ref().is_none_or(WhoMay::fits);
        let issuers = |rule: Option<u8>| rule.is_none_or(|number| (1..=ISSUERS_REQUIRED_LIMIT).contains(&number));
        let age = |rule: Option<i64>, most: i64| rule.is_none_or(|age| (60..=most).contains(&age));
        let checks = [
            (who(&self.who_may_write), Item::WhoMayWrite),
            (who(&self.who_may_call), Item::WhoMayCall),
            (who(&self.who_may_share_screen), Item::WhoMayShareScreen),
            (issuers(self.issuers_required_to_write), Item::IssuersRequiredToWrite),
            (issuers(self.issuers_required_to_call), Item::IssuersRequiredToCall),
            (self.issuers_fit(), Item::TrustedIssuers),
            (age(self.fresh_age_s, YEARS_S), Item::FreshAge),
            // Nobody can relax the limit for strangers.
            (age(self.first_contact_age_s, FIRST_CONTACT_AGE_S), Item::FirstContactAge),
            (age(self.max_age_s, YEARS_S), Item::MaxAge),
            (self.auto_lock_after_s.is_none_or(|s| (30..=DAY_OF_LOCKING_S).contains(&s)), Item::AutoLockAfter),
            (self.allowed_domains.as_ref().is_none_or(|set| set.len() <= RULE_LIST_LIMIT), Item::AllowedDomains),
        ];
        checks.into_iter().find(|(fits, _)| !fits).map(|(_, item)| item)
    }

    /// What is locked and not given stands at its default.
    pub(crate) fn hold_default(&mut self, item: Item) {
        fn hold<T>(rule: &mut Option<T>, default: T) {
            rule.get_or_insert(default);
        }
        match item {
            Item::WhoMayWrite => hold(&mut self.who_may_write, WhoMay::ANYONE),
            Item::WhoMayCall => hold(&mut self.who_may_call, WhoMay::Contacts),
            Item::WhoMayShareScreen => hold(&mut self.who_may_share_screen, WhoMay::Contacts),
            Item::FreshAge => hold(&mut self.fresh_age_s, FRESH_AGE_S),
            Item::FirstContactAge => hold(&mut self.first_contact_age_s, FIRST_CONTACT_AGE_S),
            Item::StopOnKeyChange => hold(&mut self.stop_on_key_change, true),
            // By default these ask for nothing, or the lock itself is the rule.
            Item::IssuersRequiredToWrite
            | Item::IssuersRequiredToCall
            | Item::TrustedIssuers
            | Item::MaxAge
            | Item::BlockExternal
            | Item::AllowedDomains
            | Item::AutoLockAfter
            | Item::RequirePassphrase
            | Item::ForcedIssuer
            | Item::RetentionDays => {}
        }
    }

    fn issuers_fit(&self) -> bool {
        let names: BTreeSet<&str> = self.trusted_issuers.iter().map(|rule| rule.issuer.as_str()).collect();
        self.trusted_issuers.len() <= RULE_LIST_LIMIT
            && names.len() == self.trusted_issuers.len()
            && self.trusted_issuers.iter().all(IssuerRule::fits)
    }

    /// How much these issuers weigh together: 1 each, unless a row says otherwise.
    pub(crate) fn weight(&self, issuers: &BTreeSet<String>) -> u32 {
        let of = |issuer: &String| {
            self.trusted_issuers.iter().find(|rule| rule.issuer == *issuer).map_or(1, |rule| u32::from(rule.weight))
        };
        issuers.iter().map(of).sum()
    }
}

/// The default and the longest age at which an attestation introduces a stranger.
pub const FIRST_CONTACT_AGE_S: i64 = 90 * DAY_S;

/// The default age up to which an attestation is shown as fresh.
pub const FRESH_AGE_S: i64 = 30 * DAY_S;
