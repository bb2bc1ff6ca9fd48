//! Every story of `store` in one program, so that a build links it once; each module is a story file of its own.

#![allow(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod backup;
mod keyring;
mod kill;
mod lock;
mod memory;
mod store;
