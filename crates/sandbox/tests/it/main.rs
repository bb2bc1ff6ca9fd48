//! Every story of `sandbox` in one program, so that a build links it once; each module is a story file of its own.

#![allow(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod anything;
mod bus;
mod generations;
mod globals;
mod hostile;
mod network;
mod support;
