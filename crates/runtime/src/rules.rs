//! The rules of a profile: what the person set, and what their organisation says about it.

use std::io::Read;
use std::path::Path;

use contract::{News, OrganisationView, PolicySettings, PolicyView, Trouble};
use keys::VerifyingKey;
use message::Domain;
use policy::{Item, ORG_POLICY_LIMIT, OrgPolicy, PolicyError, Rules};
use trail::{Entry, Kind, Word};

use crate::brought::WORK_BITS;
use crate::home::{Home, State, now_ms, now_u64};
use crate::records::kind;
use crate::trouble::{Failure, Outcome};

/// How often the organisation's document is read again, in milliseconds.
pub(crate) const READ_AGAIN_MS: i64 = 60 * 60 * 1000;

/// What is known of the organisation's document beside the rules themselves.
#[derive(Default)]
pub(crate) struct Organisation {
    /// When it was read last, in Unix milliseconds.
    pub(crate) read_at: i64,
    /// Why the newest document is not in force.
    trouble: Option<Failure>,
}

impl Home {
    /// Question `policy.get`.
    pub(crate) fn policy_view(&self, state: &State) -> PolicyView {
        let rules = state.policy.rules();
        let trouble = state.organisation.trouble.as_ref().map(Trouble::from);
        let organisation = match &rules.charter {
            Some(charter) => Some(OrganisationView {
                name: charter.name.clone(),
                version: u32::try_from(charter.version).unwrap_or(u32::MAX),
                expires_at: charter.expires.saturating_mul(1000),
                escrow: charter.escrow.clone(),
                retention_days: charter.retention_days,
                trouble,
            }),
            // A document that never was in force, too, is somebody's who has a say here.
            None => trouble.map(|trouble| OrganisationView {
                name: String::new(),
                version: 0,
                expires_at: 0,
                escrow: None,
                retention_days: None,
                trouble: Some(trouble),
            }),
        };
        let locked = rules.locked_items().into_iter().map(|item| name_of(item).to_owned()).collect();
        let settings = rules.settings();
        PolicyView { settings: shown(&settings), locked, unsupported: unsupported(&settings), organisation }
    }

    /// Question `policy.set`.
    pub(crate) fn policy_set(&self, wanted: &PolicySettings) -> Outcome<PolicyView> {
        let mut state = self.state();
        state.store()?;
        let mut rules = state.policy.rules().clone();
        let settings = merged(rules.settings(), wanted)?;
        if let Err(error) = rules.change_settings(&settings) {
            let (code, item) = (error.code(), error.item());
            state.policy.note(now_u64(), Entry::new(Kind::Rules, name_of(item), Word::Deny, code, &rule(item)));
            return Err(refused(&error));
        }
        if rules != *state.policy.rules() {
            state.policy.set_rules(rules);
            state.keep_rules()?;
            let entry = Entry::new(Kind::Rules, "settings", Word::Allow, "changed", "user/settings");
            state.policy.note(now_u64(), entry);
            self.tell(News::Mine);
        }
        Ok(self.policy_view(&state))
    }

    /// Where the members of the organisation sign in, if it says so.
    pub(crate) fn forced_issuer(&self, state: &State) -> Option<String> {
        state.policy.rules().charter.as_ref().and_then(|charter| charter.forced_issuer.clone())
    }

    /// Whether the organisation lets its members sign in at an issuer.
    pub(crate) fn may_sign_in_at(&self, state: &State, issuer: &str) -> Outcome<()> {
        match self.forced_issuer(state) {
            Some(forced) if forced != issuer => Err(Failure::new("locked-by-organisation", "forcedIssuer")),
            _ => Ok(()),
        }
    }

    /// Reads the organisation's document, if there is one.
    pub(crate) async fn read_organisation(&self) -> Option<Outcome<String>> {
        let path = self.rooms.config.organisation.as_ref()?.document.clone();
        let read = tokio::task::spawn_blocking(move || read_document(&path)).await;
        Some(read.unwrap_or_else(|error| Err(Failure::new("org-policy-unreadable", error))))
    }

