//! Files in conversations: handed over by a shell, sealed, put into the own Node's blob store, fetched from there or from
//! the author's device itself, checked, shown.
//!
//! What lies on disk here are the very chunks that lie at the Node: sealed, under a key that stands in the message
//! alone. A plain file is in memory while it is looked at, and on disk only where the person saves it. What is to be
//! done — put, fetch, take away — stands in the store until it is done, so a restart goes on where it was.

mod carry;
mod coming;
mod direct;
mod leaving;
mod look;
mod shelf;
mod staging;
mod taking;
mod voice;

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use blob::{Descriptor, Place};
use contract::{FileKind, FileNews, FileState, FileView, News};
use message::{Address, Domain, MessageType, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{ChildRow, Tx};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::chat::{Attached, Body};
use crate::home::{Home, State, body, now_ms};
use crate::records::{ChildValue, kind};
use crate::trouble::{Failure, Outcome};
pub(crate) use carry::{Brought, absent, plain};
pub(crate) use direct::{PART, Speaker, Word, on_word};
pub(crate) use look::base64;
pub(crate) use shelf::{Shelf, failed};
use staging::Staged;

/// Largest file that goes through a Node.
pub(crate) const NODE_LIMIT: u64 = 64 * 1024 * 1024;

/// Pictures and voice notes up to this size are fetched without being asked for.
const FETCH_LIMIT: u64 = 4 * 1024 * 1024;

/// The longest side of a small picture that stands in a message.
const PREVIEW_SIDE: u32 = 64;

/// Files under way at the same time, in each direction.
const AT_ONCE: usize = 2;

/// Chunks that are asked for before the first of them is answered.
const WINDOW: usize = 4;

/// How often it is looked what is to be done.
const LOOK_EVERY_MS: i64 = 500;

/// How long a file rests after it did not go on, at first and at most.
const REST_MS: (i64, i64) = (500, 60_000);

/// How long is waited when a Node has given as much as it may in a moment.
const SLOW_DOWN: std::time::Duration = std::time::Duration::from_secs(1);

/// What of files is only in memory.
#[derive(Default)]
pub(crate) struct Files {
    /// Files that shells are handing over.
    staged: HashMap<String, Staged>,
    /// A voice note that is being recorded.
    voice: Option<voice::Recording>,
    /// The voice note that is played, made ready for a window.
    sound: Option<(String, Zeroizing<Vec<u8>>)>,
    /// What is under way.
    work: HashMap<String, Work>,
    /// What comes when a device of its author is there, by message.
    awaited: HashSet<String>,
    /// The connections from device to device.
    direct: direct::Direct,
    /// What did not go on: not before this moment, and how long the next rest is.
    rests: HashMap<String, (i64, i64)>,
    looked_at: i64,
    left_behind: LeftBehind,
}

/// From before when files that a shell began to hand over are of an earlier run; nothing once those were thrown away.
struct LeftBehind(Option<SystemTime>);

impl Default for LeftBehind {
    fn default() -> Self {
        Self(Some(SystemTime::now()))
    }
}

/// One file under way.
struct Work {
    coming: bool,
    done: u64,
    /// Whether it comes from the author's device itself.
    directly: bool,
    stop: CancellationToken,
}

/// A file on its way out, by the name of its blob.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Leaving {
    chat: Address,
    /// The description, as it will stand in the message.
    file: Value,
    text: String,
    reply: Option<String>,
    ends: u32,
    at: i64,
    /// Why it waits for the person.
    trouble: Option<String>,
}

/// A file that is to be fetched, by its message.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Wanted {
    /// Why it waits for the person.
    trouble: Option<String>,
}

/// A file that is to be taken away, by the name of its blob.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Gone {
    /// The Node that keeps it for us.
    node: Option<Domain>,
}

/// A message that carries a file.
struct Carried {
    row: ChildRow,
    attached: Box<Attached>,
}

/// The name of a file's blob, and the domain of its author.
fn place_of(file: &Descriptor) -> Option<(&Domain, String)> {
    let (Place::Node { domain, blob } | Place::Author { domain, blob }) = file.places.first()?;
    Some((domain, keys::b64url(blob)))
}

/// Whether a Node keeps it, beside the devices of its author.
fn is_at_node(file: &Descriptor) -> bool {
    matches!(file.places.first(), Some(Place::Node { .. }))
}

