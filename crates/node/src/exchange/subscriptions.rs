//! Fan-out of an object's changes to the sessions its owner lets in.

use std::collections::HashSet;

use message::{Address, Code, Message, MessageType, Response};
use serde::Deserialize;

use super::{Exchange, SessionId};
use crate::limits::{OBJECT_GUESTS, SUBSCRIPTION_RESOURCES, SUBSCRIPTIONS_PER_SESSION};

#[derive(Deserialize)]
struct Request {
    resources: Vec<Address>,
    /// Said by the owner of the resources: the sessions that may subscribe them.
    #[serde(default)]
    allow: Option<Vec<Address>>,
}

impl Exchange {
    pub(super) fn on_subscription(&mut self, id: SessionId, message: &Message) {
        let request = match message.body.parse::<Request>() {
            Ok(request) if !request.resources.is_empty() && request.resources.len() <= SUBSCRIPTION_RESOURCES => {
                request
            }
            _ => return self.refuse(id, message, Code::BAD_REQUEST, "name the resources"),
        };
        match message.kind {
            MessageType::Subscribe => self.subscribe(id, message, request),
            MessageType::Unsubscribe => {
                for resource in &request.resources {
                    if self.proven_mut(id).is_some_and(|proven| proven.subscriptions.remove(resource)) {
                        self.forget_subscription(id, resource);
                    }
                }
                self.touch(id);
                self.answer(id, message, &Response::code(Code::OK));
            }
            _ => self.refuse(id, message, Code::BAD_REQUEST, "subscribe or unsubscribe"),
        }
    }

    fn subscribe(&mut self, id: SessionId, message: &Message, request: Request) {
        let Some(proven) = self.proven(id) else { return };
        let owns = |resource: &Address| proven.may_speak_as(resource);
        let is_let_in = |resource: &Address| {
            self.opened_to.get(&resource.base()).is_some_and(|guests| guests.contains(&proven.address))
        };
        let permitted = match &request.allow {
            Some(guests) => guests.len() <= OBJECT_GUESTS && request.resources.iter().all(owns),
            None => request.resources.iter().all(|resource| owns(resource) || is_let_in(resource)),
        };
        if !permitted {
            return self.refuse(id, message, Code::FORBIDDEN, "that address belongs to somebody else");
        }
        if proven.subscriptions.len() + request.resources.len() > SUBSCRIPTIONS_PER_SESSION {
            return self.refuse(id, message, Code::TOO_MANY, "too many subscriptions");
        }
        if let Some(guests) = request.allow {
            let guests: HashSet<Address> = guests.into_iter().collect();
            for resource in &request.resources {
                self.opened_to.insert(resource.base(), guests.clone());
            }
        } else {
            for resource in &request.resources {
                self.subscribers.entry(resource.clone()).or_default().insert(id);
            }
            if let Some(proven) = self.proven_mut(id) {
                proven.subscriptions.extend(request.resources);
            }
        }
        self.touch(id);
        self.answer(id, message, &Response::code(Code::OK));
    }

    pub(super) fn forget_subscription(&mut self, id: SessionId, resource: &Address) {
        if let Some(sessions) = self.subscribers.get_mut(resource) {
            sessions.remove(&id);
            if sessions.is_empty() {
                self.subscribers.remove(resource);
            }
        }
    }

    /// An object reports a change: everyone subscribed and still let in hears it.
    pub(super) fn publish(&mut self, from: SessionId, message: &Message) {
        let object = message.to.base();
        if !message.from.is_within(&object) {
            return self.refuse(from, message, Code::FORBIDDEN, "only an object reports its changes");
        }
        let guests = self.opened_to.get(&object);
        let hearers: Vec<SessionId> = self
            .subscribers
            .get(&message.to)
            .into_iter()
            .flatten()
            .copied()
            .filter(|id| *id != from)
            .filter(|id| {
                self.address_of(*id).is_some_and(|address| guests.is_some_and(|guests| guests.contains(address)))
            })
            .collect();
        for id in &hearers {
            self.send(*id, message.clone());
        }
        self.answer(from, message, &Response::ok(serde_json::json!({ "heard": hearers.len() })));
    }
}
