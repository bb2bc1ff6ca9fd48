//! Reads what a page says of itself: its title, a sentence, and where its picture is. Any bytes will do.

use std::cell::{Cell, RefCell};

use encoding_rs::{Encoding, UTF_8};
use html5ever::TokenizerResult;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::{Rawtext, Rcdata, ScriptData};
use html5ever::tokenizer::{
    BufferQueue, StartTag, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};

use crate::limits::{ATTRIBUTES_LIMIT, DESCRIPTION_LIMIT, PAGE_BYTES, TITLE_LIMIT, UNFINISHED_LIMIT, URL_LIMIT};
use plain::line;

/// Bytes of a page that are given to the reader in one piece.
const PIECE: usize = 1024;

/// Bytes of a title that are kept while it is read.
const TITLE_BYTES: usize = 4 * 1024;

/// Bytes at the beginning of a page in which it says how its letters are written (HTML, 4.2.5.4).
const CHARSET_BYTES: usize = 1024;

/// What a page says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) title: String,
    pub(crate) description: String,
    /// Where its picture is, as it stands there; empty if it names none.
    pub(crate) picture: String,
}

impl Page {
    /// Reads the beginning of a page. `charset` is what the server said of its letters.
    pub(crate) fn read(bytes: &[u8], charset: Option<&str>) -> Self {
        let bytes = &bytes[..bytes.len().min(PAGE_BYTES)];
        let (text, _, _) = encoding(bytes, charset).decode(bytes);
        let reader = Tokenizer::new(Reader::default(), TokenizerOpts::default());
        let (input, mut unfinished) = (BufferQueue::default(), 0);
        for piece in pieces(&text) {
            input.push_back(StrTendril::from(piece));
            reader.sink.heard.set(false);
            if !matches!(reader.feed(&input), TokenizerResult::Done) {
                break;
            }
            unfinished = if reader.sink.heard.get() { 0 } else { unfinished + piece.len() };
            if reader.sink.done.get() || unfinished > UNFINISHED_LIMIT {
                break;
            }
        }
        reader.sink.page()
    }
}

/// A text in pieces that end between letters.
fn pieces(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let mut end = text.len().min(PIECE);
        while !text.is_char_boundary(end) {
            end += 1;
        }
        let (piece, rest) = text.split_at(end);
        text = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// How a page's letters are written: as the server says, or else the page itself.
fn encoding(bytes: &[u8], charset: Option<&str>) -> &'static Encoding {
    let named = |label: &str| Encoding::for_label(label.as_bytes());
    let said = || {
        let head = String::from_utf8_lossy(&bytes[..bytes.len().min(CHARSET_BYTES)]).to_ascii_lowercase();
        let after = head.split_once("charset=")?.1.trim_start_matches(['"', '\'', ' ']).to_owned();
        let label: String = after.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_:.".contains(*c)).collect();
        named(&label)
    };
    charset.and_then(named).or_else(said).unwrap_or(UTF_8)
}

/// Hears the tags and words of a page.
#[derive(Default)]
struct Reader {
    /// Whether anything was heard of the last piece.
    heard: Cell<bool>,
    /// Whether all that is wanted is here.
    done: Cell<bool>,
    /// Whether what is heard is the title.
    titling: Cell<bool>,
    seen: RefCell<Seen>,
}

/// What was said so far; of several words for one thing the one of the lower rank counts, then the first.
#[derive(Default)]
struct Seen {
    /// What stands in the title's tag.
    words: Option<String>,
    title: Option<(u8, String)>,
    description: Option<(u8, String)>,
    picture: Option<(u8, String)>,
}

impl Reader {
    fn page(&self) -> Page {
        let seen = self.seen.take();
        let said = |one: Option<(u8, String)>| one.map(|(_, text)| text).unwrap_or_default();
        let words = seen.words.map(|words| line(&words, TITLE_LIMIT)).unwrap_or_default();
        let title = Some(said(seen.title)).filter(|title| !title.is_empty()).unwrap_or(words);
        Page { title, description: said(seen.description), picture: said(seen.picture) }
    }

