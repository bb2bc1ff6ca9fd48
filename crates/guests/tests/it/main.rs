//! Every story of `guests` in one program, so that a build links it once; each module is a story file of its own.

#![allow(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod catalogue_attacks;
mod idp_proxy;
mod shelf;
mod supervisor;
