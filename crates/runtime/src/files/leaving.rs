//! Puts files into the own Node's blob store; when it has all of one, the message goes out. What no Node takes stays here,
//! and its message goes out at once.

use blob::{Descriptor, Place};
use contract::{News, Upload};
use futures_util::{StreamExt, TryStreamExt, stream};
use message::{Address, Domain, MessageType};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Leaving, SLOW_DOWN, WINDOW, file_view, is_at_node};
use crate::home::{Home, State};
use crate::records::kind;
use crate::trouble::{Failure, Outcome};

/// What the Node says of a blob.
#[derive(Deserialize)]
struct Standing {
    missing: Vec<u32>,
}

impl Home {
    /// Puts what the Node lacks of a file, and then says the message.
    pub(super) async fn put_file(&self, blob: &str, leaving: Leaving) -> Outcome<()> {
        let file = Descriptor::parse(&leaving.file).map_err(|error| Failure::new("malformed", error))?;
        if !is_at_node(&file) {
            return self.say_file(blob, &leaving);
        }
        let domain = self.state().me()?.domain();
        match self.put_chunks(&domain, blob, &leaving, &file).await {
            Ok(()) => self.say_file(blob, &leaving),
            // It stays on this device, and whoever gets the message fetches it from here.
            Err(failure) if failure.code == "file-too-large" => self.say_file(blob, &kept_here(leaving, file)),
            Err(failure) if waits_for_person(&failure.code) => self.upload_stops(blob, &failure),
            Err(failure) => Err(failure),
        }
    }

    async fn put_chunks(&self, domain: &Domain, blob: &str, leaving: &Leaving, file: &Descriptor) -> Outcome<()> {
        let shape = file.shape;
        let begin = json!({ "blob": blob, "bytes": shape.sealed_size() });
        let answer = self.ask_blobs(domain, MessageType::Create, &begin).await?;
        let standing = match answer.code.0 {
            200 => serde_json::from_value::<Standing>(answer.value).map_err(|e| Failure::new("malformed", e))?,
            507 => return Err(Failure::new("file-quota", "the Node keeps as much for this person as it may")),
            413 => return Err(Failure::new("file-too-large", "the Node takes no file as large as this")),
            400 | 403 | 404 | 409 => return Err(Failure::new("file-refused", "the Node does not take the file")),
            code => return Err(Failure::new("file-waits", code)),
        };
        let missing: Vec<u32> = standing.missing.into_iter().filter(|index| *index < shape.chunks()).collect();
        let lacking: u64 = missing.iter().filter_map(|index| shape.sealed_length(*index)).map(|n| n as u64).sum();
        let mut done = shape.sealed_size().saturating_sub(lacking);
        self.upload_moved(blob, leaving, done.min(shape.size()));
        let puts = missing.into_iter().map(|index| async move {
            let sealed = self.shelf().chunk(blob, shape, index)?;
            let wish = json!({ "blob": blob, "index": index, "sealed": keys::b64url(&sealed) });
            self.put_chunk(domain, &wish).await?;
            Ok::<_, Failure>(sealed.len() as u64)
        });
        let mut puts = stream::iter(puts).buffer_unordered(WINDOW);
        while let Some(bytes) = puts.try_next().await? {
            done += bytes;
            self.upload_moved(blob, leaving, done.min(shape.size()));
        }
        Ok(())
    }

    async fn put_chunk(&self, domain: &Domain, wish: &Value) -> Outcome<()> {
        loop {
            match self.ask_blobs(domain, MessageType::Update, wish).await?.code.0 {
                200 => return Ok(()),
                429 => tokio::time::sleep(SLOW_DOWN).await,
                413 => return Err(Failure::new("file-too-large", "the Node takes no file as large as this")),
                code => return Err(Failure::new("file-waits", code)),
            }
        }
    }

