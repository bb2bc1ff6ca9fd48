//! Histories that are taken along in a file, and what was brought in one ([decision 28](docs/decisions/0028-export-and-import.md)).
//!
//! What was brought is kept as a conversation of its own (`archive://…`) that is no data object: nothing is sealed,
//! sent or answered in it, and nothing in it claims to be verified. Its rows lie beside the others, so it is read,
//! searched, backed up and ended by the same code.

mod bringing;
mod convert;
mod export;
mod import;

use contract::{
    ChatSummary, ChatView, ContactState, GroupLine, GroupRole, GroupStanding, HistoryState, ImportedLine, News,
    TrustMark,
};
use message::{Address, Domain};
use serde::{Deserialize, Serialize};
use store::Tx;
use tokio_util::sync::CancellationToken;

use crate::chat::{message_of, messages_of};
use crate::home::Home;
use crate::records::kind;
use crate::trouble::{Failure, Outcome};

/// The scheme of conversations that were brought.
const SCHEME: &str = "archive";

/// How often a shell is told how far it is, in messages.
const TELL_EVERY: u64 = 100;

/// Rows of one step while a conversation is forgotten.
const FORGET_ROWS: usize = 500;

/// A conversation that was read from a file.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Archive {
    /// Its address here.
    url: Address,
    /// How it was called.
    name: String,
    /// The other person, or the owner of the group, as `name@domain`.
    user: String,
    /// Whether several people were in it.
    group: bool,
    /// Who the file says wrote it.
    from: String,
    /// When the newest of its files says it was written.
    made_at: i64,
    imported_at: i64,
    /// The number of the next message.
    next: i64,
}

/// The one export or import that goes on.
#[derive(Default)]
pub(crate) struct Moving {
    stop: Option<CancellationToken>,
}

impl Moving {
    pub(crate) fn stop(&mut self) {
        if let Some(stop) = &self.stop {
            stop.cancel();
        }
    }
}

/// Ends an export or import, however it ends.
struct Turn {
    home: Home,
    stop: CancellationToken,
}

impl Turn {
    /// Fails when the person stopped it, or the app was locked.
    fn goes_on(&self) -> Outcome<()> {
        if self.stop.is_cancelled() { Err(Failure::new("cancelled", "it was stopped")) } else { Ok(()) }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.home.state().moving.stop = None;
        self.home.tell(News::History(HistoryState::Idle));
    }
}

/// Whether a conversation was read from a file.
pub(crate) fn is_imported(chat: &str) -> bool {
    chat.strip_prefix(SCHEME).is_some_and(|rest| rest.starts_with("://"))
}

/// Where a conversation of a file lies here; the same for each file that tells of it.
fn address_of(domain: &Domain, from: &str, chat: &str) -> Outcome<Address> {
    let name = keys::base32(&keys::sha256(format!("parlance-archive-v1\n{from}\n{chat}").as_bytes())[..16]);
    Address::new(SCHEME, domain, &name).map_err(|e| Failure::new("bad-address", e))
}

fn get(tx: &Tx<'_>, chat: &Address) -> Outcome<Archive> {
    let archive: Option<Archive> = tx.get(kind::ARCHIVE, chat.as_str()).map_err(Failure::store)?;
    archive.ok_or_else(|| Failure::unknown("conversation"))
}

/// The addresses of all conversations that were brought.
pub(crate) fn addresses(tx: &Tx<'_>) -> Outcome<Vec<Address>> {
    let all: Vec<(String, Archive)> = tx.list(kind::ARCHIVE).map_err(Failure::store)?;
    Ok(all.into_iter().map(|(_, archive)| archive.url).collect())
}

/// Those conversations as the list shows them.
pub(crate) fn summaries(tx: &Tx<'_>) -> Outcome<Vec<ChatSummary>> {
    let all: Vec<(String, Archive)> = tx.list(kind::ARCHIVE).map_err(Failure::store)?;
    all.iter().map(|(_, archive)| summary(tx, archive)).collect()
}

