//! The gate: everything of another person is brought before the policy before anything is done for them.
//!
//! Three times, from cheap to dear: when sealed bytes arrive for an object we know (nothing is
//! opened for somebody who is blocked), when somebody introduces themselves (nothing is fetched),
//! and when it is known who they are. What the policy does not allow is refused, and its reason
//! is the reason that is kept and told.

use message::{Message, MessageType, UserAddress, Verdict};
use policy::{Assurance, Brought, Contact, Identity, KeyChange, Keys, Peer, Wish};

use crate::home::{Home, State};
use crate::records::{Object, ObjectUse, Person, Side, Standing, kind};
use crate::sending::find_person;
use crate::trouble::{Failure, Outcome};
use crate::verdicts::Policy;
use contract::{ContactState, KeyChangeKind};

/// How somebody who is verified may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// At once.
    Open,
    /// When the person says so.
    Ask,
}

/// Sealed bytes for an object we know, before they are opened.
pub(crate) fn admit_sealed(policy: &mut Policy, now: u64, object: &Object) -> Outcome<()> {
    if object.circle.is_some() && object.is_open() {
        // Who of the group wrote it is known once it is opened; whose words are shown is judged then.
        return Ok(());
    }
    let (identity, wish) = match &object.standing {
        // Content flows between contacts only, so there is nothing to ask a person.
        Standing::Open => (Identity::Verified(Assurance::default()), Wish::Continue),
        // They answer us; who they are is found out next.
        Standing::Invited => (Identity::Unproven, Wish::Reach),
        _ => (Identity::Unproven, Wish::Write),
    };
    let brought = in_joint_call(policy, &object.peer, object.purpose, Brought::default());
    let peer = Peer { brought, ..Peer::new(object.peer.clone(), identity) };
    worth_checking(policy.judge_peer(now, &peer, wish))
}

/// What somebody brings along, and whether they are in a joint call with us: that lets them call, and nothing else.
fn in_joint_call(policy: &Policy, user: &UserAddress, purpose: ObjectUse, brought: Brought) -> Brought {
    Brought { joint_call: purpose == ObjectUse::Call && policy.is_in_joint_call(user), ..brought }
}

/// Somebody introduces themselves, and is not checked yet. Says only whether a check is worth its cost.
pub(crate) fn admit_claim(
    policy: &mut Policy,
    now: u64,
    user: &UserAddress,
    purpose: ObjectUse,
    brought: Brought,
) -> Outcome<()> {
    let wish = wish_to_come(purpose);
    let contact = policy.rules().contacts.get(user) == Some(&Contact::Accepted);
    let brought = in_joint_call(policy, user, purpose, brought);
    let peer = Peer { brought, ..Peer::new(user.clone(), Identity::Unproven) };
    match worth_checking(policy.judge_peer(now, &peer, wish)) {
        Err(failure) if contact && purpose == ObjectUse::Call && is_about_calling(&failure.code) => Ok(()),
        judged => judged,
    }
}

/// It is their word so far; were they who they claim, might they?
fn worth_checking(verdict: Verdict) -> Outcome<()> {
    match verdict {
        Verdict::Deny { because } if because.code != "unproven" => Err(Failure::new(because.code, because.text)),
        _ => Ok(()),
    }
}

fn wish_to_come(purpose: ObjectUse) -> Wish {
    match purpose {
        ObjectUse::Chat | ObjectUse::Own | ObjectUse::Door => Wish::Write,
        ObjectUse::Call => Wish::Call,
    }
}

/// Somebody is who they say. `came`: they came to us with this, and not we to them.
pub(crate) fn admit_verified(
    policy: &mut Policy,
    now: u64,
    verified: &identity::VerifiedIdentity,
    purpose: ObjectUse,
    came: Option<Brought>,
    keys: Keys,
) -> Outcome<Entry> {
    let wish = if came.is_some() { wish_to_come(purpose) } else { Wish::Reach };
    let assurance = assurance(verified, i64::try_from(now / 1000).unwrap_or(i64::MAX));
    let mut peer = Peer::new(verified.user().clone(), Identity::Verified(assurance));
    peer.brought = in_joint_call(policy, verified.user(), purpose, came.unwrap_or_default());
    if purpose == ObjectUse::Call {
        // Messages under keys that wait for a decision are held, not refused; a call cannot be held.
        peer.keys = keys;
    }
    entry(policy.judge_peer(now, &peer, wish))
}

