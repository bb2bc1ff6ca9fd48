//! Entries in sealed chunks: written and read in one pass, with a chunk or two in memory.

use std::io::{Read, Write};

use keys::recovery::{BackupPublic, RecoveryWords};
use keys::{OpenStream, STREAM_OVERHEAD, SealKey, SealStream};
use zeroize::Zeroizing;

use super::BackupError;
use super::format::{BOX_LIMIT, ENTRY_LIMIT, Entry, MAGIC, PURPOSE, VERSION};
use crate::StoreError;

/// Plain bytes of a chunk.
const CHUNK: usize = 64 * 1024;
const SEALED_CHUNK: usize = CHUNK + STREAM_OVERHEAD;

/// What stands before the box, and what the box is bound to.
const FORE: usize = MAGIC.len() + 2;

/// Writes a backup.
pub(super) struct Writer<'a> {
    out: &'a mut dyn Write,
    stream: SealStream,
    chunk: Zeroizing<Vec<u8>>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut dyn Write, to: &BackupPublic) -> Result<Self, BackupError> {
        let key = SealKey::generate();
        let fore = [MAGIC.as_slice(), &VERSION.to_be_bytes()].concat();
        let sealed = to.seal(key.as_bytes(), PURPOSE, &fore).map_err(|_| StoreError::TooLarge)?;
        let length = u16::try_from(sealed.len()).map_err(|_| StoreError::TooLarge)?;
        put(out, &[fore.as_slice(), &length.to_be_bytes(), &sealed].concat())?;
        Ok(Self { out, stream: SealStream::new(key), chunk: Zeroizing::new(Vec::with_capacity(CHUNK)) })
    }

    pub(super) fn entry(&mut self, entry: &Entry) -> Result<(), BackupError> {
        let mut bytes = Zeroizing::new(Vec::new());
        ciborium::into_writer(entry, &mut *bytes).map_err(|_| StoreError::Codec { place: "backup" })?;
        if bytes.len() > ENTRY_LIMIT {
            return Err(StoreError::TooLarge.into());
        }
        let length = u32::try_from(bytes.len()).map_err(|_| StoreError::TooLarge)?;
        self.bytes(&length.to_be_bytes())?;
        self.bytes(&bytes)
    }

    /// Seals the last chunk. Without it the backup is none.
    pub(super) fn finish(self) -> Result<(), BackupError> {
        let sealed = self.stream.last(&self.chunk).map_err(|_| StoreError::TooLarge)?;
        put(self.out, &sealed)?;
        self.out.flush().map_err(|error| unwritten(&error))
    }

    fn bytes(&mut self, mut bytes: &[u8]) -> Result<(), BackupError> {
        while !bytes.is_empty() {
            if self.chunk.len() == CHUNK {
                let sealed = self.stream.next(&self.chunk).map_err(|_| StoreError::TooLarge)?;
                put(self.out, &sealed)?;
                self.chunk.clear();
            }
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK - self.chunk.len()));
            self.chunk.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }
}

/// Reads a backup.
pub(super) struct Reader<'a> {
    input: &'a mut dyn Read,
    /// Gone once the last chunk was opened.
    stream: Option<OpenStream>,
    /// The sealed chunk that comes next; what is last is known only by what follows.
    ahead: Vec<u8>,
    chunk: Zeroizing<Vec<u8>>,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(input: &'a mut dyn Read, words: &RecoveryWords) -> Result<Self, BackupError> {
        let fore = take(input, FORE)?;
        let Some(version) = fore.strip_prefix(MAGIC).and_then(|rest| rest.try_into().ok()).map(u16::from_be_bytes)
        else {
            return Err(BackupError::NotABackup);
        };
        if version > VERSION {
            return Err(BackupError::Newer { have: version, known: VERSION });
        }
        if version == 0 {
            return Err(BackupError::NotABackup);
        }
        let length = take(input, 2)?.try_into().map(u16::from_be_bytes).map_err(|_| BackupError::Damaged)?;
        let length = usize::from(length);
        if length > BOX_LIMIT {
            return Err(BackupError::Damaged);
        }
        let sealed = take(input, length)?;
        if sealed.len() < length {
            return Err(BackupError::Damaged);
        }
        let key = words.backup_key().open(&sealed, PURPOSE, &fore).map_err(|_| BackupError::WrongWords)?;
        let key = <&[u8; 32]>::try_from(key.as_slice()).map(SealKey::from_bytes).map_err(|_| BackupError::Damaged)?;
        let ahead = take(input, SEALED_CHUNK)?;
        let chunk = Zeroizing::new(Vec::new());
        Ok(Self { input, stream: Some(OpenStream::new(key)), ahead, chunk, at: 0 })
    }

    pub(super) fn entry(&mut self) -> Result<Entry, BackupError> {
        let mut length = [0; 4];
        self.bytes(&mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).map_err(|_| BackupError::Damaged)?;
        if length > ENTRY_LIMIT {
            return Err(BackupError::Damaged);
        }
        let mut bytes = Zeroizing::new(vec![0; length]);
        self.bytes(&mut bytes)?;
        let mut rest = bytes.as_slice();
        let entry = ciborium::from_reader(&mut rest).map_err(|_| BackupError::Damaged)?;
        if rest.is_empty() { Ok(entry) } else { Err(BackupError::Damaged) }
    }

    /// Nothing may follow.
    pub(super) fn finish(self) -> Result<(), BackupError> {
        let over = self.stream.is_none() && self.at == self.chunk.len();
        if over { Ok(()) } else { Err(BackupError::Damaged) }
    }

    fn bytes(&mut self, into: &mut [u8]) -> Result<(), BackupError> {
        let mut filled = 0;
        while filled < into.len() {
            if self.at == self.chunk.len() {
                self.open_next()?;
            }
            let now = (into.len() - filled).min(self.chunk.len() - self.at);
            into[filled..filled + now].copy_from_slice(&self.chunk[self.at..self.at + now]);
            (filled, self.at) = (filled + now, self.at + now);
        }
        Ok(())
    }

    fn open_next(&mut self) -> Result<(), BackupError> {
        let mut stream = self.stream.take().ok_or(BackupError::Damaged)?;
        let more = if self.ahead.len() == SEALED_CHUNK { take(self.input, SEALED_CHUNK)? } else { Vec::new() };
        let sealed = std::mem::replace(&mut self.ahead, more);
        self.chunk = if self.ahead.is_empty() {
            stream.last(&sealed).map_err(|_| BackupError::Damaged)?
        } else {
            let chunk = stream.next(&sealed).map_err(|_| BackupError::Damaged)?;
            self.stream = Some(stream);
            chunk
        };
        self.at = 0;
        if self.chunk.is_empty() { Err(BackupError::Damaged) } else { Ok(()) }
    }
}

/// At most `length` bytes; fewer only at the end.
fn take(input: &mut dyn Read, length: usize) -> Result<Vec<u8>, BackupError> {
    let mut bytes = Vec::with_capacity(length);
    input
        .take(length as u64)
        .read_to_end(&mut bytes)
        .map_err(|error| BackupError::Unreadable(error.kind().to_string()))?;
    Ok(bytes)
}

fn put(out: &mut dyn Write, bytes: &[u8]) -> Result<(), BackupError> {
    out.write_all(bytes).map_err(|error| unwritten(&error))
}

pub(super) fn unwritten(error: &std::io::Error) -> BackupError {
    use std::io::ErrorKind as Kind;
    match error.kind() {
        Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => BackupError::DiskFull,
        kind => BackupError::Unwritable(kind.to_string()),
    }
}