/// One of them, opened.
pub(crate) fn view(tx: &Tx<'_>, chat: &Address, page: usize) -> Outcome<ChatView> {
    let archive = get(tx, chat)?;
    let rows = tx.children(chat.as_str(), None, page).map_err(Failure::store)?;
    Ok(ChatView {
        summary: summary(tx, &archive)?,
        identity: None,
        devices: Vec::new(),
        refusals: Vec::new(),
        more: rows.len() == page,
        messages: messages_of(tx, &rows)?,
        pinned: Vec::new(),
        timer: 0,
        group: None,
    })
}

fn summary(tx: &Tx<'_>, archive: &Archive) -> Outcome<ChatSummary> {
    let last = tx.last_child(archive.url.as_str()).map_err(Failure::store)?;
    let last = last.map(|row| message_of(tx, &row)).transpose()?;
    let over = || GroupLine {
        people: 0,
        role: GroupRole::Member,
        standing: GroupStanding::Over { reason: "imported".into() },
        large: false,
        names: Default::default(),
    };
    Ok(ChatSummary {
        chat: archive.url.to_string(),
        user: archive.user.clone(),
        name: archive.name.clone(),
        domain: archive.url.domain_str().to_owned(),
        // Nothing that a contact may is offered here.
        contact: ContactState::Met,
        at: last.as_ref().map_or(archive.made_at, |message| message.at),
        last,
        unread: 0,
        draft: String::new(),
        change: None,
        mark: TrustMark::Imported,
        muted_until: None,
        group: archive.group.then(|| Box::new(over())),
        mentions_me: false,
        imported: Some(Box::new(ImportedLine {
            from: archive.from.clone(),
            made_at: archive.made_at,
            imported_at: archive.imported_at,
        })),
    })
}

impl Home {
    /// Begins an export or import, of which there is one at a time.
    fn begin_moving(&self) -> Outcome<Turn> {
        let mut state = self.state();
        state.me()?;
        if state.moving.stop.is_some() {
            return Err(Failure::new("history-busy", "another export or import goes on"));
        }
        let stop = CancellationToken::new();
        state.moving.stop = Some(stop.clone());
        Ok(Turn { home: self.clone(), stop })
    }

    /// Question `history.forget`.
    pub(crate) fn history_forget(&self, chat: &Address) -> Outcome<()> {
        if !is_imported(chat.as_str()) {
            return Err(Failure::unknown("conversation"));
        }
        let state = self.state();
        state.store()?.erase(|tx| {
            get(tx, chat)?;
            let mut after = 0;
            loop {
                let rows = tx.children_after(chat.as_str(), after, FORGET_ROWS).map_err(Failure::store)?;
                let Some(last) = rows.last() else { break };
                after = last.ordinal;
                rows.iter().try_for_each(|row| crate::files::forget(tx, row))?;
            }
            tx.delete_children(chat.as_str()).map_err(Failure::store)?;
            tx.delete(kind::ARCHIVE, chat.as_str()).map_err(Failure::store)
        })?;
        drop(state);
        self.tell(News::ChatGone { chat: chat.to_string() });
        Ok(())
    }

    /// Tells shells of the conversations that an import brought.
    fn show_archives(&self, chats: &[Address]) -> Outcome<()> {
        let shown = {
            let state = self.state();
            state.store()?.read(|tx| {
                let summaries = chats.iter().map(|chat| summary(tx, &get(tx, chat)?));
                summaries.collect::<Outcome<Vec<_>>>()
            })?
        };
        shown.into_iter().for_each(|summary| self.tell(News::Chat(summary)));
        Ok(())
    }
}

/// What went wrong with a file, as a shell is told.
struct Wrong(Failure);

impl From<archive::ArchiveError> for Wrong {
    fn from(error: archive::ArchiveError) -> Self {
        use archive::ArchiveError as Error;
        let code = match &error {
            Error::NotAnArchive => "no-history",
            Error::Newer { .. } => "newer-version",
            Error::PassphraseNeeded => "history-sealed",
            Error::WrongPassphrase => "history-passphrase",
            Error::TooCostly | Error::TooMuch(_) => "history-too-large",
            Error::Damaged(_) => "history-damaged",
            Error::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => "disk-full",
            Error::Io(_) => "not-written",
        };
        Self(Failure::new(code, error))
    }
}

impl From<Failure> for Wrong {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}
