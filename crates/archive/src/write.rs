//! Writes an archive, entry after entry.

use std::io::{Read, Write};

use age::secrecy::SecretString;
use serde::Serialize;
use tar::{Builder, EntryType, Header};

use crate::format::{ArchiveError, Attachment, End, Manifest, Message, folder};
use crate::page;
use crate::words::{Language, Words};

/// How much it costs to try a passphrase: 2^17 rounds of scrypt, 128 MiB, about half a second.
const WORK_FACTOR: u8 = 17;

/// Where the bytes go.
enum Sink<W: Write> {
    Sealed(Box<age::stream::StreamWriter<W>>),
    Open(W),
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Sealed(out) => out.write(bytes),
            Self::Open(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Sealed(out) => out.flush(),
            Self::Open(out) => out.flush(),
        }
    }
}

/// An archive that is being written. One that is not ended is none.
pub struct Writer<W: Write> {
    tar: Builder<Sink<W>>,
    manifest: Manifest,
    words: &'static Words,
    /// The conversation at hand, from 1, with how many parts and files it has.
    chat: usize,
    parts: usize,
    files: usize,
    end: End,
}

impl<W: Write> Writer<W> {
    /// Begins an archive; without a passphrase everybody can read it.
    pub fn begin(
        out: W,
        passphrase: Option<&str>,
        manifest: Manifest,
        language: Language,
    ) -> Result<Self, ArchiveError> {
        manifest.check()?;
        let sink = match passphrase {
            Some(passphrase) => Sink::Sealed(Box::new(sealed(out, passphrase)?)),
            None => Sink::Open(out),
        };
        let words = language.words();
        let mut tar = Builder::new(sink);
        let contents = page::contents(&manifest, words);
        put(&mut tar, &manifest, "manifest.json", &json(&manifest)?)?;
        put(&mut tar, &manifest, "index.html", contents.as_bytes())?;
        Ok(Self { tar, manifest, words, chat: 0, parts: 0, files: 0, end: End::default() })
    }

    /// Goes on with the next conversation of the manifest.
    pub fn next_chat(&mut self) {
        (self.chat, self.parts, self.files) = (self.chat + 1, 0, 0);
    }

    /// Writes the bytes of a file that a message of the next part carries, and says where they are.
    pub fn file(&mut self, file: &Attachment, bytes: impl Read) -> Result<String, ArchiveError> {
        self.files += 1;
        let path = format!("{}/files/{:06}{}", folder(self.chat), self.files, ending(&file.name));
        // The head of the entry says how long it is before its bytes come, so just as many must come.
        let mut bytes = bytes.take(file.size);
        self.tar.append(&header(&self.manifest, &path, file.size)?, &mut bytes).map_err(ArchiveError::Io)?;
        if bytes.limit() > 0 {
            return Err(ArchiveError::Damaged("a file is shorter than was said"));
        }
        self.end.files += 1;
        Ok(path)
    }

    /// Writes the next messages of the conversation, at most [`crate::PART_MESSAGES`], and a page of them.
    pub fn part(&mut self, messages: &[Message], last: bool) -> Result<(), ArchiveError> {
        self.parts += 1;
        let chat = self.manifest.chats.get(self.chat - 1).ok_or(ArchiveError::Damaged("no such chat"))?;
        let page = page::part(chat, self.parts, last, messages, self.words);
        let mut lines = Vec::new();
        for message in messages {
            lines.extend(json(message)?);
            lines.push(b'\n');
        }
        let folder = folder(self.chat);
        put(&mut self.tar, &self.manifest, &format!("{folder}/messages-{:05}.jsonl", self.parts), &lines)?;
        put(&mut self.tar, &self.manifest, &format!("{folder}/{}", page::page_name(self.parts)), page.as_bytes())?;
        self.end.messages += messages.len() as u64;
        Ok(())
    }

    /// Ends the archive; what comes back is to be flushed by whoever owns it.
    pub fn end(mut self) -> Result<(W, End), ArchiveError> {
        put(&mut self.tar, &self.manifest, "end.json", &json(&self.end)?)?;
        let out = match self.tar.into_inner().map_err(ArchiveError::Io)? {
            Sink::Sealed(out) => out.finish().map_err(ArchiveError::Io)?,
            Sink::Open(out) => out,
        };
        Ok((out, self.end))
    }
}

fn sealed<W: Write>(out: W, passphrase: &str) -> Result<age::stream::StreamWriter<W>, ArchiveError> {
    let mut recipient = age::scrypt::Recipient::new(SecretString::from(passphrase.to_owned()));
    recipient.set_work_factor(WORK_FACTOR);
    let sealing = age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient));
    let sealing = sealing.map_err(|error| ArchiveError::Io(std::io::Error::other(error)))?;
    sealing.wrap_output(out).map_err(ArchiveError::Io)
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, ArchiveError> {
    serde_json::to_vec(value).map_err(|error| ArchiveError::Io(error.into()))
}

fn put<W: Write>(tar: &mut Builder<W>, manifest: &Manifest, path: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
    tar.append(&header(manifest, path, bytes.len() as u64)?, bytes).map_err(ArchiveError::Io)
}

/// The head of an entry: a plain file of the owner alone, with nothing of this device in it.
fn header(manifest: &Manifest, path: &str, size: u64) -> Result<Header, ArchiveError> {
    let mut header = Header::new_ustar();
    header.set_path(path).map_err(ArchiveError::Io)?;
    header.set_entry_type(EntryType::Regular);
    header.set_size(size);
    header.set_mode(0o600);
    header.set_mtime(u64::try_from(manifest.made_at / 1000).unwrap_or(0));
    header.set_cksum();
    Ok(header)
}

/// The ending of a name, so that a person's programs know what the file is; nothing that could be more than that.
fn ending(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((_, ending)) if (1..=8).contains(&ending.len()) && ending.bytes().all(|b| b.is_ascii_alphanumeric()) => {
            format!(".{}", ending.to_ascii_lowercase())
        }
        _ => String::new(),
    }
}