    fn opened(&self, tag: &Tag) -> TokenSinkResult<()> {
        if tag.attrs.len() > ATTRIBUTES_LIMIT {
            self.done.set(true);
            return TokenSinkResult::Continue;
        }
        match &*tag.name {
            "meta" => self.said(tag),
            "title" => {
                // A picture inside the page may have a title as well: the first is the page's.
                let first = self.seen.borrow().words.is_none();
                if first {
                    self.seen.borrow_mut().words = Some(String::new());
                }
                self.titling.set(first);
                return TokenSinkResult::RawData(Rcdata);
            }
            "body" => {
                let seen = self.seen.borrow();
                self.done.set(seen.title.is_some() || seen.words.is_some());
            }
            "textarea" => return TokenSinkResult::RawData(Rcdata),
            "script" => return TokenSinkResult::RawData(ScriptData),
            "style" | "xmp" | "iframe" | "noembed" | "noframes" => return TokenSinkResult::RawData(Rawtext),
            "plaintext" => return TokenSinkResult::Plaintext,
            _ => {}
        }
        TokenSinkResult::Continue
    }

    /// A tag that says something of the page.
    fn said(&self, tag: &Tag) {
        let value = |name: &str| tag.attrs.iter().find(|one| &*one.name.local == name).map(|one| &*one.value);
        let Some((what, content)) = value("property").or_else(|| value("name")).zip(value("content")) else { return };
        let mut seen = self.seen.borrow_mut();
        let short = |limit| Some(line(content, limit));
        let place = Some(content.trim().to_owned()).filter(|place| place.len() <= URL_LIMIT);
        let (slot, rank, text) = match what.trim().to_ascii_lowercase().as_str() {
            "og:title" => (&mut seen.title, 0, short(TITLE_LIMIT)),
            "twitter:title" => (&mut seen.title, 1, short(TITLE_LIMIT)),
            "og:description" => (&mut seen.description, 0, short(DESCRIPTION_LIMIT)),
            "twitter:description" => (&mut seen.description, 1, short(DESCRIPTION_LIMIT)),
            "description" => (&mut seen.description, 2, short(DESCRIPTION_LIMIT)),
            "og:image:secure_url" => (&mut seen.picture, 0, place),
            "og:image" | "og:image:url" => (&mut seen.picture, 1, place),
            "twitter:image" | "twitter:image:src" => (&mut seen.picture, 2, place),
            _ => return,
        };
        let Some(text) = text.filter(|text| !text.is_empty()) else { return };
        if slot.as_ref().is_none_or(|(before, _)| rank < *before) {
            *slot = Some((rank, text));
        }
    }
}

