//! Hears an archive: checks it, or keeps what is in it.

use std::collections::HashMap;
use std::io::Read;

use archive::{Manifest, Message, Visitor};
use blob::Descriptor;
use contract::HistoryImported;
use message::{Address, Domain, UserAddress};
use store::Tx;

use super::convert::{described, digest_of, name_of, person, row_of, wrong};
use super::{Archive, TELL_EVERY, Turn, Wrong, address_of};
use crate::files::{self, Brought};
use crate::home::{Home, now_ms};
use crate::records::kind;
use crate::trouble::{Failure, Outcome};

/// Messages that are kept in one transaction.
const KEEP_AT_ONCE: usize = 100;

/// One reading of an archive.
pub(super) struct Bringing<'a> {
    home: &'a Home,
    turn: &'a Turn,
    /// Whether it is kept, or only looked at.
    keeps: bool,
    domain: Domain,
    from: Option<UserAddress>,
    archives: Vec<Archive>,
    /// The time of the last message that each had before, and whether something older came.
    before: Vec<(i64, bool)>,
    /// Files that were heard and wait for their message.
    files: HashMap<String, Brought>,
    brought: HistoryImported,
    done: u64,
    told_at: u64,
    total: u64,
}

impl<'a> Bringing<'a> {
    pub(super) fn begin(home: &'a Home, turn: &'a Turn, keeps: bool) -> Outcome<Self> {
        Ok(Self {
            home,
            turn,
            keeps,
            domain: home.state().me()?.domain(),
            from: None,
            archives: Vec::new(),
            before: Vec::new(),
            files: HashMap::new(),
            brought: HistoryImported { messages: 0, known: 0, files: 0, chats: Vec::new() },
            done: 0,
            told_at: 0,
            total: 0,
        })
    }

    /// So many messages are in it.
    pub(super) fn of(&mut self, total: u64) {
        self.total = total;
    }

    /// A file that is older than what was here already is put before it.
    pub(super) fn put_in_order(&self) -> Outcome<()> {
        for (archive, _) in self.archives.iter().zip(&self.before).filter(|(_, (_, older))| *older) {
            let state = self.home.state();
            state
                .store()?
                .write(|tx| tx.order_children(archive.url.as_str(), |row| crate::chat::said_anew(tx, row)))?;
        }
        Ok(())
    }

    /// What was brought, and where it is.
    pub(super) fn end(mut self) -> (HistoryImported, Vec<Address>) {
        // A conversation in which nothing was kept is none.
        let kept: Vec<Address> =
            self.archives.iter().filter(|archive| archive.next > 0).map(|archive| archive.url.clone()).collect();
        self.brought.chats = kept.iter().map(ToString::to_string).collect();
        (self.brought, kept)
    }

    fn went_on(&mut self, messages: usize) -> Outcome<()> {
        self.done += messages as u64;
        if self.done >= self.told_at + TELL_EVERY {
            self.told_at = self.done;
            self.home.tell_importing(self.keeps, self.done, self.total);
        }
        self.turn.goes_on()
    }

    /// How the file of a message is told of, if it carries one.
    fn file_of(&mut self, message: &Message) -> Outcome<Option<Descriptor>> {
        let Some(file) = &message.file else { return Ok(None) };
        let digest = digest_of(file)?;
        let brought = file.path.as_ref().and_then(|path| self.files.remove(path));
        let bytes = match brought {
            Some(brought) => {
                let kept = brought.keep()?;
                self.brought.files += 1;
                kept
            }
            None => files::absent(file.size, digest)?,
        };
        described(file, bytes).map(Some)
    }

    fn keep(&mut self, chat: usize, messages: &[Message]) -> Outcome<()> {
        let from = self.from.clone().ok_or_else(|| wrong("no manifest"))?;
        let mut archive = self.archives.get(chat).cloned().ok_or_else(|| wrong("no such chat"))?;
        let known = self.known(&archive.url, messages)?;
        let mut rows = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for (message, known) in messages.iter().zip(known) {
            if known || !seen.insert(message.id.as_str()) {
                // Its file is the one that is here already.
                if let Some(path) = message.file.as_ref().and_then(|file| file.path.as_ref()) {
                    self.files.remove(path);
                }
                self.brought.known += 1;
                continue;
            }
            archive.next += 1;
            let file = self.file_of(message)?;
            rows.push(row_of(&archive.url, &from, message, file, archive.next)?);
        }
        if rows.is_empty() {
            return Ok(());
        }
        {
            let state = self.home.state();
            if state.locked() {
                return Err(Failure::new("locked", "the app was locked"));
            }
            state.store()?.write(|tx| {
                for row in &rows {
                    tx.add_child(row).map_err(Failure::store)?;
                }
                tx.put(kind::ARCHIVE, archive.url.as_str(), &archive).map_err(Failure::store)
            })?;
        }
        let (before, older) = &mut self.before[chat];
        *older |= rows.iter().any(|row| row.at < *before);
        self.brought.messages += u32::try_from(rows.len()).unwrap_or(u32::MAX);
        self.archives[chat] = archive;
        Ok(())
    }

