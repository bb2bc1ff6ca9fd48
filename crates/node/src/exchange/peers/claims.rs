//! What only one may have: a request for it waits until its sender is known to be the first.

use message::{Code, Message};

use crate::exchange::{Exchange, SessionId};
use crate::records::RecordsError;

/// Somebody must be the first with something, on whatever node; his request waits for that.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// What is claimed.
    pub keys: Vec<String>,
    /// For whom.
    pub value: String,
    session: SessionId,
    request: Message,
}

/// How a claim went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All of it is his.
    Won,
    /// Somebody else was first.
    Lost,
    /// Nobody could say.
    Unavailable,
}

impl Exchange {
    /// Whether these keys are still to be claimed; what was granted serves once.
    pub(in crate::exchange) fn must_claim(&mut self, keys: &[String]) -> bool {
        let Some(fleet) = &mut self.fleet else { return false };
        let granted = keys.iter().filter(|key| fleet.granted.remove(*key)).count();
        granted < keys.len()
    }

    /// Lets a request wait until its sender is the first with these keys.
    pub(in crate::exchange) fn claim(
        &mut self,
        keys: Vec<String>,
        value: String,
        session: SessionId,
        request: &Message,
    ) {
        if let Some(fleet) = &mut self.fleet {
            fleet.claims.push(Claim { keys, value, session, request: request.clone() });
        }
    }

    /// A claim was decided: does what waited for it.
    pub fn claimed(&mut self, claim: Claim, outcome: Outcome, now_ms: i64) -> Result<(), RecordsError> {
        self.now_ms = now_ms;
        let Claim { keys, session, request, .. } = claim;
        match outcome {
            Outcome::Won => {
                if let Some(fleet) = &mut self.fleet {
                    fleet.granted.extend(keys);
                }
                self.on_account(session, &request, now_ms)
            }
            Outcome::Lost => {
                self.refuse(session, &request, Code::CONFLICT, "somebody else was first with that name");
                Ok(())
            }
            Outcome::Unavailable => {
                self.refuse(session, &request, Code::UNAVAILABLE, "names cannot be given now; try again");
                Ok(())
            }
        }
    }

    /// Takes what must be claimed.
    pub fn take_claims(&mut self) -> Vec<Claim> {
        self.fleet.as_mut().map(|fleet| std::mem::take(&mut fleet.claims)).unwrap_or_default()
    }
}
