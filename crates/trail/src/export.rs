//! Checks an exported trail.

use keys::VerifyingKey;

use crate::entry::Entry;
use crate::line::{LINE_LIMIT, Wire, hash, signed};

/// Longest export in bytes.
pub const EXPORT_LIMIT: usize = 64 * 1024 * 1024;

/// Why an export is not to be believed. Lines are counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TrailError {
    /// More bytes than [`EXPORT_LIMIT`], or a line with more than [`LINE_LIMIT`].
    #[error("the trail is longer than a trail can be")]
    TooLong,
    /// Not a line of a trail.
    #[error("line {line} is no line of a trail")]
    Malformed {
        /// Which.
        line: usize,
    },
    /// It begins neither at the beginning nor with a new segment.
    #[error("the beginning of the trail is missing")]
    BeginningMissing,
    /// A line is missing here, or stands elsewhere.
    #[error("line {line} does not follow the line before it")]
    Gap {
        /// Which.
        line: usize,
    },
    /// The line before this one was changed.
    #[error("the line before line {line} was changed")]
    Changed {
        /// Which.
        line: usize,
    },
    /// Signed by another device, or not at all.
    #[error("line {line} was not signed by this device")]
    WrongSignature {
        /// Which.
        line: usize,
    },
    /// It does not end as an export ends.
    #[error("the end of the trail is missing")]
    Truncated,
    /// Something follows its end.
    #[error("line {line} follows the end of the trail")]
    AfterTheEnd {
        /// Which.
        line: usize,
    },
}

/// A verdict of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// When, in milliseconds since 1970, by the device's clock.
    pub at: u64,
    /// The verdict.
    pub entry: Entry,
    /// How often it was said again, and until when; of a flood, how many were left out.
    pub again: Option<(u64, u64)>,
}

/// A trail that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// The verdicts, oldest first.
    pub verdicts: Vec<Recorded>,
    /// Place of the first line; not 0 if what was before has been forgotten.
    pub from: u64,
    /// When it was exported.
    pub at: u64,
}

/// Checks that nothing was changed, taken out, moved or cut off since the device signed it.
pub fn verify_export(text: &str, device: &VerifyingKey) -> Result<Export, TrailError> {
    if text.len() > EXPORT_LIMIT {
        return Err(TrailError::TooLong);
    }
    let mut reader =
        Reader { device, place: None, export: Export { verdicts: Vec::new(), from: 0, at: 0 }, ended: false };
    for (index, line) in text.split_terminator('\n').enumerate() {
        reader.read(index + 1, line)?;
    }
    if reader.ended { Ok(reader.export) } else { Err(TrailError::Truncated) }
}

struct Reader<'a> {
    device: &'a VerifyingKey,
    /// The place of the next line, and what it must name as the hash of the line before.
    place: Option<(u64, String)>,
    export: Export,
    ended: bool,
}

impl Reader<'_> {
    fn read(&mut self, line: usize, text: &str) -> Result<(), TrailError> {
        if self.ended {
            return Err(TrailError::AfterTheEnd { line });
        }
        if text.len() > LINE_LIMIT {
            return Err(TrailError::TooLong);
        }
        let wire: Wire = serde_json::from_str(text).map_err(|_| TrailError::Malformed { line })?;
        self.check_place(line, &wire)?;
        self.place = Some((wire.seq.saturating_add(1), hash(text)));
        match (wire.verdict, wire.checkpoint, wire.carry) {
            (Some(verdict), None, None) => {
                let again = verdict.again.map(|again| (again.count, again.until));
                self.export.verdicts.push(Recorded { at: wire.at, entry: verdict.entry, again });
            }
            (None, Some(checkpoint), None) => {
                let said = signed(wire.seq, wire.prev.as_deref(), wire.at, &checkpoint.by, checkpoint.end);
                let ours = checkpoint.by == *self.device && self.device.verify(&said, &checkpoint.sig).is_ok();
                if !ours {
                    return Err(TrailError::WrongSignature { line });
                }
                (self.ended, self.export.at) = (checkpoint.end, wire.at);
            }
            (None, None, Some(_)) => {}
            _ => return Err(TrailError::Malformed { line }),
        }
        Ok(())
    }

    fn check_place(&mut self, line: usize, wire: &Wire) -> Result<(), TrailError> {
        match &self.place {
            None => {
                let begins =
                    if wire.seq == 0 { wire.prev.is_none() } else { wire.prev.is_some() && wire.carry.is_some() };
                self.export.from = wire.seq;
                if begins { Ok(()) } else { Err(TrailError::BeginningMissing) }
            }
            Some((seq, _)) if *seq != wire.seq => Err(TrailError::Gap { line }),
            Some((_, prev)) if wire.prev.as_ref() != Some(prev) => Err(TrailError::Changed { line }),
            Some(_) => Ok(()),
        }
    }
}
