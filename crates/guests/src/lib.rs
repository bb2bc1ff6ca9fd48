//! Brings packages from a domain's catalogue into a sandbox, keeping them alive there.
//!
//! A [`Fetcher`] turns a name into a [`VerifiedPackage`] or a reason; a
//! [`Supervisor`] runs verified packages, starts them again when they crash,
//! gives up on those that cannot live, and exchanges them for newer versions.
//!
//! What this room does *not* know: whether a person agrees (its home asks, with
//! [`wants_more`]), where messages go (the bus), what a guest says.

mod cache;
mod crash_log;
mod error;
mod fetch;
mod memory;
mod news;
mod package;
mod plan;
mod seat;
mod supervision;
mod supervisor;

pub use cache::{DiskCache, NoCache, SourceCache};
pub use catalogue::{PackageKind, PackageName, wants_more};
pub use crash_log::Restarts;
pub use error::StartGuestError;
pub use fetch::Fetcher;
pub use memory::{CatalogueMemory, ShortMemory};
pub use news::{Crash, GuestId, GuestLife, GuestNews, GuestStatus, ParkReason, PostError};
pub use package::{PackageRef, VerifiedPackage};
pub use plan::GuestPlan;
pub use supervision::Supervision;
pub use supervisor::{GUEST_LIMIT, News, Supervisor};
