//! Reads an archive as what it is: a file that anybody may have made.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Cursor, Read};

use age::secrecy::SecretString;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tar::{Archive, Entry, EntryType};

use crate::format::{
    ArchiveError, CHATS_LIMIT, End, FILE_LIMIT, FORMAT, LINE_LIMIT, MANIFEST_LIMIT, MESSAGES_LIMIT, Manifest, Message,
    PAGE_LIMIT, PART_LIMIT, PART_MESSAGES, VERSION, folder,
};

/// With what an age file begins.
const AGE: &[u8] = b"age-encryption.org/v1\n";

/// Bytes in which the head of an age file with one passphrase ends by far.
const AGE_HEAD: usize = 1024;

/// The most a passphrase may cost: 2^18 rounds of scrypt, 256 MiB; what other programs write by default.
const WORK_FACTOR_LIMIT: u8 = 18;

/// Where a tar says that it is one.
const TAR_MAGIC: (usize, &[u8]) = (257, b"ustar");

/// Who hears what stands in an archive. An error of theirs ends the reading.
pub trait Visitor<E> {
    /// The first that is heard.
    fn manifest(&mut self, manifest: &Manifest) -> Result<(), E>;
    /// The bytes of a file that a message of the next part carries; `path` names it there and nowhere else.
    fn file(&mut self, path: &str, size: u64, bytes: &mut dyn Read) -> Result<(), E>;
    /// The next messages of a conversation, counted from 0; each file that one names was heard before, and is what it says.
    fn part(&mut self, chat: usize, messages: Vec<Message>) -> Result<(), E>;
}

/// Whether the beginning of a file says that it is sealed.
pub fn is_sealed(head: &[u8]) -> bool {
    head.starts_with(AGE)
}

/// Reads a whole archive.
pub fn read<E: From<ArchiveError>>(
    input: impl Read,
    passphrase: Option<&str>,
    visitor: &mut dyn Visitor<E>,
) -> Result<End, E> {
    let mut input = BufReader::new(input);
    let mut head = Vec::new();
    input.by_ref().take(AGE_HEAD as u64).read_to_end(&mut head).map_err(damaged)?;
    let sealed = is_sealed(&head);
    let input = Cursor::new(head.clone()).chain(input);
    if !sealed {
        let (at, magic) = TAR_MAGIC;
        if head.get(at..at + magic.len()) != Some(magic) {
            return Err(ArchiveError::NotAnArchive.into());
        }
        return Reading::new().all(input, visitor);
    }
    let passphrase = passphrase.ok_or(ArchiveError::PassphraseNeeded)?;
    // Whoever made the file could otherwise let its head never end.
    if !head.windows(5).any(|part| part == b"\n--- ") {
        return Err(ArchiveError::NotAnArchive.into());
    }
    Reading::new().all(opened(input, passphrase)?, visitor)
}

fn opened<R: BufRead>(input: R, passphrase: &str) -> Result<age::stream::StreamReader<R>, ArchiveError> {
    let mut identity = age::scrypt::Identity::new(SecretString::from(passphrase.to_owned()));
    identity.set_max_work_factor(WORK_FACTOR_LIMIT);
    let sealed = age::Decryptor::new_buffered(input).map_err(|_| ArchiveError::NotAnArchive)?;
    sealed.decrypt(std::iter::once(&identity as &dyn age::Identity)).map_err(|error| match error {
        age::DecryptError::DecryptionFailed | age::DecryptError::KeyDecryptionFailed => ArchiveError::WrongPassphrase,
        age::DecryptError::ExcessiveWork { .. } => ArchiveError::TooCostly,
        age::DecryptError::NoMatchingKeys => ArchiveError::NotAnArchive,
        _ => ArchiveError::Damaged("the head of the seal"),
    })
}

/// What an entry is, by its name alone.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Manifest,
    Page,
    File { chat: usize },
    Part { chat: usize, part: usize },
    End,
}

/// A file that was heard and waits for its message.
struct Heard {
    size: u64,
    digest: String,
}

/// How far the reading is.
struct Reading {
    manifest: Option<Manifest>,
    chat: usize,
    part: usize,
    heard: HashMap<String, Heard>,
    count: End,
}

impl Reading {
    fn new() -> Self {
        Self { manifest: None, chat: 1, part: 0, heard: HashMap::new(), count: End::default() }
    }

