//! What people expect of a history they take along: it is all there, nobody else reads it, and nothing in it pretends to be verified.

use std::path::{Path, PathBuf};

use crate::common::Stage;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contract::{
    ApiError, ChatMessage, ChatSummary, ChatView, Content, FileBytes, FileState, FileTicket, Gallery, HistoryImported,
    HistoryState, News, Question, SearchAnswer, TrustMark, Upload, WrittenFile,
};
use lab::person::Setup;
use lab::{Domain, Person};
use node::Wire;
use serde_json::Value;

const PASSPHRASE: &str = "correct horse battery staple";

async fn view(person: &Person, chat: &str) -> ChatView {
    person.ask(Question::ChatOpen { chat: chat.to_owned() }).await.unwrap()
}

/// The message that looks so; waits for it.
async fn sees(person: &Person, chat: &str, what: &str, look: impl Fn(&ChatMessage) -> bool) -> ChatMessage {
    person.until(what, async |person| view(person, chat).await.messages.into_iter().find(|one| look(one))).await
}

fn says(message: &ChatMessage, words: &str) -> bool {
    matches!(&message.content, Content::Text { text } if text == words)
}

async fn sends_file(person: &Person, chat: &str, name: &str, bytes: &[u8], text: &str) {
    let size = bytes.len() as u64;
    let begin = Question::FileBegin { chat: chat.into(), name: name.into(), media: "application/pdf".into(), size };
    let ticket: FileTicket = person.ask(begin).await.unwrap();
    for part in bytes.chunks(ticket.part_bytes as usize) {
        let part = Question::FilePart { file: ticket.file.clone(), data: STANDARD.encode(part) };
        person.ask::<Value>(part).await.unwrap();
    }
    person.ask::<Upload>(Question::FileSend { file: ticket.file, text: text.into(), reply: None }).await.unwrap();
}

async fn exports(person: &Person, chat: Option<&str>, folder: &Path, passphrase: Option<&str>) -> PathBuf {
    let question = Question::HistoryExport {
        chat: chat.map(str::to_owned),
        folder: Some(folder.display().to_string()),
        passphrase: passphrase.map(str::to_owned),
        language: "en".into(),
    };
    PathBuf::from(person.ask::<WrittenFile>(question).await.unwrap().path)
}

async fn imports(person: &Person, file: &Path, passphrase: Option<&str>) -> Result<HistoryImported, ApiError> {
    let (path, passphrase) = (file.display().to_string(), passphrase.map(str::to_owned));
    person.ask(Question::HistoryImport { path, passphrase }).await
}

async fn chats(person: &Person) -> Vec<ChatSummary> {
    person.ask(Question::ChatList).await.unwrap()
}

/// What each message says, whether we wrote it, whether it was changed, and who felt how about it.
fn told(messages: &[ChatMessage]) -> Vec<(String, bool, bool, Vec<String>)> {
    let said = |message: &ChatMessage| {
        let words = match &message.content {
            Content::Text { text } => text.clone(),
            Content::File { file, text } => format!("{}: {text}", file.name),
            Content::Poll { poll } => poll.question.clone(),
            Content::Deleted => "deleted".into(),
            Content::System { .. } | Content::Unsupported => return None,
        };
        let reactions = message.reactions.iter().map(|one| format!("{} {}", one.emoji, one.who.join(" ")));
        Some((words, message.mine, message.edited, reactions.collect()))
    };
    messages.iter().filter_map(said).collect()
}

