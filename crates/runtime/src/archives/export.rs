//! Writes a history: page after page of rows, so that neither memory nor the lock are held for long.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use archive::{Attachment, Chat, Language, Manifest, Message, PART_MESSAGES, VERSION, Writer};
use blob::Descriptor;
use contract::{ChatSummary, HistoryState, News, WrittenFile};
use message::Address;
use zeroize::Zeroizing;

use super::convert::told;
use super::{TELL_EVERY, Turn, Wrong, is_imported};
use crate::documents;
use crate::files::{self, Shelf};
use crate::home::{Home, now_ms};
use crate::trouble::{Failure, Outcome};

/// Longest passphrase, in bytes.
const PASSPHRASE_LIMIT: usize = 1024;

/// Names that are tried when a folder has one already.
const NAMES_LIMIT: u32 = 1_000;

/// What an export is called before it is whole.
const UNFINISHED: (&str, &str) = (".parlance-history-", ".part");

/// An unfinished file that was not written to for so long is nobody's any more.
const LEFT_BEHIND: std::time::Duration = std::time::Duration::from_secs(60 * 60);

/// Messages of a conversation that go into one part.
struct Part {
    lines: Vec<(Message, Option<Descriptor>)>,
    /// The last row that was looked at.
    after: i64,
    /// Whether there are no rows behind it.
    last: bool,
}

/// A file that goes unless it is finished.
struct Unfinished {
    path: PathBuf,
    finished: bool,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.finished && std::fs::remove_file(&self.path).is_err() {
            tracing::warn!("half an export could not be removed");
        }
    }
}

impl Home {
    /// Question `history.export`.
    pub(crate) async fn history_export(
        &self,
        chat: Option<Address>,
        folder: Option<&str>,
        passphrase: Option<String>,
        language: &str,
    ) -> Outcome<WrittenFile> {
        let passphrase = passphrase.map(Zeroizing::new);
        match passphrase.as_ref().map(|text| (text.chars().count(), text.len())) {
            Some((count, _)) if count < store::PASSPHRASE_MINIMUM => {
                return Err(Failure::new("passphrase-too-short", "a passphrase has at least eight characters"));
            }
            Some((_, bytes)) if bytes > PASSPHRASE_LIMIT => {
                return Err(Failure::new("too-long", "a passphrase has at most 1024 bytes"));
            }
            _ => {}
        }
        let folder = documents::folder(folder)?;
        let language = Language::of(language);
        let turn = self.begin_moving()?;
        let home = self.clone();
        let writing = tokio::task::spawn_blocking(move || {
            home.write_history(&turn, chat, &folder, passphrase.as_ref().map(|text| text.as_str()), language)
        });
        let path = writing.await.map_err(|error| Failure::new("not-written", error))??;
        Ok(WrittenFile { path: path.to_string_lossy().into_owned() })
    }

    fn write_history(
        &self,
        turn: &Turn,
        chat: Option<Address>,
        folder: &Path,
        passphrase: Option<&str>,
        language: Language,
    ) -> Outcome<PathBuf> {
        let (manifest, chats) = self.manifest(chat)?;
        let total = manifest.chats.iter().map(|chat| chat.messages).sum();
        let user = manifest.user.clone();
        sweep(folder);
        let (begins, ends) = UNFINISHED;
        let path = folder.join(format!("{begins}{}{ends}", keys::base32(&keys::random::<8>())));
        let out = documents::create_private(&path)?;
        let mut unfinished = Unfinished { path, finished: false };
        let out = BufWriter::with_capacity(128 * 1024, out);
        let file =
            self.write_chats(turn, out, passphrase, manifest, &chats, language, total).map_err(|wrong| wrong.0)?;
        file.sync_all().map_err(files::failed)?;
        let ending = if passphrase.is_some() { "age" } else { "tar" };
        let path = free_name(folder, &user, ending)?;
        turn.goes_on()?;
        std::fs::rename(&unfinished.path, &path).map_err(files::failed)?;
        unfinished.finished = true;
        documents::sync_folder(folder);
        Ok(path)
    }

    #[expect(clippy::too_many_arguments, reason = "each is one thing about the one file that is written")]
    fn write_chats(
        &self,
        turn: &Turn,
        out: BufWriter<File>,
        passphrase: Option<&str>,
        manifest: Manifest,
        chats: &[Address],
        language: Language,
        total: u64,
    ) -> Result<File, Wrong> {
        let shelf = self.shelf();
        let mut writer = Writer::begin(out, passphrase, manifest, language)?;
        let (mut done, mut told_at) = (0, 0);
        self.tell_exporting(0, total);
        for chat in chats {
            writer.next_chat();
            let mut after = 0;
            loop {
                turn.goes_on()?;
                let part = self.next_part(chat, after)?;
                after = part.after;
                done += part.lines.len() as u64;
                let messages = with_files(&mut writer, turn, &shelf, part.lines)?;
                writer.part(&messages, part.last)?;
                if done >= told_at + TELL_EVERY {
                    told_at = done;
                    self.tell_exporting(done, total);
                }
                if part.last {
                    break;
                }
            }
        }
        let (mut out, end) = writer.end()?;
        out.flush().map_err(|error| Wrong(files::failed(error)))?;
        tracing::info!(messages = end.messages, files = end.files, "a history was written");
        out.into_inner().map_err(|error| Wrong(files::failed(error.into_error())))
    }

