//! Tells strangers where the devices of a person are reached, and takes the key packages with which they begin.

use keys::VerifyingKey;
use message::{Address, Code, Message, MessageType, Response, UserAddress};
use serde::{Deserialize, Serialize};

use super::accounts::{Refused, Trouble};
use super::session::Role;
use super::{Exchange, SessionId};
use crate::limits::{DEVICES_PER_ACCOUNT, KEY_PACKAGE_BYTES, KEY_PACKAGES};
use crate::records::{RecordsError, Take};

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
    /// Whether key packages are taken: who only looks leaves them for those who begin something.
    #[serde(default = "yes")]
    packages: bool,
    /// The only devices whose key packages are taken.
    #[serde(default)]
    only: Option<Vec<VerifyingKey>>,
}

fn yes() -> bool {
    true
}

impl Read {
    fn take(&self) -> Take {
        match &self.only {
            _ if !self.packages => Take::Nothing,
            Some(only) => Take::Only(only.iter().map(ToString::to_string).collect()),
            None => Take::All,
        }
    }
}

/// One device as it is answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reached {
    device: String,
    inbox: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_package: Option<String>,
}

impl Exchange {
    pub(super) fn on_registry(&mut self, id: SessionId, message: &Message, now_ms: i64) -> Result<(), RecordsError> {
        let outcome = match message.kind {
            MessageType::Read => self.look_up(id, message, now_ms),
            MessageType::Update => self.update_entry(id, message, now_ms),
            _ => Err(Refused(Code::BAD_REQUEST, "the registry is read or updated").into()),
        };
        self.answer_outcome(id, message, outcome)?;
        if message.kind == MessageType::Update { self.leave_if_put_out(id, now_ms) } else { Ok(()) }
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
        if read.only.as_ref().is_some_and(|only| only.len() > DEVICES_PER_ACCOUNT) {
            return Err(Refused(Code::TOO_LARGE, "too many devices at once").into());
        }
        let entry = self.records.look_up(read.resource.name(), &read.take(), now_ms / 1000)?;
        let entry = entry.ok_or(Refused(Code::NOT_FOUND, "nobody of that name is known here"))?;
        let chain: Vec<String> = serde_json::from_str(&entry.chain).map_err(|_| RecordsError::Corrupt("chain"))?;
        let devices = entry.devices.into_iter();
        let devices = devices.map(|one| Reached { device: one.device, inbox: one.inbox, key_package: one.key_package });
        Ok(Response::ok(serde_json::json!({
            "user": read.resource,
            "persona": entry.persona,
            "chain": chain,
            "devices": devices.collect::<Vec<_>>(),
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
            self.renew_entry(id, name, &value.chain, now_ms)?;
        }
        if self.records.owner_of_device(&device, now_ms / 1000)?.as_deref() != Some(name) {
            // It took itself out of the chain: there is nothing left to be reached at.
            return Ok(Response::ok(serde_json::json!({ "keyPackages": 0 })));
        }
        if let Some(inbox) = &value.inbox
            && self.records.register(&device, inbox.as_str())?.is_err()
        {
            return Err(Refused(Code::INSUFFICIENT_STORAGE, "as many devices of that name are known as may be").into());
        }
        let left = self.records.add_key_packages(&device, &value.key_packages)?;
        Ok(Response::ok(serde_json::json!({ "keyPackages": left })))
    }

    /// Any device of an account may bring its longer chain, and one that leaves may say so itself.
    fn renew_entry(&mut self, id: SessionId, name: &str, texts: &[String], now_ms: i64) -> Result<(), Trouble> {
        let chain = self.parse_chain(texts)?;
        self.refuse_elsewhere(name, &chain)?;
        let account = self.records.account(name)?.ok_or(Refused(Code::FORBIDDEN, "create an account first"))?;
        self.renew_account(id, name, &account, &chain, now_ms)
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
