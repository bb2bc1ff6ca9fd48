//! Fetches the files of messages: chunk by chunk from where their author put them, each checked, then the whole.

use blob::{Descriptor, Sealed, Verifier, Wrong};
use contract::FileState;
use futures_util::{StreamExt, TryStreamExt, stream};
use message::{Domain, MessageType, UserAddress};
use serde::Deserialize;
use serde_json::json;
use store::ChildRow;

use super::look::shown_as;
use super::shelf::{read_chunk, write_chunk};
use super::{Carried, NODE_LIMIT, SLOW_DOWN, WINDOW, Wanted, place_of};
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
        match self.fetch_chunks(&row, &attached.file).await {
            Ok(()) => {
                self.no_more_wanted(message)?;
                if self.state().carried(message).is_err() {
                    // The message went while its file came.
                    return place_of(&attached.file).map_or(Ok(()), |(_, blob)| self.shelf().remove(&blob));
                }
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
        let (shape, shelf) = (file.shape, self.shelf());
        if shape.size() > NODE_LIMIT {
            return Err(Failure::new("file-too-large", "no Node keeps a file as large as this"));
        }
        if shelf.has(&blob, shape) {
            return Ok(());
        }
        let (sealed, mut verifier) = (Sealed::new(&file.key, shape), Verifier::new(shape));
        let (mut kept, here) = shelf.partial(&blob, shape)?;
        let mut next = 0;
        // What is here already is checked like what comes.
        while next < here {
            let Ok(plain) = sealed.open(next, &read_chunk(&mut kept, shape, next)?) else { break };
            verifier.take(&plain).map_err(|_| tampered(Wrong::Length))?;
            next += 1;
        }
        let blob = blob.as_str();
        let gets = (next..shape.chunks()).map(|index| self.get_chunk(domain, blob, index));
        let mut gets = stream::iter(gets).buffered(WINDOW);
        while let Some(bytes) = gets.try_next().await? {
            let plain = sealed.open(next, &bytes).map_err(|wrong| {
                shelf.drop_partial(blob);
                tampered(wrong)
            })?;
            verifier.take(&plain).map_err(tampered)?;
            write_chunk(&mut kept, shape, next, &bytes)?;
            next += 1;
            let done = (u64::from(next) * blob::CHUNK as u64).min(shape.size());
            self.state().files.note(&row.id, done);
            self.tell_file(row, FileState::Coming { done });
        }
        verifier.end(file.digest).map_err(|wrong| {
            shelf.drop_partial(blob);
            tampered(wrong)
        })?;
        shelf.keep_partial(blob, &kept, shape)
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
                FileState::Coming { done: now.unwrap_or_else(|| shelf.came(&blob)) }
            }
        })
    }
}

fn nowhere() -> Failure {
    Failure::new("file-nowhere", "the message does not say where its author keeps the file")
}

fn tampered(wrong: Wrong) -> Failure {
    Failure::new("file-tampered", wrong)
}

/// What trying again would not change.
fn waits_for_person(code: &str) -> bool {
    matches!(code, "file-gone" | "file-tampered" | "file-nowhere" | "file-too-large" | "disk-full" | "not-written")
}