/// How somebody's keys stand to those that were pinned, in the words of the policy.
pub(crate) fn keys_of(person: Option<&Person>) -> Keys {
    let Some(change) = person.and_then(|person| person.change.as_ref()) else { return Keys::AsPinned };
    let why = match change.kind {
        KeyChangeKind::Rotated => KeyChange::Vouched,
        KeyChangeKind::Recovered => KeyChange::Recovered,
        KeyChangeKind::Reset => KeyChange::IssuerReset,
        KeyChangeKind::Unexplained | KeyChangeKind::Mismatch => KeyChange::Unexplained,
    };
    Keys::Changed { change: why, was_verified: change.stops }
}

fn entry(verdict: Verdict) -> Outcome<Entry> {
    match verdict {
        Verdict::Allow => Ok(Entry::Open),
        Verdict::Ask { .. } => Ok(Entry::Ask),
        Verdict::Deny { because } => Err(Failure::new(because.code, because.text)),
    }
}

/// How sure we are of somebody, in the words of the policy.
fn assurance(verified: &identity::VerifiedIdentity, now_s: i64) -> Assurance {
    let words = verified.attested();
    let domains = words.iter().flat_map(|word| {
        let vouched = match &word.vouching {
            identity::Vouching::Domain(domain) => Some(domain.clone()),
            identity::Vouching::Issuer(_) => None,
        };
        let mail = word.display.email.as_ref().filter(|mail| mail.authoritative);
        let mail = mail.and_then(|mail| mail.address.rsplit_once('@')).and_then(|(_, host)| host.parse().ok());
        vouched.into_iter().chain(mail)
    });
    Assurance {
        issuers: words.iter().map(|word| word.subject.issuer.clone()).collect(),
        domains: domains.collect(),
        compared: verified.pin_state() == identity::PinState::Verified,
        attested_age_s: now_s.saturating_sub(verified.attested_at()),
    }
}

/// We want to reach somebody: a first message needs no contact, a call does.
pub(crate) fn may_reach(policy: &mut Policy, now: u64, user: &UserAddress, purpose: ObjectUse) -> Outcome<()> {
    let wish = match purpose {
        ObjectUse::Chat | ObjectUse::Own | ObjectUse::Door => Wish::Reach,
        ObjectUse::Call => Wish::ReachCall,
    };
    // Calls go to contacts, who were checked when they became that.
    let identity = match purpose {
        ObjectUse::Call => Identity::Verified(Assurance::default()),
        ObjectUse::Chat | ObjectUse::Own | ObjectUse::Door => Identity::Unproven,
    };
    let brought = in_joint_call(policy, user, purpose, Brought::default());
    let peer = Peer { brought, ..Peer::new(user.clone(), identity) };
    worth_checking(policy.judge_peer(now, &peer, wish)).map_err(|failure| match failure.code.as_str() {
        "not-a-contact" => Failure::new("not-permitted", "calls only to accepted contacts"),
        _ => failure,
    })
}

/// What a person answered about a package, for the trail.
pub(crate) fn answered(name: &policy::ModuleName, choice: contract::ConsentChoice) -> trail::Entry {
    let (word, code) = match choice {
        contract::ConsentChoice::Once => (trail::Word::Allow, "module-granted-once"),
        contract::ConsentChoice::Always => (trail::Word::Allow, "module-granted"),
        contract::ConsentChoice::Deny => (trail::Word::Deny, "module-refused"),
    };
    let subject = format!("{}/{}", name.domain, name.package);
    trail::Entry::new(trail::Kind::Module, &subject, word, code, "user/modules")
}

/// An identity that does not hold, for the trail.
pub(crate) fn unverified(user: &UserAddress, code: &str) -> trail::Entry {
    let kind = match code {
        "key-change" | "equivocation" | "rolled-back" => trail::Kind::KeyChange,
        _ => trail::Kind::Person,
    };
    trail::Entry::new(kind, &user.handle(), trail::Word::Deny, code, "builtIn/identity")
}

/// Whether it is the person's own rule about who may call that speaks, and not what somebody is.
///
/// A contact is told that they are not permitted to call, once it is known that it is them.
pub(crate) fn is_about_calling(code: &str) -> bool {
    matches!(code, "nobody" | "too-few-issuers" | "attestation-too-old")
}

/// Whether a code is the policy's: then its verdict is in the trail already.
pub(crate) fn is_rule(code: &str) -> bool {
    is_about_calling(code)
        || matches!(
            code,
            "blocked"
                | "not-a-contact"
                | "not-introduced"
                | "issuer-not-accepted"
                | "domain-not-accepted"
                | "work-missing"
                | "key-changed"
                | "external"
                | "organisation"
                | "user-rule"
                | "too-many-questions"
        )
}

