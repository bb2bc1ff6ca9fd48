//! Hands out addresses to the domain's own devices.

use message::{Address, Code, Message, MessageType, Response};
use serde::Deserialize;

use super::session::Role;
use super::{Exchange, SessionId};
use crate::limits::{ALLOCATION_KEY_BYTES, ALLOCATION_NUMBER};
use crate::records::{AllocateError, RecordsError};

const SCHEMES: [&str; 3] = ["hyperty", "comm", "connection"];

#[derive(Deserialize)]
struct Request {
    scheme: String,
    value: Wanted,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    number: usize,
    allocation_key: String,
}

#[derive(Deserialize)]
struct Release {
    resources: Vec<Address>,
}

impl Exchange {
    pub(super) fn on_allocation(&mut self, id: SessionId, message: &Message) -> Result<(), RecordsError> {
        if self.proven(id).is_none_or(|proven| proven.role != Role::Member) {
            self.refuse(id, message, Code::FORBIDDEN, "addresses are for members");
            return Ok(());
        }
        match message.kind {
            MessageType::Create => self.allocate(id, message),
            MessageType::Delete => self.release(id, message),
            _ => {
                self.refuse(id, message, Code::BAD_REQUEST, "addresses are created or deleted");
                Ok(())
            }
        }
    }

    fn allocate(&mut self, id: SessionId, message: &Message) -> Result<(), RecordsError> {
        let request = match message.body.parse::<Request>() {
            Ok(request) if request.is_sound() => request,
            _ => {
                self.refuse(id, message, Code::BAD_REQUEST, "name a scheme, a number from 1 to 100 and a key");
                return Ok(());
            }
        };
        let Some(device) = self.proven(id).map(|proven| proven.device.clone()) else { return Ok(()) };
        let tag = &request.value.allocation_key;
        let allocated = match self.records.allocate(&self.domain, &device, &request.scheme, tag, request.value.number) {
            Ok(allocated) => allocated,
            Err(AllocateError::TooMany) => {
                self.refuse(id, message, Code::TOO_MANY, "this device holds as many addresses as it may");
                return Ok(());
            }
            Err(AllocateError::Records(error)) => return Err(error),
        };
        for address in &allocated {
            self.live.insert(address.clone(), id);
        }
        if let Some(proven) = self.proven_mut(id) {
            proven.addresses.extend(allocated.iter().cloned());
        }
        self.touch(id);
        self.answer(id, message, &Response::ok(serde_json::json!({ "allocated": allocated })));
        Ok(())
    }

    fn release(&mut self, id: SessionId, message: &Message) -> Result<(), RecordsError> {
        let resources = match message.body.parse::<Release>() {
            Ok(release) if release.resources.len() <= ALLOCATION_NUMBER => release.resources,
            _ => {
                self.refuse(id, message, Code::BAD_REQUEST, "name the resources");
                return Ok(());
            }
        };
        let Some(device) = self.proven(id).map(|proven| proven.device.clone()) else { return Ok(()) };
        if let Some(proven) = self.proven(id)
            && !resources.iter().all(|address| proven.addresses.contains(address))
        {
            self.refuse(id, message, Code::FORBIDDEN, "that address belongs to somebody else");
            return Ok(());
        }
        for address in &resources {
            self.records.release(&device, address)?;
            self.forget_address(address);
            if let Some(proven) = self.proven_mut(id) {
                proven.addresses.remove(address);
                proven.waiting.remove(address);
            }
        }
        self.touch(id);
        self.answer(id, message, &Response::code(Code::OK));
        Ok(())
    }
}

impl Request {
    fn is_sound(&self) -> bool {
        SCHEMES.contains(&self.scheme.as_str())
            && (1..=ALLOCATION_NUMBER).contains(&self.value.number)
            && (1..=ALLOCATION_KEY_BYTES).contains(&self.value.allocation_key.len())
    }
}
