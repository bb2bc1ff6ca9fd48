//! The addresses of the node's own services.

use message::{Address, Domain};

/// What the node itself does for its sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// Opens and closes sessions.
    Session,
    /// Hands out addresses.
    Allocation,
    /// Lets sessions hear an object's changes.
    Subscriptions,
    /// Says where people are reached.
    Registry,
    /// Binds names to personas.
    NewAccount,
    /// Tells a device whose it is, and begins an account anew.
    Account,
    /// Brings the first word of a new device to one that its owner has.
    Linking,
    /// Brings people to other domains whose network reaches only this one.
    Gate,
    /// Gives credentials for the domain's relays.
    Relays,
    /// Keeps sealed chunks of files.
    Blobs,
}

pub(super) struct Services {
    table: [(Address, Service); 10],
}

impl Services {
    pub(super) fn of(domain: &Domain) -> Self {
        let at = |place: &str, service| {
            let address = Address::parse(&place.replace("{}", domain.as_str()));
            (address.expect("a service address is a domain name with a short prefix"), service)
        };
        Self {
            table: [
                at("domain://msg-node.{}/session", Service::Session),
                at("domain://msg-node.{}/address-allocation", Service::Allocation),
                at("domain://msg-node.{}/sm", Service::Subscriptions),
                at("domain://registry.{}", Service::Registry),
                at("domain://registry.{}/account", Service::NewAccount),
                at("domain://account.{}", Service::Account),
                at("domain://linking.{}", Service::Linking),
                at("domain://gate.{}", Service::Gate),
                at("domain://relay.{}", Service::Relays),
                at("domain://blobs.{}", Service::Blobs),
            ],
        }
    }

    /// The service behind an address.
    pub(super) fn at(&self, to: &Address) -> Option<Service> {
        self.table.iter().find(|(address, _)| address == to).map(|(_, service)| *service)
    }

    /// Where the account service speaks from.
    pub(super) fn account(&self) -> Address {
        self.table[5].0.clone()
    }
}