/// Whether somebody introduces themselves once more who was refused for lack of what they may show now.
pub(crate) fn may_be_judged_again(object: &Object, inner: &Message) -> bool {
    let lacking = |reason: &str| {
        matches!(
            reason,
            "too-few-issuers" | "issuer-not-accepted" | "attestation-too-old" | "unknown-issuer" | "too-old"
        )
    };
    // Or who was taken out of a group, or left it, and is taken in again.
    let out = |reason: &str| object.circle.is_some() && matches!(reason, "group-removed" | "left");
    object.purpose == ObjectUse::Chat
        && matches!(object.side, Side::Observer(_))
        && matches!(&object.standing, Standing::Closed { reason } if lacking(reason) || out(reason))
        && inner.kind == MessageType::Create
        && inner.to.as_str().ends_with("/subscription")
}

/// What a person said of somebody, in the words of the policy.
fn contact_of(person: &Person) -> Option<Contact> {
    match person.contact {
        ContactState::Accepted => Some(Contact::Accepted),
        ContactState::Blocked => Some(Contact::Blocked),
        ContactState::Asked | ContactState::Request | ContactState::Declined | ContactState::Met => None,
    }
}

impl Home {
    /// Tells the policy where a contact stands.
    pub(crate) fn policy_follows(&self, state: &mut State, user: &UserAddress) {
        let known: Outcome<Option<Person>> =
            state.store().and_then(|store| store.read(|tx| find_person(tx, user)).map_err(Failure::store));
        let Ok(person) = known else { return };
        if set_contact(&mut state.policy, user, person.as_ref().and_then(contact_of))
            && let Err(failure) = state.keep_rules()
        {
            // The persons' records are the truth; the policy is told again at the next start.
            tracing::warn!(code = failure.code, "the rules could not be kept");
        }
    }

    /// Tells the policy where all contacts stand.
    pub(crate) fn policy_learns(&self, state: &mut State) {
        let persons: Outcome<Vec<(String, Person)>> =
            state.store().and_then(|store| store.read(|tx| tx.list(kind::PERSON)).map_err(Failure::store));
        for (_, person) in persons.unwrap_or_default() {
            set_contact(&mut state.policy, &person.user, contact_of(&person));
        }
    }
}

/// Whether that is news to the policy.
fn set_contact(policy: &mut Policy, user: &UserAddress, contact: Option<Contact>) -> bool {
    let news = policy.rules().contacts.get(user).copied() != contact;
    if news {
        policy.set_contact(user, contact);
    }
    news
}

#[cfg(test)]
mod tests {
    use super::*;
    use message::Domain;
    use policy::{Ceiling, Rules};

    fn user(text: &str) -> UserAddress {
        UserAddress::parse(text).unwrap()
    }

    fn ana() -> UserAddress {
        user("ana@a.localhost")
    }

    fn policy(contact: Option<Contact>) -> Policy {
        let mut policy = Policy::new(Domain::parse("b.localhost").unwrap(), Rules::default());
        policy.set_contact(&ana(), contact);
        policy
    }

    fn object(standing: crate::records::Standing) -> Object {
        let url = message::Address::parse("comm://a.localhost/one").unwrap();
        let snapshot = sync::Snapshot { version: 0, value: serde_json::json!({}) };
        let observer = sync::Observer::new(url.clone(), "chat", snapshot).unwrap();
        let side = crate::records::Side::Observer(observer);
        Object::new(url, ObjectUse::Chat, "chat".into(), ana(), standing, side, 0)
    }

    /// Somebody for whom one issuer vouches comes, or answers.
    fn come(policy: &mut Policy, user: &UserAddress, purpose: ObjectUse, invited_us: bool) -> Outcome<Entry> {
        let wish = if invited_us { wish_to_come(purpose) } else { Wish::Reach };
        let assurance = Assurance { issuers: ["http://a.localhost".to_owned()].into(), ..Assurance::default() };
        entry(policy.judge_peer(0, &Peer::new(user.clone(), Identity::Verified(assurance)), wish))
    }

    fn why<T: std::fmt::Debug>(outcome: Outcome<T>) -> String {
        outcome.unwrap_err().code
    }

