//! The blob store: sealed chunks of files, put by the domain's people, given to whoever knows their name.

use message::{Code, Message, MessageType, Response};
use serde::Deserialize;
use serde_json::json;

use super::accounts::{Refused, Trouble};
use super::session::Role;
use super::{Exchange, SessionId};
use crate::limits::{
    BLOB_AGE_MS, BLOB_BYTES, BLOB_CHUNK_BYTES, BLOB_CHUNK_OVERHEAD, BLOB_UNFINISHED_MS, BLOBS_PER_ACCOUNT,
};
use crate::records::Blob;

/// 32 bytes as base64url.
const NAME_LENGTH: usize = 43;

#[derive(Deserialize)]
struct Begin {
    blob: String,
    bytes: u64,
}

#[derive(Deserialize)]
struct Put {
    blob: String,
    index: u32,
    sealed: String,
}

#[derive(Deserialize)]
struct Get {
    blob: String,
    #[serde(default)]
    index: Option<u32>,
}

impl Exchange {
    pub(super) fn on_blob(
        &mut self,
        id: SessionId,
        message: &Message,
        now_ms: i64,
    ) -> Result<(), crate::records::RecordsError> {
        let outcome = match message.kind {
            MessageType::Create => self.begin_blob(id, message, now_ms),
            MessageType::Update => self.put_chunk(id, message, now_ms),
            MessageType::Read => self.get_blob(id, message, now_ms),
            MessageType::Delete => self.drop_blob(id, message, now_ms),
            _ => Err(Refused(Code::BAD_REQUEST, "a blob is created, updated, read or deleted").into()),
        };
        self.answer_outcome(id, message, outcome)
    }

    /// The account of a member's session; visitors only read.
    fn keeper(&self, id: SessionId) -> Result<String, Refused> {
        let proven = self.proven(id).ok_or(Refused(Code::UNAUTHORIZED, "no session"))?;
        match (&proven.user, proven.role) {
            (Some(name), Role::Member) => Ok(name.clone()),
            _ => Err(Refused(Code::FORBIDDEN, "only the domain's own people put blobs here")),
        }
    }

    fn begin_blob(&mut self, id: SessionId, message: &Message, now_ms: i64) -> Result<Response, Trouble> {
        let name = self.keeper(id)?;
        let begin: Begin = message.body.parse().map_err(|_| Refused(Code::BAD_REQUEST, "name a blob and its bytes"))?;
        check_name(&begin.blob)?;
        if let Some(known) = self.records.blob(&begin.blob, now_ms)? {
            // The same wish again, after an answer that was lost.
            return if known.name == name && known.bytes == begin.bytes {
                Ok(self.described(&begin.blob, &known)?)
            } else {
                Err(Refused(Code::CONFLICT, "that name is taken").into())
            };
        }
        let most = BLOB_BYTES.min(self.limits.blob_bytes_per_account);
        if begin.bytes < BLOB_CHUNK_OVERHEAD || begin.bytes > most {
            return Err(Refused(Code::TOO_LARGE, "a blob is not as large as that").into());
        }
        let (blobs, bytes) = self.records.blob_use(&name)?;
        if blobs >= BLOBS_PER_ACCOUNT || bytes + begin.bytes > self.limits.blob_bytes_per_account {
            return Err(Refused(Code::INSUFFICIENT_STORAGE, "this person keeps as much as they may").into());
        }
        // Whatever is left of an older one under this name is not this one's.
        self.records.delete_blob(&begin.blob)?;
        let blob = Blob { name, bytes: begin.bytes, until: now_ms + BLOB_UNFINISHED_MS };
        self.records.add_blob(&begin.blob, &blob)?;
        Ok(self.described(&begin.blob, &blob)?)
    }

