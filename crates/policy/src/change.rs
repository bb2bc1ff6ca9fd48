//! What a user may change of the settings: nothing becomes laxer than the organisation's rule.

use std::collections::BTreeSet;

use message::Domain;

use crate::error::PolicyError;
use crate::item::Item;
use crate::people::{DAY_S, PeopleRules};
use crate::rules::Rules;
use crate::settings::{PolicySettings, days, up};
use crate::strictness::{AtLeast, AtMost, Guard, Only, Setting};

impl Rules {
    /// Takes settings over, all or none. What was not changed is not touched; what the
    /// organisation set can only be made stricter.
    pub fn change_settings(&mut self, wanted: &PolicySettings) -> Result<(), PolicyError> {
        let shown = self.settings();
        let mut people = self.user.people.clone();
        let mut change = Change { rules: self, people: &mut people };
        change.who(wanted, &shown)?;
        change.proof(wanted, &shown)?;
        change.reach(wanted, &shown)?;
        change.lock(wanted, &shown)?;
        if let Some(item) = people.misfit() {
            return Err(PolicyError::OutOfBounds { item });
        }
        self.user.people = people;
        Ok(())
    }
}

/// The rules before, and the user's next ones.
struct Change<'a> {
    rules: &'a Rules,
    people: &'a mut PeopleRules,
}

impl Change<'_> {
    fn who(&mut self, wanted: &PolicySettings, shown: &PolicySettings) -> Result<(), PolicyError> {
        let most = self.rules.organisation.people.clone();
        for (item, wanted, shown, most, own) in [
            (
                Item::WhoMayWrite,
                &wanted.who_may_write,
                &shown.who_may_write,
                most.who_may_write,
                &mut self.people.who_may_write,
            ),
            (
                Item::WhoMayCall,
                &wanted.who_may_call,
                &shown.who_may_call,
                most.who_may_call,
                &mut self.people.who_may_call,
            ),
            (
                Item::WhoMayShareScreen,
                &wanted.who_may_share_screen,
                &shown.who_may_share_screen,
                most.who_may_share_screen,
                &mut self.people.who_may_share_screen,
            ),
        ] {
            if may_change(self.rules, item, wanted, shown, most)? {
                *own = Some(wanted.clone());
            }
        }
        Ok(())
    }

    fn proof(&mut self, wanted: &PolicySettings, shown: &PolicySettings) -> Result<(), PolicyError> {
        let (rules, most) = (self.rules, self.rules.organisation.people.clone());
        let at_least = |item, wanted, shown, most: Option<u8>| {
            may_change(rules, item, &AtLeast(wanted), &AtLeast(shown), most.map(AtLeast))
        };
        let at_most = |item, wanted: Option<u16>, shown: Option<u16>, most: Option<i64>| {
            let in_days = |days: Option<u16>| AtMost(days.map(|days| i64::from(days) * DAY_S));
            let most = most.map(|age| AtMost(Some(i64::from(days(age)) * DAY_S)));
            may_change(rules, item, &in_days(wanted), &in_days(shown), most)
        };
        let in_s = |days: u16| Some(i64::from(days) * DAY_S);
        let (to_write, to_call) = (wanted.issuers_required_to_write, wanted.issuers_required_for_calls);
        if at_least(
            Item::IssuersRequiredToWrite,
            to_write,
            shown.issuers_required_to_write,
            most.issuers_required_to_write,
        )? {
            self.people.issuers_required_to_write = Some(to_write);
        }
        if at_least(
            Item::IssuersRequiredToCall,
            to_call,
            shown.issuers_required_for_calls,
            most.issuers_required_to_call,
        )? {
            self.people.issuers_required_to_call = Some(to_call);
        }
        let (fresh, first) = (wanted.fresh_days, wanted.first_contact_days);
        if at_most(Item::FreshAge, Some(fresh), Some(shown.fresh_days), most.fresh_age_s)? {
            self.people.fresh_age_s = in_s(fresh);
        }
        if at_most(Item::FirstContactAge, Some(first), Some(shown.first_contact_days), most.first_contact_age_s)? {
            self.people.first_contact_age_s = in_s(first);
        }
        if at_most(Item::MaxAge, wanted.max_age_days, shown.max_age_days, most.max_age_s)? {
            self.people.max_age_s = wanted.max_age_days.and_then(in_s);
        }
        Ok(())
    }

    fn reach(&mut self, wanted: &PolicySettings, shown: &PolicySettings) -> Result<(), PolicyError> {
        let (rules, most) = (self.rules, self.rules.organisation.people.clone());
        let guard = |item, wanted, shown, most: Option<bool>| {
            may_change(rules, item, &Guard(wanted), &Guard(shown), most.map(Guard))
        };
        let (stop, block) = (wanted.stop_on_key_change, wanted.block_external);
        if guard(Item::StopOnKeyChange, stop, shown.stop_on_key_change, most.stop_on_key_change)? {
            self.people.stop_on_key_change = Some(stop);
        }
        if guard(Item::BlockExternal, block, shown.block_external, most.block_external)? {
            self.people.block_external = Some(block);
        }
        let only = |set: &Option<BTreeSet<Domain>>| Only(set.clone());
        let (next, now) = (only(&wanted.allowed_domains), only(&shown.allowed_domains));
        let most = most.allowed_domains.map(|set| Only(Some(set)));
        if may_change(rules, Item::AllowedDomains, &next, &now, most)? {
            self.people.allowed_domains = next.0;
        }
        Ok(())
    }

    fn lock(&mut self, wanted: &PolicySettings, shown: &PolicySettings) -> Result<(), PolicyError> {
        let most = self.rules.organisation.people.clone();
        let minutes = |minutes: Option<u16>| AtMost(minutes.map(i64::from));
        let (next, now) = (minutes(wanted.auto_lock_minutes), minutes(shown.auto_lock_minutes));
        let at_most = most.auto_lock_after_s.map(|s| minutes(Some(up(i64::from(s), 60))));
        if may_change(self.rules, Item::AutoLockAfter, &next, &now, at_most)? {
            self.people.auto_lock_after_s = wanted.auto_lock_minutes.map(|minutes| u32::from(minutes) * 60);
        }
        let (next, now) = (Guard(wanted.require_passphrase), Guard(shown.require_passphrase));
        let most = most.require_passphrase.map(Guard);
        if may_change(self.rules, Item::RequirePassphrase, &next, &now, most)? {
            self.people.require_passphrase = Some(wanted.require_passphrase);
        }
        Ok(())
    }
}

/// Whether the user wants a change, and it may be made.
fn may_change<T: Setting>(
    rules: &Rules,
    item: Item,
    wanted: &T,
    shown: &T,
    most: Option<T>,
) -> Result<bool, PolicyError> {
    match most {
        _ if wanted == shown => Ok(false),
        Some(most) if wanted.is_within(&most) => Ok(true),
        Some(_) if rules.is_locked(item) => Err(PolicyError::Locked { item }),
        Some(_) => Err(PolicyError::Laxer { item }),
        None => Ok(true),
    }
}
