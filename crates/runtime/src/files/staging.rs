//! Takes files from a shell, part by part, and makes of them what may leave: cleaned, cut, sealed, described.

use std::fs::File;

use blob::{CHUNK, Cutter, Descriptor, FileKey, FileName, Place, SIZE_LIMIT, Shape};
use contract::{FileTicket, Upload};
use message::{Address, Domain};
use pictures::PictureError;
use store::Tx;
use zeroize::Zeroizing;

use super::shelf::write_chunk;
use super::{Gone, Leaving, NODE_LIMIT, look};
use crate::chat::{TEXT_LIMIT, extra_of, fits, is_child_of};
use crate::comparing;
use crate::home::{Home, now_ms};
use crate::records::kind;
use crate::sending::get_object;
use crate::trouble::{Failure, Outcome};

/// Files that may be handed over at the same time.
const STAGED_LIMIT: usize = 4;

/// Bytes of one part.
const PART_LIMIT: usize = CHUNK;

/// A file that is being handed over.
pub(super) struct Staged {
    chat: Address,
    name: FileName,
    media: String,
    size: u64,
    begun: i64,
    bytes: Bytes,
}

/// Where its bytes are.
enum Bytes {
    /// Nothing came yet.
    None,
    /// A picture: it is drawn anew as a whole.
    Picture(Zeroizing<Vec<u8>>),
    /// Anything else is sealed as it comes.
    Cut(Box<Cutting>),
}

/// A file that is sealed as it comes.
pub(super) struct Cutting {
    blob: [u8; 32],
    key: FileKey,
    shape: Shape,
    cutter: Cutter,
    file: File,
    next: u32,
}

/// What is known of a file besides its bytes.
#[derive(Default)]
pub(super) struct About {
    pub(super) media: String,
    pub(super) pixels: Option<(u32, u32)>,
    pub(super) duration_ms: Option<u32>,
    pub(super) wave: Vec<u8>,
    pub(super) preview: Vec<u8>,
}

impl Home {
    /// Question `file.begin`.
    pub(crate) fn file_begin(&self, chat: &Address, name: &str, media: &str, size: u64) -> Outcome<FileTicket> {
        Shape::of(size).map_err(|_| too_large())?;
        let mut state = self.state();
        state.store()?.read(|tx| comparing::may_send(tx, &get_object(tx, chat)?))?;
        if state.files.staged.len() >= STAGED_LIMIT {
            // A shell that went away left it: the oldest makes room.
            let oldest = state.files.staged.iter().min_by_key(|(_, one)| one.begun).map(|(file, _)| file.clone());
            if let Some(file) = oldest {
                self.unstage(&mut state, &file);
            }
        }
        let file = keys::b64url(&keys::random::<16>());
        let staged = Staged {
            chat: chat.clone(),
            name: FileName::of(name),
            media: media.to_owned(),
            size,
            begun: now_ms(),
            bytes: Bytes::None,
        };
        state.files.staged.insert(file.clone(), staged);
        Ok(FileTicket { file, part_bytes: PART_LIMIT as u32 })
    }

    /// Question `file.part`.
    pub(crate) fn file_part(&self, file: &str, data: &str) -> Outcome<()> {
        let bytes = Zeroizing::new(look::from_base64(data, PART_LIMIT)?);
        let shelf = self.shelf();
        let mut state = self.state();
        let staged = state.files.staged.get_mut(file).ok_or_else(|| Failure::unknown("file"))?;
        if matches!(staged.bytes, Bytes::None) {
            staged.bytes = if pictures_head(&bytes) {
                if staged.size > pictures::BYTES_LIMIT as u64 {
                    return Err(picture_trouble(PictureError::TooLarge));
                }
                Bytes::Picture(Zeroizing::default())
            } else {
                Bytes::Cut(Box::new(Cutting::begin(&shelf, staged.size)?))
            };
        }
        match &mut staged.bytes {
            Bytes::Picture(all) if all.len() + bytes.len() <= usize::try_from(staged.size).unwrap_or(0) => {
                all.extend_from_slice(&bytes);
                Ok(())
            }
            Bytes::Cut(cutting) => cutting.take(&bytes),
            _ => Err(wrong_size()),
        }
    }

