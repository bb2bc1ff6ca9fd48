//! The pages a person reads without the app. Everything that somebody wrote is escaped; nothing is fetched.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use crate::format::{Attachment, Chat, Manifest, Message, folder};
use crate::words::Words;

/// Nothing but what stands in the page, and pictures beside it.
const POLICY: &str =
    "default-src 'none'; img-src 'self' file:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'";

/// Characters of a message that are said again where it is answered.
const QUOTE_LIMIT: usize = 120;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;\
    color-scheme:light dark}article{margin:0 0 1rem;overflow-wrap:anywhere}.words{white-space:pre-wrap}\
    header,.small{opacity:.75;font-size:.875rem}img{max-width:100%;max-height:24rem;display:block}nav{margin:1.5rem 0}\
    nav a{margin-inline-end:1.5rem}";

/// The page with all conversations.
pub(crate) fn contents(manifest: &Manifest, words: &Words) -> String {
    let mut page = String::new();
    begin(&mut page, words.title, words);
    let _ = write!(
        page,
        "<p class=\"small\">{} <bdi>{}</bdi> · {}</p><p class=\"small\">{}</p><ul>",
        words.of,
        escape(&manifest.user),
        time(manifest.made_at),
        words.unsigned
    );
    for (chat, number) in manifest.chats.iter().zip(1..) {
        let _ =
            write!(page, "<li><a href=\"{}/index.html\"><bdi>{}</bdi></a></li>", folder(number), escape(&chat.name));
    }
    page.push_str("</ul>");
    end(&mut page);
    page
}

/// One part of a conversation.
pub(crate) fn part(chat: &Chat, number: usize, last: bool, messages: &[Message], words: &Words) -> String {
    let mut page = String::new();
    begin(&mut page, &chat.name, words);
    let _ = write!(page, "<p class=\"small\">{}</p>", words.unsigned);
    for message in messages {
        let answered = message.reply.as_ref().and_then(|id| messages.iter().find(|one| one.id == *id));
        one(&mut page, message, answered, words);
    }
    page.push_str("<nav>");
    if number > 1 {
        let _ = write!(page, "<a href=\"{}\">{}</a>", page_name(number - 1), words.older);
    }
    if !last {
        let _ = write!(page, "<a href=\"{}\">{}</a>", page_name(number + 1), words.newer);
    }
    let _ = write!(page, "<a href=\"../../index.html\">{}</a></nav>", words.all);
    end(&mut page);
    page
}

/// The name of a page in its folder.
pub(crate) fn page_name(number: usize) -> String {
    if number == 1 { "index.html".into() } else { format!("page-{number:05}.html") }
}

/// Draws a message; what it answers is said again if it stands on the same page.
fn one(page: &mut String, message: &Message, answered: Option<&Message>, words: &Words) {
    let _ = write!(page, "<article><header><bdi>{}</bdi> · {}", escape(&message.author), time(message.at));
    for (is, word) in [(message.edited, words.edited), (message.forwarded, words.forwarded)] {
        if is {
            let _ = write!(page, " · {word}");
        }
    }
    page.push_str("</header>");
    if message.reply.is_some() {
        let quoted: String = answered.map_or_else(String::new, |one| one.text.chars().take(QUOTE_LIMIT).collect());
        let (answers, quoted) = (words.answers, escape(&quoted));
        let _ = write!(page, "<div class=\"small\">{answers} <bdi>{quoted}</bdi></div>");
    }
    if message.deleted {
        let _ = write!(page, "<div class=\"small\">{}</div>", words.deleted);
    }
    if let Some(file) = &message.file {
        attachment(page, file, words);
    }
    if !message.text.is_empty() {
        let _ = write!(page, "<div class=\"words\" dir=\"auto\">{}</div>", escape(&message.text));
    }
    if let Some(poll) = &message.poll {
        let _ = write!(page, "<div dir=\"auto\">{}: {}", words.poll, escape(&poll.question));
        if poll.closed {
            let _ = write!(page, " ({})", words.closed);
        }
        page.push_str("</div><ul>");
        for option in &poll.options {
            let _ = write!(page, "<li dir=\"auto\">{} · {}</li>", escape(&option.text), option.who.len());
        }
        page.push_str("</ul>");
    }
    if !message.reactions.is_empty() {
        page.push_str("<div class=\"small\">");
        for one in &message.reactions {
            let _ = write!(page, "<bdi>{}</bdi> {} ", escape(&one.emoji), one.who.len());
        }
        page.push_str("</div>");
    }
    page.push_str("</article>");
}

fn attachment(page: &mut String, file: &Attachment, words: &Words) {
    let name = escape(&file.name);
    let Some(local) = file.path.as_deref().and_then(|path| path.rsplit_once("/files/")).map(|(_, local)| local) else {
        let _ = write!(page, "<div class=\"small\"><bdi>{name}</bdi> ({})</div>", words.not_here);
        return;
    };
    let local = escape(local);
    // Only what a picture's own bytes may be is shown as one; anything else is a link.
    if matches!(file.media.as_str(), "image/png" | "image/jpeg" | "image/gif" | "image/webp") {
        let _ = write!(page, "<img src=\"files/{local}\" alt=\"{name}\" loading=\"lazy\">");
    }
    let _ = write!(page, "<div><a href=\"files/{local}\" download=\"{name}\"><bdi>{name}</bdi></a></div>");
}

fn begin(page: &mut String, title: &str, words: &Words) {
    let title = escape(title);
    let _ = write!(
        page,
        "<!doctype html><html lang=\"{}\" dir=\"{}\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\"><meta name=\"referrer\" content=\"no-referrer\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style></head>\
         <body><h1><bdi>{title}</bdi></h1>",
        words.tag, words.direction
    );
}

fn end(page: &mut String) {
    page.push_str("</body></html>\n");
}

/// A moment in words that every country reads alike, in UTC.
fn time(at: i64) -> String {
    // httpdate knows the years 1970 to 9999; a file can say any number.
    let seconds = u64::try_from(at / 1000).unwrap_or(0).min(253_402_300_799);
    let text = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
    format!("<time>{text}</time>")
}

/// A text as it may stand between tags and in an attribute in double quotes.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(c),
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}
