//! Hears every layer about a message, a person or a module, and says the verdict.

use bus::Party;
use message::{Address, ConsentQuestion, Domain, Message, MessageType, Verdict};

use crate::case::Case;
use crate::explanation::{Explanation, Judgement, Layer, Step, Word};
use crate::peer::{Peer, Wish};
use crate::prompts::Prompts;
use crate::reasons;
use crate::rules::{Contact, Rules};
use crate::side::{Side, about, contact_step, proof_step};

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
        self.decide(now_ms, case).verdict
    }

    /// Whether a message may pass, and why.
    pub fn decide(&mut self, now_ms: u64, case: &Case<'_>) -> Judgement {
        let heard = self.hear(case);
        match case.peer {
            Some(peer) => self.conclude(now_ms, heard, || about(&peer.user)),
            None => without_question(heard),
        }
    }

    /// What every layer says of a message, without counting a question.
    pub fn explain(&self, now_ms: u64, case: &Case<'_>) -> Explanation {
        let heard = self.hear(case);
        match case.peer {
            Some(peer) => self.as_asked(now_ms, heard, &about(&peer.user)),
            None => heard,
        }
    }

    /// Whether something may be exchanged with a person.
    ///
    /// A stranger who writes is asked about ([`Verdict::Ask`]); a stranger who
    /// calls is refused, unless the user wants it otherwise. Whom we reach for,
    /// we need not be asked about.
    pub fn judge_peer(&mut self, now_ms: u64, peer: &Peer, wish: Wish) -> Verdict {
        self.decide_peer(now_ms, peer, wish).verdict
    }

    /// Whether something may be exchanged with a person, and why.
    pub fn decide_peer(&mut self, now_ms: u64, peer: &Peer, wish: Wish) -> Judgement {
        let heard = self.hear_peer(peer, wish);
        self.conclude(now_ms, heard, || about(&peer.user))
    }

    /// What every layer says of a person, without counting a question.
    pub fn explain_peer(&self, now_ms: u64, peer: &Peer, wish: Wish) -> Explanation {
        self.as_asked(now_ms, self.hear_peer(peer, wish), &about(&peer.user))
    }

    /// The user has decided about a person: `None` forgets what was said before.
    pub fn set_contact(&mut self, user: &message::UserAddress, contact: Option<Contact>) {
        self.prompts.answered(|question| matches!(question, ConsentQuestion::Contact { user: asked } if asked == user));
        match contact {
            Some(contact) => self.rules.contacts.insert(user.clone(), contact),
            None => self.rules.contacts.remove(user),
        };
    }

    /// The two layers that have settings, the organisation first.
    pub(crate) fn sides(&self) -> [Side<'_>; 2] {
        let side = |layer, ceiling| Side { layer, ceiling, own: &self.own };
        [side(Layer::Organisation, &self.rules.organisation), side(Layer::User, &self.rules.user)]
    }

    /// A question is asked only if there were not too many.
    pub(crate) fn conclude(
        &mut self,
        now: u64,
        mut explanation: Explanation,
        question: impl FnOnce() -> ConsentQuestion,
    ) -> Judgement {
        if explanation.outcome() != Word::Asks {
            return without_question(explanation);
        }
        let question = question();
        if self.prompts.ask(now, &question) {
            return Judgement { verdict: Verdict::Ask { question }, explanation };
        }
        explanation.push(reasons::TOO_MANY_QUESTIONS.built_in("prompts"));
        without_question(explanation)
    }

    pub(crate) fn as_asked(&self, now: u64, mut explanation: Explanation, question: &ConsentQuestion) -> Explanation {
        if explanation.outcome() == Word::Asks && !self.prompts.has_room(now, question) {
            explanation.push(reasons::TOO_MANY_QUESTIONS.built_in("prompts"));
        }
        explanation
    }

    fn hear_peer(&self, peer: &Peer, wish: Wish) -> Explanation {
        let contact = self.rules.contacts.get(&peer.user).copied();
        let [organisation, user] = self.sides().map(|side| side.person(peer, contact, wish));
        Explanation::new(vec![organisation, user, contact_step(contact), proof_step(peer, wish)])
    }

    /// The shape of the message, the package, the organisation, the user; then the same about the person.
    fn hear(&self, case: &Case<'_>) -> Explanation {
        let mut steps = Vec::with_capacity(8);
        // An answer goes only to the one who asked (the bus sees to that), and the
        // question was judged; what is left is who speaks.
        if case.answers.is_some() {
            steps.push(reasons::ANSWER.said(Layer::BuiltIn, Word::Allows, "answers"));
        } else {
            steps.extend(self.sender(case));
        }
        // Ceilings of rights stand above what a package has by right, not above the runtime's own parts.
        let by_right = steps.iter().any(|step| step.layer == Layer::Package);
        steps.extend(self.sides().map(|side| ceiling_step(&side, case.message, by_right)));
        if let Some(peer) = case.peer {
            steps.extend_from_slice(self.hear_peer(peer, wish(case)).steps());
        }
        Explanation::new(steps)
    }

    /// What the sender may say, and to whom: first what nobody can change, then the package's grants.
    fn sender(&self, case: &Case<'_>) -> Vec<Step> {
        let built_in = |reason: reasons::Reason, item| vec![reason.said(Layer::BuiltIn, Word::Allows, item)];
        let to_stub = || case.to.iter().any(|party| matches!(party, Party::Stub { .. }));
        match case.from {
            // What the core asks of a Hyperty is for this device; elsewhere it would be read on the way.
            Party::Core { .. } if case.message.kind == MessageType::Execute && leaves_unsealed(case) => {
                vec![reasons::UNSEALED.built_in("seal")]
            }
            Party::Core { .. } => built_in(reasons::CORE, "core"),
            Party::Guest { .. } | Party::Remote { .. } if to_stub() => vec![reasons::STUB_IS_PRIVATE.built_in("stubs")],
            Party::Guest { .. } if leaves_unsealed(case) => vec![reasons::UNSEALED.built_in("seal")],
            Party::Stub { .. } if self.is_component(&case.message.to) => {
                if is_stub_service(case.message) {
                    built_in(reasons::STUB_SERVICE, "stubs")
                } else {
                    vec![reasons::NOT_GRANTED.built_in("stubs")]
                }
            }
            Party::Guest { grants, .. } | Party::Stub { grants, .. } => {
                let granted = grants.may_speak_to(&case.message.to);
                let (reason, word) =
                    if granted { (reasons::GRANTED, Word::Allows) } else { (reasons::NOT_GRANTED, Word::Denies) };
                vec![reason.said(Layer::Package, word, "speakTo")]
            }
            Party::Remote { .. } => vec![self.remote(case)],
        }
    }

    /// Messages from outside are sealed and nobody's yet: the core opens them
    /// first, and its own parts are no inboxes.
    fn remote(&self, case: &Case<'_>) -> Step {
        let core = |party: &Party| matches!(party, Party::Core { .. });
        if !case.to.iter().all(core) {
            reasons::NOT_FOR_GUESTS.built_in("inboxes")
        } else if self.is_component(&case.message.to) {
            reasons::NOT_AN_INBOX.built_in("inboxes")
        } else {
            reasons::FROM_OUTSIDE.said(Layer::BuiltIn, Word::Allows, "inboxes")
        }
    }

    /// `runtime://<own domain>/…` except the session addresses given out by a Node.
    fn is_component(&self, address: &Address) -> bool {
        let is_session = address.path().starts_with("d-") || address.path().starts_with("v-");
        address.scheme() == "runtime" && address.domain_str() == self.own.as_str() && !is_session
    }
}

/// The verdict where no question may come of it any more.
fn without_question(explanation: Explanation) -> Judgement {
    let verdict = match explanation.outcome() {
        Word::Allows => Verdict::Allow,
        Word::Passes | Word::Asks | Word::Denies => Verdict::Deny { because: explanation.because().into() },
    };
    Judgement { verdict, explanation }
}

/// What a layer's ceiling says of the two ends, and of a package's rights.
fn ceiling_step(side: &Side<'_>, message: &Message, by_right: bool) -> Step {
    let denies = |item| side.general().said(side.layer, Word::Denies, item);
    let ends = [&message.from, &message.to];
    if ends.into_iter().any(|end| !side.ceiling.allows(end)) {
        return denies("never");
    }
    let foreign = |end: &&Address| Domain::parse(bus::domain_of(end)).ok().and_then(|domain| side.domain(&domain));
    if let Some(because) = ends.iter().find_map(foreign) {
        return Step { layer: side.layer, word: Word::Denies, because };
    }
    if by_right && side.ceiling.at_most.as_ref().is_some_and(|most| !most.may_speak_to(&message.to)) {
        return denies("atMost");
    }
    reasons::NO_OBJECTION.said(side.layer, Word::Passes, "messages")
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
