//! Every refusal in words, with the stable word that programs may act on.

use message::Verdict;

macro_rules! reasons {
    ($($name:ident, $code:literal, $text:literal;)*) => {
        $(pub(crate) fn $name() -> Verdict {
            Verdict::deny($code, $text)
        })*
    };
}

reasons! {
    not_granted, "not-granted", "the package has no grant for that address";
    organisation, "organisation", "a rule of your organisation does not allow it";
    user_rule, "user-rule", "a rule of yours does not allow it";
    blocked, "blocked", "this contact is blocked";
    not_a_contact, "not-a-contact", "calls are taken from accepted contacts only";
    unverified, "unverified", "who is speaking could not be verified";
    unproven, "unproven", "who is speaking has not been proven yet";
    not_an_inbox, "not-an-inbox", "messages from outside reach inboxes only";
    not_for_guests, "not-for-guests", "messages from outside reach a package only after they were opened and verified";
    unsealed, "unsealed", "what a package says to people leaves the device only sealed, through a data object";
    stub_is_private, "stub-is-private", "only the runtime speaks with a protocol stub";
    too_many_questions, "too-many-questions", "too many questions were asked on behalf of that domain; try again later";
    module_refused, "module-refused", "the module of that domain was not allowed to run";
}
