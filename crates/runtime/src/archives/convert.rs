//! What a row says as a line of an archive, and what a line says as a row. Pure.
//!
//! A line is read as hostile as what a peer sends: it becomes a child and what was said about it by the very code that
//! judges both when they come sealed, or it is nothing.

use archive::{Answer, Attachment, Message, Poll, Reaction};
use blob::Descriptor;
use contract::TrustMark;
use message::{Address, UserAddress};
use serde_json::{Value, json};
use store::{ChildRow, ChildState};

use crate::chat::{Act, After, Body, Stamp, is_emoji};
use crate::members::{author_user, row_author};
use crate::records::ChildValue;
use crate::trouble::{Failure, Outcome};

/// How the device is called that numbers what was brought.
const TAG: &str = "imported";

/// What a row says, with its file; nothing of what ends by itself, and of lines that nobody wrote.
pub(super) fn told(row: &ChildRow) -> Option<(Message, Option<Descriptor>)> {
    if row.hidden || row.ends.is_some() {
        return None;
    }
    let child: ChildValue = serde_json::from_str(&row.value).ok()?;
    let author = handle(author_user(&row.author))?;
    let bare = Message { id: row.id.clone(), author, at: row.at, ..Message::default() };
    let after = &child.after;
    if after.is_deleted() {
        return Some((Message { deleted: true, ..bare }, None));
    }
    let bare = Message {
        edited: after.words().is_some(),
        reactions: after
            .reactions()
            .into_iter()
            .map(|(emoji, who)| Reaction { emoji: emoji.to_owned(), who: who.into_iter().filter_map(handle).collect() })
            .collect(),
        ..bare
    };
    match Body::parse(&child.value, &Address::parse(&row.object).ok()?) {
        Body::Text(said) if said.ends_after == 0 => {
            let text = after.words().unwrap_or(&said.text).to_owned();
            Some((Message { text, reply: said.reply, forwarded: said.forwarded, ..bare }, None))
        }
        Body::File(attached) if attached.said.ends_after == 0 => {
            let said = attached.said;
            let text = after.words().unwrap_or(&said.text).to_owned();
            let file = Some(attachment(&attached.file));
            let message = Message { text, file, reply: said.reply, forwarded: said.forwarded, ..bare };
            Some((message, Some(attached.file)))
        }
        Body::Poll { poll, ends_after: 0 } => {
            let votes: Vec<(&str, &[u8])> = after.votes().all().collect();
            let options = poll.options.iter().enumerate().map(|(at, text)| {
                let chose = votes
                    .iter()
                    .enumerate()
                    .filter(|(_, (_, choices))| choices.iter().any(|choice| usize::from(*choice) == at));
                // Of a poll that shows no names none leaves with the file either.
                let who = chose.filter_map(|(number, (who, _))| {
                    if poll.hidden { Some(format!("voter-{number}@hidden.invalid")) } else { handle(who) }
                });
                Answer { text: text.clone(), who: who.collect() }
            });
            let (several, hidden, closed) = (poll.several, poll.hidden, after.votes().is_closed());
            let poll = Poll { question: poll.question.clone(), options: options.collect(), several, hidden, closed };
            Some((Message { poll: Some(poll), edited: false, ..bare }, None))
        }
        _ => None,
    }
}

fn attachment(file: &Descriptor) -> Attachment {
    Attachment {
        path: None,
        name: file.name.as_str().to_owned(),
        media: file.media_type.clone(),
        size: file.shape.size(),
        digest: keys::b64url(&file.digest.0),
        pixels: file.pixels,
        duration_ms: file.duration_ms,
        wave: keys::b64url(&file.wave),
        preview: keys::b64url(&file.preview),
    }
}

fn handle(user: &str) -> Option<String> {
    UserAddress::parse(user).ok().map(|user| user.handle())
}

/// The name of a message of a file in the conversation it is kept in.
pub(super) fn name_of(archive: &Address, id: &str) -> String {
    format!("{archive}/children/{}", keys::base32(&keys::sha256(id.as_bytes())[..16]))
}

