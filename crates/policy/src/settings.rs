//! The settings of a policy as a page shows them, and what may be changed.

use std::collections::BTreeSet;

use message::Domain;
use serde::{Deserialize, Serialize};

use crate::item::Item;
use crate::organisation::{Charter, OrgPolicy};
use crate::people::{DAY_S, FIRST_CONTACT_AGE_S, FRESH_AGE_S, PeopleRules};
use crate::rules::Rules;
use crate::strictness::{AtLeast, AtMost, Guard, Only, stricter};
use crate::who::WhoMay;

/// What is in force, for a page of settings. Days and minutes are rounded up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PolicySettings {
    /// Who may write first.
    pub who_may_write: WhoMay,
    /// Who may call.
    pub who_may_call: WhoMay,
    /// Who may show their screen.
    pub who_may_share_screen: WhoMay,
    /// How many issuers it takes to write, 1 to 4, unless a code was compared.
    pub issuers_required_to_write: u8,
    /// How many issuers it takes to call, 1 to 4, unless a code was compared.
    pub issuers_required_for_calls: u8,
    /// How old an attestation is shown as fresh.
    pub fresh_days: u16,
    /// How old an attestation may introduce a stranger, 90 at most.
    pub first_contact_days: u16,
    /// How old an attestation may be at all; none: as old as it likes.
    pub max_age_days: Option<u16>,
    /// Whether changed keys of a verified contact stop everything.
    pub stop_on_key_change: bool,
    /// Whether only the own domain is dealt with.
    pub block_external: bool,
    /// The only other domains dealt with; none: all.
    pub allowed_domains: Option<BTreeSet<Domain>>,
    /// When the app locks itself; none: never.
    pub auto_lock_minutes: Option<u16>,
    /// Whether a passphrase is needed.
    pub require_passphrase: bool,
}

impl Rules {
    /// With an organisation's policy in force, instead of the one before.
    #[must_use]
    pub fn with_organisation(mut self, policy: &OrgPolicy) -> Self {
        self.organisation = policy.rules.clone();
        policy.charter.lock.iter().for_each(|item| self.organisation.people.hold_default(*item));
        self.charter = Some(policy.charter.clone());
        self
    }

    /// Without an organisation.
    #[must_use]
    pub fn without_organisation(mut self) -> Self {
        self.organisation = crate::ceiling::Ceiling::default();
        self.charter = None;
        self
    }

    /// What the organisation locked: show a lock and "Set by your organisation".
    pub fn locked_items(&self) -> BTreeSet<Item> {
        self.charter.as_ref().map(|charter| charter.lock.clone()).unwrap_or_default()
    }

    /// Whether the organisation locked a setting.
    pub fn is_locked(&self, item: Item) -> bool {
        self.charter.as_ref().is_some_and(|Charter { lock, .. }| lock.contains(&item))
    }

    /// What is in force. Where two rules cannot be compared, the user's is shown; both are kept to.
    pub fn settings(&self) -> PolicySettings {
        let (most, own) = (&self.organisation.people, &self.user.people);
        PolicySettings {
            who_may_write: stricter(most.who_may_write.clone(), own.who_may_write.clone(), WhoMay::ANYONE),
            who_may_call: stricter(most.who_may_call.clone(), own.who_may_call.clone(), WhoMay::Contacts),
            who_may_share_screen: stricter(
                most.who_may_share_screen.clone(),
                own.who_may_share_screen.clone(),
                WhoMay::Contacts,
            ),
            issuers_required_to_write: number(most.issuers_required_to_write, own.issuers_required_to_write),
            issuers_required_for_calls: number(most.issuers_required_to_call, own.issuers_required_to_call),
            fresh_days: days(self.fresh_age_s()),
            first_contact_days: days(self.first_contact_age_s()),
            max_age_days: time(most.max_age_s, own.max_age_s, None).map(days),
            stop_on_key_change: yes(most.stop_on_key_change, own.stop_on_key_change, true),
            block_external: yes(most.block_external, own.block_external, false),
            allowed_domains: stricter(
                most.allowed_domains.clone().map(|set| Only(Some(set))),
                own.allowed_domains.clone().map(|set| Only(Some(set))),
                Only(None),
            )
            .0,
            auto_lock_minutes: self.auto_lock_after_s().map(|s| up(i64::from(s), 60)),
            require_passphrase: self.requires_passphrase(),
        }
    }

    /// Up to this age an attestation is shown as fresh.
    pub fn fresh_age_s(&self) -> i64 {
        self.age(|people| people.fresh_age_s, FRESH_AGE_S)
    }

    /// Up to this age an attestation introduces a stranger.
    pub fn first_contact_age_s(&self) -> i64 {
        self.age(|people| people.first_contact_age_s, FIRST_CONTACT_AGE_S)
    }

    /// After how long without a touch the app locks itself.
    pub fn auto_lock_after_s(&self) -> Option<u32> {
        let (most, own) = (self.organisation.people.auto_lock_after_s, self.user.people.auto_lock_after_s);
        most.into_iter().chain(own).min()
    }

    /// Whether a passphrase is needed.
    pub fn requires_passphrase(&self) -> bool {
        yes(self.organisation.people.require_passphrase, self.user.people.require_passphrase, false)
    }

    fn age(&self, of: impl Fn(&PeopleRules) -> Option<i64>, default: i64) -> i64 {
        time(of(&self.organisation.people), of(&self.user.people), Some(default)).unwrap_or(default)
    }
}

fn number(most: Option<u8>, own: Option<u8>) -> u8 {
    stricter(most.map(AtLeast), own.map(AtLeast), AtLeast(1)).0
}

fn time(most: Option<i64>, own: Option<i64>, default: Option<i64>) -> Option<i64> {
    stricter(most.map(|age| AtMost(Some(age))), own.map(|age| AtMost(Some(age))), AtMost(default)).0
}

fn yes(most: Option<bool>, own: Option<bool>, default: bool) -> bool {
    stricter(most.map(Guard), own.map(Guard), Guard(default)).0
}

pub(crate) fn days(age_s: i64) -> u16 {
    up(age_s, DAY_S)
}

/// Rounded up, so that a short time is not shown as none.
pub(crate) fn up(seconds: i64, unit: i64) -> u16 {
    u16::try_from(seconds.saturating_add(unit - 1) / unit).unwrap_or(u16::MAX)
}
