//! What one layer, the organisation or the user, says of a person.

use message::{Domain, UserAddress};

use crate::ceiling::Ceiling;
use crate::explanation::{Because, Layer, Step, Word};
use crate::item::Item;
use crate::peer::{Brought, KeyChange, Keys, Peer, Wish};
use crate::people::{FIRST_CONTACT_AGE_S, PeopleRules};
use crate::reasons::{self, Reason};
use crate::rules::Contact;
use crate::who::WhoMay;

/// A layer as it is heard.
#[derive(Clone, Copy)]
pub(crate) struct Side<'a> {
    pub layer: Layer,
    pub ceiling: &'a Ceiling,
    pub own: &'a Domain,
}

/// A rule that applies, and whose it is: a layer's own, or a default.
struct Applied<T> {
    rule: T,
    layer: Layer,
}

impl Side<'_> {
    fn people(&self) -> &PeopleRules {
        &self.ceiling.people
    }

    /// Defaults are part of what the user says; an organisation says only what it says.
    fn applied<T>(&self, rule: Option<T>, default: Option<T>) -> Option<Applied<T>> {
        match rule {
            Some(rule) => Some(Applied { rule, layer: self.layer }),
            None if self.layer == Layer::User => default.map(|rule| Applied { rule, layer: Layer::BuiltIn }),
            None => None,
        }
    }

    /// Whether a domain may be dealt with.
    pub fn domain(&self, domain: &Domain) -> Option<Because> {
        let people = self.people();
        let own = domain == self.own;
        if !self.ceiling.allows_domain(domain) {
            Some(self.general().of(self.layer, "blockedDomains"))
        } else if own {
            None
        } else if people.block_external == Some(true) {
            Some(reasons::EXTERNAL.of(self.layer, Item::BlockExternal.as_str()))
        } else if people.allowed_domains.as_ref().is_some_and(|allowed| !allowed.contains(domain)) {
            Some(reasons::EXTERNAL.of(self.layer, Item::AllowedDomains.as_str()))
        } else {
            None
        }
    }

    /// The reason of rules about addresses and rights.
    pub fn general(&self) -> Reason {
        if self.layer == Layer::Organisation { reasons::ORGANISATION } else { reasons::USER_RULE }
    }

    /// The layer's word about what is exchanged with a person.
    pub fn person(&self, peer: &Peer, contact: Option<Contact>, wish: Wish) -> Step {
        let denial = self.domain(&peer.user.domain());
        // Whoever is blocked is told nothing else; the contact's layer says so.
        let denial = denial.or_else(|| match contact {
            Some(Contact::Blocked) => None,
            _ => self
                .key_change(peer)
                .or_else(|| self.who_may(peer, contact, wish))
                .or_else(|| self.issuers(peer, wish))
                .or_else(|| self.age(peer, contact, wish)),
        });
        match denial {
            Some(because) => Step { layer: self.layer, word: Word::Denies, because },
            None if self.layer == Layer::User => self.consent(peer, contact, wish),
            None => reasons::NO_OBJECTION.said(self.layer, Word::Passes, "people"),
        }
    }

    /// What the user says when nothing speaks against it.
    fn consent(&self, peer: &Peer, contact: Option<Contact>, wish: Wish) -> Step {
        let item = self.who(wish).map_or("people", |(_, item)| item.as_str());
        match (contact, wish) {
            (Some(Contact::Blocked), _) => reasons::NO_OBJECTION.said(self.layer, Word::Passes, "people"),
            (Some(Contact::Accepted), _) => reasons::CONTACT.said(self.layer, Word::Allows, "contacts"),
            (None, Wish::Reach | Wish::Send) => reasons::WE_REACH.said(self.layer, Word::Allows, "people"),
            (None, Wish::Write) if peer.brought.group_link => {
                reasons::GROUP_LINK.said(self.layer, Word::Allows, "people")
            }
            (None, Wish::Write) => reasons::ASK_ABOUT_STRANGER.said(self.layer, Word::Asks, item),
            (None, Wish::Call | Wish::Screen) => reasons::MAY.said(self.layer, Word::Allows, item),
            (None, Wish::Continue | Wish::ReachCall) if peer.brought.joint_call => {
                reasons::JOINT_CALL.said(self.layer, Word::Allows, "people")
            }
            // Only `who_may` lets these through, and it lets contacts through alone.
            (None, Wish::Continue | Wish::ReachCall) => {
                reasons::NOT_A_CONTACT_TO_WRITE.said(self.layer, Word::Denies, "contacts")
            }
        }
    }

    /// The rule for those who come to us.
    fn who(&self, wish: Wish) -> Option<(Applied<WhoMay>, Item)> {
        let people = self.people();
        let (rule, default, item) = match wish {
            Wish::Write => (&people.who_may_write, WhoMay::ANYONE, Item::WhoMayWrite),
            Wish::Call => (&people.who_may_call, WhoMay::Contacts, Item::WhoMayCall),
            Wish::Screen => (&people.who_may_share_screen, WhoMay::Contacts, Item::WhoMayShareScreen),
            Wish::Continue | Wish::Reach | Wish::ReachCall | Wish::Send => return None,
        };
        self.applied(rule.clone(), Some(default)).map(|applied| (applied, item))
    }

    fn who_may(&self, peer: &Peer, contact: Option<Contact>, wish: Wish) -> Option<Because> {
        // Content flows between contacts only, and calls are made to contacts only.
        if matches!(wish, Wish::Continue | Wish::ReachCall) {
            let stranger = contact.is_none() && self.layer == Layer::User && !peer.brought.joint_call;
            let reason = if wish == Wish::ReachCall { reasons::NOT_A_CONTACT } else { reasons::NOT_A_CONTACT_TO_WRITE };
            return stranger.then(|| reason.of(Layer::BuiltIn, "contacts"));
        }
        let (Applied { rule, layer }, item) = self.who(wish)?;
        let refused = |reason: Reason| Some(reason.of(layer, item.as_str()));
        if rule == WhoMay::Nobody {
            return refused(reasons::NOBODY);
        }
        // Whoever takes a joint call takes it with all who are in it; an organisation's own rule stands.
        if wish == Wish::Call && peer.brought.joint_call && self.layer == Layer::User {
            return None;
        }
        if contact.is_some() || (wish == Wish::Write && self.has_link(&rule, peer.brought)) {
            return None;
        }
        let known = |test: &dyn Fn(&crate::peer::Assurance) -> bool| peer.assurance().is_none_or(test);
        match rule {
            WhoMay::Nobody => refused(reasons::NOBODY),
            WhoMay::Contacts if wish == Wish::Write => refused(reasons::NOT_A_CONTACT_TO_WRITE),
            WhoMay::Contacts => refused(reasons::NOT_A_CONTACT),
            WhoMay::ContactsOfVerified if !peer.brought.known_to_verified => refused(reasons::NOT_INTRODUCED),
            WhoMay::FromIssuers(issuers) if !known(&|who| !who.issuers.is_disjoint(&issuers)) => {
                refused(reasons::ISSUER_NOT_ACCEPTED)
            }
            WhoMay::FromDomains(domains) if !known(&|who| !who.domains.is_disjoint(&domains)) => {
                refused(reasons::DOMAIN_NOT_ACCEPTED)
            }
            WhoMay::Anyone { proof_of_work_bits: Some(bits) } if peer.brought.proof_of_work_bits < bits => {
                refused(reasons::WORK_MISSING)
            }
            WhoMay::ContactsOfVerified | WhoMay::FromIssuers(_) | WhoMay::FromDomains(_) | WhoMay::Anyone { .. } => {
                None
            }
        }
    }

    /// Whether a contact link, or one into a group, lets a stranger past the filter. The user gave it out, so it counts
    /// for every rule of the user; for an organisation it counts as work, and not more.
    fn has_link(&self, rule: &WhoMay, brought: Brought) -> bool {
        (brought.contact_code || brought.group_link)
            && (self.layer == Layer::User || matches!(rule, WhoMay::Anyone { .. }))
    }

    fn key_change(&self, peer: &Peer) -> Option<Because> {
        let Applied { rule, layer } = self.applied(self.people().stop_on_key_change, Some(true))?;
        let unexplained = matches!(
            peer.keys,
            Keys::Changed { change: KeyChange::IssuerReset | KeyChange::Unexplained, was_verified: true }
        );
        (rule && unexplained).then(|| reasons::KEY_CHANGED.of(layer, Item::StopOnKeyChange.as_str()))
    }

    fn issuers(&self, peer: &Peer, wish: Wish) -> Option<Because> {
        let people = self.people();
        let (required, item) = match wish {
            Wish::Write | Wish::Reach => (people.issuers_required_to_write?, Item::IssuersRequiredToWrite),
            Wish::Call | Wish::Screen | Wish::ReachCall => {
                (people.issuers_required_to_call?, Item::IssuersRequiredToCall)
            }
            Wish::Continue | Wish::Send => return None,
        };
        let who = peer.assurance()?;
        let enough = who.compared || people.weight(&who.issuers) >= u32::from(required);
        (!enough).then(|| reasons::TOO_FEW_ISSUERS.of(self.layer, item.as_str()))
    }

    /// What goes on between contacts is never broken by age; what begins may be.
    fn age(&self, peer: &Peer, contact: Option<Contact>, wish: Wish) -> Option<Because> {
        let age = peer.assurance()?.attested_age_s;
        if !wish.begins() {
            return None;
        }
        let people = self.people();
        let limit = |applied: Option<Applied<i64>>, item: Item| {
            let Applied { rule, layer } = applied?;
            (age > rule).then(|| reasons::ATTESTATION_TOO_OLD.of(layer, item.as_str()))
        };
        let first = match contact {
            Some(_) => None,
            None => self.applied(people.first_contact_age_s, Some(FIRST_CONTACT_AGE_S)),
        };
        limit(self.applied(people.max_age_s, None), Item::MaxAge).or_else(|| limit(first, Item::FirstContactAge))
    }
}

