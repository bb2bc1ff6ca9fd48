//! What changed about somebody since they were known, in kinds that people can be told.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::chain::{EntryBody, Head, RootOrigin, Sigchain};
use crate::error::KeyChange;
use crate::pins::Pin;
use crate::verified::VerifiedIdentity;

/// One change.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// A device was added by the person's own keys.
    DeviceAdded {
        /// What its owner calls it.
        name: String,
    },
    /// A device was revoked by the person's own keys.
    DeviceRevoked {
        /// What its owner called it.
        name: String,
    },
    /// A further issuer vouches.
    IssuerLinked {
        /// Which.
        iss: String,
    },
    /// The owner took an issuer's word back.
    IssuerUnlinked {
        /// Which.
        iss: String,
    },
    /// The root key was replaced by the one before it.
    Rotated {
        /// When, by the person's clock.
        at: i64,
    },
    /// The root key was replaced with the recovery key.
    Recovered {
        /// When, by the person's clock.
        at: i64,
    },
    /// The identity began anew through an issuer, after the delay and without a veto.
    Reset {
        /// The issuer.
        iss: String,
        /// When it was asked for, by the person's clock.
        at: i64,
    },
    /// Somebody asked for a reset; the keys of before still count.
    ResetPending {
        /// The issuer.
        iss: String,
        /// When it was asked for, by the asker's clock.
        at: i64,
        /// When it will count, unless a key of before says no.
        until: i64,
    },
    /// Other keys, to which nothing known leads.
    Unexplained {
        /// The issuer that vouches for them.
        iss: String,
        /// When it did.
        at: i64,
    },
}

impl Change {
    /// The word that stands in `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::DeviceAdded { .. } => "device_added",
            Self::DeviceRevoked { .. } => "device_revoked",
            Self::IssuerLinked { .. } => "issuer_linked",
            Self::IssuerUnlinked { .. } => "issuer_unlinked",
            Self::Rotated { .. } => "rotated",
            Self::Recovered { .. } => "recovered",
            Self::Reset { .. } => "reset",
            Self::ResetPending { .. } => "reset_pending",
            Self::Unexplained { .. } => "unexplained",
        }
    }

    /// Whether the keys changed in a way that asks for another comparison.
    pub fn breaks_comparison(&self) -> bool {
        matches!(self, Self::Recovered { .. } | Self::Reset { .. } | Self::Unexplained { .. })
    }
}

/// Shows the kind only: names of devices are a person's.
impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

impl From<&KeyChange> for Change {
    fn from(change: &KeyChange) -> Self {
        Self::Unexplained { iss: change.issuer.clone(), at: change.attested_at }
    }
}

/// What changed between what was known of a persona (a pin of it, and its newest known entry) and what
/// was verified now, in the order of the chain.
///
/// Devices and issuers are told only when a head is known. What a reset ended is part of the reset.
pub fn explain(pin: &Pin, head: Option<&Head>, who: &VerifiedIdentity) -> Vec<Change> {
    let chain = who.chain();
    if pin.persona != who.persona() || !chain.was_root_key(&pin.irk) {
        return vec![Change::Unexplained { iss: who.issuer().to_owned(), at: who.attested_at() }];
    }
    let known_root = chain.roots().iter().find(|root| root.irk == pin.irk).map_or(0, |root| root.seq);
    let mut told = Teller { chain, devices: BTreeSet::new(), issuers: BTreeSet::new() };
    let mut changes = Vec::new();
    for entry in chain.settled_entries() {
        let change = told.tell(entry);
        let from = match entry.body() {
            EntryBody::RotateIrk(_) | EntryBody::Reset(_) => known_root,
            _ => head.map_or(u64::MAX, |head| head.seq),
        };
        changes.extend(change.filter(|_| entry.seq() > from));
    }
    if let Some(reset) = who.pending_reset() {
        let (iss, at, until) = (reset.issuer.clone(), reset.asked_at, reset.until);
        changes.push(Change::ResetPending { iss, at, until });
    }
    changes
}

/// Walks a chain and knows what each entry adds to those before it.
struct Teller<'a> {
    chain: &'a Sigchain,
    devices: BTreeSet<keys::VerifyingKey>,
    issuers: BTreeSet<(&'a str, &'a str)>,
}

impl<'a> Teller<'a> {
    fn tell(&mut self, entry: &'a crate::chain::Entry) -> Option<Change> {
        match entry.body() {
            EntryBody::AddDevice(body) => {
                self.devices.insert(body.dsk).then(|| Change::DeviceAdded { name: body.name.clone() })
            }
            EntryBody::RevokeDevice(body) => {
                let name = self.chain.devices().find(|device| device.dsk == body.dsk)?.name.clone();
                self.devices.remove(&body.dsk).then_some(Change::DeviceRevoked { name })
            }
            EntryBody::Attest(body) => self.link(&body.iss, &body.sub),
            EntryBody::LinkIdp(body) => self.link(&body.iss, &body.sub),
            EntryBody::UnlinkIdp(body) => {
                let known = self.issuers.remove(&(body.iss.as_str(), body.sub.as_str()));
                known.then(|| Change::IssuerUnlinked { iss: body.iss.clone() })
            }
            EntryBody::RotateIrk(_) | EntryBody::Reset(_) => {
                self.devices.retain(|_| !matches!(entry.body(), EntryBody::Reset(_)));
                self.root(entry.seq())
            }
            EntryBody::Genesis(_) | EntryBody::Veto(_) => None,
        }
    }

    fn link(&mut self, iss: &'a str, sub: &'a str) -> Option<Change> {
        self.issuers.insert((iss, sub)).then(|| Change::IssuerLinked { iss: iss.to_owned() })
    }

    fn root(&self, seq: u64) -> Option<Change> {
        let root = self.chain.roots().iter().find(|root| root.seq == seq)?;
        Some(match root.origin {
            RootOrigin::Genesis => return None,
            RootOrigin::Rotated => Change::Rotated { at: root.at },
            RootOrigin::Recovered => Change::Recovered { at: root.at },
            RootOrigin::Reset => {
                let reset = self.chain.resets().find(|reset| reset.seq == seq)?;
                let iss = self.chain.reset_issuer(reset).unwrap_or_default().to_owned();
                Change::Reset { iss, at: root.at }
            }
        })
    }
}