    /// Which of these are here already.
    fn known(&self, archive: &Address, messages: &[Message]) -> Outcome<Vec<bool>> {
        let state = self.home.state();
        state.store()?.read(|tx| {
            let known = messages.iter().map(|one| tx.child(&name_of(archive, &one.id)).map(|row| row.is_some()));
            known.collect::<Result<Vec<bool>, _>>().map_err(Failure::store)
        })
    }
}

impl Visitor<Wrong> for Bringing<'_> {
    fn manifest(&mut self, manifest: &Manifest) -> Result<(), Wrong> {
        let from = person(&manifest.user)?;
        let said: u64 = manifest.chats.iter().fold(0, |sum, chat| sum.saturating_add(chat.messages));
        self.total = self.total.max(said);
        self.home.tell_importing(self.keeps, 0, self.total);
        let state = self.home.state();
        let archives = state.store()?.read(|tx| {
            let archives = manifest.chats.iter().map(|chat| archive_of(tx, &self.domain, manifest, &from, chat));
            archives.collect::<Outcome<Vec<_>>>()
        })?;
        drop(state);
        self.before = archives.iter().map(|(_, before)| (*before, false)).collect();
        self.archives = archives.into_iter().map(|(archive, _)| archive).collect();
        self.from = Some(from);
        Ok(())
    }

    fn file(&mut self, path: &str, size: u64, bytes: &mut dyn Read) -> Result<(), Wrong> {
        self.turn.goes_on()?;
        if self.keeps {
            let brought = Brought::take(self.home.shelf(), &self.domain, size, bytes)?;
            self.files.insert(path.to_owned(), brought);
        } else {
            std::io::copy(bytes, &mut std::io::sink()).map_err(|error| wrong(&error.kind().to_string()))?;
        }
        Ok(())
    }

    fn part(&mut self, chat: usize, messages: Vec<Message>) -> Result<(), Wrong> {
        for some in messages.chunks(KEEP_AT_ONCE) {
            if self.keeps {
                self.keep(chat, some)?;
            } else {
                let (from, archive) = (self.from.clone(), self.archives.get(chat));
                let (from, archive) = from.zip(archive).ok_or_else(|| wrong("no such chat"))?;
                for message in some {
                    let absent =
                        |file: &archive::Attachment| described(file, files::absent(file.size, digest_of(file)?)?);
                    let file = message.file.as_ref().map(absent).transpose()?;
                    row_of(&archive.url, &from, message, file, 1)?;
                }
            }
            self.went_on(some.len())?;
        }
        self.files.clear();
        Ok(())
    }
}

/// The conversation here that goes on with one of a file.
fn archive_of(
    tx: &Tx<'_>,
    domain: &Domain,
    manifest: &Manifest,
    from: &UserAddress,
    chat: &archive::Chat,
) -> Outcome<(Archive, i64)> {
    let url = address_of(domain, &from.handle(), &chat.chat)?;
    let known: Option<Archive> = tx.get(kind::ARCHIVE, url.as_str()).map_err(Failure::store)?;
    let last = tx.last_child(url.as_str()).map_err(Failure::store)?.map_or(i64::MIN, |row| row.at);
    let made_at = known.as_ref().map_or(i64::MIN, |known| known.made_at).max(manifest.made_at.clamp(0, now_ms()));
    let archive = Archive {
        url,
        name: plain::name(&chat.name, 128).unwrap_or_default(),
        user: person(&chat.user)?.handle(),
        group: chat.group,
        from: from.handle(),
        made_at,
        imported_at: known.as_ref().map_or_else(now_ms, |known| known.imported_at),
        next: known.map_or(0, |known| known.next),
    };
    Ok((archive, last))
}
