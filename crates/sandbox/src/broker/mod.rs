//! Does for a guest what it cannot do itself, as far as its grants go.

mod digest;
mod fetch;
mod socket;
mod storage;

use std::sync::Arc;

use bytes::Bytes;
use message::{Grants, Origin};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use transport::{Net, Reach};
use url::Url;

use crate::broker::fetch::Fetches;
use crate::broker::socket::Sockets;
use crate::broker::storage::Storage;
use crate::control::{CallError, GuestCall, HostNews};
use crate::inbox::Inbox;
use crate::spec::GuestSpec;

/// How the tasks of a guest reach it.
#[derive(Clone)]
pub struct Port {
    /// Where answers go.
    pub inbox: Arc<Inbox>,
    /// Where tasks run.
    pub handle: Handle,
    /// Ends with the guest.
    pub cancel: CancellationToken,
}

impl Port {
    fn tell(&self, news: &HostNews<'_>) {
        self.inbox.tell(news, Bytes::new());
    }

    fn tell_with(&self, news: &HostNews<'_>, bytes: Bytes) {
        self.inbox.tell(news, bytes);
    }

    fn answer(&self, id: u64, outcome: Result<serde_json::Value, CallError>) {
        let (value, error) = match outcome {
            Ok(value) => (Some(value), None),
            Err(error) => (None, Some(error)),
        };
        self.tell(&HostNews::Answer { id, value, error });
    }
}

/// Where a guest's connections may go.
#[derive(Clone)]
struct Way {
    net: Net,
    reach: Reach,
    grants: Arc<Grants>,
}

/// Whether a list of granted origins has the one of a URL.
fn is_granted(origins: &[Origin], url: &Url) -> bool {
    let origin = url.origin().ascii_serialization();
    origins.iter().any(|granted| granted.as_str() == origin)
}

/// One guest's broker.
pub struct Broker {
    port: Port,
    fetches: Fetches,
    sockets: Sockets,
    storage: Storage,
}

impl Broker {
    /// A broker for a guest.
    pub fn new(spec: &GuestSpec, net: Net, port: Port) -> Self {
        let way = Way { net, reach: spec.reach, grants: Arc::new(spec.grants.clone()) };
        Self {
            fetches: Fetches::new(way.clone(), port.clone()),
            sockets: Sockets::new(way, port.clone()),
            storage: Storage::new(spec.shelf.clone(), spec.grants.storage),
            port,
        }
    }

    /// Does what the guest asks, or tells it why not.
    pub fn take(&mut self, call: GuestCall, bytes: Bytes) {
        match call {
            GuestCall::Fetch { id, url, method, headers } => self.fetches.open(id, &url, &method, headers, bytes),
            GuestCall::FetchPull { id } => self.fetches.pull(id),
            GuestCall::FetchCancel { id } => self.fetches.cancel(id),
            GuestCall::SocketOpen { id, url, protocols } => self.sockets.open(id, &url, protocols),
            GuestCall::SocketSend { id, text } => self.sockets.send(id, text, bytes),
            GuestCall::SocketPull { id } => self.sockets.pull(id),
            GuestCall::SocketClose { id, code, reason } => self.sockets.close(id, code, reason),
            GuestCall::Digest { id, algorithm } => match digest::digest(&algorithm, &bytes) {
                Ok(digest) => self.port.tell_with(&HostNews::Answer { id, value: None, error: None }, digest),
                Err(error) => self.port.answer(id, Err(error)),
            },
            GuestCall::StorageGet { id, key } => self.port.answer(id, self.storage.get(&key)),
            GuestCall::StorageSet { id, key, value } => self.port.answer(id, self.storage.set(&key, &value)),
            GuestCall::StorageDelete { id, key } => self.port.answer(id, self.storage.delete(&key)),
            GuestCall::StorageKeys { id } => self.port.answer(id, self.storage.keys()),
            GuestCall::Ready | GuestCall::Failed { .. } | GuestCall::Wake { .. } => {}
        }
    }
}