/// A line as a row; `seq` is its number, `file` describes the file it carries.
pub(super) fn row_of(
    archive: &Address,
    from: &UserAddress,
    message: &Message,
    file: Option<Descriptor>,
    seq: i64,
) -> Outcome<ChildRow> {
    let author = person(&message.author)?;
    let value = value_of(archive, message, file)?;
    if !message.deleted && matches!(Body::parse(&value, archive), Body::Unknown | Body::Act { .. } | Body::Timer { .. })
    {
        return Err(wrong("a message says nothing"));
    }
    let after = after_of(&author, message);
    let mark = TrustMark::Imported;
    let child = ChildValue { value, detail: Default::default(), mark, after };
    let tag = sync::Author::parse(TAG).map_err(|e| Failure::new("malformed", e))?;
    let mine = author == *from;
    Ok(ChildRow {
        id: name_of(archive, &message.id),
        object: archive.to_string(),
        author: row_author(&author, &tag),
        seq,
        at: message.at,
        // It is not known how far it came; nothing that looks at states has anything to do with it.
        state: if mine { ChildState::Delivered } else { ChildState::Received },
        value: serde_json::to_string(&child).map_err(|e| Failure::new("malformed", e))?,
        mine,
        ..ChildRow::default()
    })
}

/// How a message tells of the file that came with it, or that did not.
pub(super) fn described(file: &Attachment, bytes: Descriptor) -> Outcome<Descriptor> {
    let part = |text: &str| keys::from_b64url(text).map_err(|_| wrong("a file is malformed"));
    let described = Descriptor {
        media_type: file.media.clone(),
        name: blob::FileName::of(&file.name),
        pixels: file.pixels,
        duration_ms: file.duration_ms,
        wave: part(&file.wave)?,
        preview: part(&file.preview)?,
        ..bytes
    };
    // The same bounds as for what a peer says of a file.
    Descriptor::parse(&described.to_value()).map_err(|_| wrong("a file is malformed"))
}

/// The digest that a line says a file has.
pub(super) fn digest_of(file: &Attachment) -> Outcome<[u8; 32]> {
    let bytes = keys::from_b64url(&file.digest).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| wrong("a file is malformed"))
}

fn value_of(archive: &Address, message: &Message, file: Option<Descriptor>) -> Outcome<Value> {
    if message.deleted {
        return Ok(json!({ "type": "gone" }));
    }
    let mut value = match (&file, &message.poll) {
        (Some(file), _) => json!({ "type": "file", "text": message.text, "file": file.to_value() }),
        (None, Some(poll)) => {
            let options: Vec<&str> = poll.options.iter().map(|one| one.text.as_str()).collect();
            json!({ "type": "poll", "question": poll.question, "options": options, "several": poll.several, "hidden": poll.hidden })
        }
        (None, None) => json!({ "type": "text", "text": message.text }),
    };
    if let Some(reply) = &message.reply {
        value["reply"] = json!(name_of(archive, reply));
    }
    if message.forwarded {
        value["forwarded"] = json!(true);
    }
    Ok(value)
}

/// What was said about a message, judged as if it were said now. What does not count is left out.
fn after_of(author: &UserAddress, message: &Message) -> After {
    let author = author.to_string();
    let mut after = After::default();
    let mut seq = 0;
    let mut take = |who: &str, act: &Act| {
        seq += 1;
        let stamp = Stamp { at: message.at, tag: TAG.to_owned(), seq };
        // What a peer could not have said is not believed of a file.
        let _ = after.take(&author, who, act, stamp);
    };
    if message.deleted {
        take(&author, &Act::Delete);
        return after;
    }
    if message.edited && message.poll.is_none() {
        take(&author, &Act::Edit { text: message.text.clone() });
    }
    for Reaction { emoji, who } in message.reactions.iter().filter(|one| is_emoji(&one.emoji)) {
        for who in who.iter().filter_map(|who| UserAddress::parse(who).ok()) {
            take(&who.to_string(), &Act::React { emoji: emoji.clone(), on: true });
        }
    }
    if let Some(poll) = &message.poll {
        let mut votes: std::collections::BTreeMap<String, Vec<u8>> = Default::default();
        for (option, number) in poll.options.iter().zip(0u8..) {
            for who in option.who.iter().filter_map(|who| UserAddress::parse(who).ok()) {
                let chosen = votes.entry(who.to_string()).or_default();
                if poll.several || chosen.is_empty() {
                    chosen.push(number);
                }
            }
        }
        for (who, mut choices) in votes {
            choices.dedup();
            take(&who, &Act::Vote { choices });
        }
        if poll.closed {
            take(&author, &Act::Close);
        }
    }
    after
}

/// Somebody whom a file names.
pub(super) fn person(handle: &str) -> Outcome<UserAddress> {
    UserAddress::parse(handle).map_err(|_| wrong("a person is malformed"))
}

pub(super) fn wrong(what: &str) -> Failure {
    Failure::new("history-damaged", what)
}