impl TokenSink for Reader {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        self.heard.set(true);
        if self.done.get() {
            // The rest of a piece whose beginning had all that is wanted.
            return TokenSinkResult::Continue;
        }
        match token {
            Token::TagToken(tag) if tag.kind == StartTag => return self.opened(&tag),
            Token::TagToken(Tag { kind: TagKind::EndTag, .. }) => self.titling.set(false),
            Token::CharacterTokens(text) if self.titling.get() => {
                if let Some(words) = &mut self.seen.borrow_mut().words
                    && words.len() + text.len() <= TITLE_BYTES
                {
                    words.push_str(&text);
                }
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::{Duration, Instant};

    fn read(html: &str) -> Page {
        Page::read(html.as_bytes(), None)
    }

    #[test]
    fn a_page_says_what_it_is() {
        let page = read(
            "<!doctype html><html><head><title>Plain</title>
             <meta name=description content='Of the page'>
             <meta property='og:title' content='Tea &amp; time'>
             <meta content=\"How  long?\" property=og:description>
             <meta property=og:image content=' /tea.jpg '>
             <meta property=og:title content=Second></head><body>",
        );
        let wanted = Page { title: "Tea & time".into(), description: "How long?".into(), picture: "/tea.jpg".into() };
        assert_eq!(page, wanted);
    }

    #[test]
    fn a_page_without_such_words_has_its_title() {
        let page = read("<TITLE>\n Tea &lt;b&gt; \n</TITLE ><svg><title>Icon</title></svg>");
        assert_eq!((page.title.as_str(), page.description.as_str()), ("Tea <b>", ""));
        assert_eq!(read("no page at all").title, "");
        assert_eq!(read("<title>unfinished").title, "unfinished");
    }

    #[test]
    fn what_stands_in_scripts_comments_and_words_is_not_said() {
        let fake = "<meta property='og:title' content='Bank'>";
        for html in [
            format!("<script>var x = \"{fake}\"; <!-- </script><title>T</title>"),
            format!("<!-- {fake} --><title>T</title>"),
            format!("<style>{fake}</style><title>T</title>"),
            format!("<title>T</title><body>{fake}"),
            format!("<textarea>{fake}</textarea><title>T</title>"),
            format!("<iframe>{fake}</iframe><title>T</title>"),
            "<meta property='og:title' content=''><title>T</title>".to_owned(),
            "<meta property='og:title'><title>T</title>".to_owned(),
        ] {
            assert_eq!(read(&html).title, "T", "{html}");
        }
    }

    #[test]
    fn words_are_short_and_turn_nothing() {
        let long = "x".repeat(100_000);
        let page = read(&format!(
            "<title>{long}</title><meta property=og:description content='{long}'><meta property=og:image content='{long}'>"
        ));
        assert_eq!((page.title.chars().count(), page.picture.as_str()), (TITLE_LIMIT, ""));
        assert_eq!(page.description, "", "a tag without end is none");
        let some = "y".repeat(3_000);
        let page = read(&format!("<title>{some}</title><meta name=description content='{some}\u{202e}'>"));
        assert_eq!(page.title.chars().count(), TITLE_LIMIT);
        assert_eq!(page.description.chars().count(), DESCRIPTION_LIMIT);
        assert_eq!(read("<title>a&#x202e;b&#0;c\u{7}</title>").title, "ab\u{fffd}c");
    }

    #[test]
    fn letters_are_read_as_they_were_written() {
        let russian = b"<meta charset=windows-1251><title>\xd7\xe0\xe9</title>";
        assert_eq!(Page::read(russian, None).title, "Чай");
        assert_eq!(Page::read(&russian[27..], Some("windows-1251")).title, "Чай");
        assert_eq!(Page::read(b"<title>\x82\xa8\x92\x83</title>", Some("Shift_JIS")).title, "お茶");
        assert_eq!(Page::read("\u{feff}<title>é</title>".as_bytes(), Some("no-such")).title, "é");
        assert_eq!(Page::read(b"<title>\xff\xfe\xfa</title>", None).title, "\u{fffd}\u{fffd}\u{fffd}");
    }

    #[test]
    fn hostile_pages_end_soon() {
        let many = |part: &str| part.repeat(PAGE_BYTES / part.len());
        let attributes = (0..90_000).fold("<meta ".to_owned(), |all, n| all + &format!("a{n:x} "));
        let tags = (0..90_000)
            .fold(String::new(), |all, n| all + &format!("a{n:x} ") + if n % 5_000 == 0 { "><meta " } else { "" });
        for html in [many("<"), many("<div>"), many("<title>"), many("&"), many("<!--"), many("\0"), attributes, tags] {
            let from = Instant::now();
            let _page = read(&html);
            assert!(from.elapsed() < Duration::from_secs(10), "{}", &html[..20]);
        }
    }

    proptest! {
        #[test]
        fn no_page_is_too_odd(bytes in proptest::collection::vec(any::<u8>(), 0..600), charset in "[a-z0-9-]{0,12}") {
            let page = Page::read(&bytes, Some(&charset));
            prop_assert!(page.title.chars().count() <= TITLE_LIMIT);
        }

        #[test]
        fn no_markup_is_too_odd(html in "(<(title|meta|script|!--|/title|svg|body)?( (property|name|content)=['\"]?(og:title|og:image|x)?['\"]?)*/?>?|a|\u{202e}|&#x?[0-9]*;?){0,40}") {
            let page = read(&html);
            prop_assert!(page.title.chars().count() <= TITLE_LIMIT && page.picture.len() <= URL_LIMIT);
        }
    }
}
