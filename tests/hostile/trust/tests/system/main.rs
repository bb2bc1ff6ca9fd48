//! Attacks on the whole: real apps, real Nodes and issuers, and somebody between them or among them.
#![allow(clippy::unwrap_used, reason = "an attack that cannot be made has failed")]

use std::time::Duration;

#[path = "../../../../../crates/node/tests/it/common/oidc.rs"]
#[allow(dead_code, reason = "the tests of the node use the rest of it")]
mod oidc;
#[path = "../../../../../crates/node/tests/it/common/wires.rs"]
#[allow(dead_code, reason = "the tests of the node use the rest of it")]
mod wires;

mod mallory;
mod stage;

mod brought;
mod calls;
mod consent;
mod devices;
mod direct_files;
mod doors;
mod fetched;
mod issuer;
mod joint_calls;
mod linking;
mod node;
mod people;
mod registry;
mod several;
mod visitors;

/// How long an attacker waits for an answer.
const WAIT: Duration = Duration::from_secs(30);
