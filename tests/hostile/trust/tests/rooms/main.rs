//! Attacks on one room at a time, at its public face.
#![allow(clippy::unwrap_used, reason = "an attack that cannot be made has failed")]

#[path = "../../../../../crates/sandbox/tests/it/support/mod.rs"]
mod guest_story;
#[path = "../../../../../crates/identity/tests/it/common/mod.rs"]
mod identity_story;
#[path = "../../../../../crates/media/tests/it/common/mod.rs"]
mod media_story;
#[path = "../../../../../crates/signin/tests/it/common/mod.rs"]
mod sign_in_story;

mod chains;
mod display;
mod eve;
mod groups;
mod guests;
mod issuers;
mod keeping;
mod media;
mod rules;
mod sign_in;
mod tokens;