    /// Takes the organisation's document as it was read and puts it in force if it is good; a bad one changes nothing
    /// but what is shown.
    pub(crate) fn hear_organisation(&self, state: &mut State, document: Option<Outcome<String>>) {
        state.organisation.read_at = now_ms();
        if state.store.is_none() {
            return;
        }
        let key = self.rooms.config.organisation.as_ref().map(|source| &source.key);
        let heard = state.hear_organisation(key.zip(document));
        let trouble = heard.as_ref().err().cloned();
        if let Some(failure) = &trouble {
            tracing::warn!(code = failure.code, "the organisation's policy is not in force");
        }
        let changed = state.organisation.trouble != trouble || matches!(heard, Ok(true));
        state.organisation.trouble = trouble;
        if changed {
            // What may be kept, and how the keys are, may have changed with it.
            state.upkeep.forget_retention();
            self.tell(News::Mine);
            self.tell(News::App(self.app_state(state)));
        }
    }
}

impl State {
    /// Takes the rules that the profile keeps, before it is known whose it is.
    pub(crate) fn load_rules(&mut self) {
        let rules: Option<Rules> =
            self.store.as_ref().and_then(|store| store.read(|tx| tx.get(kind::RULES, "rules")).ok().flatten());
        self.policy.set_rules(rules.unwrap_or_default());
    }

    /// Takes the rules that the person set elsewhere; what the organisation says of this device stays.
    pub(crate) fn take_rules_of_ours(&mut self, rules: Rules) -> Outcome<()> {
        let ours = self.policy.rules();
        let (organisation, charter) = (ours.organisation.clone(), ours.charter.clone());
        self.policy.set_rules(Rules { organisation, charter, ..rules.without_organisation() });
        self.keep_rules()
    }

    /// Whether the rules are others afterwards.
    fn hear_organisation(&mut self, read: Option<(&VerifyingKey, Outcome<String>)>) -> Outcome<bool> {
        let rules = self.policy.rules();
        let Some((pinned, text)) = read else {
            if rules.charter.is_none() {
                return Ok(false);
            }
            let rules = rules.clone().without_organisation();
            self.policy.set_rules(rules);
            self.keep_rules()?;
            return Ok(true);
        };
        let (text, key) = (text?, pinned.to_string());
        let newest: Option<u64> = self.store()?.read(|tx| tx.get(kind::ORGANISATION, &key)).map_err(Failure::store)?;
        let document = match OrgPolicy::verify(&text, pinned, newest, now_ms() / 1000) {
            Ok(document) => document,
            Err(error) => {
                let entry = Entry::new(Kind::Rules, "organisation", Word::Deny, error.code(), "builtIn/organisation");
                self.policy.note(now_u64(), entry);
                return Err(Failure::new(error.code(), error));
            }
        };
        let next = rules.clone().with_organisation(&document);
        if next == *rules {
            return Ok(false);
        }
        self.store()?.write(|tx| {
            tx.put(kind::ORGANISATION, &key, &document.charter.version)?;
            tx.put(kind::RULES, "rules", &next)
        })?;
        self.policy.set_rules(next);
        let rule = format!("organisation/version-{}", document.charter.version);
        self.policy.note(now_u64(), Entry::new(Kind::Rules, &document.charter.name, Word::Allow, "in-force", &rule));
        Ok(true)
    }
}

fn read_document(path: &Path) -> Outcome<String> {
    let unreadable = |error: std::io::Error| Failure::new("org-policy-unreadable", error.kind());
    let mut text = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(ORG_POLICY_LIMIT as u64 + 1).read_to_end(&mut text).map_err(unreadable)?;
    String::from_utf8(text).map_err(|_| Failure::new("org-policy-malformed", "it is no text"))
}

