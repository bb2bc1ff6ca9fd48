//! The policy, and what it said: every verdict about a person, a module or a rule waits here for the trail.

use std::collections::{BTreeSet, VecDeque};
use std::ops::{Deref, DerefMut};

use message::{Domain, UserAddress, Verdict};
use policy::{Judgement, ModuleWish, Peer, Rules, Wish};
use trail::{Entry, Kind, Word};

/// Verdicts that may wait for the trail; of more only the number is kept.
const WAITING_LIMIT: usize = 512;

/// The policy of a profile. What it says about people and modules is remembered until [`Policy::said`].
pub(crate) struct Policy {
    inner: policy::Policy,
    said: VecDeque<(u64, Entry)>,
    lost: u64,
    /// Who is in a joint call that was taken here.
    joint: BTreeSet<UserAddress>,
}

/// Verdicts that go into the trail now.
pub(crate) struct Said {
    /// In the order in which they fell.
    pub(crate) entries: VecDeque<(u64, Entry)>,
    /// How many more there were.
    pub(crate) lost: u64,
}

impl Deref for Policy {
    type Target = policy::Policy;
    fn deref(&self) -> &policy::Policy {
        &self.inner
    }
}

impl DerefMut for Policy {
    fn deref_mut(&mut self) -> &mut policy::Policy {
        &mut self.inner
    }
}

impl Policy {
    pub(crate) fn new(own: Domain, rules: Rules) -> Self {
        Self { inner: policy::Policy::new(own, rules), said: VecDeque::new(), lost: 0, joint: BTreeSet::new() }
    }

    /// Begins anew with the rules of a profile; what was said before stays said.
    pub(crate) fn begin(&mut self, own: Domain, rules: Rules) {
        self.inner = policy::Policy::new(own, rules);
        self.joint.clear();
    }

    /// These people are in joint calls with us now.
    pub(crate) fn in_joint_calls(&mut self, people: BTreeSet<UserAddress>) {
        self.joint = people;
    }

    /// Whether somebody is in a joint call with us.
    pub(crate) fn is_in_joint_call(&self, user: &UserAddress) -> bool {
        self.joint.contains(user)
    }

    /// Whether something may be exchanged with a person.
    pub(crate) fn judge_peer(&mut self, now_ms: u64, peer: &Peer, wish: Wish) -> Verdict {
        let judgement = self.inner.decide_peer(now_ms, peer, wish);
        let word = word_of(&judgement.verdict);
        // Before it is known who somebody is, nothing is decided; and a contact who goes on is no news.
        let undecided = judgement.because().code == "unproven" || (wish == Wish::Continue && word == Word::Allow);
        if !undecided {
            let kind = if matches!(wish, Wish::Call | Wish::ReachCall) { Kind::Call } else { Kind::Person };
            self.remember(now_ms, kind, &peer.user.handle(), &judgement);
        }
        judgement.verdict
    }

    /// Whether a package may run.
    pub(crate) fn judge_module(&mut self, now_ms: u64, wish: &ModuleWish) -> Verdict {
        let judgement = self.inner.decide_module(now_ms, wish);
        self.remember(now_ms, Kind::Module, &format!("{}/{}", wish.name.domain, wish.name.package), &judgement);
        judgement.verdict
    }

    fn remember(&mut self, now_ms: u64, kind: Kind, subject: &str, judgement: &Judgement) {
        let because = judgement.because();
        let word = word_of(&judgement.verdict);
        self.note(now_ms, Entry::new(kind, subject, word, because.code, &because.rule.to_string()));
    }

    /// Remembers what was decided elsewhere: by a person, by the check of an identity, by a document.
    pub(crate) fn note(&mut self, now_ms: u64, entry: Entry) {
        if self.said.len() < WAITING_LIMIT {
            self.said.push_back((now_ms, entry));
        } else {
            self.lost = self.lost.saturating_add(1);
        }
    }

    /// Whether something waits for the trail.
    pub(crate) fn has_said(&self) -> bool {
        !self.said.is_empty() || self.lost > 0
    }

    /// Gives what waits for the trail.
    pub(crate) fn said(&mut self) -> Said {
        Said { entries: std::mem::take(&mut self.said), lost: std::mem::take(&mut self.lost) }
    }

    /// Takes back what could not be written.
    pub(crate) fn unsaid(&mut self, said: Said) {
        let newer = std::mem::replace(&mut self.said, said.entries);
        self.lost = self.lost.saturating_add(said.lost);
        for (at, entry) in newer {
            self.note(at, entry);
        }
    }
}

fn word_of(verdict: &Verdict) -> Word {
    match verdict {
        Verdict::Allow => Word::Allow,
        Verdict::Ask { .. } => Word::Ask,
        Verdict::Deny { .. } => Word::Deny,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use message::UserAddress;
    use policy::{Assurance, Contact, Identity};

    fn policy() -> Policy {
        Policy::new(Domain::parse("b.localhost").unwrap(), Rules::default())
    }

    fn ana(identity: Identity) -> Peer {
        Peer::new(UserAddress::parse("ana@a.localhost").unwrap(), identity)
    }

    fn verified() -> Identity {
        Identity::Verified(Assurance::default())
    }

    #[test]
    fn what_is_decided_about_somebody_is_remembered_with_its_reason_and_its_rule() {
        let mut policy = policy();
        policy.judge_peer(7, &ana(verified()), Wish::Call);
        policy.judge_peer(8, &ana(verified()), Wish::Write);
        let said = policy.said();
        let told: Vec<_> = said.entries.iter().map(|(at, e)| (*at, e.kind, e.verdict, e.code.as_str())).collect();
        let expected = [(7, Kind::Call, Word::Deny, "not-a-contact"), (8, Kind::Person, Word::Ask, "stranger-asks")];
        assert_eq!(told, expected);
        assert_eq!(
            (said.entries[0].1.subject.as_str(), said.entries[0].1.rule.as_str()),
            ("ana@a.localhost", "builtIn/whoMayCall")
        );
        assert!(!policy.has_said(), "it is said once");
    }

    #[test]
    fn where_nothing_is_decided_nothing_is_remembered() {
        let mut policy = policy();
        policy.judge_peer(1, &ana(Identity::Unproven), Wish::Write);
        policy.set_contact(&ana(verified()).user, Some(Contact::Accepted));
        policy.judge_peer(2, &ana(verified()), Wish::Continue);
        assert!(!policy.has_said());
        policy.set_contact(&ana(verified()).user, Some(Contact::Blocked));
        policy.judge_peer(3, &ana(verified()), Wish::Continue);
        assert!(policy.has_said(), "a denial is news");
    }

    #[test]
    fn a_flood_costs_no_memory_and_its_number_is_kept() {
        let mut policy = policy();
        for at in 0..WAITING_LIMIT as u64 + 9 {
            policy.judge_peer(at, &ana(verified()), Wish::Call);
        }
        let said = policy.said();
        assert_eq!((said.entries.len(), said.lost), (WAITING_LIMIT, 9));
        policy.judge_peer(1, &ana(verified()), Wish::Call);
        policy.unsaid(said);
        let again = policy.said();
        assert_eq!((again.entries.len(), again.lost), (WAITING_LIMIT, 10), "what was not written is not forgotten");
    }
}
