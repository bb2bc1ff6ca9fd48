//! Tells strangers where a person's inbox is, and takes the key packages with which they begin.

use message::{Address, Code, Message, MessageType, Response, UserAddress};
use serde::Deserialize;

use super::accounts::{Refused, Trouble};
use super::session::Role;
use super::{Exchange, SessionId};
use crate::limits::{KEY_PACKAGE_BYTES, KEY_PACKAGES};
use crate::records::RecordsError;

#[derive(Deserialize)]
struct Update {
    value: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Value {
    user: UserAddress,
    #[serde(default)]
    inbox: Option<Address>,
    #[serde(default)]
    key_packages: Vec<String>,
    #[serde(default)]
    chain: Vec<String>,
}

#[derive(Deserialize)]
struct Read {
    resource: UserAddress,
}

impl Exchange {
    pub(super) fn on_registry(&mut self, id: SessionId, message: &Message, now_ms: i64) -> Result<(), RecordsError> {
        let outcome = match message.kind {
            MessageType::Read => self.look_up(id, message, now_ms),
            MessageType::Update => self.update_entry(id, message, now_ms),
            _ => Err(Refused(Code::BAD_REQUEST, "the registry is read or updated").into()),
        };
        match outcome {
            Ok(response) => self.answer(id, message, &response),
            Err(Trouble::Refused(Refused(code, why))) => self.refuse(id, message, code, why),
            Err(Trouble::Records(error)) => return Err(error),
        }
        Ok(())
    }

    fn look_up(&mut self, id: SessionId, message: &Message, now_ms: i64) -> Result<Response, Trouble> {
        let limit = self.limits.registry_reads_per_minute;
        let session = self.sessions.get_mut(&id).ok_or(Refused(Code::UNAUTHORIZED, "no session"))?;
        if !session.reads.count((), limit, now_ms) {
            self.stats.limited += 1;
            return Err(Refused(Code::TOO_MANY, "too many look-ups; try again in a minute").into());
        }
        let read: Read = message.body.parse().map_err(|_| Refused(Code::BAD_REQUEST, "name a user"))?;
        if read.resource.domain() != self.domain {
            return Err(Refused(Code::NOT_FOUND, "that name is of another domain").into());
        }
        let entry = self.records.look_up(read.resource.name())?;
        let entry = entry.ok_or(Refused(Code::NOT_FOUND, "nobody of that name can be reached here"))?;
        let chain: Vec<String> = serde_json::from_str(&entry.chain).map_err(|_| RecordsError::Corrupt("chain"))?;
        Ok(Response::ok(serde_json::json!({
            "user": read.resource,
            "persona": entry.persona,
            "inbox": entry.inbox,
            "keyPackage": entry.key_package,
            "chain": chain,
        })))
    }

    fn update_entry(&mut self, id: SessionId, message: &Message, now_ms: i64) -> Result<Response, Trouble> {
        let value =
            message.body.parse::<Update>().map_err(|_| Refused(Code::BAD_REQUEST, "name a user and an inbox"))?.value;
        let proven = self.proven(id).ok_or(Refused(Code::UNAUTHORIZED, "no session"))?;
        let is_own = proven.role == Role::Member
            && value.user.domain() == self.domain
            && proven.user.as_deref() == Some(value.user.name());
        if !is_own {
            return Err(Refused(Code::FORBIDDEN, "only its owner updates an entry").into());
        }
        if value.inbox.as_ref().is_some_and(|inbox| inbox.scheme() != "hyperty" || !proven.addresses.contains(inbox)) {
            return Err(Refused(Code::FORBIDDEN, "that inbox was not allocated to this device").into());
        }
        check_packages(&value.key_packages)?;
        let device = proven.device.clone();
        let name = value.user.name();
        if !value.chain.is_empty() {
            let chain = self.read_chain(&value.chain, &device, now_ms)?;
            let account = self.records.account(name)?.ok_or(Refused(Code::FORBIDDEN, "create an account first"))?;
            self.renew_account(name, &account, &chain, now_ms)?;
        }
        if let Some(inbox) = &value.inbox {
            self.records.register(name, inbox.as_str())?;
        }
        let left = self.records.add_key_packages(name, &value.key_packages)?;
        Ok(Response::ok(serde_json::json!({ "keyPackages": left })))
    }
}

fn check_packages(packages: &[String]) -> Result<(), Refused> {
    if packages.len() > KEY_PACKAGES {
        return Err(Refused(Code::TOO_LARGE, "too many key packages at once"));
    }
    let sound = packages
        .iter()
        .all(|package| !package.is_empty() && package.len() <= KEY_PACKAGE_BYTES && keys::from_b64url(package).is_ok());
    if sound { Ok(()) } else { Err(Refused(Code::BAD_REQUEST, "a key package is base64url of at most 12 KiB")) }
}