/// What the user said of this very person.
pub(crate) fn contact_step(contact: Option<Contact>) -> Step {
    match contact {
        Some(Contact::Accepted) => reasons::CONTACT.said(Layer::Contact, Word::Allows, "contacts"),
        Some(Contact::Blocked) => reasons::BLOCKED.said(Layer::Contact, Word::Denies, "contacts"),
        None => reasons::STRANGER.said(Layer::Contact, Word::Passes, "contacts"),
    }
}

/// Whether it is known who speaks, and to whom; nobody can change these rules.
pub(crate) fn proof_step(peer: &Peer, wish: Wish) -> Step {
    use crate::peer::Identity;
    match &peer.identity {
        Identity::Failed => reasons::UNVERIFIED.built_in("identity"),
        _ if wish.is_ours() && peer.unproven_device => reasons::UNPROVEN_DEVICE.built_in("neverSendUnprovenDevice"),
        Identity::Unproven => reasons::UNPROVEN.built_in("identity"),
        Identity::Verified(_) => reasons::PROVEN.said(Layer::BuiltIn, Word::Passes, "identity"),
    }
}

/// The question about a stranger.
pub(crate) fn about(user: &UserAddress) -> message::ConsentQuestion {
    message::ConsentQuestion::Contact { user: user.clone() }
}
