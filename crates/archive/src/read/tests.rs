//! Archives that are written and read back, and those that somebody made to do harm.

use super::*;
use crate::format::{Answer, Attachment, Chat, Poll, Reaction};
use crate::{Language, Writer};

/// Notes what it hears.
#[derive(Default)]
struct Notes {
    manifest: Option<Manifest>,
    files: Vec<(String, Vec<u8>)>,
    messages: Vec<(usize, Message)>,
}

impl Visitor<ArchiveError> for Notes {
    fn manifest(&mut self, manifest: &Manifest) -> Result<(), ArchiveError> {
        self.manifest = Some(manifest.clone());
        Ok(())
    }

    fn file(&mut self, path: &str, _: u64, bytes: &mut dyn Read) -> Result<(), ArchiveError> {
        let mut all = Vec::new();
        bytes.read_to_end(&mut all).map_err(ArchiveError::Io)?;
        self.files.push((path.to_owned(), all));
        Ok(())
    }

    fn part(&mut self, chat: usize, messages: Vec<Message>) -> Result<(), ArchiveError> {
        self.messages.extend(messages.into_iter().map(|message| (chat, message)));
        Ok(())
    }
}

fn chat(name: &str) -> Chat {
    Chat {
        chat: format!("comm://a.localhost/{name}"),
        name: name.into(),
        user: "ben@b.localhost".into(),
        group: false,
        messages: 2,
    }
}

fn manifest() -> Manifest {
    Manifest {
        format: FORMAT.into(),
        version: VERSION,
        made_at: 1_700_000_000_000,
        user: "ana@a.localhost".into(),
        name: "Ana".into(),
        chats: vec![chat("ben"), chat("cleo")],
    }
}

fn words(id: &str, text: &str) -> Message {
    Message {
        id: id.into(),
        author: "ben@b.localhost".into(),
        at: 1_700_000_000_000,
        text: text.into(),
        ..Message::default()
    }
}

fn photo() -> Attachment {
    let bytes = b"bytes of a photo";
    Attachment {
        name: "the sea.jpg".into(),
        media: "image/jpeg".into(),
        size: bytes.len() as u64,
        digest: keys::b64url(&Sha256::digest(bytes)),
        ..Attachment::default()
    }
}

fn written(passphrase: Option<&str>) -> Vec<u8> {
    let mut writer = Writer::begin(Vec::new(), passphrase, manifest(), Language::English).unwrap();
    writer.next_chat();
    let mut file = photo();
    file.path = Some(writer.file(&file, &b"bytes of a photo"[..]).unwrap());
    let picture = Message { file: Some(file), ..words("m2", "look") };
    writer.part(&[words("m1", "<b>hi & \"bye\"</b>"), picture], false).unwrap();
    let poll = Poll {
        question: "When?".into(),
        options: vec![Answer { text: "now".into(), who: vec!["ben@b.localhost".into()] }],
        ..Poll::default()
    };
    let reacted = Reaction { emoji: "👍".into(), who: vec!["ana@a.localhost".into()] };
    writer.part(&[Message { poll: Some(poll), reactions: vec![reacted], ..words("m3", "") }], true).unwrap();
    writer.next_chat();
    writer.part(&[Message { deleted: true, ..words("m4", "") }], true).unwrap();
    writer.end().unwrap().0
}

fn heard(bytes: &[u8], passphrase: Option<&str>) -> Result<Notes, ArchiveError> {
    let mut notes = Notes::default();
    read(bytes, passphrase, &mut notes)?;
    Ok(notes)
}

fn why(bytes: &[u8]) -> String {
    heard(bytes, None).err().unwrap().to_string()
}

