//! Tells a device whose it is, and lets somebody who lost every key begin an account anew.
//!
//! A reset only announces itself here: it stands in the chain for its days, every device of the account
//! is told and may veto, and the chain alone says when the new device counts.

use identity::{Entry, EntryBody, Sigchain, Standing};
use keys::VerifyingKey;
use message::{Code, Message, MessageType, Response, UserAddress};
use serde::Deserialize;
use serde_json::json;

use super::accounts::{Refused, Trouble};
use super::session::Role;
use super::{Exchange, SessionId};
use crate::limits::{RESET_LOGIN_MS, RESETS_PER_DAY};
use crate::records::RecordsError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    user: UserAddress,
    chain: Vec<String>,
    #[serde(default)]
    cic: Option<String>,
}

impl Exchange {
    pub(super) fn on_own_account(&mut self, id: SessionId, message: &Message, now_ms: i64) -> Result<(), RecordsError> {
        let outcome = match message.kind {
            MessageType::Read => self.whose(id),
            MessageType::Update => self.begin_anew(id, message, now_ms),
            _ => Err(Refused(Code::BAD_REQUEST, "an account is read or updated").into()),
        };
        self.answer_outcome(id, message, outcome)
    }

    fn whose(&self, id: SessionId) -> Result<Response, Trouble> {
        let proven = self.proven(id).filter(|proven| proven.role == Role::Member);
        let proven = proven.ok_or(Refused(Code::FORBIDDEN, "open the session as a member"))?;
        Ok(Response::ok(match &proven.user {
            Some(name) => json!({ "admitted": true, "user": format!("user://{}/{name}", self.domain) }),
            None => json!({ "admitted": false }),
        }))
    }

    fn begin_anew(&mut self, id: SessionId, message: &Message, now_ms: i64) -> Result<Response, Trouble> {
        let proven = self.proven(id).filter(|proven| proven.role == Role::Member && proven.user.is_none());
        proven.ok_or(Refused(Code::FORBIDDEN, "only a device without an account begins one anew"))?;
        let request: Request =
            message.body.parse().map_err(|_| Refused(Code::BAD_REQUEST, "name a user, a chain and a cic"))?;
        if request.user.domain() != self.domain {
            return Err(Refused(Code::FORBIDDEN, "that name is of another domain").into());
        }
        let name = request.user.name();
        let chain = self.parse_chain(&request.chain)?;
        let account = self.records.account(name)?.ok_or(Refused(Code::NOT_FOUND, "nobody has that name"))?;
        let stored = account.chain()?;
        if !matches!(self.compare(&account, &stored, &chain)?, Standing::Ahead { .. }) {
            return Err(Refused(Code::CONFLICT, "the chain holds nothing new").into());
        }
        let added = chain.entries().get(stored.entries().len()..).unwrap_or_default();
        let root = may_publish_reset(added).ok_or(Refused(Code::FORBIDDEN, "only a reset is announced here"))?;
        self.refuse_elsewhere(name, &chain)?;
        self.check_reset(name, &root, &chain, request.cic.as_deref(), now_ms)?;
        let reset = added.first().map(|entry| entry.hash().to_string()).unwrap_or_default();
        self.records.saw_reset(name, &reset, now_ms / 1000)?;
        self.put_account(id, name, &chain, now_ms)?;
        for session in self.sessions_of_account(name) {
            self.tell(session, &json!({ "code": "reset-pending" }));
        }
        Ok(Response::ok(json!({ "user": request.user, "persona": chain.persona().to_string(), "pending": true })))
    }

    /// The domain's issuer must have let its owner in lately, for the new root; or the operator says so.
    fn check_reset(
        &mut self,
        name: &str,
        root: &VerifyingKey,
        chain: &Sigchain,
        cic: Option<&str>,
        now_ms: i64,
    ) -> Result<(), Trouble> {
        if !self.records.may_reset(name, now_ms)? {
            self.check_vouched_root(name, root, chain, cic, now_ms - RESET_LOGIN_MS)?;
        }
        if !self.resets.count(name.to_owned(), RESETS_PER_DAY, now_ms) {
            return Err(Refused(Code::TOO_MANY, "that account was begun anew too often; try again tomorrow").into());
        }
        Ok(self.records.forbid_reset(name)?)
    }
}

/// The new root, if what a chain adds is one reset and what belongs to it.
fn may_publish_reset(added: &[Entry]) -> Option<VerifyingKey> {
    let EntryBody::Reset(new) = added.first()?.body() else { return None };
    (!holds_reset(&added[1..])).then_some(new.irk)
}

/// Whether somebody who may lack every old key speaks in these entries.
pub(super) fn holds_reset(added: &[Entry]) -> bool {
    added.iter().any(|entry| matches!(entry.body(), EntryBody::Reset(_)))
}
