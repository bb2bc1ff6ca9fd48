//! What changed in the tables by the hands of other nodes, and whom it concerns here.

use std::collections::HashSet;

use message::Address;

use crate::exchange::Exchange;
use crate::records::{Change, RecordsError};

impl Exchange {
    /// Other nodes changed what all of them know.
    pub fn changed(&mut self, news: &[Change], now_ms: i64) -> Result<(), RecordsError> {
        self.now_ms = now_ms;
        let mut devices = HashSet::new();
        for change in news {
            let gone = change.row.is_none();
            match (change.table.as_str(), change.text("inbox"), change.text("address"), change.text("key")) {
                ("mailbox", Some(inbox), ..) if !gone => {
                    let (inbox, id) = (Address::parse(inbox), change.key.first().and_then(serde_json::Value::as_u64));
                    if let (Ok(inbox), Some(id)) = (inbox, id) {
                        self.mail_came(inbox, id, now_ms)?;
                    }
                }
                ("addresses", _, Some(address), _) => {
                    let device = change.text("device").unwrap_or_default().to_owned();
                    match Address::parse(address) {
                        Ok(address) if gone => self.forget_address(&address),
                        Ok(address) => self.address_came(address, device, now_ms)?,
                        Err(_) => {}
                    }
                }
                ("devices", .., Some(device)) => {
                    if gone {
                        self.put_out_here(device, now_ms)?;
                    } else {
                        devices.insert(device.to_owned());
                    }
                }
                ("resets", ..) if !gone => {
                    let name = change.text("name").unwrap_or_default().to_owned();
                    for session in self.sessions_of_account(&name) {
                        self.tell(session, &serde_json::json!({ "code": "reset-pending" }));
                    }
                }
                _ => {}
            }
        }
        self.judge_sessions(&devices, None, now_ms)
    }

    /// Mail for an inbox came into our tables from another node. Its number may be below those sent already.
    fn mail_came(&mut self, inbox: Address, id: u64, now_ms: i64) -> Result<(), RecordsError> {
        let Some(session) = self.live.get(&inbox).copied().filter(|id| !self.is_elsewhere(*id)) else { return Ok(()) };
        if let Some(cursor) = self.cursors.get_mut(&inbox) {
            *cursor = (*cursor).min(id.saturating_sub(1));
        }
        if let Some(proven) = self.proven_mut(session) {
            proven.waiting.insert(inbox);
        }
        self.pump(session, now_ms)
    }

    /// An address that another node gave to a device, which may be here by now.
    fn address_came(&mut self, address: Address, device: String, now_ms: i64) -> Result<(), RecordsError> {
        for id in self.sessions_of(&HashSet::from([device])) {
            if self.proven(id).is_some_and(|proven| proven.user.is_some() && !proven.addresses.contains(&address)) {
                self.settle(id, now_ms)?;
            }
        }
        Ok(())
    }
}