    /// Question `file.send`.
    pub(crate) async fn file_send(&self, file: &str, text: &str, reply: Option<&str>) -> Outcome<Upload> {
        let text = text.trim();
        if !text.is_empty() && !fits(text) {
            return Err(Failure::new("too-long", format!("a message has at most {TEXT_LIMIT} characters")));
        }
        let staged = self.state().files.staged.remove(file).ok_or_else(|| Failure::unknown("file"))?;
        let Staged { chat, name, media, size, bytes, .. } = staged;
        match bytes {
            Bytes::Picture(all) => {
                if all.len() as u64 != size {
                    return Err(wrong_size());
                }
                let clean = tokio::task::spawn_blocking(move || pictures::clean(&all));
                let clean = clean.await.map_err(|error| Failure::new("picture-damaged", error))?;
                let clean = clean.map_err(picture_trouble)?;
                let about = About {
                    media: clean.kind.media_type().to_owned(),
                    pixels: Some((clean.width, clean.height)),
                    preview: clean.preview,
                    ..About::default()
                };
                let name = with_ending(&name, clean.kind.ending());
                self.send_bytes(&chat, name, &clean.bytes, about, text, reply).await
            }
            Bytes::Cut(cutting) => {
                self.send_cut(&chat, name, *cutting, About { media, ..About::default() }, text, reply).await
            }
            Bytes::None if size == 0 => {
                self.send_bytes(&chat, name, &[], About { media, ..About::default() }, text, reply).await
            }
            Bytes::None => Err(wrong_size()),
        }
    }

    /// Sends bytes that are all in memory.
    pub(super) async fn send_bytes(
        &self,
        chat: &Address,
        name: FileName,
        bytes: &[u8],
        about: About,
        text: &str,
        reply: Option<&str>,
    ) -> Outcome<Upload> {
        if bytes.len() as u64 > NODE_LIMIT {
            return Err(too_large());
        }
        let mut cutting = Cutting::begin(&self.shelf(), bytes.len() as u64)?;
        cutting.take(bytes)?;
        self.send_cut(chat, name, cutting, about, text, reply).await
    }

    async fn send_cut(
        &self,
        chat: &Address,
        name: FileName,
        cutting: Cutting,
        about: About,
        text: &str,
        reply: Option<&str>,
    ) -> Outcome<Upload> {
        let shelf = self.shelf();
        let blob = keys::b64url(&cutting.blob);
        let kept = match self.chat_to_write(chat).await {
            Ok(chat) => self.keep_upload(&chat, name, cutting, about, text, reply),
            Err(failure) => Err(failure),
        };
        if kept.is_err() {
            // What is not going to be sent does not stay.
            shelf.remove(&blob)?;
        }
        kept
    }

    fn keep_upload(
        &self,
        chat: &Address,
        name: FileName,
        cutting: Cutting,
        about: About,
        text: &str,
        reply: Option<&str>,
    ) -> Outcome<Upload> {
        let domain = self.state().me()?.domain();
        let (blob, descriptor, file) = cutting.end(domain, name, about)?;
        self.shelf().keep_staged(&blob, &file)?;
        let mut state = self.state();
        let leaving = state.store()?.write(|tx| {
            comparing::may_send(tx, &get_object(tx, chat)?)?;
            let leaving = Leaving {
                chat: chat.clone(),
                file: descriptor.to_value(),
                text: text.to_owned(),
                reply: reply.filter(|id| is_child_of(id, chat)).map(str::to_owned),
                ends: extra_of(tx, chat)?.timer(),
                at: now_ms(),
                trouble: None,
            };
            tx.put(kind::UPLOAD, &blob, &leaving).map_err(Failure::store)?;
            Ok::<_, Failure>(leaving)
        })?;
        self.hurry_files(&mut state);
        self.upload_view(&state, &blob, &leaving)
    }

    /// Question `file.drop`.
    pub(crate) fn file_drop(&self, file: &str) -> Outcome<()> {
        let mut state = self.state();
        if state.files.staged.contains_key(file) {
            self.unstage(&mut state, file);
            return Ok(());
        }
        state.files.stop(file);
        let domain = state.me()?.domain();
        let leaving = state.store()?.write(|tx| {
            let leaving = tx.get::<Leaving>(kind::UPLOAD, file).map_err(Failure::store)?;
            let leaving = leaving.ok_or_else(|| Failure::unknown("file"))?;
            give_up(tx, file, Some(domain))?;
            Ok::<_, Failure>(leaving)
        })?;
        self.upload_gone(&leaving, file);
        self.hurry_files(&mut state);
        Ok(())
    }