/// A tar of these entries.
fn tar_of(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, kind, bytes) in entries {
        let mut header = tar::Header::new_ustar();
        // Written past the checks of the library, as somebody who means harm does.
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

/// One with a manifest, these entries, and an end that counts so many messages.
fn with(entries: &[(&str, EntryType, &[u8])], messages: u64, files: u64) -> Vec<u8> {
    let manifest = serde_json::to_vec(&manifest()).unwrap();
    let end = serde_json::to_vec(&End { messages, files }).unwrap();
    let mut all = vec![("manifest.json", EntryType::Regular, manifest.as_slice())];
    all.extend_from_slice(entries);
    all.push(("end.json", EntryType::Regular, &end));
    tar_of(&all)
}

#[test]
fn what_was_written_is_read_back_open_and_sealed() {
    for passphrase in [None, Some("correct horse battery")] {
        let notes = heard(&written(passphrase), passphrase).unwrap();
        assert_eq!(notes.manifest, Some(manifest()));
        assert_eq!(notes.files, [("chats/00001/files/000001.jpg".to_owned(), b"bytes of a photo".to_vec())]);
        let read: Vec<(usize, &str)> = notes.messages.iter().map(|(chat, one)| (*chat, one.id.as_str())).collect();
        assert_eq!(read, [(0, "m1"), (0, "m2"), (0, "m3"), (1, "m4")]);
        assert_eq!(notes.messages[0].1.text, "<b>hi & \"bye\"</b>");
    }
}

#[test]
fn a_sealed_file_shows_nothing_and_opens_with_its_passphrase_alone() {
    let sealed = written(Some("correct horse battery"));
    assert!(is_sealed(&sealed) && !sealed.windows(8).any(|part| part == b"manifest" || part == b"ben@b.lo"));
    assert!(matches!(heard(&sealed, None), Err(ArchiveError::PassphraseNeeded)));
    assert!(matches!(heard(&sealed, Some("correct horse")), Err(ArchiveError::WrongPassphrase)));
}

#[test]
fn a_file_that_was_cut_short_or_changed_anywhere_is_damaged() {
    let open = written(None);
    // Behind the end only the two empty blocks of a tar may be missing.
    let end = open.len() - 1024;
    for length in (0..end).step_by(512).chain([end - 1, end - 511]) {
        assert!(heard(&open[..length], None).is_err(), "{length} of {}", open.len());
    }
    let sealed = written(Some("correct horse battery"));
    for length in [sealed.len() - 1, sealed.len() - 16, sealed.len() / 2, 300] {
        assert!(heard(&sealed[..length], Some("correct horse battery")).is_err(), "{length}");
    }
    let mut changed = sealed.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    assert!(matches!(heard(&changed, Some("correct horse battery")), Err(ArchiveError::Damaged(_))));
}

#[test]
fn only_plain_files_under_the_names_of_the_format_are_taken() {
    let far = [
        "../manifest.json",
        "/etc/passwd",
        "chats/00001/../../x",
        "chats/00001/files/../x",
        "chats/00001/files/000001.a/b",
        "chats/00000/index.html",
        "chats/1/index.html",
        "chats/00003/messages-00001.jsonl",
        "files/000001",
        "chats/00001/files/x",
        "chats/00001/files/000001.tar.gz",
        "C:\\x",
        "chats/00001/messages-00001.json",
        "",
    ];
    for path in far {
        assert!(heard(&with(&[(path, EntryType::Regular, b"x")], 0, 0), None).is_err(), "{path}");
    }
    use EntryType::{Block, Char, Directory, Fifo, GNULongName, GNUSparse, Link, Symlink, XGlobalHeader, XHeader};
    for kind in [Link, Symlink, Char, Block, Directory, Fifo, GNULongName, GNUSparse, XHeader, XGlobalHeader] {
        let refused = why(&with(&[("chats/00001/index.html", kind, b"")], 0, 0));
        assert!(refused.contains("no plain file") || refused.contains("bytes"), "{kind:?}: {refused}");
    }
}

#[test]
fn a_newer_version_says_so_and_something_else_is_no_archive() {
    let newer = br#"{"format":"parlance-history","version":2,"chapters":[]}"#;
    let file = tar_of(&[("manifest.json", EntryType::Regular, newer)]);
    assert!(matches!(heard(&file, None), Err(ArchiveError::Newer { have: 2 })));
    let other = br#"{"format":"other","version":1}"#;
    for file in [
        tar_of(&[("manifest.json", EntryType::Regular, other)]),
        tar_of(&[("a.txt", EntryType::Regular, b"x")]),
        b"hello".to_vec(),
        Vec::new(),
    ] {
        assert!(matches!(heard(&file, None), Err(ArchiveError::NotAnArchive)));
    }
    let mut seal = AGE.to_vec();
    seal.extend(b"-> x\n".repeat(100_000));
    assert!(
        matches!(heard(&seal, Some("correct horse battery")), Err(ArchiveError::NotAnArchive)),
        "a head without an end"
    );
}

#[test]
fn a_passphrase_that_is_made_to_cost_too_much_is_not_tried() {
    let salt = "AAAAAAAAAAAAAAAAAAAAAA";
    let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let mut file = format!("age-encryption.org/v1\n-> scrypt {salt} 40\n{key}\n--- {key}\n").into_bytes();
    file.extend([0; 200]);
    assert!(matches!(heard(&file, Some("correct horse battery")), Err(ArchiveError::TooCostly)));
}

#[test]
fn a_file_that_is_not_what_its_message_says_or_has_none_is_refused() {
    let path = "chats/00001/files/000001.jpg";
    let line = |file: Attachment| {
        let mut line = serde_json::to_vec(&Message { file: Some(file), ..words("m", "") }).unwrap();
        line.push(b'\n');
        line
    };
    let honest = line(Attachment { path: Some(path.into()), ..photo() });
    let bytes = b"bytes of a photo".as_slice();
    let part = "chats/00001/messages-00001.jsonl";
    assert!(
        heard(&with(&[(path, EntryType::Regular, bytes), (part, EntryType::Regular, &honest)], 1, 1), None).is_ok()
    );
    let other = b"bytes of a virus".as_slice();
    for (entries, files) in [
        (vec![(path, EntryType::Regular, other), (part, EntryType::Regular, honest.as_slice())], 1),
        (vec![(part, EntryType::Regular, honest.as_slice())], 0),
        (vec![(path, EntryType::Regular, bytes)], 1),
        (
            vec![
                (path, EntryType::Regular, bytes),
                (path, EntryType::Regular, bytes),
                (part, EntryType::Regular, &honest),
            ],
            2,
        ),
    ] {
        assert!(heard(&with(&entries, 1, files), None).is_err());
    }
}

#[test]
fn counts_sizes_and_the_order_have_bounds() {
    let line = |message: &Message| [serde_json::to_vec(message).unwrap(), b"\n".to_vec()].concat();
    let part = |number: usize, bytes: &[u8], count: u64| {
        heard(&with(&[(&format!("chats/00001/messages-{number:05}.jsonl"), EntryType::Regular, bytes)], count, 0), None)
    };
    let one = line(&words("m", "hi"));
    assert!(part(1, &one, 1).is_ok());
    assert!(part(2, &one, 1).is_err(), "a part before it is missing");
    assert!(part(1, &one, 2).is_err(), "there are fewer than the end says");
    assert!(part(1, &one.repeat(PART_MESSAGES + 1), PART_MESSAGES as u64 + 1).is_err(), "more than fit into a part");
    assert!(part(1, &one[..one.len() - 1], 1).is_err(), "the line does not end");
    assert!(part(1, &line(&words("m", &"x".repeat(20_000))), 1).is_err(), "a text is too long");
    assert!(part(1, &line(&words(&"i".repeat(2_000), "hi")), 1).is_err(), "a name is too long");
    assert!(part(1, &[vec![b' '; LINE_LIMIT + 10], one.clone()].concat(), 1).is_err(), "a line is too long");
    assert!(part(1, b"[[[[[[\n", 1).is_err());
    let second = with(
        &[
            ("chats/00002/messages-00001.jsonl", EntryType::Regular, &one),
            ("chats/00001/messages-00001.jsonl", EntryType::Regular, &one),
        ],
        2,
        0,
    );
    assert!(heard(&second, None).is_err(), "conversations stand in their order");
    let mut behind = with(&[], 0, 0);
    behind.extend(tar_of(&[("chats/00001/index.html", EntryType::Regular, b"x")]));
    assert!(heard(&behind, None).is_err(), "something stands behind the end");
}

#[test]
fn pages_escape_what_people_wrote_and_fetch_nothing() {
    let evil = "</title><script>alert(1)</script><img src=x onerror=y>\" ' &\u{7}";
    let mut all = manifest();
    all.chats[0].name = evil.into();
    all.name = evil.into();
    let mut writer = Writer::begin(Vec::new(), None, all, Language::Arabic).unwrap();
    writer.next_chat();
    let file = Attachment { name: evil.into(), media: evil.into(), path: None, ..photo() };
    let poll =
        Poll { question: evil.into(), options: vec![Answer { text: evil.into(), who: Vec::new() }], ..Poll::default() };
    let reaction = Reaction { emoji: evil.into(), who: vec![evil.into()] };
    let bad = Message {
        author: evil.into(),
        reply: Some(evil.into()),
        file: Some(file),
        poll: Some(poll),
        reactions: vec![reaction],
        ..words("m", evil)
    };
    writer.part(&[bad], true).unwrap();
    let mut pages = 0;
    for entry in Archive::new(Cursor::new(writer.end().unwrap().0)).entries().unwrap() {
        let mut entry = entry.unwrap();
        if !entry.path().unwrap().to_string_lossy().ends_with(".html") {
            continue;
        }
        let mut page = String::new();
        entry.read_to_string(&mut page).unwrap();
        assert!(!page.contains("<script") && !page.contains("<img src=x") && !page.contains('\u{7}'), "{page}");
        assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("//"), "{page}");
        assert!(page.contains("default-src 'none'") && page.contains("dir=\"rtl\"") && page.contains("&lt;script&gt;"));
        pages += 1;
    }
    assert_eq!(pages, 2);
}
