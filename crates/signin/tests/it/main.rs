//! Every story of `signin` in one program, so that a build links it once; each module is a story file of its own.

#![allow(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod bad_issuer;
mod common;
mod glewlwyd;
mod key_binding;
mod pass_office;
mod real_issuer;
mod renewal;
