//! Binds a name of the domain to a persona, once.

use identity::{Cic, Entry, EntryBody, Sigchain, Standing};
use keys::VerifyingKey;
use message::{Code, Message, MessageType, Response, UserAddress};
use serde::Deserialize;

use super::reset::holds_reset;
use super::session::Role;
use super::{Exchange, SessionId};
use crate::config::Registration;
use crate::limits::{CHAIN_BYTES, CIC_BYTES};
use crate::records::{Account, RecordsError};

#[derive(Deserialize)]
struct Request {
    user: UserAddress,
    chain: Vec<String>,
    #[serde(default)]
    cic: Option<String>,
    #[serde(default)]
    invite: Option<String>,
}

/// Why a name is not given, as it is answered.
pub(super) struct Refused(pub Code, pub &'static str);

/// Either refused, or the disk failed.
pub(super) enum Trouble {
    Refused(Refused),
    Records(RecordsError),
    /// Nothing is answered yet.
    Later,
}

impl From<Refused> for Trouble {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<RecordsError> for Trouble {
    fn from(error: RecordsError) -> Self {
        Self::Records(error)
    }
}

impl Exchange {
    /// Answers as it went; fails only with the records.
    pub(super) fn answer_outcome(
        &mut self,
        id: SessionId,
        message: &Message,
        outcome: Result<Response, Trouble>,
    ) -> Result<(), RecordsError> {
        match outcome {
            Ok(response) => self.answer(id, message, &response),
            Err(Trouble::Refused(Refused(code, why))) => self.refuse(id, message, code, why),
            Err(Trouble::Later) => {}
            Err(Trouble::Records(error)) => return Err(error),
        }
        Ok(())
    }

    pub(super) fn on_account(&mut self, id: SessionId, message: &Message, now_ms: i64) -> Result<(), RecordsError> {
        let outcome = if message.kind == MessageType::Create {
            self.create_account(id, message, now_ms)
        } else {
            Err(Refused(Code::BAD_REQUEST, "an account is created").into())
        };
        match outcome {
            Ok(response) => {
                self.answer(id, message, &response);
                self.settle(id, now_ms)
            }
            Err(Trouble::Refused(Refused(code, why))) => {
                self.refuse(id, message, code, why);
                Ok(())
            }
            Err(Trouble::Later) => Ok(()),
            Err(Trouble::Records(error)) => Err(error),
        }
    }

    /// What nobody else may have had before: the name since it was freed last, and the invitation.
    fn claims_of(&self, name: &str, request: &Request) -> Result<Vec<String>, RecordsError> {
        let invite = request.invite.as_deref().filter(|_| self.registration == Registration::Invite);
        let invite = invite.map(|invite| format!("invite/{}", keys::base32(&keys::sha256(invite.as_bytes()))));
        let name = format!("account/{}/{name}", self.records.times_freed(name)?);
        Ok(std::iter::once(name).chain(invite).collect())
    }

    fn create_account(&mut self, id: SessionId, message: &Message, now_ms: i64) -> Result<Response, Trouble> {
        let proven = self.proven(id).ok_or(Refused(Code::UNAUTHORIZED, "prove your key first"))?;
        if proven.role != Role::Member {
            return Err(Refused(Code::FORBIDDEN, "open the session as a member to create an account").into());
        }
        let device = proven.device.clone();
        let request: Request =
            message.body.parse().map_err(|_| Refused(Code::BAD_REQUEST, "name a user and a chain"))?;
        if request.user.domain() != self.domain {
            return Err(Refused(Code::FORBIDDEN, "that name is of another domain").into());
        }
        let chain = self.parse_chain(&request.chain)?;
        let key = VerifyingKey::parse(&device).map_err(|_| Refused(Code::UNAUTHORIZED, "no device key"))?;
        chain.device(&key, now_ms / 1000).map_err(|_| Refused(Code::FORBIDDEN, "this device is not of that chain"))?;
        let name = request.user.name().to_owned();
        self.refuse_elsewhere(&name, &chain)?;
        match self.records.account(&name)? {
            Some(account) => self.renew_account(id, &name, &account, &chain, now_ms)?,
            None => {
                let keys = self.claims_of(&name, &request)?;
                if self.must_claim(&keys) {
                    self.check_name(&name, &chain, &request, false)?;
                    self.claim(keys, chain.persona().to_string(), id, message);
                    return Err(Trouble::Later);
                }
                self.check_name(&name, &chain, &request, true)?;
                self.put_account(id, &name, &chain, now_ms)?;
            }
        }
        if let Some(proven) = self.proven_mut(id) {
            proven.user = Some(name);
        }
        let persona = chain.persona().to_string();
        Ok(Response::ok(serde_json::json!({ "user": request.user, "persona": persona, "registered": true })))
    }

    /// Reads a chain within its bounds.
    pub(super) fn parse_chain(&self, texts: &[String]) -> Result<Sigchain, Refused> {
        if texts.iter().map(String::len).sum::<usize>() > CHAIN_BYTES {
            return Err(Refused(Code::TOO_LARGE, "the chain is too long"));
        }
        Sigchain::parse(texts).map_err(|_| Refused(Code::BAD_REQUEST, "the chain does not hold"))
    }

    /// A device is of one account only; else its session would be of one or the other by chance.
    pub(super) fn refuse_elsewhere(&self, name: &str, chain: &Sigchain) -> Result<(), Trouble> {
        let keys: Vec<String> = chain.entries().iter().filter_map(added_device).collect();
        if self.records.is_elsewhere(name, &keys)? {
            return Err(Refused(Code::CONFLICT, "a device of that chain belongs to another account").into());
        }
        Ok(())
    }

    /// Who may have a name nobody has: the issuer's own people, then whom the registration admits.
    /// With `take`, an invitation is used up.
    fn check_name(&self, name: &str, chain: &Sigchain, request: &Request, take: bool) -> Result<(), Trouble> {
        if self.records.is_person(name)? {
            return self.check_vouched_root(name, &chain.irk(), chain, request.cic.as_deref(), 0);
        }
        match self.registration {
            Registration::Open => Ok(()),
            Registration::Invite => {
                let invite =
                    request.invite.as_deref().ok_or(Refused(Code::FORBIDDEN, "an account needs an invitation"))?;
                let hash = keys::sha256(invite.as_bytes());
                let known = if take { self.records.take_invite(&hash)? } else { self.records.is_invite(&hash)? };
                if known { Ok(()) } else { Err(Refused(Code::FORBIDDEN, "that invitation is not known here").into()) }
            }
        }
    }

    /// The issuer must have signed, for this name and not before that time, a nonce that commits to this root
    /// of this chain. Contacts of the person know the claims too, so knowing them is not enough.
    pub(super) fn check_vouched_root(
        &self,
        name: &str,
        root: &VerifyingKey,
        chain: &Sigchain,
        cic: Option<&str>,
        since_ms: i64,
    ) -> Result<(), Trouble> {
        let text = cic.filter(|text| text.len() <= CIC_BYTES);
        let text = text.ok_or(Refused(Code::FORBIDDEN, "that name belongs to someone who signs in here"))?;
        let cic = Cic::parse(text).map_err(|_| Refused(Code::BAD_REQUEST, "the cic does not read"))?;
        let fits = cic.upk() == root && cic.chain() == chain.genesis_hash();
        if fits && self.records.was_nonce_signed(name, &cic.nonce(), since_ms)? {
            Ok(())
        } else {
            Err(Refused(Code::FORBIDDEN, "the issuer did not vouch for this persona under that name").into())
        }
    }

    /// The same persona again, perhaps with a longer chain.
    pub(super) fn renew_account(
        &mut self,
        id: SessionId,
        name: &str,
        known: &Account,
        chain: &Sigchain,
        now_ms: i64,
    ) -> Result<(), Trouble> {
        let stored = known.chain()?;
        if matches!(self.compare(known, &stored, chain)?, Standing::Same) {
            return Ok(());
        }
        // Whoever begins anew lacks the keys that would speak for him here; others must have vouched first.
        if holds_reset(chain.entries().get(stored.entries().len()..).unwrap_or_default()) {
            return Err(Refused(Code::FORBIDDEN, "a reset is announced at the account").into());
        }
        Ok(self.put_account(id, name, chain, now_ms)?)
    }

    /// How a chain stands to the stored one: the same or ahead of it, for everything else is refused.
    pub(super) fn compare(&self, known: &Account, stored: &Sigchain, chain: &Sigchain) -> Result<Standing, Refused> {
        if known.persona != chain.persona().to_string() {
            return Err(Refused(Code::CONFLICT, "that name belongs to another persona"));
        }
        match chain.compare(&stored.head()) {
            Standing::Behind { .. } => Err(Refused(Code::CONFLICT, "a newer chain is known")),
            Standing::Forked(_) => Err(Refused(Code::CONFLICT, "the chain tells another story than before")),
            standing => Ok(standing),
        }
    }
}

/// The device an entry adds, on whatever line.
fn added_device(entry: &Entry) -> Option<String> {
    match entry.body() {
        EntryBody::AddDevice(add) => Some(add.dsk.to_string()),
        _ => None,
    }
}