/// A file as a shell sees it.
pub(crate) fn file_view(file: &Descriptor) -> FileView {
    let shown = matches!(file.media_type.as_str(), "image/png" | "image/jpeg" | "image/gif" | "image/webp");
    let kind = if shown && file.pixels.is_some() {
        FileKind::Picture
    } else if file.media_type == voice::MEDIA_TYPE && file.duration_ms.is_some() {
        FileKind::Voice
    } else {
        FileKind::Other
    };
    let preview = (kind == FileKind::Picture && pictures::is_small_jpeg(&file.preview, PREVIEW_SIDE))
        .then(|| look::base64(&file.preview));
    FileView {
        kind,
        name: file.name.as_str().to_owned(),
        size: file.shape.size(),
        width: file.pixels.map(|(width, _)| width),
        height: file.pixels.map(|(_, height)| height),
        duration_ms: file.duration_ms,
        wave: file.wave.clone(),
        preview,
    }
}

/// A message with a file came: small pictures and voice notes are fetched at once.
pub(crate) fn came(tx: &Tx<'_>, row: &ChildRow, file: &Descriptor) -> Outcome<()> {
    // Of what only the author's device has, an address would be shown that nobody asked to show.
    let small = file_view(file).kind != FileKind::Other && file.shape.size() <= FETCH_LIMIT && is_at_node(file);
    if small {
        tx.put(kind::DOWNLOAD, &row.id, &Wanted::default()).map_err(Failure::store)?;
    }
    Ok(())
}

/// A message goes: so does its file, here and at the Node. To be called before its words are taken out.
pub(crate) fn forget(tx: &Tx<'_>, row: &ChildRow) -> Outcome<()> {
    let Some(attached) = attached_of(row) else { return Ok(()) };
    tx.delete(kind::DOWNLOAD, &row.id).map_err(Failure::store)?;
    if let Some((domain, blob)) = place_of(&attached.file) {
        // What came with a history was never put anywhere.
        let ours = row.mine && !crate::archives::is_imported(&row.object) && is_at_node(&attached.file);
        let node = ours.then(|| domain.clone());
        tx.put(kind::GONE, &blob, &Gone { node }).map_err(Failure::store)?;
    }
    Ok(())
}

fn attached_of(row: &ChildRow) -> Option<Box<Attached>> {
    let child: ChildValue = serde_json::from_str(&row.value).ok()?;
    match Body::parse(&child.value, &Address::parse(&row.object).ok()?) {
        Body::File(attached) if !child.after.is_deleted() => Some(attached),
        _ => None,
    }
}

impl State {
    /// The message with a file.
    fn carried(&self, message: &str) -> Outcome<Carried> {
        let row = self.store()?.read(|tx| tx.child(message)).map_err(Failure::store)?;
        let row = row.filter(|row| !row.hidden).ok_or_else(|| Failure::unknown("message"))?;
        let attached = attached_of(&row).ok_or_else(|| Failure::new("no-file", "the message carries no file"))?;
        Ok(Carried { row, attached })
    }
}

impl Home {
    pub(crate) fn shelf(&self) -> Shelf {
        Shelf::at(self.rooms.config.profile_dir.join("files"))
    }

    /// Looks what is to be done with files, and begins it. Called several times a second.
    pub(crate) fn work_on_files(&self, now: i64) {
        let mut state = self.state();
        if state.me.is_none() || (now - state.files.looked_at).abs() < LOOK_EVERY_MS {
            return;
        }
        state.files.looked_at = now;
        if let Err(failure) = self.begin_file_work(&mut state, now) {
            tracing::warn!(code = failure.code, "files could not be looked after");
        }
    }

    /// What was just queued begins without waiting for the next look.
    fn hurry_files(&self, state: &mut State) {
        state.files.looked_at = 0;
        let now = now_ms();
        if let Err(failure) = self.begin_file_work(state, now) {
            tracing::warn!(code = failure.code, "files could not be looked after");
        }
    }

    fn begin_file_work(&self, state: &mut State, now: i64) -> Outcome<()> {
        if let Some(begun) = state.files.left_behind.0.take() {
            self.shelf().sweep(begun);
        }
        let (leaving, coming, gone) = state.store()?.read(|tx| {
            Ok::<_, Failure>((
                tx.list::<Leaving>(kind::UPLOAD)?,
                tx.list::<Wanted>(kind::DOWNLOAD)?,
                tx.list::<Gone>(kind::GONE)?,
            ))
        })?;
        for (blob, one) in gone {
            if let Some(token) = state.files.begin(&blob, false, now, usize::MAX) {
                let home = self.clone();
                self.file_task(blob.clone(), token, async move { home.take_away(&blob, one).await });
            }
        }
        for (blob, one) in leaving.into_iter().filter(|(_, one)| one.trouble.is_none()) {
            if let Some(token) = state.files.begin(&blob, false, now, AT_ONCE) {
                let home = self.clone();
                self.file_task(blob.clone(), token, async move { home.put_file(&blob, one).await });
            }
        }
        state.files.stop_unwanted(&coming);
        for (message, _) in coming.into_iter().filter(|(_, one)| one.trouble.is_none()) {
            if let Some(token) = state.files.begin(&message, true, now, AT_ONCE) {
                let home = self.clone();
                self.file_task(message.clone(), token, async move { home.fetch_file(&message).await });
            }
        }
        Ok(())
    }

