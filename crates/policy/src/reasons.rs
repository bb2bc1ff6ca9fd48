//! Every reason in words, with the stable word that programs may act on.

use crate::explanation::{Because, Layer, RuleRef, Step, Word};

/// A reason that does not know its rule yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reason {
    code: &'static str,
    text: &'static str,
}

impl Reason {
    /// The reason, from a rule.
    pub fn of(self, layer: Layer, item: &'static str) -> Because {
        Because { code: self.code, text: self.text, rule: RuleRef { layer, item } }
    }

    /// A denial by a rule nobody can change.
    pub fn built_in(self, item: &'static str) -> Step {
        self.said(Layer::BuiltIn, Word::Denies, item)
    }

    /// A layer's word by a rule of its own.
    pub fn said(self, layer: Layer, word: Word, item: &'static str) -> Step {
        Step { layer, word, because: self.of(layer, item) }
    }
}

macro_rules! reasons {
    ($($name:ident, $code:literal, $text:literal;)*) => {
        $(pub(crate) const $name: Reason = Reason { code: $code, text: $text };)*
    };
}

reasons! {
    NOT_GRANTED, "not-granted", "the package has no grant for that address";
    ORGANISATION, "organisation", "a rule of your organisation does not allow it";
    USER_RULE, "user-rule", "a rule of yours does not allow it";
    EXTERNAL, "external", "people and packages of other organisations are not dealt with";
    BLOCKED, "blocked", "this contact is blocked";
    NOBODY, "nobody", "nobody may do that at present";
    NOT_A_CONTACT, "not-a-contact", "calls are taken from accepted contacts only";
    NOT_A_CONTACT_TO_WRITE, "not-a-contact", "messages are taken from accepted contacts only";
    NOT_INTRODUCED, "not-introduced", "only contacts, and people known to a contact you verified, may do that";
    ISSUER_NOT_ACCEPTED, "issuer-not-accepted", "nobody vouches for this person whose word is accepted here";
    DOMAIN_NOT_ACCEPTED, "domain-not-accepted", "this person is not of a domain that is accepted here";
    WORK_MISSING, "work-missing", "strangers have to bring proof of work or a contact code";
    TOO_FEW_ISSUERS, "too-few-issuers", "more issuers have to vouch for this person, or a code has to be compared";
    ATTESTATION_TOO_OLD, "attestation-too-old", "it is too long ago that somebody vouched for this person";
    KEY_CHANGED, "key-changed", "the keys of this verified contact changed, and nobody has looked at it yet";
    UNPROVEN_DEVICE, "unproven-device", "a device in this conversation has not been proven";
    UNVERIFIED, "unverified", "who is speaking could not be verified";
    UNPROVEN, "unproven", "who is speaking has not been proven yet";
    NOT_AN_INBOX, "not-an-inbox", "messages from outside reach inboxes only";
    NOT_FOR_GUESTS, "not-for-guests", "messages from outside reach a package only after they were opened and verified";
    UNSEALED, "unsealed", "what a package says to people leaves the device only sealed, through a data object";
    STUB_IS_PRIVATE, "stub-is-private", "only the runtime speaks with a protocol stub";
    TOO_MANY_QUESTIONS, "too-many-questions", "too many questions were asked on behalf of that domain; try again later";
    MODULE_REFUSED, "module-refused", "the module of that domain was not allowed to run";

    NO_OBJECTION, "no-objection", "no rule here speaks against it";
    CORE, "core", "the runtime itself speaks";
    ANSWER, "answer", "it answers what was asked";
    FROM_OUTSIDE, "from-outside", "it reaches an inbox, still sealed";
    STUB_SERVICE, "stub-service", "a stub proves its session and tells how it goes";
    GRANTED, "granted", "the package has the grant";
    CONTACT, "contact", "this contact is accepted";
    STRANGER, "stranger", "nothing was said about this person yet";
    MAY, "may", "your settings let this person do that";
    JOINT_CALL, "joint-call", "this person is in a joint call that you took";
    GROUP_LINK, "group-link", "a link into a group was given out or followed by you";
    WE_REACH, "we-reach", "you reach for this person yourself";
    ASK_ABOUT_STRANGER, "stranger-asks", "a stranger who writes is asked about";
    PROVEN, "proven", "who is speaking was verified";
    OWN_PACKAGE, "own-package", "it is a package of your own domain";
    MODULE_GRANTED, "module-granted", "you allowed this module these rights";
    ASK_ABOUT_MODULE, "module-asks", "a module that wants rights is asked about";
}