    fn unstage(&self, state: &mut crate::home::State, file: &str) {
        if let Some(Staged { bytes: Bytes::Cut(cutting), .. }) = state.files.staged.remove(file)
            && self.shelf().remove(&keys::b64url(&cutting.blob)).is_err()
        {
            tracing::info!("a file that was not sent is thrown away at the next start");
        }
    }
}

/// An upload goes, with all that came of it.
fn give_up(tx: &Tx<'_>, blob: &str, node: Option<Domain>) -> Outcome<()> {
    tx.delete(kind::UPLOAD, blob).map_err(Failure::store)?;
    tx.put(kind::GONE, blob, &Gone { node }).map_err(Failure::store)
}

impl Cutting {
    pub(super) fn begin(shelf: &super::Shelf, size: u64) -> Outcome<Self> {
        let (blob, key) = (keys::random::<32>(), FileKey::generate());
        let shape = Shape::of(size).map_err(|_| too_large())?;
        let file = shelf.stage(&keys::b64url(&blob))?;
        Ok(Self { blob, cutter: Cutter::new(&key, shape), key, shape, file, next: 0 })
    }

    pub(super) fn take(&mut self, bytes: &[u8]) -> Outcome<()> {
        let chunks = self.cutter.take(bytes).map_err(|_| wrong_size())?;
        chunks.iter().try_for_each(|chunk| self.put(chunk))
    }

    fn put(&mut self, sealed: &[u8]) -> Outcome<()> {
        write_chunk(&mut self.file, self.shape, self.next, sealed)?;
        self.next += 1;
        Ok(())
    }

    /// The name of its blob.
    pub(super) fn blob(&self) -> String {
        keys::b64url(&self.blob)
    }

    /// The end of the file: the name of its blob, and what will be said of it.
    pub(super) fn end(mut self, domain: Domain, name: FileName, about: About) -> Outcome<(String, Descriptor, File)> {
        let empty = Cutter::new(&self.key, self.shape);
        let (digest, only) = std::mem::replace(&mut self.cutter, empty).end().map_err(|_| wrong_size())?;
        if let Some(chunk) = only {
            self.put(&chunk)?;
        }
        let descriptor = Descriptor {
            key: self.key,
            shape: self.shape,
            digest,
            media_type: about.media,
            name,
            pixels: about.pixels,
            duration_ms: about.duration_ms,
            wave: about.wave,
            preview: about.preview,
            places: vec![if self.shape.size() > NODE_LIMIT {
                Place::Author { domain, blob: self.blob }
            } else {
                Place::Node { domain, blob: self.blob }
            }],
        };
        Ok((keys::b64url(&self.blob), descriptor, self.file))
    }
}

/// Whether a file begins like a picture of a kind that is drawn anew.
fn pictures_head(bytes: &[u8]) -> bool {
    pictures::kind_of(bytes).is_some()
}

/// The name of a picture that may have become one of another kind.
fn with_ending(name: &FileName, ending: &str) -> FileName {
    let text = name.as_str();
    let same = |had: &str| had.eq_ignore_ascii_case(ending) || (ending == "jpg" && had.eq_ignore_ascii_case("jpeg"));
    match text.rsplit_once('.') {
        Some((_, had)) if same(had) => name.clone(),
        Some((stem, had)) if had.len() <= 5 && !stem.is_empty() => FileName::of(&format!("{stem}.{ending}")),
        _ => FileName::of(&format!("{text}.{ending}")),
    }
}

fn picture_trouble(error: PictureError) -> Failure {
    let code = match error {
        PictureError::TooLarge => "picture-too-large",
        PictureError::Unknown | PictureError::Damaged => "picture-damaged",
    };
    Failure::new(code, error)
}

fn too_large() -> Failure {
    Failure::new("file-too-large", format!("a file has at most {SIZE_LIMIT} bytes"))
}

fn wrong_size() -> Failure {
    Failure::new("file-changed", "the file does not have the size that was said")
}