    /// What is written, as it stands now.
    fn manifest(&self, chat: Option<Address>) -> Outcome<(Manifest, Vec<Address>)> {
        let mut summaries: Vec<ChatSummary> = self.chat_list()?;
        // What was brought from a file is taken along as that file.
        summaries.retain(|one| !is_imported(&one.chat));
        if let Some(chat) = &chat {
            summaries.retain(|one| one.chat == chat.as_str());
            if summaries.is_empty() {
                return Err(Failure::unknown("conversation"));
            }
        }
        let state = self.state();
        let me = state.me()?;
        let mut chats = Vec::new();
        let mut addresses = Vec::new();
        for one in summaries {
            let count = state.store()?.read(|tx| tx.count_children_of(&one.chat)).map_err(Failure::store)?;
            addresses.push(crate::chats::address(&one.chat)?);
            let group = one.group.is_some();
            chats.push(Chat { chat: one.chat, name: one.name, user: one.user, group, messages: count as u64 });
        }
        let manifest = Manifest {
            format: "parlance-history".into(),
            version: VERSION,
            made_at: now_ms(),
            user: me.record.user.handle(),
            name: me.record.name.clone(),
            chats,
        };
        Ok((manifest, addresses))
    }

    /// The next rows of a conversation, read in one short hold of the lock.
    fn next_part(&self, chat: &Address, after: i64) -> Outcome<Part> {
        let state = self.state();
        if state.locked() {
            return Err(Failure::new("locked", "the app was locked"));
        }
        let rows = state.store()?.read(|tx| tx.children_after(chat.as_str(), after, PART_MESSAGES));
        let rows = rows.map_err(Failure::store)?;
        drop(state);
        let last = rows.len() < PART_MESSAGES;
        let after = rows.last().map_or(after, |row| row.ordinal);
        Ok(Part { lines: rows.iter().filter_map(told).collect(), after, last })
    }

    fn tell_exporting(&self, done: u64, total: u64) {
        let count = |messages: u64| u32::try_from(messages).unwrap_or(u32::MAX);
        self.tell(News::History(HistoryState::Exporting { done: count(done.min(total)), total: count(total) }));
    }
}

/// Writes the files of messages that are here, and names them in the messages.
fn with_files(
    writer: &mut Writer<BufWriter<File>>,
    turn: &Turn,
    shelf: &Shelf,
    lines: Vec<(Message, Option<Descriptor>)>,
) -> Result<Vec<Message>, Wrong> {
    let mut messages = Vec::with_capacity(lines.len());
    for (mut message, file) in lines {
        if let (Some(told), Some(file)) = (&mut message.file, &file)
            && told.size <= archive::FILE_LIMIT
            && let Some(bytes) = files::plain(shelf, file)
        {
            turn.goes_on()?;
            let path = writer.file(&Attachment { path: None, ..told.clone() }, bytes)?;
            told.path = Some(path);
        }
        messages.push(message);
    }
    Ok(messages)
}

/// Removes what an app that was killed left in the middle of an export; it may not be sealed.
fn sweep(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let ours = name.to_str().is_some_and(|name| name.starts_with(UNFINISHED.0) && name.ends_with(UNFINISHED.1));
        let old = || {
            entry
                .metadata()
                .and_then(|meta| meta.modified())
                .is_ok_and(|at| at.elapsed().is_ok_and(|age| age > LEFT_BEHIND))
        };
        if ours && old() && std::fs::remove_file(entry.path()).is_err() {
            tracing::warn!("what is left of an export could not be removed");
        }
    }
}

/// A name that nothing in the folder has.
fn free_name(folder: &Path, user: &str, ending: &str) -> Outcome<PathBuf> {
    for number in 1..NAMES_LIMIT {
        let number = if number == 1 { String::new() } else { format!("-{number}") };
        let path = folder.join(format!("parlance-history-{user}{number}.{ending}"));
        if !path.try_exists().map_err(files::failed)? {
            return Ok(path);
        }
    }
    Err(Failure::new("not-written", "the folder has too many files of this name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_export_left_goes_with_the_next_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let long_ago = std::time::SystemTime::now() - 2 * LEFT_BEHIND;
        for (name, old) in [
            (".parlance-history-dead.part", true),
            (".parlance-history-alive.part", false),
            ("parlance-history-ana@a.localhost.tar", true),
            (".other.part", true),
        ] {
            let file = documents::create_private(&folder.path().join(name)).unwrap();
            if old {
                file.set_modified(long_ago).unwrap();
            }
        }
        sweep(folder.path());
        assert!(!folder.path().join(".parlance-history-dead.part").exists());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
        let free = free_name(folder.path(), "ana@a.localhost", "tar").unwrap();
        assert_eq!(free.file_name().unwrap(), "parlance-history-ana@a.localhost-2.tar");
    }
}