    #[test]
    fn a_blocked_person_is_refused_before_anything_is_opened_fetched_or_asked() {
        let mut policy = policy(Some(Contact::Blocked));
        let verifying = crate::records::Standing::Verifying { evidence: String::new() };
        for standing in [crate::records::Standing::Open, crate::records::Standing::Request, verifying] {
            assert_eq!(why(admit_sealed(&mut policy, 0, &object(standing))), "blocked");
        }
        for purpose in [ObjectUse::Chat, ObjectUse::Call] {
            assert_eq!(why(admit_claim(&mut policy, 0, &ana(), purpose, Brought::default())), "blocked");
            assert_eq!(why(come(&mut policy, &ana(), purpose, true)), "blocked");
            assert_eq!(why(may_reach(&mut policy, 0, &ana(), purpose)), "blocked");
        }
    }

    #[test]
    fn a_stranger_may_introduce_themselves_and_is_asked_about_but_neither_calls_nor_is_called() {
        let mut policy = policy(None);
        assert_eq!(admit_claim(&mut policy, 0, &ana(), ObjectUse::Chat, Brought::default()), Ok(()));
        assert_eq!(come(&mut policy, &ana(), ObjectUse::Chat, true), Ok(Entry::Ask));
        assert_eq!(why(admit_claim(&mut policy, 0, &ana(), ObjectUse::Call, Brought::default())), "not-a-contact");
        assert_eq!(why(come(&mut policy, &ana(), ObjectUse::Call, true)), "not-a-contact");
        assert_eq!(may_reach(&mut policy, 0, &ana(), ObjectUse::Chat), Ok(()));
        assert_eq!(why(may_reach(&mut policy, 0, &ana(), ObjectUse::Call)), "not-permitted");
        assert_eq!(come(&mut policy, &ana(), ObjectUse::Chat, false), Ok(Entry::Open));
    }

    #[test]
    fn a_contact_who_may_not_call_is_checked_to_be_told_and_a_stranger_is_not() {
        let people = policy::PeopleRules { who_may_call: Some(policy::WhoMay::Nobody), ..Default::default() };
        let rules = Rules { user: Ceiling { people, ..Ceiling::default() }, ..Rules::default() };
        let mut policy = Policy::new(Domain::parse("b.localhost").unwrap(), rules);
        assert_eq!(why(admit_claim(&mut policy, 0, &ana(), ObjectUse::Call, Brought::default())), "nobody");
        policy.set_contact(&ana(), Some(Contact::Accepted));
        assert_eq!(admit_claim(&mut policy, 0, &ana(), ObjectUse::Call, Brought::default()), Ok(()));
        let refused = why(come(&mut policy, &ana(), ObjectUse::Call, true));
        assert!(refused == "nobody" && is_about_calling(&refused));
        policy.set_contact(&ana(), Some(Contact::Blocked));
        assert_eq!(
            why(admit_claim(&mut policy, 0, &ana(), ObjectUse::Call, Brought::default())),
            "blocked",
            "who is blocked hears nothing"
        );
    }

    #[test]
    fn content_flows_between_contacts_only() {
        let open = object(crate::records::Standing::Open);
        assert_eq!(admit_sealed(&mut policy(Some(Contact::Accepted)), 0, &open), Ok(()));
        assert_eq!(why(admit_sealed(&mut policy(None), 0, &open)), "not-a-contact");
        let invited = object(crate::records::Standing::Invited);
        assert_eq!(admit_sealed(&mut policy(None), 0, &invited), Ok(()), "they may answer us");
    }

    #[test]
    fn many_strangers_of_one_domain_are_not_all_asked_about() {
        let mut policy = policy(None);
        let asked = (0..20).map(|at| user(&format!("stranger{at}@a.localhost")));
        let asked: Vec<_> = asked.map(|user| come(&mut policy, &user, ObjectUse::Chat, true)).collect();
        let open = asked.iter().filter(|one| **one == Ok(Entry::Ask)).count();
        assert_eq!(open, policy::CONTACT_PROMPTS_PER_DOMAIN);
        assert_eq!(asked.last().unwrap().as_ref().unwrap_err().code, "too-many-questions");
    }

    #[test]
    fn a_domain_that_a_rule_forbids_is_refused_with_that_reason() {
        let blocked = [ana().domain()].into();
        let rules = Rules { user: Ceiling { blocked_domains: blocked, ..Ceiling::default() }, ..Rules::default() };
        let mut policy = Policy::new(Domain::parse("b.localhost").unwrap(), rules);
        policy.set_contact(&ana(), Some(Contact::Accepted));
        let open = object(crate::records::Standing::Open);
        assert_eq!(why(admit_sealed(&mut policy, 0, &open)), "user-rule");
        assert_eq!(why(may_reach(&mut policy, 0, &ana(), ObjectUse::Chat)), "user-rule");
    }
}