    fn put_chunk(&mut self, id: SessionId, message: &Message, now_ms: i64) -> Result<Response, Trouble> {
        let name = self.keeper(id)?;
        let put: Put = message.body.parse().map_err(|_| Refused(Code::BAD_REQUEST, "name a chunk and its bytes"))?;
        check_name(&put.blob)?;
        let none = Refused(Code::NOT_FOUND, "no such blob");
        let blob = self.records.blob(&put.blob, now_ms)?.filter(|blob| blob.name == name).ok_or(none)?;
        let length = chunk_length(blob.bytes, put.index).ok_or(Refused(Code::BAD_REQUEST, "no such chunk"))?;
        if !keys::from_b64url(&put.sealed).is_ok_and(|bytes| bytes.len() as u64 == length) {
            return Err(Refused(Code::BAD_REQUEST, "the chunk does not have the length of its place").into());
        }
        if self.records.add_chunk(&put.blob, put.index, &put.sealed)? {
            self.stats.blob_chunks_put += 1;
        }
        if self.records.chunks_here(&put.blob)?.len() as u64 == chunks_of(blob.bytes) {
            self.records.keep_blob(&put.blob, now_ms + BLOB_AGE_MS)?;
        }
        Ok(Response::code(Code::OK))
    }

    fn get_blob(&mut self, id: SessionId, message: &Message, now_ms: i64) -> Result<Response, Trouble> {
        let get: Get = message.body.parse().map_err(|_| Refused(Code::BAD_REQUEST, "name a blob"))?;
        check_name(&get.blob)?;
        let blob = self.records.blob(&get.blob, now_ms)?.ok_or(Refused(Code::NOT_FOUND, "no such blob"))?;
        let Some(index) = get.index else { return Ok(self.described(&get.blob, &blob)?) };
        let sealed = self.records.chunk(&get.blob, index)?.ok_or(Refused(Code::NOT_FOUND, "no such chunk"))?;
        // What is given counts like what is taken.
        let limits = &self.limits;
        let session = self.sessions.get_mut(&id).ok_or(Refused(Code::UNAUTHORIZED, "no session"))?;
        if !session.bytes.take(sealed.len() as f64, limits.bytes_per_second, limits.byte_burst, now_ms) {
            self.stats.limited += 1;
            return Err(Refused(Code::TOO_MANY, "more than this session may read").into());
        }
        self.stats.blob_chunks_got += 1;
        Ok(Response::ok(json!({ "sealed": sealed })))
    }

    fn drop_blob(&mut self, id: SessionId, message: &Message, now_ms: i64) -> Result<Response, Trouble> {
        let name = self.keeper(id)?;
        let get: Get = message.body.parse().map_err(|_| Refused(Code::BAD_REQUEST, "name a blob"))?;
        check_name(&get.blob)?;
        let none = Refused(Code::NOT_FOUND, "no such blob");
        self.records.blob(&get.blob, now_ms)?.filter(|blob| blob.name == name).ok_or(none)?;
        self.records.delete_blob(&get.blob)?;
        Ok(Response::code(Code::OK))
    }

    fn described(&self, id: &str, blob: &Blob) -> Result<Response, crate::records::RecordsError> {
        let here = self.records.chunks_here(id)?;
        let all = 0..u32::try_from(chunks_of(blob.bytes)).unwrap_or(u32::MAX);
        let missing: Vec<u32> = all.filter(|index| here.binary_search(index).is_err()).collect();
        Ok(Response::ok(json!({ "bytes": blob.bytes, "missing": missing, "until": blob.until })))
    }
}

fn check_name(id: &str) -> Result<(), Refused> {
    let sound = id.len() == NAME_LENGTH && keys::from_b64url(id).is_ok_and(|bytes| bytes.len() == 32);
    if sound { Ok(()) } else { Err(Refused(Code::BAD_REQUEST, "a blob's name is 32 random bytes")) }
}

/// How many chunks so many bytes are; never more than [`BLOB_BYTES`] gives.
fn chunks_of(bytes: u64) -> u64 {
    bytes.div_ceil(BLOB_CHUNK_BYTES).max(1)
}

/// Bytes of one chunk: all have the same but the last.
fn chunk_length(bytes: u64, index: u32) -> Option<u64> {
    let last = chunks_of(bytes) - 1;
    match u64::from(index) {
        index if index < last => Some(BLOB_CHUNK_BYTES),
        index if index == last => Some(bytes - last * BLOB_CHUNK_BYTES),
        _ => None,
    }
}
