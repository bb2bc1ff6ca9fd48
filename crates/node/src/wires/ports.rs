//! Sessions whose two directions are two HTTP requests, found by their token.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::exchange::SessionId;
use crate::outbox::Outbox;
use crate::switch::{Connected, Outgoing, Switch};
use futures_util::stream::{self, Stream};

struct Port {
    session: SessionId,
    /// Taken by the request that listens.
    outbox: Option<Outbox>,
}

/// All sessions of one HTTP wire.
#[derive(Clone)]
pub(super) struct Ports {
    switch: Switch,
    by_token: Arc<Mutex<HashMap<String, Port>>>,
}

/// Why nothing is listened to.
pub(super) enum ListenError {
    /// No such session.
    Unknown,
    /// Somebody listens already.
    Taken,
}

impl Ports {
    pub(super) fn new(switch: Switch) -> Self {
        Self { switch, by_token: Arc::default() }
    }

    /// Remembers a session; gives its token and its challenge.
    pub(super) fn open(&self, connected: Connected) -> (String, String) {
        let token = keys::b64url(&keys::random::<32>());
        let port = Port { session: connected.session, outbox: Some(connected.outbox) };
        let mut ports = self.by_token.lock().unwrap_or_else(PoisonError::into_inner);
        // Sessions the exchange ended before anybody listened.
        ports.retain(|_, port| port.outbox.as_ref().is_none_or(|outbox| !outbox.is_closed()));
        ports.insert(token.clone(), port);
        (token, connected.challenge)
    }

    pub(super) fn session(&self, token: &str) -> Option<SessionId> {
        let ports = self.by_token.lock().unwrap_or_else(PoisonError::into_inner);
        ports.get(token).map(|port| port.session)
    }

    /// What goes out to a session, in batches; the session ends when the stream is dropped.
    pub(super) fn listen(
        &self,
        token: &str,
        gather: usize,
    ) -> Result<impl Stream<Item = Vec<Outgoing>> + Send + use<>, ListenError> {
        let mut ports = self.by_token.lock().unwrap_or_else(PoisonError::into_inner);
        let port = ports.get_mut(token).ok_or(ListenError::Unknown)?;
        let outbox = port.outbox.take().ok_or(ListenError::Taken)?;
        let guard = Guard { ports: self.clone(), token: token.to_owned(), session: port.session };
        let start = Some((outbox, guard));
        Ok(stream::unfold(start, move |state| async move {
            let (mut outbox, guard) = state?;
            let mut batch = Vec::new();
            if outbox.recv_many(&mut batch, gather).await == 0 {
                return None;
            }
            let ends = batch.iter().any(|one| matches!(one, Outgoing::Closed(_)));
            Some((batch, (!ends).then_some((outbox, guard))))
        }))
    }
}

struct Guard {
    ports: Ports,
    token: String,
    session: SessionId,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.ports.by_token.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.token);
        self.ports.switch.disconnect(self.session);
    }
}