/// Ana and Ben talk; gives their conversation, and the bytes of a file.
async fn talk(stage: &mut Stage) -> (String, Vec<u8>) {
    let chat = stage.become_contacts().await;
    let first = stage.ana.writes(&chat, "Shall we sail to Setúbal?").await;
    sees(&stage.ben, &chat, "the question", |one| says(one, "Shall we sail to Setúbal?")).await;
    let reply =
        Question::ChatReply { chat: chat.clone(), message: first.id.clone(), text: "On Sunday".into(), preview: None };
    let answer: ChatMessage = stage.ben.ask(reply).await.unwrap();
    sees(&stage.ana, &chat, "the answer", |one| says(one, "On Sunday")).await;
    let like = Question::ChatReact { message: answer.id.clone(), emoji: "👍".into(), on: true };
    stage.ana.ask::<ChatMessage>(like).await.unwrap();
    let edit = Question::ChatEdit { message: first.id, text: "Shall we sail to Tróia?".into() };
    stage.ana.ask::<ChatMessage>(edit).await.unwrap();
    let typo = stage.ana.writes(&chat, "my pin is 4711").await;
    stage.ana.ask::<ChatMessage>(Question::ChatDelete { message: typo.id }).await.unwrap();
    let timetable: Vec<u8> = (0..300_000u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u8).collect();
    sends_file(&stage.ana, &chat, "timetable.pdf", &timetable, "the ferries").await;
    sees(&stage.ana, &chat, "the file", |one| matches!(&one.content, Content::File { .. })).await;
    stage.ana.ask::<Value>(Question::ChatTimer { chat: chat.clone(), seconds: 3_600 }).await.unwrap();
    stage.ana.writes(&chat, "this one ends by itself").await;
    sees(&stage.ben, &chat, "the last words", |one| says(one, "this one ends by itself")).await;
    (chat, timetable)
}