    fn all<E: From<ArchiveError>>(mut self, input: impl Read, visitor: &mut dyn Visitor<E>) -> Result<End, E> {
        let mut archive = Archive::new(input);
        let mut said = None;
        // Raw: long names and the like are entries of kinds that are refused, instead of being put together.
        for entry in archive.entries().map_err(damaged)?.raw(true) {
            let mut entry = entry.map_err(damaged)?;
            if said.is_some() {
                return Err(ArchiveError::Damaged("something stands behind the end").into());
            }
            let path = plain_path(&entry)?;
            if self.manifest.is_none() && path != "manifest.json" {
                return Err(ArchiveError::NotAnArchive.into());
            }
            let kind = kind_of(&path).ok_or(ArchiveError::Damaged("an entry of another name"))?;
            match kind {
                Kind::Manifest => self.manifest(&mut entry, visitor)?,
                Kind::Page => skip(&mut entry)?,
                Kind::File { chat } => self.file(chat, &path, &mut entry, visitor)?,
                Kind::Part { chat, part } => self.part((chat, part), &mut entry, visitor)?,
                Kind::End => said = Some(document::<End>(&mut entry)?),
            }
        }
        // The last block of the seal is checked only when it is read.
        rest_is_empty(archive.into_inner())?;
        match said {
            Some(said) if said == self.count && self.heard.is_empty() => Ok(said),
            Some(_) => Err(ArchiveError::Damaged("something is missing").into()),
            None => Err(ArchiveError::Damaged("it ends too early").into()),
        }
    }

    fn manifest<E: From<ArchiveError>>(
        &mut self,
        entry: &mut Entry<'_, impl Read>,
        visitor: &mut dyn Visitor<E>,
    ) -> Result<(), E> {
        if self.manifest.is_some() {
            return Err(ArchiveError::Damaged("a second manifest").into());
        }
        let text = whole(entry, MANIFEST_LIMIT)?;
        // The version is looked at before anything else: a newer manifest may have other parts.
        let said: serde_json::Value = serde_json::from_slice(&text).map_err(|_| ArchiveError::NotAnArchive)?;
        if said.get("format").and_then(serde_json::Value::as_str) != Some(FORMAT) {
            return Err(ArchiveError::NotAnArchive.into());
        }
        let have = said.get("version").and_then(serde_json::Value::as_u64).and_then(|have| u32::try_from(have).ok());
        match have {
            Some(VERSION) => {}
            Some(have) => return Err(ArchiveError::Newer { have }.into()),
            None => return Err(ArchiveError::NotAnArchive.into()),
        }
        let manifest: Manifest = serde_json::from_value(said).map_err(|_| ArchiveError::Damaged("the manifest"))?;
        manifest.check()?;
        visitor.manifest(&manifest)?;
        self.manifest = Some(manifest);
        Ok(())
    }

    /// The conversation of an entry: the one at hand, or one of those behind it.
    fn go_to(&mut self, chat: usize) -> Result<(), ArchiveError> {
        let known = self.manifest.as_ref().map_or(0, |manifest| manifest.chats.len());
        if chat < self.chat || chat > known {
            return Err(ArchiveError::Damaged("an entry of a conversation that is none"));
        }
        if chat > self.chat {
            if !self.heard.is_empty() {
                return Err(ArchiveError::Damaged("a file without a message"));
            }
            (self.chat, self.part) = (chat, 0);
        }
        Ok(())
    }

    fn file<E: From<ArchiveError>>(
        &mut self,
        chat: usize,
        path: &str,
        entry: &mut Entry<'_, impl Read>,
        visitor: &mut dyn Visitor<E>,
    ) -> Result<(), E> {
        self.go_to(chat)?;
        let size = entry.size();
        if size > FILE_LIMIT || self.heard.len() >= PART_MESSAGES {
            return Err(ArchiveError::TooMuch("files").into());
        }
        let mut bytes = Hashed { inner: entry, hash: Sha256::new(), left: size };
        visitor.file(path, size, &mut bytes)?;
        if bytes.left > 0 {
            return Err(ArchiveError::Damaged("a file is cut short").into());
        }
        let digest = keys::b64url(&bytes.hash.finalize());
        if self.heard.insert(path.to_owned(), Heard { size, digest }).is_some() {
            return Err(ArchiveError::Damaged("a file stands there twice").into());
        }
        self.count.files += 1;
        Ok(())
    }

    fn part<E: From<ArchiveError>>(
        &mut self,
        (chat, part): (usize, usize),
        entry: &mut Entry<'_, impl Read>,
        visitor: &mut dyn Visitor<E>,
    ) -> Result<(), E> {
        self.go_to(chat)?;
        if part != self.part + 1 {
            return Err(ArchiveError::Damaged("a part is missing").into());
        }
        self.part = part;
        if entry.size() > PART_LIMIT {
            return Err(ArchiveError::TooMuch("bytes of one part").into());
        }
        let mut messages = Vec::new();
        let mut lines = BufReader::new(entry);
        while let Some(message) = line(&mut lines)? {
            if messages.len() >= PART_MESSAGES || self.count.messages >= MESSAGES_LIMIT {
                return Err(ArchiveError::TooMuch("messages").into());
            }
            message.check()?;
            if let Some(file) = &message.file
                && let Some(path) = &file.path
            {
                let heard = self.heard.remove(path).ok_or(ArchiveError::Damaged("a file is missing"))?;
                if heard.size != file.size || heard.digest != file.digest {
                    return Err(ArchiveError::Damaged("a file is another one").into());
                }
            }
            self.count.messages += 1;
            messages.push(message);
        }
        if !self.heard.is_empty() {
            return Err(ArchiveError::Damaged("a file without a message").into());
        }
        visitor.part(chat - 1, messages)
    }
}

