//! Puts a notice into words, telling no more than the person wants told.

use contract::{ChatMessage, Content, FileKind, NoticeDetail, PastCall};

use crate::chat::Chat;
use crate::notice::{Button, Key, Notice, Urgency};
use crate::words::Words;
use plain::line;

/// Characters of a title.
const TITLE_LIMIT: usize = 80;

/// Characters of a body.
const BODY_LIMIT: usize = 240;

/// Something came, and nothing of it is told.
pub(crate) fn anything(words: Words, unread: u32) -> Notice {
    quiet(words, Key::Anything, words.app().to_owned(), words.new_messages(unread.max(1)))
}

/// Messages of a conversation.
pub(crate) fn chat(words: Words, detail: NoticeDetail, url: &str, chat: &Chat) -> Option<Notice> {
    let key = Key::Chat(url.to_owned());
    let newest = chat.newest.as_ref()?;
    let many = words.new_messages(chat.unread.max(1));
    let name = line(&chat.name, TITLE_LIMIT);
    Some(match detail {
        NoticeDetail::Nothing => quiet(words, key, words.app().to_owned(), many),
        NoticeDetail::Name => quiet(words, key, name, many),
        NoticeDetail::NameAndText => {
            let title = if chat.unread > 1 { format!("{name} · {many}") } else { name };
            let buttons = vec![(Button::Reply, words.reply().to_owned()), (Button::Read, words.read().to_owned())];
            Notice { buttons, ..quiet(words, key, title, said(words, chat, newest)) }
        }
    })
}

/// Somebody unknown asks for contact. What they call themselves is vouched for; what they wrote is not shown.
pub(crate) fn request(words: Words, detail: NoticeDetail, url: &str, chat: &Chat) -> Notice {
    let body = if detail == NoticeDetail::Nothing { String::new() } else { line(&chat.name, TITLE_LIMIT) };
    let notice = quiet(words, Key::Request(url.to_owned()), words.request().to_owned(), body);
    Notice { urgency: Urgency::Low, ..notice }
}

/// People wait for a yes to come into a group. What they call themselves is vouched for.
pub(crate) fn door(words: Words, detail: NoticeDetail, url: &str, group: &str, waiting: &[String]) -> Option<Notice> {
    let newest = waiting.first()?;
    let key = Key::Door(url.to_owned());
    let notice = if detail == NoticeDetail::Nothing {
        quiet(words, key, words.app().to_owned(), words.waits().to_owned())
    } else {
        let count = u32::try_from(waiting.len()).unwrap_or(u32::MAX);
        quiet(words, key, line(group, TITLE_LIMIT), words.waiting(count, &line(newest, TITLE_LIMIT)))
    };
    Some(Notice { urgency: Urgency::Low, ..notice })
}

/// A missed call.
pub(crate) fn missed(words: Words, detail: NoticeDetail, call: &PastCall) -> Notice {
    let key = Key::Missed(call.id.clone());
    if detail == NoticeDetail::Nothing {
        return quiet(words, key, words.app().to_owned(), words.missed_call().to_owned());
    }
    let buttons = vec![(Button::CallBack, words.call_back().to_owned())];
    Notice { buttons, ..quiet(words, key, words.missed_call().to_owned(), line(&call.name, TITLE_LIMIT)) }
}

fn quiet(words: Words, key: Key, title: String, body: String) -> Notice {
    Notice {
        key,
        title,
        body,
        open: words.open().to_owned(),
        buttons: Vec::new(),
        urgency: Urgency::Normal,
        sounds: false,
    }
}

/// What a message says, in a group with who says it.
fn said(words: Words, chat: &Chat, message: &ChatMessage) -> String {
    let text = match &message.content {
        Content::Text { text } => line(text, BODY_LIMIT),
        Content::File { text, .. } if !text.trim().is_empty() => line(text, BODY_LIMIT),
        Content::File { file, .. } => match file.kind {
            FileKind::Picture => words.picture().to_owned(),
            FileKind::Voice => words.voice().to_owned(),
            FileKind::Other => words.file().to_owned(),
        },
        Content::Poll { poll } => line(&poll.question, BODY_LIMIT),
        Content::Deleted => words.deleted().to_owned(),
        Content::Unsupported | Content::System { .. } => words.unsupported().to_owned(),
    };
    match &chat.names {
        Some(names) => {
            let name = names.get(&message.author).map_or(message.author.as_str(), String::as_str);
            format!("{}: {text}", line(name, TITLE_LIMIT))
        }
        None => text,
    }
}
