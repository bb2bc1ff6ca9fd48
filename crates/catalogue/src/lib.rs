//! Decides whether a package of a domain's catalogue may be believed.
//!
//! A domain publishes four kinds of documents, each naming the next: the *root*
//! (which keys speak for the catalogue), the *snapshot* (which packages exist,
//! in which version), a *descriptor* for each package, and its *source*. The
//! rules against rollback, freezing and stolen keys are those of The Update
//! Framework (<https://theupdateframework.github.io/specification/latest/>),
//! reduced to one set of keys for all documents:
//!
//! - a root of version N+1 is signed by the keys of N and by its own;
//! - snapshot and package versions never go back;
//! - root and snapshot expire, so that nobody can show us an old world for ever;
//! - when none of the earlier keys remains, snapshot and package versions are
//!   forgotten, so that a thief cannot burn all numbers (fast-forward attack).
//!
//! The `tough` crate follows the same framework and was not taken: it loads a
//! repository through its own asynchronous transport, keeps its memory in a
//! folder of its own, wants the first root shipped with the program (ours comes
//! from a domain met for the first time) and TUF's four roles. This room is
//! pure: bytes, memory and the time come in, a verdict goes out.

mod descriptor;
mod envelope;
mod error;
mod grants;
mod limits;
mod memory;
mod package;
pub mod paths;
mod publisher;
mod root;
mod snapshot;
mod source;

pub use descriptor::{Descriptor, Entry, SourceRef, verify_descriptor};
pub use envelope::{KeyId, Part};
pub use error::VerifyError;
pub use grants::{belongs_to, origin_host, wants_more};
pub use limits::*;
pub use memory::{Memory, TrustedRoot};
pub use package::{PackageKind, PackageName, PackageNameError};
pub use publisher::{Draft, File, PublishError, Publisher, PublisherState};
pub use root::{Root, verify_root};
pub use snapshot::{Listed, Snapshot, verify_snapshot};
pub use source::verify_source;
