//! The person on the other side, as far as is known.

use message::{ConsentQuestion, Domain, UserAddress, Verdict};

use crate::policy::Policy;
use crate::reasons;
use crate::rules::Contact;

/// How sure it is who is speaking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// Tokens, chain and pin were checked, and hold.
    Verified,
    /// Nothing was shown yet.
    Unproven,
    /// Something was shown, and does not hold.
    Failed,
}

/// A person on the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Who it claims to be.
    pub user: UserAddress,
    /// Whether that is so.
    pub identity: Identity,
}

/// What is exchanged with a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// They write to us, or want us in a conversation.
    Write,
    /// They call us.
    Call,
    /// We write to them or call them.
    Reach,
}

impl Policy {
    /// Whether something may be exchanged with a person.
    ///
    /// A stranger who writes is asked about ([`Verdict::Ask`]); a stranger who
    /// calls is refused. Whom we reach for, we need not be asked about.
    pub fn judge_peer(&mut self, now_ms: u64, peer: &Peer, wish: Wish) -> Verdict {
        if let Some(denied) = self.judge_domain(&peer.user.domain()) {
            return denied;
        }
        let contact = self.rules.contacts.get(&peer.user).copied();
        match (peer.identity, contact, wish) {
            (_, Some(Contact::Blocked), _) => reasons::blocked(),
            (Identity::Failed, ..) => reasons::unverified(),
            (Identity::Unproven, ..) => reasons::unproven(),
            (Identity::Verified, Some(Contact::Accepted), _) | (Identity::Verified, None, Wish::Reach) => {
                Verdict::Allow
            }
            (Identity::Verified, None, Wish::Call) => reasons::not_a_contact(),
            (Identity::Verified, None, Wish::Write) => {
                self.prompts.ask(now_ms, ConsentQuestion::Contact { user: peer.user.clone() })
            }
        }
    }

    /// The user has decided about a person: `None` forgets what was said before.
    pub fn set_contact(&mut self, user: &UserAddress, contact: Option<Contact>) {
        self.prompts.answered(|question| matches!(question, ConsentQuestion::Contact { user: asked } if asked == user));
        match contact {
            Some(contact) => self.rules.contacts.insert(user.clone(), contact),
            None => self.rules.contacts.remove(user),
        };
    }

    /// Whether a ceiling forbids all dealings with a domain.
    pub(crate) fn judge_domain(&self, domain: &Domain) -> Option<Verdict> {
        if !self.rules.organisation.allows_domain(domain) {
            Some(reasons::organisation())
        } else if !self.rules.user.allows_domain(domain) {
            Some(reasons::user_rule())
        } else {
            None
        }
    }
}
