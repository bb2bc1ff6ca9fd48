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
        // As of what comes from its author: never later than now, whatever the file says.
        at: message.at.clamp(0, clock::now_ms()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sending::child_json;

    const BEN: &str = "ben@b.localhost";

    fn archive() -> Address {
        Address::parse("archive://a.localhost/one").unwrap()
    }

    fn ana() -> UserAddress {
        UserAddress::parse("ana@a.localhost").unwrap()
    }

    fn line(text: &str) -> Message {
        Message { id: "m".into(), author: BEN.into(), at: 7, text: text.into(), ..Message::default() }
    }

    fn brought(message: &Message) -> Outcome<ChildRow> {
        row_of(&archive(), &ana(), message, None, 1)
    }

    fn live(value: Value, ends: Option<i64>) -> ChildRow {
        let chat = "comm://a.localhost/one";
        ChildRow {
            id: format!("{chat}/children/t-1"),
            object: chat.into(),
            author: "user://b.localhost/ben t".into(),
            at: 7,
            value: child_json(&value, TrustMark::Verified),
            ends,
            ..ChildRow::default()
        }
    }

    #[test]
    fn what_a_line_says_is_told_again_by_its_row_and_is_never_verified() {
        let who = vec![BEN.to_owned(), "ana@a.localhost".to_owned()];
        let poll = Poll {
            question: "When?".into(),
            options: ["now", "later"].map(|text| Answer { text: text.into(), who: who.clone() }).to_vec(),
            several: true,
            hidden: false,
            closed: true,
        };
        for message in [
            Message { edited: true, forwarded: true, ..line("changed") },
            Message { reactions: vec![Reaction { emoji: "👍".into(), who }], ..line("liked") },
            Message { deleted: true, ..line("") },
            Message { poll: Some(poll), ..line("") },
        ] {
            let row = brought(&message).unwrap();
            let child: ChildValue = serde_json::from_str(&row.value).unwrap();
            assert_eq!((child.mark, row.mine), (TrustMark::Imported, false));
            let again = told(&row).unwrap().0;
            assert_eq!(
                Message { id: "m".into(), ..again },
                Message { forwarded: message.forwarded, ..sorted(message) }
            );
        }
        assert!(brought(&Message { author: "ana@a.localhost".into(), ..line("mine") }).unwrap().mine);
    }

    /// People in the order in which votes are kept.
    fn sorted(mut message: Message) -> Message {
        for answer in message.poll.iter_mut().flat_map(|poll| &mut poll.options) {
            answer.who.sort();
        }
        message
    }

    #[test]
    fn what_ends_by_itself_and_what_nobody_wrote_stays_here() {
        let unread = json!({ "type": "text", "text": "soon gone", "ends": 60 });
        assert!(told(&live(unread.clone(), None)).is_none(), "its time has not begun");
        assert!(told(&live(unread, Some(9))).is_none());
        assert!(told(&live(json!({ "type": "system", "code": "compared" }), None)).is_none());
        assert!(told(&live(json!({ "type": "timer", "seconds": 5 }), None)).is_none());
        assert!(told(&live(json!({ "type": "text", "text": "stays" }), None)).is_some());
    }

    #[test]
    fn a_poll_that_hides_names_takes_none_along() {
        let value =
            json!({ "type": "poll", "question": "Who?", "options": ["a", "b"], "several": false, "hidden": true });
        let mut child: ChildValue = serde_json::from_str(&live(value, None).value).unwrap();
        let stamp = Stamp { at: 1, tag: "t".into(), seq: 1 };
        child.after.take("x", "user://c.localhost/cleo", &Act::Vote { choices: vec![1] }, stamp).unwrap();
        let row = ChildRow { value: serde_json::to_string(&child).unwrap(), ..live(Value::Null, None) };
        let message = told(&row).unwrap().0;
        assert!(!serde_json::to_string(&message).unwrap().contains("cleo"));
        let counts = message.poll.unwrap().options.into_iter().map(|one| one.who.len());
        assert_eq!(counts.collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn what_a_peer_could_not_say_no_file_says() {
        for message in [
            line(""),
            Message { author: "nobody".into(), ..line("hi") },
            Message { poll: Some(Poll { question: "one answer".into(), ..Poll::default() }), ..line("") },
        ] {
            assert_eq!(brought(&message).unwrap_err().code, "history-damaged");
        }
        let flood = (0..1_000).map(|n| format!("p{n}@a.localhost")).collect();
        let odd = Reaction { emoji: "verified by Ben".into(), who: vec![BEN.into()] };
        let many = Reaction { emoji: "👍".into(), who: flood };
        let row = brought(&Message { reactions: vec![odd, many], ..line("hi") }).unwrap();
        let reactions = told(&row).unwrap().0.reactions;
        assert_eq!(reactions.len(), 1, "a word is no emoji");
        assert!(reactions[0].who.len() <= 256);
    }
}