    /// The Node has it: it becomes a message, and is on its way out no more, both or neither.
    fn say_file(&self, blob: &str, leaving: &Leaving) -> Outcome<()> {
        let mut value = json!({ "type": "file", "file": leaving.file });
        if !leaving.text.is_empty() {
            value["text"] = json!(leaving.text);
        }
        if let Some(to) = &leaving.reply {
            value["reply"] = json!(to);
        }
        if leaving.ends > 0 {
            value["ends"] = json!(leaving.ends);
        }
        let mut state = self.state();
        let said = self.write_child_and(&mut state, &leaving.chat, value, |tx, _| {
            if tx.delete(kind::UPLOAD, blob).map_err(Failure::store)? {
                Ok(())
            } else {
                Err(Failure::new("file-dropped", "the file was given up"))
            }
        });
        match said {
            Ok(_) => self.upload_gone(leaving, blob),
            Err(failure) if failure.code == "file-dropped" => {}
            Err(failure) => {
                drop(state);
                return self.upload_stops(blob, &failure);
            }
        }
        Ok(())
    }

    /// An upload waits until the person says what is to become of it.
    fn upload_stops(&self, blob: &str, failure: &Failure) -> Outcome<()> {
        let mut state = self.state();
        state.files.work.remove(blob);
        let leaving = state.store()?.write(|tx| {
            let Some(leaving) = tx.get::<Leaving>(kind::UPLOAD, blob).map_err(Failure::store)? else { return Ok(None) };
            let leaving = Leaving { trouble: Some(failure.code.clone()), ..leaving };
            tx.put(kind::UPLOAD, blob, &leaving).map_err(Failure::store)?;
            Ok::<_, Failure>(Some(leaving))
        })?;
        if let Some(leaving) = leaving {
            self.tell(News::Upload(self.upload_view(&state, blob, &leaving)?));
        }
        Ok(())
    }

    /// Question `file.resume`.
    pub(crate) fn file_resume(&self, blob: &str) -> Outcome<()> {
        let mut state = self.state();
        let leaving = state.store()?.write(|tx| {
            let leaving = tx.get::<Leaving>(kind::UPLOAD, blob).map_err(Failure::store)?;
            let leaving = Leaving { trouble: None, ..leaving.ok_or_else(|| Failure::unknown("file"))? };
            tx.put(kind::UPLOAD, blob, &leaving).map_err(Failure::store)?;
            Ok::<_, Failure>(leaving)
        })?;
        state.files.rests.remove(blob);
        self.tell(News::Upload(self.upload_view(&state, blob, &leaving)?));
        self.hurry_files(&mut state);
        Ok(())
    }

    /// Question `file.uploads`.
    pub(crate) fn file_uploads(&self, chat: &Address) -> Outcome<Vec<Upload>> {
        let state = self.state();
        let all: Vec<(String, Leaving)> = state.store()?.read(|tx| tx.list(kind::UPLOAD)).map_err(Failure::store)?;
        let mut of_chat: Vec<Upload> = all
            .iter()
            .filter(|(_, leaving)| leaving.chat == *chat)
            .map(|(blob, leaving)| self.upload_view(&state, blob, leaving))
            .collect::<Outcome<_>>()?;
        of_chat.sort_by_key(|upload| upload.at);
        Ok(of_chat)
    }

    pub(super) fn upload_view(&self, state: &State, blob: &str, leaving: &Leaving) -> Outcome<Upload> {
        let file = Descriptor::parse(&leaving.file).map_err(|error| Failure::new("malformed", error))?;
        Ok(Upload {
            file: blob.to_owned(),
            chat: leaving.chat.to_string(),
            view: file_view(&file),
            text: leaving.text.clone(),
            done: state.files.done(blob).unwrap_or(0),
            trouble: leaving.trouble.clone(),
            at: leaving.at,
        })
    }

    fn upload_moved(&self, blob: &str, leaving: &Leaving, done: u64) {
        let mut state = self.state();
        state.files.note(blob, done);
        if let Ok(upload) = self.upload_view(&state, blob, leaving) {
            self.tell(News::Upload(upload));
        }
    }

    pub(super) fn upload_gone(&self, leaving: &Leaving, blob: &str) {
        self.tell(News::UploadGone { chat: leaving.chat.to_string(), file: blob.to_owned() });
    }
}

/// The same file, of which no Node takes anything.
fn kept_here(leaving: Leaving, mut file: Descriptor) -> Leaving {
    for place in &mut file.places {
        if let Place::Node { domain, blob } = place {
            *place = Place::Author { domain: domain.clone(), blob: *blob };
        }
    }
    Leaving { file: file.to_value(), ..leaving }
}

/// What trying again would not change.
fn waits_for_person(code: &str) -> bool {
    matches!(code, "file-quota" | "file-refused" | "file-away" | "malformed")
}