    /// Runs until it is done, stopped or has to rest.
    fn file_task(
        &self,
        name: String,
        stop: CancellationToken,
        work: impl Future<Output = Outcome<()>> + Send + 'static,
    ) {
        let home = self.clone();
        self.rooms.tasks.start("file", async move {
            let ended = stop.run_until_cancelled(work).await;
            let mut state = home.state();
            if !stop.is_cancelled() {
                state.files.work.remove(&name);
            }
            match ended {
                Some(Err(failure)) => {
                    tracing::debug!(code = failure.code, "a file waits");
                    state.files.rest(&name, now_ms());
                }
                Some(Ok(())) => {
                    state.files.rests.remove(&name);
                    // There may be room for the next one now.
                    state.files.looked_at = 0;
                }
                None => {}
            }
        });
    }

    /// Says something to a Node's blob store.
    async fn ask_blobs(&self, domain: &Domain, kind: MessageType, wish: &Value) -> Outcome<Response> {
        self.ask_node(domain, kind, &format!("domain://blobs.{domain}"), body(wish)).await
    }

    /// A message is gone: first its file here, then the one at the Node.
    async fn take_away(&self, blob: &str, gone: Gone) -> Outcome<()> {
        self.shelf().remove(blob)?;
        if let Some(domain) = &gone.node {
            let answer = self.ask_blobs(domain, MessageType::Delete, &json!({ "blob": blob })).await?;
            // What is not there, or was never ours to take away, need not be taken away.
            if !answer.code.is_success() && !matches!(answer.code.0, 400 | 403 | 404) {
                return Err(Failure::new("file-waits", "the Node could not take the file away now"));
            }
        }
        let state = self.state();
        state.store()?.write(|tx| tx.delete(kind::GONE, blob)).map_err(Failure::store)?;
        Ok(())
    }

    fn tell_file(&self, row: &ChildRow, state: FileState) {
        self.tell(News::File(FileNews { chat: row.object.clone(), message: row.id.clone(), state }));
    }
}

impl Files {
    /// Takes a place for a file's work, if there is one and it need not rest.
    fn begin(&mut self, name: &str, coming: bool, now: i64, most: usize) -> Option<CancellationToken> {
        let resting = self.rests.get(name).is_some_and(|(until, _)| *until > now);
        let busy = self.work.values().filter(|work| work.coming == coming).count();
        if resting || busy >= most || self.work.contains_key(name) {
            return None;
        }
        let stop = CancellationToken::new();
        self.work.insert(name.to_owned(), Work { coming, done: 0, directly: false, stop: stop.clone() });
        Some(stop)
    }

    /// Lets a file rest, twice as long each time.
    fn rest(&mut self, name: &str, now: i64) {
        let (_, pause) = self.rests.get(name).copied().unwrap_or((0, REST_MS.0));
        self.rests.insert(name.to_owned(), (now + pause, (pause * 2).min(REST_MS.1)));
    }

    fn stop(&mut self, name: &str) {
        self.rests.remove(name);
        self.awaited.remove(name);
        if let Some(work) = self.work.remove(name) {
            work.stop.cancel();
        }
    }

    /// Something changed for files that could not go on: it is looked at once which can now.
    fn wake(&mut self) {
        self.rests.clear();
        self.looked_at = 0;
    }

    /// Stops what comes for messages that went meanwhile: their files are wanted no more.
    fn stop_unwanted(&mut self, wanted: &[(String, Wanted)]) {
        let is_wanted = |name: &String| wanted.iter().any(|(message, _)| message == name);
        let coming = self.work.iter().filter(|(name, work)| work.coming && !is_wanted(name));
        let unwanted: Vec<String> = coming.map(|(name, _)| name.clone()).collect();
        unwanted.iter().for_each(|name| self.stop(name));
    }

    fn done(&self, name: &str) -> Option<u64> {
        self.work.get(name).map(|work| work.done)
    }

    fn comes_directly(&self, name: &str) -> bool {
        self.work.get(name).is_some_and(|work| work.directly)
    }

    /// More of a file came, this way.
    fn note_coming(&mut self, name: &str, done: u64, directly: bool) {
        self.awaited.remove(name);
        if let Some(work) = self.work.get_mut(name) {
            (work.done, work.directly) = (done, directly);
        }
    }

    fn note(&mut self, name: &str, done: u64) {
        if let Some(work) = self.work.get_mut(name) {
            work.done = done;
        }
    }
}
