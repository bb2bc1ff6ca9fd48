//! Fetches the files of messages: from a device of their author if one is there, else from where the author put them;
//! chunk by chunk, each checked, then the whole. What is here stays, whichever way the rest comes.

use blob::{Descriptor, Wrong};
use contract::FileState;
use futures_util::{StreamExt, TryStreamExt, stream};
use message::{Domain, MessageType, UserAddress};
use serde::Deserialize;
use serde_json::json;
use store::ChildRow;

use super::look::shown_as;
use super::taking::{Taking, tampered};
use super::{Carried, NODE_LIMIT, SLOW_DOWN, WINDOW, Wanted, is_at_node, place_of};
use crate::home::{Home, State};
use crate::members::author_user;
use crate::records::kind;
use crate::trouble::{Failure, Outcome};

#[derive(Deserialize)]
struct Chunk {
    sealed: String,
}

impl Home {
    /// Fetches what is missing of a message's file.
    pub(super) async fn fetch_file(&self, message: &str) -> Outcome<()> {
        let carried = self.state().carried(message);
        let Carried { row, attached } = match carried {
            Ok(carried) => carried,
            // The message went before its file came.
            Err(_) => return self.no_more_wanted(message),
        };
        let fetched = self.fetch_chunks(&row, &attached.file).await;
        if self.state().carried(message).is_err() {
            // The message went while its file came: nothing of it stays, and it is nobody's trouble.
            self.no_more_wanted(message)?;
            return place_of(&attached.file).map_or(Ok(()), |(_, blob)| self.shelf().remove(&blob));
        }
        match fetched {
            Ok(()) => {
                self.no_more_wanted(message)?;
                let shown = shown_as(&self.shelf(), &attached.file);
                self.tell_file(&row, FileState::Here { shown });
                Ok(())
            }
            Err(failure) if waits_for_person(&failure.code) => {
                tracing::info!(code = failure.code, "a file cannot be had");
                let state = self.state();
                let wanted = Wanted { trouble: Some(failure.code.clone()) };
                state.store()?.write(|tx| tx.put(kind::DOWNLOAD, message, &wanted)).map_err(Failure::store)?;
                self.tell_file(&row, FileState::Failed { code: failure.code });
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }

    async fn fetch_chunks(&self, row: &ChildRow, file: &Descriptor) -> Outcome<()> {
        let (domain, blob) = place_of(file).ok_or_else(nowhere)?;
        // A file lies at its author's own domain. Whoever names another one would choose whom this device meets.
        let author = UserAddress::parse(author_user(&row.author)).map_err(|_| nowhere())?;
        if author.domain() != *domain {
            return Err(nowhere());
        }
        let shelf = self.shelf();
        if shelf.has(&blob, file.shape) {
            return Ok(());
        }
        let (name, described) = (blob.clone(), file.clone());
        // What came before is read whole, and may be long.
        let begun = tokio::task::spawn_blocking(move || Taking::begin(shelf, &name, &described));
        let mut taking = begun.await.map_err(|error| Failure::new("not-written", error))??;
        if !taking.is_whole()
            && let Err(failure) = Box::pin(self.fetch_directly(row, file, &mut taking)).await
        {
            self.fetch_otherwise(row, file, domain, &mut taking, failure).await?;
        }
        taking.end()
    }

    /// Goes on with a file that does not come directly, or not to its end: through the Node, or when its author is there.
    async fn fetch_otherwise(
        &self,
        row: &ChildRow,
        file: &Descriptor,
        domain: &Domain,
        taking: &mut Taking,
        failure: Failure,
    ) -> Outcome<()> {
        tracing::debug!(code = failure.code, "a file does not come directly");
        // A full disk is full for the other way too.
        if matches!(&*failure.code, "disk-full" | "not-written") {
            return Err(failure);
        }
        if is_at_node(file) && file.shape.size() <= NODE_LIMIT {
            let fetched = self.fetch_from_node(row, domain, taking).await;
            let is_gone = fetched.as_ref().is_err_and(|gone| gone.code == "file-gone");
            // The Node keeps it no more; its author, who did not answer, may.
            if !is_gone || !matches!(&*failure.code, "author-away" | "direct-lost") {
                return fetched;
            }
        } else if failure.code == "direct-busy" {
            return Err(failure);
        }
        self.await_author(row, taking.done())
    }

    /// Fetches from the author's Node what is missing.
    async fn fetch_from_node(&self, row: &ChildRow, domain: &Domain, taking: &mut Taking) -> Outcome<()> {
        let (blob, missing) = (taking.blob().to_owned(), taking.next()..taking.shape().chunks());
        let gets = missing.map(|index| self.get_chunk(domain, &blob, index));
        let mut gets = stream::iter(gets).buffered(WINDOW);
        while let Some(bytes) = gets.try_next().await? {
            if let Err(failure) = taking.take(taking.next(), &bytes) {
                if failure.code == "file-tampered" {
                    self.shelf().drop_partial(&blob);
                }
                return Err(failure);
            }
            self.file_moved(row, taking.done(), false);
        }
        Ok(())
    }

    /// More of a file is here.
    pub(super) fn file_moved(&self, row: &ChildRow, done: u64, directly: bool) {
        self.state().files.note_coming(&row.id, done, directly);
        self.tell_file(row, FileState::Coming { done, directly });
    }

    /// No Node keeps it and no device of its author is there: that is no failure, and it is said what it waits for.
    fn await_author(&self, row: &ChildRow, done: u64) -> Outcome<()> {
        self.state().files.awaited.insert(row.id.clone());
        self.tell_file(row, FileState::Waiting { done });
        self.wait_for_author(row);
        Err(Failure::new("author-away", "the file comes when its author is there"))
    }

    async fn get_chunk(&self, domain: &Domain, blob: &str, index: u32) -> Outcome<Vec<u8>> {
        let wish = json!({ "blob": blob, "index": index });
        loop {
            let answer = self.ask_blobs(domain, MessageType::Read, &wish).await?;
            match answer.code.0 {
                200 => {
                    let chunk = serde_json::from_value::<Chunk>(answer.value).map_err(|_| tampered(Wrong::Length))?;
                    return keys::from_b64url(&chunk.sealed).map_err(|_| tampered(Wrong::Length));
                }
                429 => tokio::time::sleep(SLOW_DOWN).await,
                400 | 403 | 404 => {
                    return Err(Failure::new("file-gone", "the Node of its author keeps the file no more"));
                }
                code => return Err(Failure::new("file-waits", code)),
            }
        }
    }

    fn no_more_wanted(&self, message: &str) -> Outcome<()> {
        self.state().store()?.write(|tx| tx.delete(kind::DOWNLOAD, message)).map_err(Failure::store)?;
        Ok(())
    }

    /// Question `file.get`.
    pub(crate) fn file_get(&self, message: &str) -> Outcome<FileState> {
        let mut state = self.state();
        let carried = state.carried(message)?;
        if matches!(self.standing(&state, &carried)?, FileState::Here { .. }) {
            drop(state);
            return Ok(FileState::Here { shown: shown_as(&self.shelf(), &carried.attached.file) });
        }
        state.store()?.write(|tx| tx.put(kind::DOWNLOAD, message, &Wanted::default())).map_err(Failure::store)?;
        state.files.rests.remove(message);
        if let Ok(author) = UserAddress::parse(author_user(&carried.row.author)) {
            state.files.direct.is_wanted(&author);
        }
        self.hurry_files(&mut state);
        self.standing(&state, &carried)
    }

    /// Question `file.stop`.
    pub(crate) fn file_stop(&self, message: &str) -> Outcome<FileState> {
        let mut state = self.state();
        let carried = state.carried(message)?;
        state.files.stop(message);
        state.store()?.write(|tx| tx.delete(kind::DOWNLOAD, message)).map_err(Failure::store)?;
        drop(state);
        let standing = self.file_look(message)?;
        self.tell_file(&carried.row, standing.clone());
        Ok(standing)
    }

    /// Question `file.look`.
    pub(crate) fn file_look(&self, message: &str) -> Outcome<FileState> {
        let state = self.state();
        let carried = state.carried(message)?;
        let standing = self.standing(&state, &carried)?;
        drop(state);
        if matches!(standing, FileState::Here { .. }) {
            return Ok(FileState::Here { shown: shown_as(&self.shelf(), &carried.attached.file) });
        }
        Ok(standing)
    }

    /// How far a file is; as what it may be shown is told by whoever has time to open it.
    fn standing(&self, state: &State, carried: &Carried) -> Outcome<FileState> {
        let Some((_, blob)) = place_of(&carried.attached.file) else {
            return Ok(FileState::Failed { code: nowhere().code });
        };
        let shelf = self.shelf();
        if shelf.has(&blob, carried.attached.file.shape) {
            return Ok(FileState::Here { shown: None });
        }
        let wanted: Option<Wanted> =
            state.store()?.read(|tx| tx.get(kind::DOWNLOAD, &carried.row.id)).map_err(Failure::store)?;
        Ok(match wanted {
            None => FileState::Away,
            Some(Wanted { trouble: Some(code) }) => FileState::Failed { code },
            Some(Wanted { trouble: None }) => {
                // Before its first chunk a fetch that goes on has what came before.
                let now = state.files.done(&carried.row.id).filter(|done| *done > 0);
                let done = now.unwrap_or_else(|| shelf.came(&blob));
                if state.files.awaited.contains(&carried.row.id) {
                    return Ok(FileState::Waiting { done });
                }
                FileState::Coming { done, directly: state.files.comes_directly(&carried.row.id) }
            }
        })
    }
}

fn nowhere() -> Failure {
    Failure::new("file-nowhere", "the message does not say where its author keeps the file")
}

/// What trying again would not change.
fn waits_for_person(code: &str) -> bool {
    matches!(code, "file-gone" | "file-tampered" | "file-nowhere" | "disk-full" | "not-written")
}
