//! Every story of `node` in one program, so that a build links it once; each module is a story file of its own.

#![allow(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod accounts;
mod acme;
mod cluster;
mod common;
mod conformance;
mod gate;
mod limits;
mod message_node;
mod operations;
mod operator;
mod program;
mod restart;
mod sign_in;
mod stubs;
