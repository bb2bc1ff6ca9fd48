//! Every story of `media` in one program, so that a build links it once; each module is a story file of its own.

#![allow(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod calls;
mod chromium;
mod common;
mod coturn;
mod devices;
mod echo;
mod h264;
#[cfg(target_os = "linux")]
mod netns;
mod networks;
mod relays;
mod screens;
mod seeing;
#[cfg(target_os = "linux")]
#[path = "../../../screen/tests/server/mod.rs"]
mod server;
mod several;
mod video;
