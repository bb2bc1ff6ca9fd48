//! The stories: people at several domains, with real nodes, runtimes and issuers; one program, since each links the whole app.
#![allow(clippy::unwrap_used, reason = "a story fails by panicking")]

#[cfg(target_os = "linux")]
mod another_path;
mod blocked;
mod chatting;
mod common;
mod comparing;
#[path = "../../../../crates/media/tests/it/coturn/mod.rs"]
mod coturn;
mod desktops;
mod devices;
mod direct_files;
mod direct_refused;
mod direct_roads;
#[cfg(unix)]
mod export;
mod file_kills;
mod files;
mod first_call;
mod group_calls;
mod group_chat;
mod group_life;
mod group_links;
mod groups;
mod issuers;
mod key_packages;
#[cfg(unix)]
mod kills;
mod lock;
mod one_instance;
mod policies;
mod previews;
#[cfg(unix)]
mod processes;
mod protocol_on_the_fly;
mod quiet_logs;
mod recovery;
mod relayed;
mod resetting;
mod seeing;
mod several_calls;
mod sharing;
mod trapezoid;
mod two_domains;
mod unchecked;
mod voices;
