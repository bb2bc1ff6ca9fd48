//! Binds a name of the domain to a persona, once.

use identity::{Cic, Sigchain, Standing};
use message::{Code, Message, MessageType, Response, UserAddress};
use serde::Deserialize;

use super::session::Role;
use super::{Exchange, SessionId};
use crate::config::Registration;
use crate::limits::{CHAIN_BYTES, CIC_BYTES};
use crate::records::{Account, DeviceRecord, RecordsError};

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
            Err(Trouble::Records(error)) => Err(error),
        }
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
        let chain = self.read_chain(&request.chain, &device, now_ms)?;
        let name = request.user.name().to_owned();
        if self.records.owner_of_device(&device, now_ms / 1000)?.is_some_and(|owner| owner != name) {
            return Err(Refused(Code::CONFLICT, "this device belongs to another account").into());
        }
        match self.records.account(&name)? {
            Some(account) => self.renew_account(&name, &account, &chain, now_ms)?,
            None => {
                self.check_name(&name, &chain, &request, now_ms)?;
                self.put_account(&name, &chain, now_ms)?;
            }
        }
        if let Some(proven) = self.proven_mut(id) {
            proven.user = Some(name);
        }
        let persona = chain.persona().to_string();
        Ok(Response::ok(serde_json::json!({ "user": request.user, "persona": persona, "registered": true })))
    }

    /// Reads a chain and asks that this session's device stands in it.
    pub(super) fn read_chain(&self, texts: &[String], device: &str, now_ms: i64) -> Result<Sigchain, Refused> {
        if texts.iter().map(String::len).sum::<usize>() > CHAIN_BYTES {
            return Err(Refused(Code::TOO_LARGE, "the chain is too long"));
        }
        let chain = Sigchain::parse(texts).map_err(|_| Refused(Code::BAD_REQUEST, "the chain does not hold"))?;
        let key = keys::VerifyingKey::parse(device).map_err(|_| Refused(Code::UNAUTHORIZED, "no device key"))?;
        chain.device(&key, now_ms / 1000).map_err(|_| Refused(Code::FORBIDDEN, "this device is not of that chain"))?;
        Ok(chain)
    }

    /// Who may have a name nobody has: the issuer's own people, then whom the registration admits.
    fn check_name(&self, name: &str, chain: &Sigchain, request: &Request, _now_ms: i64) -> Result<(), Trouble> {
        if self.records.is_person(name)? {
            return self.check_vouched(name, chain, request.cic.as_deref());
        }
        match self.registration {
            Registration::Open => Ok(()),
            Registration::Invite => {
                let invite =
                    request.invite.as_deref().ok_or(Refused(Code::FORBIDDEN, "an account needs an invitation"))?;
                let known = self.records.take_invite(&keys::sha256(invite.as_bytes()))?;
                if known { Ok(()) } else { Err(Refused(Code::FORBIDDEN, "that invitation is not known here").into()) }
            }
        }
    }

    /// The issuer must have signed, for this name, a nonce that commits to this chain's own root key.
    /// Contacts of the person know the claims too, so knowing them is not enough: they must fit the chain.
    fn check_vouched(&self, name: &str, chain: &Sigchain, cic: Option<&str>) -> Result<(), Trouble> {
        let text = cic.filter(|text| text.len() <= CIC_BYTES);
        let text = text.ok_or(Refused(Code::FORBIDDEN, "that name belongs to someone who signs in here"))?;
        let cic = Cic::parse(text).map_err(|_| Refused(Code::BAD_REQUEST, "the cic does not read"))?;
        let fits = *cic.upk() == chain.irk() && cic.chain() == chain.genesis_hash();
        if fits && self.records.was_nonce_signed(name, &cic.nonce())? {
            Ok(())
        } else {
            Err(Refused(Code::FORBIDDEN, "the issuer did not vouch for this persona under that name").into())
        }
    }

    /// The same persona again, perhaps with a longer chain.
    pub(super) fn renew_account(
        &mut self,
        name: &str,
        known: &Account,
        chain: &Sigchain,
        now_ms: i64,
    ) -> Result<(), Trouble> {
        if known.persona != chain.persona().to_string() {
            return Err(Refused(Code::CONFLICT, "that name belongs to another persona").into());
        }
        let texts: Vec<String> = serde_json::from_str(&known.chain).map_err(|_| RecordsError::Corrupt("chain"))?;
        let stored = Sigchain::parse(&texts).map_err(|_| RecordsError::Corrupt("chain"))?;
        match chain.compare(&stored.head()) {
            Standing::Same => Ok(()),
            Standing::Ahead { .. } => Ok(self.put_account(name, chain, now_ms)?),
            Standing::Behind { .. } => Err(Refused(Code::CONFLICT, "a newer chain is known").into()),
            Standing::Forked(_) => Err(Refused(Code::CONFLICT, "the chain tells another story than before").into()),
        }
    }

    fn put_account(&mut self, name: &str, chain: &Sigchain, now_ms: i64) -> Result<(), RecordsError> {
        let texts = serde_json::to_string(&chain.texts()).map_err(|_| RecordsError::Corrupt("chain"))?;
        let account = Account { persona: chain.persona().to_string(), chain: texts };
        let devices: Vec<DeviceRecord> = chain
            .devices()
            .filter(|device| !device.revoked)
            .map(|device| DeviceRecord { key: device.dsk.to_string(), expires: device.expires })
            .collect();
        self.records.put_account(name, &account, &devices, now_ms)?;
        self.close_revoked(name, &devices, now_ms)
    }

    /// Sessions of devices the chain no longer names end at once.
    fn close_revoked(&mut self, name: &str, devices: &[DeviceRecord], now_ms: i64) -> Result<(), RecordsError> {
        let gone: Vec<SessionId> = self
            .sessions
            .iter()
            .filter_map(|(id, session)| Some((*id, session.proven()?)))
            .filter(|(_, proven)| proven.user.as_deref() == Some(name))
            .filter(|(_, proven)| !devices.iter().any(|device| device.key == proven.device))
            .map(|(id, _)| id)
            .collect();
        gone.into_iter().try_for_each(|id| self.close(id, Code::FORBIDDEN, now_ms))
    }
}
