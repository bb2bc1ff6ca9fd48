//! Judges messages that cross a sandbox.

use bus::Party;
use message::{Address, Domain, Grants, Message, MessageType, Verdict};

use crate::case::Case;
use crate::peer::Wish;
use crate::prompts::Prompts;
use crate::reasons;
use crate::rules::Rules;

/// The rules, and how often they have led to a question.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(crate) own: Domain,
    pub(crate) rules: Rules,
    pub(crate) prompts: Prompts,
}

impl Policy {
    /// A policy for a runtime of this domain.
    pub fn new(own: Domain, rules: Rules) -> Self {
        Self { own, rules, prompts: Prompts::default() }
    }

    /// The rules, to be kept.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Replaces a ceiling or everything; consents and contacts have their own verbs.
    pub fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// Whether a message may pass.
    pub fn judge(&mut self, now_ms: u64, case: &Case<'_>) -> Verdict {
        if let Some(denied) = self.judge_ends(case.message) {
            return denied;
        }
        // An answer goes only to the one who asked (the bus sees to that), and the
        // question was judged; what is left is who speaks.
        if case.answers.is_none()
            && let Some(denied) = self.judge_sender(case)
        {
            return denied;
        }
        match case.peer {
            Some(peer) => self.judge_peer(now_ms, peer, wish(case)),
            None => Verdict::Allow,
        }
    }

    /// What the ceilings say of the two ends.
    fn judge_ends(&self, message: &Message) -> Option<Verdict> {
        let within = |allows: &dyn Fn(&Address) -> bool| allows(&message.from) && allows(&message.to);
        if !within(&|address| self.rules.organisation.allows(address)) {
            Some(reasons::organisation())
        } else if !within(&|address| self.rules.user.allows(address)) {
            Some(reasons::user_rule())
        } else {
            None
        }
    }

    /// What the sender may say, and to whom.
    fn judge_sender(&self, case: &Case<'_>) -> Option<Verdict> {
        let to_stub = || case.to.iter().any(|party| matches!(party, Party::Stub { .. }));
        match case.from {
            // What the core asks of a Hyperty is for this device; elsewhere it would be read on the way.
            Party::Core { .. } if case.message.kind == MessageType::Execute && leaves_unsealed(case) => {
                Some(reasons::unsealed())
            }
            Party::Core { .. } => None,
            Party::Guest { .. } | Party::Remote { .. } if to_stub() => Some(reasons::stub_is_private()),
            Party::Guest { .. } if leaves_unsealed(case) => Some(reasons::unsealed()),
            Party::Guest { grants, .. } => self.judge_grants(grants, case.message),
            Party::Stub { grants, .. } if !self.is_component(&case.message.to) => {
                self.judge_grants(grants, case.message)
            }
            Party::Stub { .. } => (!is_stub_service(case.message)).then(reasons::not_granted),
            Party::Remote { .. } => self.judge_remote(case),
        }
    }

    /// Package grants, then the organisation, then the user: deny wins.
    fn judge_grants(&self, grants: &Grants, message: &Message) -> Option<Verdict> {
        let covers = |most: &Option<Grants>| most.as_ref().is_none_or(|most| most.may_speak_to(&message.to));
        if !grants.may_speak_to(&message.to) {
            Some(reasons::not_granted())
        } else if !covers(&self.rules.organisation.at_most) {
            Some(reasons::organisation())
        } else if !covers(&self.rules.user.at_most) {
            Some(reasons::user_rule())
        } else {
            None
        }
    }

    /// Messages from outside are sealed and nobody's yet: the core opens them
    /// first, and its own parts are no inboxes.
    fn judge_remote(&self, case: &Case<'_>) -> Option<Verdict> {
        let core = |party: &Party| matches!(party, Party::Core { .. });
        if !case.to.iter().all(core) {
            Some(reasons::not_for_guests())
        } else if self.is_component(&case.message.to) {
            Some(reasons::not_an_inbox())
        } else {
            None
        }
    }

    /// `runtime://<own domain>/…` except the session addresses given out by a Node.
    fn is_component(&self, address: &Address) -> bool {
        let is_session = address.path().starts_with("d-") || address.path().starts_with("v-");
        address.scheme() == "runtime" && address.domain_str() == self.own.as_str() && !is_session
    }
}

/// Whether a guest speaks past the core to another device; it may speak to the
/// services of a domain (`domain://…`), and to people through data objects only.
fn leaves_unsealed(case: &Case<'_>) -> bool {
    case.to.iter().any(|party| matches!(party, Party::Remote { .. })) && case.message.to.scheme() != "domain"
}

/// What every stub may say to the runtime, whatever its grants: prove the
/// session, and tell how it goes.
fn is_stub_service(message: &Message) -> bool {
    matches!((message.kind, message.to.path()), (MessageType::Execute, "idm") | (MessageType::Event, "guests"))
}

/// What a message means to the person it is exchanged with.
fn wish(case: &Case<'_>) -> Wish {
    let outward =
        matches!(case.from, Party::Guest { .. }) || case.to.iter().any(|party| matches!(party, Party::Remote { .. }));
    if outward {
        Wish::Reach
    } else if case.message.from.scheme() == "connection" || case.message.to.scheme() == "connection" {
        Wish::Call
    } else {
        Wish::Write
    }
}
