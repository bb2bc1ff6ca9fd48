//! Keeps everything a profile must remember: one SQLite file in which every private value is sealed.
//!
//! What a thief of the disk learns: how many rows there are, how large they are, when they were
//! written, when they end, which rows belong together, and which messages are read or sent. Names, addresses,
//! texts, keys and the state of the groups are sealed with XChaCha20-Poly1305 under keys derived
//! from one master key; lookups go through an HMAC of the name.
//!
//! **Durability.** WAL with `synchronous=FULL`. Against a killed process NORMAL would do as well,
//! but after a power cut NORMAL may forget the last transactions, and then the ratchet of a group
//! would step over the same keys again for a message the network has already seen. A commit costs
//! one `fsync`; a send is one commit.
//!
//! **Invariant:** a message row, its outbox row and the ratchet step that sealed it are written in
//! one transaction ([`Tx`] is the [`seal::Vault`]), so after a crash all of them are there or none.
//! **Invariant:** after [`Store::close`] no key of the profile is in memory, whoever still holds it.
//! **Invariant:** a backup opens with the recovery words only, and holds no key of the device.
//! **Invariant:** a key never falls back to a file silently ([`MasterKey`]).
//! **Invariant:** knows no network and no schema of what it keeps.

mod attempts;
mod backup;
mod children;
mod cipher;
mod erase;
mod error;
mod file;
mod header;
mod keeping;
mod keyring;
mod marks;
mod master;
mod memo;
mod outbox;
mod process;
mod profile;
mod records;
mod schema;
mod secret_page;
mod tx;
mod vault;
mod words;

#[cfg(test)]
mod interrupted;
#[cfg(test)]
mod migration;

pub use attempts::attempt_wait_ms;
pub use backup::{BackupError, BackupPlan, BackupProgress, BackupSummary, Keep};
pub use children::{ChildRow, ChildState};
pub use erase::{EraseError, erase_profile};
pub use error::StoreError;
pub use file::{Flusher, Store};
pub use keyring::{KeyringPlace, KeyringTrouble};
pub use master::{KeyError, KeySource, MasterKey, PASSPHRASE_MINIMUM, Protection};
pub use outbox::{OnTheWay, OutboxRow};
pub use process::{Hardening, harden_process};
pub use profile::{HOME_VARIABLE, ProfileError, create_private_dir, profile_dir};
pub use tx::Tx;