/// The name of an entry that is a plain file, and nothing that leads anywhere else.
fn plain_path(entry: &Entry<'_, impl Read>) -> Result<String, ArchiveError> {
    if entry.header().entry_type() != EntryType::Regular {
        return Err(ArchiveError::Damaged("an entry that is no plain file"));
    }
    String::from_utf8(entry.path_bytes().into_owned()).map_err(|_| ArchiveError::Damaged("an entry of another name"))
}

/// What an entry of this name is. Names are compared whole, so that none leads out of a folder.
fn kind_of(path: &str) -> Option<Kind> {
    match path {
        "manifest.json" => return Some(Kind::Manifest),
        "index.html" => return Some(Kind::Page),
        "end.json" => return Some(Kind::End),
        _ => {}
    }
    let (number, name) = path.strip_prefix("chats/")?.split_once('/')?;
    let chat = digits(number, 5)?;
    if chat == 0 || chat > CHATS_LIMIT || !path.starts_with(&folder(chat)) {
        return None;
    }
    if let Some(file) = name.strip_prefix("files/") {
        let (number, ending) = file.split_once('.').unwrap_or((file, "none"));
        let plain = (1..=8).contains(&ending.len()) && ending.bytes().all(|b| b.is_ascii_alphanumeric());
        return (plain && digits(number, 6).is_some()).then_some(Kind::File { chat });
    }
    if let Some(part) = name.strip_prefix("messages-").and_then(|rest| rest.strip_suffix(".jsonl")) {
        return Some(Kind::Part { chat, part: digits(part, 5)? });
    }
    let page = name.strip_prefix("page-").and_then(|rest| rest.strip_suffix(".html"));
    (name == "index.html" || page.is_some_and(|page| digits(page, 5).is_some())).then_some(Kind::Page)
}

/// A number of at least so many digits.
fn digits(text: &str, least: usize) -> Option<usize> {
    let fine = (least..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if fine { text.parse().ok() } else { None }
}

fn whole(entry: &mut Entry<'_, impl Read>, limit: u64) -> Result<Vec<u8>, ArchiveError> {
    if entry.size() > limit {
        return Err(ArchiveError::TooMuch("bytes of one entry"));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(damaged)?;
    if bytes.len() as u64 != entry.size() {
        return Err(ArchiveError::Damaged("an entry is cut short"));
    }
    Ok(bytes)
}

fn document<T: DeserializeOwned>(entry: &mut Entry<'_, impl Read>) -> Result<T, ArchiveError> {
    let text = whole(entry, MANIFEST_LIMIT)?;
    serde_json::from_slice(&text).map_err(|_| ArchiveError::Damaged("a document is malformed"))
}

/// The next message of a part; nothing at its end.
fn line(lines: &mut impl BufRead) -> Result<Option<Message>, ArchiveError> {
    let mut text = Vec::new();
    lines.by_ref().take(LINE_LIMIT as u64 + 1).read_until(b'\n', &mut text).map_err(damaged)?;
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() > LINE_LIMIT {
        return Err(ArchiveError::TooMuch("bytes of one message"));
    }
    if text.pop() != Some(b'\n') {
        return Err(ArchiveError::Damaged("a message is cut short"));
    }
    serde_json::from_slice(&text).map(Some).map_err(|_| ArchiveError::Damaged("a message is malformed"))
}

fn skip(entry: &mut Entry<'_, impl Read>) -> Result<(), ArchiveError> {
    if entry.size() > PAGE_LIMIT {
        return Err(ArchiveError::TooMuch("bytes of one page"));
    }
    std::io::copy(entry, &mut std::io::sink()).map_err(damaged)?;
    Ok(())
}

fn rest_is_empty(mut rest: impl Read) -> Result<(), ArchiveError> {
    let mut block = [0u8; 4096];
    loop {
        match rest.read(&mut block).map_err(damaged)? {
            0 => return Ok(()),
            read if block[..read].iter().all(|byte| *byte == 0) => {}
            _ => return Err(ArchiveError::Damaged("something stands behind the end")),
        }
    }
}

/// A disk that fails says so; everything else is wrong with what is read.
fn damaged(error: std::io::Error) -> ArchiveError {
    match error.raw_os_error() {
        Some(_) => ArchiveError::Io(error),
        None => ArchiveError::Damaged("its bytes"),
    }
}

/// Counts and hashes what is read of a file.
struct Hashed<R> {
    inner: R,
    hash: Sha256,
    left: u64,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
