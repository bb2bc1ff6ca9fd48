//! Keeps what was decided about people, packages and keys in a log that nobody can quietly change.
//!
//! Every line names the hash of the line before it; a checkpoint is a line in which the device signs
//! the hash of everything before. [`Trail::append`] makes lines, the caller keeps them,
//! [`Trail::export`] adds a last checkpoint, and [`verify_export`] finds whatever was changed, taken
//! out, moved or cut off.
//!
//! **Invariants.** Pure: no I/O, no clock; time and signatures are handed in. What is hashed is the text of a
//! line, never a second serialisation of it. A flood of verdicts makes few lines: equal ones within a
//! minute are folded into one, and there are at most [`LINES_PER_MINUTE`] of others.
//!
//! *Does not know:* what the verdicts mean, nor how the lines are kept.

mod entry;
mod export;
mod line;
mod trail;

pub use entry::{CODE_LIMIT, Entry, Kind, SUBJECT_LIMIT, Word};
pub use export::{EXPORT_LIMIT, Export, Recorded, TrailError, verify_export};
pub use line::{LINE_LIMIT, Line};
pub use trail::{CHECKPOINT_EVERY, FOLD_MS, FOLDED_AT_ONCE, LINES_PER_MINUTE, SEGMENT_LINES, Trail};
