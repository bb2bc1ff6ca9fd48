//! Reads a history that somebody wrote: first whole, keeping nothing, then again to keep it.
//!
//! The first reading checks each byte of the file and each message in it; a file that is cut short or wrong anywhere
//! changes nothing. The second keeps it in short steps, so that others read and write in between. A message has one
//! name in the conversation it is kept in, so a second import of it, or one after a kill, brings only what is missing.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use contract::{HistoryImported, HistoryState, News};
use zeroize::Zeroizing;

use super::bringing::Bringing;
use super::{Turn, Wrong};
use crate::home::Home;
use crate::trouble::{Failure, Outcome};

/// Reads until the person stops it.
struct Stoppable<'a> {
    inner: &'a File,
    turn: &'a Turn,
}

impl Read for Stoppable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.turn.goes_on().is_err() {
            return Err(std::io::ErrorKind::ConnectionAborted.into());
        }
        self.inner.read(buffer)
    }
}

impl Home {
    /// Question `history.import`.
    pub(crate) async fn history_import(&self, path: &str, passphrase: Option<String>) -> Outcome<HistoryImported> {
        let passphrase = passphrase.filter(|text| !text.is_empty()).map(Zeroizing::new);
        let file = open(path)?;
        let turn = self.begin_moving()?;
        let home = self.clone();
        let reading = tokio::task::spawn_blocking(move || {
            home.read_history(&turn, file, passphrase.as_ref().map(|text| text.as_str()))
        });
        reading.await.map_err(|error| Failure::new("not-read", error))?
    }

    fn read_history(&self, turn: &Turn, mut file: File, passphrase: Option<&str>) -> Outcome<HistoryImported> {
        let mut checking = Bringing::begin(self, turn, false)?;
        let ended = archive::read::<Wrong>(Stoppable { inner: &file, turn }, passphrase, &mut checking);
        // A reading that was stopped is no damage of the file.
        turn.goes_on()?;
        let end = ended.map_err(|wrong| wrong.0)?;
        file.seek(SeekFrom::Start(0)).map_err(|error| Failure::new("not-read", error.kind()))?;
        let mut keeping = Bringing::begin(self, turn, true)?;
        keeping.of(end.messages);
        let kept = archive::read::<Wrong>(Stoppable { inner: &file, turn }, passphrase, &mut keeping);
        // What was kept stays, also when the rest could not be: it is shown, and the next import brings the rest.
        let ordered = keeping.put_in_order();
        let (brought, chats) = keeping.end();
        let shown = self.show_archives(&chats);
        turn.goes_on()?;
        kept.map_err(|wrong| wrong.0).and(ordered).and(shown)?;
        tracing::info!(messages = brought.messages, known = brought.known, "a history was read");
        Ok(brought)
    }

    pub(super) fn tell_importing(&self, keeps: bool, done: u64, total: u64) {
        let count = |messages: u64| u32::try_from(messages).unwrap_or(u32::MAX);
        let (done, total) = (count(done.min(total)), count(total));
        let state =
            if keeps { HistoryState::Importing { done, total } } else { HistoryState::Checking { done, total } };
        self.tell(News::History(state));
    }
}

/// A plain file at this path; nothing that would make one wait, as a pipe does.
fn open(path: &str) -> Outcome<File> {
    let path = Path::new(path.trim());
    let unread = |error: std::io::Error| Failure::new("not-read", error.kind());
    if !path.is_absolute() {
        return Err(Failure::new("not-read", "the path does not begin at the root"));
    }
    if !std::fs::metadata(path).map_err(unread)?.is_file() {
        return Err(Failure::new("not-read", "this is no file"));
    }
    File::open(path).map_err(unread)
}
