//! Every story of `store` in one program, so that a build links it once; each module is a story file of its own.

mod backup;
mod keyring;
mod kill;
mod lock;
mod memory;
mod store;