/// Somebody with a profile in which nothing was said yet.
async fn somebody_new(stage: &Stage) -> Person {
    let mut zoe = Person::new("zoe", Setup::with(&[&stage.a, &stage.b])).await;
    zoe.signs_up(&stage.a, None).await;
    zoe
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_taken_along_and_says_the_same_in_a_new_profile() {
    let mut stage = Stage::strangers().await;
    let (chat, timetable) = talk(&mut stage).await;
    let folder = tempfile::tempdir().unwrap();
    let file = exports(&stage.ana, None, folder.path(), Some(PASSPHRASE)).await;
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing half lies beside it");
    let sealed = std::fs::read(&file).unwrap();
    assert!(sealed.starts_with(b"age-encryption.org/v1") && !sealed.windows(6).any(|part| part == b"ferrie"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    let mut zoe = somebody_new(&stage).await;
    let brought = imports(&zoe, &file, Some(PASSPHRASE)).await.unwrap();
    assert_eq!((brought.messages, brought.known, brought.files, brought.chats.len()), (4, 0, 1, 1));
    let here = view(&zoe, &brought.chats[0]).await;
    let there = view(&stage.ana, &chat).await;
    let mut said = told(&there.messages);
    assert_eq!(said.pop().unwrap().0, "this one ends by itself");
    assert_eq!(told(&here.messages), said, "the same words, in the same order");
    assert_eq!(said[0].0, "Shall we sail to Tróia?");
    let quote = here.messages[1].reply.as_ref().unwrap();
    assert_eq!(
        (quote.id.as_str(), quote.text.as_deref()),
        (here.messages[0].id.as_str(), Some("Shall we sail to Tróia?"))
    );

    let picture = here.messages.iter().find(|one| matches!(one.content, Content::File { .. })).unwrap();
    let look: FileState = zoe.ask(Question::FileLook { message: picture.id.clone() }).await.unwrap();
    assert_eq!(look, FileState::Here { shown: None });
    let mut bytes = Vec::new();
    for part in 0.. {
        let read: FileBytes = zoe.ask(Question::FileRead { message: picture.id.clone(), part }).await.unwrap();
        bytes.extend(STANDARD.decode(&read.data).unwrap());
        if part + 1 == read.parts {
            break;
        }
    }
    assert!(bytes == timetable, "the file is the same");
    let gallery: Gallery =
        zoe.ask(Question::FileGallery { chat: brought.chats[0].clone(), before: None }).await.unwrap();
    assert_eq!(gallery.messages.len(), 1);
    zoe.close().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_imported_looks_verified_or_can_be_answered_and_it_can_be_found_and_deleted() {
    let mut stage = Stage::strangers().await;
    let (chat, _) = talk(&mut stage).await;
    for (one, other) in [(&stage.ana, "ben@b.localhost"), (&stage.ben, "ana@a.localhost")] {
        one.compared(other, true).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = exports(&stage.ana, Some(&chat), folder.path(), Some(PASSPHRASE)).await;
    // Into the very profile it comes from: what is there stays as it is, and what was brought stands beside it.
    let before = told(&view(&stage.ana, &chat).await.messages);
    let brought = imports(&stage.ana, &file, Some(PASSPHRASE)).await.unwrap();
    let archive = &brought.chats[0];
    assert_eq!(told(&view(&stage.ana, &chat).await.messages), before);
    let listed = chats(&stage.ana).await;
    let one = listed.iter().find(|one| one.chat == *archive).unwrap();
    let imported = one.imported.as_ref().unwrap();
    assert_eq!((imported.from.as_str(), one.mark, one.unread), ("ana@a.localhost", TrustMark::Imported, 0));
    assert!(listed.iter().filter(|one| one.chat != *archive).all(|one| one.imported.is_none()));
    let messages = view(&stage.ana, archive).await.messages;
    assert!(messages.iter().all(|message| message.mark == TrustMark::Imported));

    let find = |chat: Option<String>| Question::ChatSearch { text: "troia".into(), chat, before: None };
    let found: SearchAnswer = stage.ana.ask(find(Some(archive.clone()))).await.unwrap();
    assert_eq!(found.found.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), [messages[0].id.as_str()]);
    let everywhere: SearchAnswer = stage.ana.ask(find(None)).await.unwrap();
    assert_eq!(everywhere.found.len(), 2, "here and where it was said");

    let (chat, message) = (archive.clone(), messages[1].id.clone());
    for question in [
        Question::ChatSend { chat: chat.clone(), text: "hello?".into(), preview: None },
        Question::ChatReply { chat: chat.clone(), message: message.clone(), text: "hello?".into(), preview: None },
        Question::ChatEdit { message: messages[0].id.clone(), text: "never said".into() },
        Question::ChatReact { message: message.clone(), emoji: "👍".into(), on: true },
        Question::ChatDelete { message: messages[0].id.clone() },
        Question::ChatPin { message, on: true },
        Question::ChatTimer { chat: chat.clone(), seconds: 60 },
        Question::FileBegin { chat, name: "x".into(), media: "text/plain".into(), size: 1 },
    ] {
        let said = format!("{question:?}");
        assert!(stage.ana.ask::<Value>(question).await.is_err(), "{said}");
    }
    assert_eq!(view(&stage.ana, archive).await.messages, messages);
    stage.ana.ask::<Value>(Question::ChatRead { chat: archive.clone() }).await.unwrap();

    let files = || std::fs::read_dir(stage.ana.folder().join("files")).unwrap().count();
    assert_eq!(files(), 2);
    stage.ana.ask::<Value>(Question::HistoryForget { chat: archive.clone() }).await.unwrap();
    assert!(chats(&stage.ana).await.iter().all(|one| one.imported.is_none()));
    let found: SearchAnswer = stage.ana.ask(find(None)).await.unwrap();
    assert_eq!(found.found.len(), 1);
    stage.ana.until("the file of the archive to go", async |_| (files() == 1).then_some(())).await;
    let gone = stage.ana.ask::<Value>(Question::HistoryForget { chat: archive.clone() }).await.unwrap_err();
    assert_eq!(gone.code, "unknown");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_file_twice_changes_nothing_and_a_later_one_brings_what_is_new() {
    let mut stage = Stage::strangers().await;
    let (chat, _) = talk(&mut stage).await;
    stage.ana.ask::<Value>(Question::ChatTimer { chat: chat.clone(), seconds: 0 }).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let first = exports(&stage.ana, None, folder.path(), None).await;
    stage.ana.writes(&chat, "One more thing").await;
    let later = exports(&stage.ana, None, folder.path(), None).await;
    assert_ne!(first, later, "nothing is overwritten");
    let open = std::fs::read(&first).unwrap();
    assert!(open.windows(9).any(|part| part == b"the ferri"), "an open file is open");

    let mut zoe = somebody_new(&stage).await;
    let once = imports(&zoe, &first, None).await.unwrap();
    let shown = view(&zoe, &once.chats[0]).await.messages;
    let files = || std::fs::read_dir(zoe.folder().join("files")).unwrap().count();
    let kept = files();
    let twice = imports(&zoe, &first, None).await.unwrap();
    assert_eq!((twice.messages, twice.known, twice.files), (0, once.messages, 0));
    assert_eq!((view(&zoe, &once.chats[0]).await.messages, files()), (shown.clone(), kept));
    let more = imports(&zoe, &later, None).await.unwrap();
    assert_eq!((more.messages, more.chats.clone()), (1, once.chats.clone()));
    let all = view(&zoe, &once.chats[0]).await.messages;
    assert!(all[..shown.len()] == shown && says(all.last().unwrap(), "One more thing"));
    zoe.close().await;
    zoe.open().await;
    assert_eq!(view(&zoe, &once.chats[0]).await.messages, all, "it is there after a restart");
    zoe.close().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_passphrase_a_file_cut_short_and_something_else_change_nothing() {
    let mut stage = Stage::strangers().await;
    talk(&mut stage).await;
    let folder = tempfile::tempdir().unwrap();
    let sealed = exports(&stage.ana, None, folder.path(), Some(PASSPHRASE)).await;
    let open = exports(&stage.ana, None, folder.path(), None).await;
    let part = |of: &Path, name: &str, length: usize| {
        let path = folder.path().join(name);
        std::fs::write(&path, &std::fs::read(of).unwrap()[..length]).unwrap();
        path
    };
    let length = |of: &Path| std::fs::metadata(of).unwrap().len() as usize;
    let other = folder.path().join("other");
    std::fs::write(&other, "a shopping list").unwrap();

    let mut zoe = somebody_new(&stage).await;
    let listed = chats(&zoe).await.len();
    for (file, passphrase, code) in [
        (sealed.clone(), Some("correct horse"), "history-passphrase"),
        (sealed.clone(), None, "history-sealed"),
        (part(&sealed, "cut.age", length(&sealed) - 1), Some(PASSPHRASE), "history-damaged"),
        (part(&sealed, "half.age", length(&sealed) / 2), Some(PASSPHRASE), "history-damaged"),
        (part(&open, "half.tar", length(&open) / 2), None, "history-damaged"),
        // Only the end of the tar is missing, and the line that counts: all messages are there.
        (part(&open, "cut.tar", length(&open) - 2_048), None, "history-damaged"),
        (other, None, "no-history"),
        (folder.path().to_owned(), None, "not-read"),
        (folder.path().join("nowhere"), None, "not-read"),
        (PathBuf::from("relative"), None, "not-read"),
    ] {
        let failure = imports(&zoe, &file, passphrase).await.unwrap_err();
        assert_eq!(failure.code, code, "{}", file.display());
        assert_eq!(chats(&zoe).await.len(), listed);
    }
    assert!(
        !zoe.folder().join("files").exists() || std::fs::read_dir(zoe.folder().join("files")).unwrap().count() == 0
    );
    let short =
        Question::HistoryExport { chat: None, folder: None, passphrase: Some("short".into()), language: "en".into() };
    assert_eq!(zoe.ask::<Value>(short).await.unwrap_err().code, "passphrase-too-short");
    zoe.close().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_told_how_far_it_is_and_one_stops_it_and_nothing_half_is_left() {
    let mut stage = Stage::strangers().await;
    let (chat, _) = talk(&mut stage).await;
    let folder = tempfile::tempdir().unwrap();
    let file = exports(&stage.ana, Some(&chat), folder.path(), None).await;
    stage
        .ana
        .hears("that it goes on", |news| matches!(news, News::History(HistoryState::Exporting { .. })).then_some(()))
        .await;
    stage.ana.hears("that it is over", |news| matches!(news, News::History(HistoryState::Idle)).then_some(())).await;

    let (ana, to) = (&stage.ana, folder.path().display().to_string());
    let asked = Question::HistoryExport {
        chat: None,
        folder: Some(to),
        passphrase: Some(PASSPHRASE.into()),
        language: "ar".into(),
    };
    let (stopped, ()) = tokio::join!(ana.ask::<WrittenFile>(asked), async {
        // It takes the time of a passphrase, which is long enough to change one's mind.
        ana.until("it to go on", async |ana| {
            let second = imports(ana, &file, None).await;
            second.is_err_and(|failure| failure.code == "history-busy").then_some(())
        })
        .await;
        ana.ask::<Value>(Question::HistoryStop).await.unwrap();
    });
    assert_eq!(stopped.unwrap_err().code, "cancelled");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "only the first one is there");
    stage.close().await;
}

/// A file in which Ben says these words at these moments.
fn file_of(path: &Path, said: &[(&str, i64)]) {
    let chat = archive::Chat {
        chat: "comm://b.localhost/old".into(),
        name: "Ben".into(),
        user: "ben@b.localhost".into(),
        group: false,
        messages: said.len() as u64,
    };
    let manifest = archive::Manifest {
        format: "parlance-history".into(),
        version: archive::VERSION,
        made_at: 1_700_000_000_000,
        user: "ana@a.localhost".into(),
        name: "Ana".into(),
        chats: vec![chat],
    };
    let out = std::fs::File::create(path).unwrap();
    let mut writer = archive::Writer::begin(out, None, manifest, archive::Language::English).unwrap();
    writer.next_chat();
    let line = |(text, at): &(&str, i64)| archive::Message {
        id: format!("m-{at}"),
        author: "ben@b.localhost".into(),
        at: *at,
        text: (*text).to_owned(),
        ..archive::Message::default()
    };
    writer.part(&said.iter().map(line).collect::<Vec<_>>(), true).unwrap();
    writer.end().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_older_than_what_was_brought_is_put_before_it_and_found() {
    let mut a = Domain::start("a.localhost", Wire::Ws).await;
    let mut zoe = Person::new("zoe", Setup::with(&[&a])).await;
    zoe.signs_up(&a, None).await;
    let folder = tempfile::tempdir().unwrap();
    let (newer, older) = (folder.path().join("newer.tar"), folder.path().join("older.tar"));
    file_of(&newer, &[("third", 3_000), ("fourth", 4_000)]);
    file_of(&older, &[("first", 1_000), ("second", 2_000), ("third", 3_000)]);
    imports(&zoe, &newer, None).await.unwrap();
    let find = |text: &str| Question::ChatSearch { text: text.into(), chat: None, before: None };
    let _: SearchAnswer = zoe.ask(find("third")).await.unwrap();
    let brought = imports(&zoe, &older, None).await.unwrap();
    assert_eq!((brought.messages, brought.known), (2, 1));
    let messages = view(&zoe, &brought.chats[0]).await.messages;
    let words: Vec<String> = told(&messages).into_iter().map(|(words, ..)| words).collect();
    assert_eq!(words, ["first", "second", "third", "fourth"]);
    for (word, message) in words.iter().zip(&messages) {
        let found: SearchAnswer = zoe.ask(find(word)).await.unwrap();
        assert_eq!(found.found.as_slice(), std::slice::from_ref(message));
    }
    let listed = chats(&zoe).await;
    assert!(says(listed[0].last.as_ref().unwrap(), "fourth"), "the list shows the newest");
    zoe.close().await;
    a.stop().await;
}