fn refused(error: &PolicyError) -> Failure {
    match error {
        PolicyError::Locked { item } | PolicyError::Laxer { item } => {
            Failure::new("locked-by-organisation", name_of(*item))
        }
        PolicyError::OutOfBounds { .. } => Failure::new("out-of-bounds", error),
    }
}

fn rule(item: Item) -> String {
    format!("organisation/{item}")
}

/// A setting by the name it has in the contract; what the contract does not have keeps its own.
fn name_of(item: Item) -> &'static str {
    match item {
        Item::IssuersRequiredToWrite => "issuersForWriting",
        Item::IssuersRequiredToCall => "issuersForCalls",
        Item::FreshAge => "freshDays",
        Item::FirstContactAge => "firstContactDays",
        Item::AutoLockAfter => "autoLockMinutes",
        other => other.as_str(),
    }
}

fn shown(settings: &policy::PolicySettings) -> PolicySettings {
    PolicySettings {
        who_may_write: shown_who(&settings.who_may_write),
        who_may_call: shown_who(&settings.who_may_call),
        issuers_for_writing: settings.issuers_required_to_write,
        issuers_for_calls: settings.issuers_required_for_calls,
        fresh_days: settings.fresh_days,
        first_contact_days: settings.first_contact_days,
        stop_on_key_change: settings.stop_on_key_change,
        auto_lock_minutes: settings.auto_lock_minutes.unwrap_or(0),
    }
}

/// What is shown, with what is wanted; what is not shown stays as it is.
fn merged(mut settings: policy::PolicySettings, wanted: &PolicySettings) -> Outcome<policy::PolicySettings> {
    if shown_who(&settings.who_may_write) != wanted.who_may_write {
        settings.who_may_write = read_who(&wanted.who_may_write)?;
    }
    if shown_who(&settings.who_may_call) != wanted.who_may_call {
        settings.who_may_call = read_who(&wanted.who_may_call)?;
    }
    settings.issuers_required_to_write = wanted.issuers_for_writing;
    settings.issuers_required_for_calls = wanted.issuers_for_calls;
    settings.fresh_days = wanted.fresh_days;
    settings.first_contact_days = wanted.first_contact_days;
    settings.stop_on_key_change = wanted.stop_on_key_change;
    settings.auto_lock_minutes = Some(wanted.auto_lock_minutes).filter(|minutes| *minutes > 0);
    Ok(settings)
}

/// Rules in force that ask for more work than apps do.
///
/// They stay as strict as they are written, so nobody but contacts comes in, and a person is to see why.
fn unsupported(settings: &policy::PolicySettings) -> Vec<String> {
    let asks_too_much = |who: &policy::WhoMay| matches!(who, policy::WhoMay::Anyone { proof_of_work_bits: Some(bits) } if *bits > WORK_BITS);
    let rules = [(&settings.who_may_write, Item::WhoMayWrite), (&settings.who_may_call, Item::WhoMayCall)];
    rules.into_iter().filter(|(who, _)| asks_too_much(who)).map(|(_, item)| name_of(item).to_owned()).collect()
}

fn shown_who(who: &policy::WhoMay) -> contract::WhoMay {
    match who {
        policy::WhoMay::Nobody => contract::WhoMay::Nobody,
        policy::WhoMay::Contacts => contract::WhoMay::Contacts,
        policy::WhoMay::ContactsOfVerified => contract::WhoMay::ContactsOfVerified,
        policy::WhoMay::FromIssuers(issuers) => contract::WhoMay::Issuers(issuers.iter().cloned().collect()),
        policy::WhoMay::FromDomains(domains) => {
            contract::WhoMay::Domains(domains.iter().map(ToString::to_string).collect())
        }
        // How much is not shown; an organisation may ask for more than we do.
        policy::WhoMay::Anyone { proof_of_work_bits: Some(1..) } => contract::WhoMay::AnyoneWithWork,
        policy::WhoMay::Anyone { .. } => contract::WhoMay::Anyone,
    }
}

