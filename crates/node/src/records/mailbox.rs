//! Messages kept for a recipient until his device has confirmed them.

use message::{Address, Body, Message, MessageType};
use rusqlite::{OptionalExtension, params};

use super::{Records, RecordsError};
use crate::limits::{MAILBOX_BYTES, MAILBOX_MESSAGES};

/// A kept message, under its delivery number.
#[derive(Debug, Clone)]
pub struct Kept {
    /// As it will be delivered; its id is the delivery number.
    pub message: Message,
}

/// The inbox is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailboxFull;

impl Records {
    /// Keeps a message under its delivery number (`message.id`) until then.
    pub fn keep(&self, message: &Message, until_ms: i64) -> Result<Result<(), MailboxFull>, RecordsError> {
        let inbox = message.to.as_str();
        let length = message.body.as_str().len() as u64;
        let (messages, bytes) = self.mailbox_use(inbox)?;
        if messages >= MAILBOX_MESSAGES || bytes + length > MAILBOX_BYTES {
            return Ok(Err(MailboxFull));
        }
        self.put_mail(message.id, &message.to, message.from.as_str(), message.body.as_str(), until_ms)?;
        Ok(Ok(()))
    }

    /// Keeps a message without looking at the quota.
    pub(super) fn put_mail(
        &self,
        id: u64,
        inbox: &Address,
        sender: &str,
        body: &str,
        until_ms: i64,
    ) -> Result<(), RecordsError> {
        let added = self
            .db
            .prepare_cached("INSERT OR IGNORE INTO mailbox(id, inbox, sender, body, until) VALUES(?1, ?2, ?3, ?4, ?5)")?
            .execute(params![id, inbox.as_str(), sender, body, until_ms])?;
        if added == 1 {
            let (messages, bytes) = self.mailbox_use(inbox.as_str())?;
            self.note_use(inbox.as_str(), messages + 1, bytes + body.len() as u64)?;
        }
        Ok(())
    }

    /// The inbox in which a message waits.
    pub(super) fn inbox_of_mail(&self, id: u64) -> Result<Option<String>, RecordsError> {
        let mut ask = self.db.prepare_cached("SELECT inbox FROM mailbox WHERE id=?1")?;
        Ok(ask.query_row([id], |row| row.get(0)).optional()?)
    }

    /// The highest delivery number that waits anywhere.
    pub fn highest_delivery(&self) -> Result<u64, RecordsError> {
        Ok(self.db.query_row("SELECT coalesce(max(id), 0) FROM mailbox", [], |row| row.get(0))?)
    }

    /// Up to `limit` kept messages of an inbox with delivery numbers above `after`, in order.
    pub fn kept_after(
        &self,
        inbox: &Address,
        after: u64,
        limit: usize,
        now_ms: i64,
    ) -> Result<Vec<Kept>, RecordsError> {
        let mut ask = self.db.prepare_cached(
            "SELECT id, sender, body FROM mailbox WHERE inbox=?1 AND id>?2 AND until>?4 ORDER BY id LIMIT ?3",
        )?;
        let rows = ask.query_map(params![inbox.as_str(), after, limit, now_ms], |row| {
            Ok((row.get::<_, u64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
        })?;
        rows.map(|row| {
            let (id, sender, body) = row?;
            let from = Address::parse(&sender).map_err(|_| RecordsError::Corrupt("address"))?;
            let body = Body::from_json(&body).map_err(|_| RecordsError::Corrupt("message"))?;
            Ok(Kept { message: Message { id, kind: MessageType::Create, from, to: inbox.clone(), body } })
        })
        .collect()
    }

    /// Deletes a message its recipient has confirmed.
    pub fn confirmed(&self, inbox: &Address, id: u64) -> Result<(), RecordsError> {
        let length: Option<u64> = self
            .db
            .prepare_cached("DELETE FROM mailbox WHERE id=?1 AND inbox=?2 RETURNING length(CAST(body AS BLOB))")?
            .query_row(params![id, inbox.as_str()], |row| row.get(0))
            .optional()?;
        if let Some(length) = length {
            let (messages, bytes) = self.mailbox_use(inbox.as_str())?;
            self.note_use(inbox.as_str(), messages.saturating_sub(1), bytes.saturating_sub(length))?;
        }
        Ok(())
    }

    /// Deletes what is too old; says how many.
    pub fn expire_mail(&self, now_ms: i64) -> Result<usize, RecordsError> {
        let mut delete = self
            .db
            .prepare_cached("DELETE FROM mailbox WHERE until<=?1 RETURNING inbox, length(CAST(body AS BLOB))")?;
        let gone = delete.query_map([now_ms], |row| Ok((row.get::<_, String>(0)?, row.get::<_, u64>(1)?)))?;
        let gone = gone.collect::<Result<Vec<_>, _>>()?;
        for (inbox, length) in &gone {
            let (messages, bytes) = self.mailbox_use(inbox)?;
            self.note_use(inbox, messages.saturating_sub(1), bytes.saturating_sub(*length))?;
        }
        Ok(gone.len())
    }

    fn mailbox_use(&self, inbox: &str) -> Result<(u64, u64), RecordsError> {
        let mut ask = self.db.prepare_cached("SELECT messages, bytes FROM mailbox_use WHERE inbox=?1")?;
        let found = ask.query_row([inbox], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        Ok(found.unwrap_or((0, 0)))
    }

    fn note_use(&self, inbox: &str, messages: u64, bytes: u64) -> Result<(), RecordsError> {
        self.db
            .prepare_cached("INSERT INTO mailbox_use(inbox, messages, bytes) VALUES(?1, ?2, ?3) ON CONFLICT(inbox) DO UPDATE SET messages=?2, bytes=?3")?
            .execute(params![inbox, messages, bytes])?;
        Ok(())
    }
}
