//! The ports of a bus: who stands behind each, and as whom it may speak.

use std::fmt;
use std::sync::Arc;

use message::{Address, Domain, Grants};

/// Names one port of one bus; never given out twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortId(pub(crate) u64);

impl fmt::Display for PortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "port {}", self.0)
    }
}

/// Who stands behind a port.
#[derive(Debug, Clone)]
pub enum PortKind {
    /// A part of the runtime itself; its `from` is believed.
    Core {
        /// Its name, such as `sm`.
        name: String,
    },
    /// A Hyperty or identity proxy in its sandbox.
    Guest {
        /// The addresses it may speak as; the first one replaces any other claim.
        speak_as: Vec<Address>,
        /// What it may do.
        grants: Grants,
    },
    /// The ProtoStub of a domain in its sandbox: speaks for itself, and brings
    /// what its domain's Node sends.
    Stub {
        /// The domain it leads to.
        domain: Domain,
        /// Its own address, such as `runtime://a.example/protostub/b.example`.
        address: Address,
        /// What it may do on its own behalf.
        grants: Grants,
    },
}

/// One side of a message, as a policy sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Party {
    /// A part of the runtime itself.
    Core {
        /// Its name.
        name: Arc<str>,
    },
    /// A guest in its sandbox.
    Guest {
        /// The address it speaks as in the first place.
        address: Address,
        /// What it may do.
        grants: Arc<Grants>,
    },
    /// A ProtoStub that speaks for itself, or is spoken to at its own address.
    Stub {
        /// The domain it leads to.
        domain: Domain,
        /// Its own address.
        address: Address,
        /// What it may do.
        grants: Arc<Grants>,
    },
    /// Someone in or behind a domain, reached through its ProtoStub.
    Remote {
        /// The domain.
        domain: Domain,
    },
}

/// A port with what it has open.
#[derive(Debug)]
pub(crate) struct Port {
    pub who: Who,
    /// Requests and held messages charged to it.
    pub open: usize,
    /// Bytes of held bodies charged to it.
    pub held: usize,
    /// Places it listens to.
    pub places: usize,
}

#[derive(Debug)]
pub(crate) enum Who {
    Core { name: Arc<str> },
    Guest { speak_as: Vec<Address>, grants: Arc<Grants> },
    Stub { domain: Domain, address: Address, grants: Arc<Grants> },
}

impl Port {
    pub fn new(kind: PortKind) -> Self {
        let who = match kind {
            PortKind::Core { name } => Who::Core { name: name.into() },
            PortKind::Guest { speak_as, grants } => Who::Guest { speak_as, grants: Arc::new(grants) },
            PortKind::Stub { domain, address, grants } => Who::Stub { domain, address, grants: Arc::new(grants) },
        };
        Self { who, open: 0, held: 0, places: 0 }
    }

    /// Whether messages cross a sandbox at this port.
    pub fn is_sandboxed(&self) -> bool {
        !matches!(self.who, Who::Core { .. })
    }

    /// The port itself, as a side of a message; `relaying` when a stub stands for others.
    ///
    /// A guest without an address has no side: it cannot speak.
    pub fn party(&self, relaying: bool) -> Option<Party> {
        Some(match &self.who {
            Who::Core { name } => Party::Core { name: name.clone() },
            Who::Guest { speak_as, grants } => {
                Party::Guest { address: speak_as.first()?.clone(), grants: grants.clone() }
            }
            Who::Stub { domain, .. } if relaying => Party::Remote { domain: domain.clone() },
            Who::Stub { domain, address, grants } => {
                Party::Stub { domain: domain.clone(), address: address.clone(), grants: grants.clone() }
            }
        })
    }
}