fn read_who(who: &contract::WhoMay) -> Outcome<policy::WhoMay> {
    Ok(match who {
        contract::WhoMay::Nobody => policy::WhoMay::Nobody,
        contract::WhoMay::Contacts => policy::WhoMay::Contacts,
        contract::WhoMay::ContactsOfVerified => policy::WhoMay::ContactsOfVerified,
        contract::WhoMay::AnyoneWithWork => policy::WhoMay::Anyone { proof_of_work_bits: Some(WORK_BITS) },
        contract::WhoMay::Issuers(issuers) => {
            policy::WhoMay::FromIssuers(issuers.iter().map(|issuer| issuer.trim().to_owned()).collect())
        }
        contract::WhoMay::Domains(domains) => {
            let read = |text: &String| {
                Domain::parse(text.trim().to_ascii_lowercase().as_str()).map_err(|e| Failure::new("bad-domain", e))
            };
            policy::WhoMay::FromDomains(domains.iter().map(read).collect::<Outcome<_>>()?)
        }
        contract::WhoMay::Anyone => policy::WhoMay::ANYONE,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(change: impl FnOnce(&mut PolicySettings)) -> Outcome<policy::PolicySettings> {
        let mut wanted = shown(&Rules::default().settings());
        change(&mut wanted);
        merged(Rules::default().settings(), &wanted)
    }

    #[test]
    fn what_is_shown_and_not_touched_changes_nothing() {
        assert_eq!(wanted(|_| {}).unwrap(), Rules::default().settings());
    }

    #[test]
    fn work_that_an_organisation_asks_for_is_not_taken_away_by_a_page_that_does_not_show_it() {
        let mut settings = Rules::default().settings();
        settings.who_may_write = policy::WhoMay::Anyone { proof_of_work_bits: Some(18) };
        let page = shown(&settings);
        assert_eq!(merged(settings.clone(), &page).unwrap(), settings);
    }

    #[test]
    fn a_rule_that_nobody_can_meet_is_named() {
        let mut settings = Rules::default().settings();
        settings.who_may_call = policy::WhoMay::ContactsOfVerified;
        settings.who_may_write = policy::WhoMay::Anyone { proof_of_work_bits: Some(WORK_BITS) };
        assert!(unsupported(&settings).is_empty());
        settings.who_may_write = policy::WhoMay::Anyone { proof_of_work_bits: Some(WORK_BITS + 1) };
        assert_eq!(unsupported(&settings), ["whoMayWrite"]);
        assert_eq!(merged(settings.clone(), &shown(&settings)).unwrap(), settings, "what is in force may stay");
    }

    #[test]
    fn a_page_says_in_its_own_words_what_the_policy_keeps() {
        let settings = wanted(|page| {
            page.who_may_call = contract::WhoMay::Domains(vec![" A.localhost".into()]);
            page.auto_lock_minutes = 15;
        });
        let settings = settings.unwrap();
        assert_eq!(settings.who_may_call, policy::WhoMay::FromDomains([Domain::parse("a.localhost").unwrap()].into()));
        assert_eq!(settings.auto_lock_minutes, Some(15));
        assert_eq!(wanted(|page| page.auto_lock_minutes = 0).unwrap().auto_lock_minutes, None, "0 is never");
        let code = wanted(|page| page.who_may_call = contract::WhoMay::Domains(vec!["a b".into()])).unwrap_err().code;
        assert_eq!(code, "bad-domain");
    }

    #[test]
    fn every_setting_of_the_page_has_its_name_there_when_it_is_locked() {
        let page = serde_json::to_value(shown(&Rules::default().settings())).unwrap();
        for item in [
            Item::WhoMayWrite,
            Item::WhoMayCall,
            Item::IssuersRequiredToWrite,
            Item::IssuersRequiredToCall,
            Item::FreshAge,
            Item::FirstContactAge,
            Item::StopOnKeyChange,
            Item::AutoLockAfter,
        ] {
            assert!(page.get(name_of(item)).is_some(), "{item}");
        }
    }
}
