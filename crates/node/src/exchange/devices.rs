//! Whose sessions are whose: admitted while a chain names their device, ended when it does no longer.

use std::collections::{HashMap, HashSet};

use identity::{ResetRecord, Sigchain};
use message::{Address, Body, Code, Message, MessageType};
use serde_json::{Value, json};

use super::session::Role;
use super::{Exchange, SessionId};
use crate::records::{Account, DeviceRecord, RecordsError};

/// The devices a chain names, and when they count; `seen` says when its resets were first seen here.
pub(super) fn devices_of(chain: &Sigchain, seen: &HashMap<String, i64>, now_s: i64) -> Vec<DeviceRecord> {
    let first_seen = |reset: &ResetRecord| seen.get(&reset.hash.to_string()).copied();
    let mut chain = chain.clone();
    chain.settle(now_s, &first_seen);
    let mut all = counting(&chain, 0);
    let mut to_come: Vec<i64> = chain
        .resets()
        .filter_map(|reset| Some(reset.effective_at(first_seen(reset)?)))
        .filter(|since| *since > now_s)
        .collect();
    to_come.sort_unstable();
    for since in to_come {
        chain.settle(since, &first_seen);
        let later = counting(&chain, since);
        for one in all.iter_mut().filter(|one| later.iter().all(|after| after.key != one.key)) {
            one.expires = one.expires.min(since);
        }
        all.extend(later.into_iter().filter(|after| all.iter().all(|one| one.key != after.key)).collect::<Vec<_>>());
    }
    all
}

/// The devices of the line that counts.
fn counting(chain: &Sigchain, since: i64) -> Vec<DeviceRecord> {
    chain
        .devices()
        .filter(|device| !device.revoked && !device.replaced)
        .map(|device| DeviceRecord { key: device.dsk.to_string(), since, expires: device.expires })
        .collect()
}

impl Exchange {
    /// Keeps an account as its chain describes it, and lets its sessions feel it: `own` is the session
    /// that brought the chain, which still waits for its answer.
    pub(super) fn put_account(
        &mut self,
        own: SessionId,
        name: &str,
        chain: &Sigchain,
        now_ms: i64,
    ) -> Result<(), RecordsError> {
        let texts = serde_json::to_string(&chain.texts()).map_err(|_| RecordsError::Corrupt("chain"))?;
        let account = Account { persona: chain.persona().to_string(), chain: texts };
        let devices = devices_of(chain, &self.records.resets_seen(name)?, now_ms / 1000);
        let gone = self.records.put_account(name, &account, &devices, now_ms)?;
        self.put_out(&gone, Some(own), now_ms)?;
        let named = devices.into_iter().map(|device| device.key).collect();
        self.judge_sessions(&named, Some(own), now_ms)
    }

    /// Devices that are no longer anybody's: nothing waits for them, nothing reaches them.
    fn put_out(&mut self, gone: &[String], own: Option<SessionId>, now_ms: i64) -> Result<(), RecordsError> {
        for device in gone {
            for address in self.records.release_all(device)? {
                self.forget_address(&address);
            }
        }
        for id in self.sessions_of(&gone.iter().cloned().collect()) {
            self.leave_empty_handed(id);
            if Some(id) != own {
                self.close(id, Code::FORBIDDEN, now_ms)?;
            }
        }
        Ok(())
    }

    /// The same for a device that another node put out.
    pub(super) fn put_out_here(&mut self, device: &str, now_ms: i64) -> Result<(), RecordsError> {
        for id in self.sessions_of(&HashSet::from([device.to_owned()])) {
            // A device that never had an account only waits for one.
            if self.proven(id).is_some_and(|proven| proven.user.is_some()) {
                self.leave_empty_handed(id);
                self.close(id, Code::FORBIDDEN, now_ms)?;
            }
        }
        Ok(())
    }

    fn leave_empty_handed(&mut self, id: SessionId) {
        self.lose_unconfirmed(id);
        self.touch(id);
        if let Some(proven) = self.proven_mut(id) {
            proven.addresses.clear();
        }
    }

    pub(super) fn forget_address(&mut self, address: &Address) {
        self.live.remove(address);
        self.cursors.remove(address);
        self.opened_to.remove(address);
    }

    /// Admits sessions whose device counts now, and ends those whose device does not.
    pub(super) fn judge_sessions(
        &mut self,
        devices: &HashSet<String>,
        own: Option<SessionId>,
        now_ms: i64,
    ) -> Result<(), RecordsError> {
        for id in self.sessions_of(devices) {
            let Some(proven) = self.proven(id) else { continue };
            let before = proven.user.clone();
            let after = self.records.owner_of_device(&proven.device, now_ms / 1000)?;
            if Some(id) == own || before == after {
                continue;
            }
            match (before, after) {
                (None, Some(name)) => self.admit(id, name, now_ms)?,
                _ => self.close(id, Code::FORBIDDEN, now_ms)?,
            }
        }
        Ok(())
    }

    /// A chain names the device of a session that waits for it.
    fn admit(&mut self, id: SessionId, name: String, now_ms: i64) -> Result<(), RecordsError> {
        let user = format!("user://{}/{name}", self.domain);
        if let Some(proven) = self.proven_mut(id) {
            proven.user = Some(name);
        }
        self.tell(id, &json!({ "code": "admitted", "user": user }));
        self.settle(id, now_ms)
    }

    /// Ends the session that brought a chain without its own device, after it was answered.
    pub(super) fn leave_if_put_out(&mut self, id: SessionId, now_ms: i64) -> Result<(), RecordsError> {
        let Some(proven) = self.proven(id) else { return Ok(()) };
        let is_out = proven.user.is_some() && self.records.owner_of_device(&proven.device, now_ms / 1000)?.is_none();
        if is_out { self.close(id, Code::FORBIDDEN, now_ms) } else { Ok(()) }
    }

    /// Time passed: devices that were not renewed are put out, those that count from now on are admitted.
    pub(super) fn turn_devices(&mut self, now_ms: i64) -> Result<(), RecordsError> {
        let turned = self.records.devices_turned(self.tidied_at / 1000, now_ms / 1000)?;
        self.judge_sessions(&turned.into_iter().collect(), None, now_ms)
    }

    /// Frees a name for somebody else, ends the sessions of its devices and deletes their mail; says whether
    /// there was such an account.
    pub fn forget_account(&mut self, name: &str, now_ms: i64) -> Result<bool, RecordsError> {
        let Some(devices) = self.records.forget_account(name)? else { return Ok(false) };
        self.put_out(&devices, None, now_ms)?;
        Ok(true)
    }

    /// Says something about an account to one of its sessions.
    pub(super) fn tell(&mut self, id: SessionId, what: &Value) {
        let Some(to) = self.proven(id).map(|proven| proven.address.clone()) else { return };
        let body = Body::of(what).expect("a few short words are a body");
        let number = self.next_delivery();
        let message = Message { id: number, kind: MessageType::Event, from: self.services.account(), to, body };
        self.send(id, message);
    }

    pub(super) fn sessions_of(&self, devices: &HashSet<String>) -> Vec<SessionId> {
        let of = |id: &SessionId| {
            self.proven(*id).is_some_and(|proven| proven.role == Role::Member && devices.contains(&proven.device))
        };
        self.sessions.keys().copied().filter(of).collect()
    }

    /// The sessions of an account's devices.
    pub(super) fn sessions_of_account(&self, name: &str) -> Vec<SessionId> {
        let of = |id: &SessionId| self.proven(*id).is_some_and(|proven| proven.user.as_deref() == Some(name));
        self.sessions.keys().copied().filter(of).collect()
    }
}
