//! Which issuers are believed in all, and how strict the verifier is.

use identity::IssuerEntry;

use crate::error::PolicyError;
use crate::issuer_rule::IssuerRule;
use crate::item::Item;
use crate::rules::Rules;

impl Rules {
    /// Believes an issuer from now on, or believes it otherwise than before.
    pub fn trust_issuer(&mut self, rule: IssuerRule) -> Result<(), PolicyError> {
        let item = Item::TrustedIssuers;
        if self.is_locked(item) {
            return Err(PolicyError::Locked { item });
        }
        if self.organisation.people.trusted_issuers.iter().any(|one| one.issuer == rule.issuer) {
            return Err(PolicyError::Laxer { item });
        }
        let mut people = self.user.people.clone();
        people.trusted_issuers.retain(|one| one.issuer != rule.issuer);
        people.trusted_issuers.push(rule);
        if let Some(item) = people.misfit() {
            return Err(PolicyError::OutOfBounds { item });
        }
        self.user.people = people;
        Ok(())
    }

    /// Believes an issuer of the user's no longer; says whether it was believed. That is stricter, so no lock stops it.
    pub fn distrust_issuer(&mut self, issuer: &str) -> bool {
        let rows = &mut self.user.people.trusted_issuers;
        let before = rows.len();
        rows.retain(|one| one.issuer != issuer);
        rows.len() < before
    }

    /// The rows of the verifier's table: the organisation's, then the user's, then the built-in
    /// ones, one for each issuer. If the organisation locked the list, its own rows only.
    ///
    /// A domain's own issuer is believed about its own names without standing here.
    pub fn issuer_entries(&self, built_in: Vec<IssuerEntry>) -> Vec<IssuerEntry> {
        let of = |rows: &[IssuerRule]| rows.iter().map(IssuerRule::entry).collect::<Vec<_>>();
        let mut entries = of(&self.organisation.people.trusted_issuers);
        if self.is_locked(Item::TrustedIssuers) {
            return entries;
        }
        for entry in of(&self.user.people.trusted_issuers).into_iter().chain(built_in) {
            let known = |name: &String| entries.iter().any(|one| one.issuer == *name || one.aliases.contains(name));
            if !std::iter::once(&entry.issuer).chain(&entry.aliases).any(known) {
                entries.push(entry);
            }
        }
        entries
    }

    /// How strict the verifier is: the base, and stricter where the rules say so.
    ///
    /// How many issuers it takes is judged here and not there, for a compared code counts as well.
    #[must_use]
    pub fn strictness(&self, mut base: identity::Policy) -> identity::Policy {
        base.fresh_age_s = base.fresh_age_s.min(self.fresh_age_s());
        base.first_contact_age_s = base.first_contact_age_s.min(self.first_contact_age_s());
        base
    }

    /// How much work a stranger has to bring before anything of theirs is opened, if any.
    pub fn work_asked_of_strangers(&self) -> Option<u8> {
        use crate::who::WhoMay;
        let bits = |rule: &Option<WhoMay>| match rule {
            Some(WhoMay::Anyone { proof_of_work_bits }) => *proof_of_work_bits,
            _ => None,
        };
        let layers = [&self.organisation.people.who_may_write, &self.user.people.who_may_write];
        layers.into_iter().filter_map(bits).max().filter(|bits| *bits > 0)
    }
}
