//! What people expect of files in a conversation between two domains: they arrive, whole and unchanged, or it is told why not.

use crate::common::Stage;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contract::{
    ApiError, ChatMessage, ChatView, Content, FileBytes, FileKind, FileState, FileTicket, FileView, Gallery, Question,
    SavedFile, Upload,
};
use lab::Person;
use serde_json::Value;

/// Hands a file over and sends it.
pub async fn sends(person: &Person, chat: &str, name: &str, bytes: &[u8], text: &str) -> Result<Upload, ApiError> {
    let ticket = hands_over(person, chat, name, bytes).await?;
    person.ask(Question::FileSend { file: ticket.file, text: text.to_owned(), reply: None }).await
}

async fn hands_over(person: &Person, chat: &str, name: &str, bytes: &[u8]) -> Result<FileTicket, ApiError> {
    let begin = Question::FileBegin {
        chat: chat.to_owned(),
        name: name.to_owned(),
        media: "application/pdf".into(),
        size: bytes.len() as u64,
    };
    let ticket: FileTicket = person.ask(begin).await?;
    for part in bytes.chunks(ticket.part_bytes as usize) {
        person.ask::<Value>(Question::FilePart { file: ticket.file.clone(), data: STANDARD.encode(part) }).await?;
    }
    Ok(ticket)
}

/// Waits for the message with a file of this name.
pub async fn gets(person: &Person, chat: &str, name: &str) -> (ChatMessage, FileView) {
    person
        .until(&format!("a file {name:?}"), async |person| {
            let view: ChatView = person.ask(Question::ChatOpen { chat: chat.to_owned() }).await.unwrap();
            view.messages.into_iter().find_map(|message| match &message.content {
                Content::File { file, .. } if file.name == name => Some((message.clone(), file.clone())),
                _ => None,
            })
        })
        .await
}

pub async fn look(person: &Person, message: &str) -> FileState {
    person.ask(Question::FileLook { message: message.to_owned() }).await.unwrap()
}

async fn fetches(person: &Person, message: &str) -> Vec<u8> {
    person.ask::<FileState>(Question::FileGet { message: message.to_owned() }).await.unwrap();
    person
        .until("the file to be here", async |person| match look(person, message).await {
            FileState::Here { .. } => Some(()),
            FileState::Failed { code } => panic!("the file cannot be had: {code}"),
            _ => None,
        })
        .await;
    reads(person, message).await
}

pub async fn reads(person: &Person, message: &str) -> Vec<u8> {
    let (mut all, mut part) = (Vec::new(), 0);
    loop {
        let bytes: FileBytes = person.ask(Question::FileRead { message: message.to_owned(), part }).await.unwrap();
        all.extend(STANDARD.decode(&bytes.data).unwrap());
        part += 1;
        if part == bytes.parts {
            return all;
        }
    }
}

async fn fails(person: &Person, message: &str) -> String {
    person
        .until("the file to fail", async |person| match look(person, message).await {
            FileState::Failed { code } => Some(code),
            _ => None,
        })
        .await
}

async fn upload_stops(person: &Person, chat: &str) -> Upload {
    person
        .until("the upload to stop", async |person| {
            let all: Vec<Upload> = person.ask(Question::FileUploads { chat: chat.to_owned() }).await.unwrap();
            all.into_iter().find(|upload| upload.trouble.is_some())
        })
        .await
}

async fn uploads(person: &Person, chat: &str) -> usize {
    person.ask::<Vec<Upload>>(Question::FileUploads { chat: chat.to_owned() }).await.unwrap().len()
}

/// Bytes that hold no pattern a seal could be blamed for.
pub fn file(length: usize) -> Vec<u8> {
    (0..length as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u8).collect()
}

/// A PNG of so many pixels.
fn picture(width: u32, height: u32) -> Vec<u8> {
    let image = image::RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 90]));
    let mut out = std::io::Cursor::new(Vec::new());
    image::DynamicImage::ImageRgb8(image).write_to(&mut out, image::ImageFormat::Png).unwrap();
    out.into_inner()
}

/// Whether a profile's folder holds these bytes anywhere.
fn lies_open(person: &Person, bytes: &[u8]) -> bool {
    fn walk(folder: &std::path::Path, bytes: &[u8]) -> bool {
        std::fs::read_dir(folder).unwrap().flatten().any(|entry| {
            if entry.path().is_dir() {
                return walk(&entry.path(), bytes);
            }
            let all = std::fs::read(entry.path()).unwrap_or_default();
            all.windows(bytes.len()).any(|at| at == bytes)
        })
    }
    walk(person.folder(), bytes)
}

pub fn sealed_files(person: &Person) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(person.folder().join("files")) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_sent_while_the_other_is_away_is_there_when_both_come_back() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    stage.ben.close().await;
    let sent = picture(640, 320);
    sends(&stage.ana, &chat, "river.png", &sent, "Look!").await.unwrap();
    let (mine, view) = gets(&stage.ana, &chat, "river.png").await;
    assert!(mine.mine && view.kind == FileKind::Picture && view.preview.is_some());
    assert_eq!((view.width, view.height), (Some(640), Some(320)));
    stage.ana.close().await;
    stage.ben.open().await;
    stage.ana.open().await;
    let (message, view) = gets(&stage.ben, &chat, "river.png").await;
    assert_eq!(message.content, Content::File { file: view.clone(), text: "Look!".into() });
    // A small picture comes without being asked for.
    stage
        .ben
        .until("the picture", async |ben| matches!(look(ben, &message.id).await, FileState::Here { .. }).then_some(()))
        .await;
    assert_eq!(look(&stage.ben, &message.id).await, FileState::Here { shown: Some("image/png".into()) });
    let here = reads(&stage.ben, &message.id).await;
    assert_eq!(here, reads(&stage.ana, &mine.id).await, "both see the same");
    let pixels = |bytes: &[u8]| image::load_from_memory(bytes).unwrap().to_rgb8();
    assert_eq!(pixels(&here), pixels(&sent));
    assert!(!lies_open(&stage.ben, &here[here.len() / 2..][..64]), "the plain file is nowhere on the disk");
    assert!(!lies_open(&stage.ana, &here[here.len() / 2..][..64]));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_comes_when_it_is_asked_for_and_is_saved_under_its_name_only() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    let plain = file(1_000_000);
    sends(&stage.ana, &chat, "../../../tender\u{202e}fdp.exe", &plain, "").await.unwrap();
    let (message, view) = gets(&stage.ben, &chat, "tenderfdp.exe").await;
    assert_eq!((view.kind, view.size), (FileKind::Other, 1_000_000));
    assert_eq!(look(&stage.ben, &message.id).await, FileState::Away, "nobody asked for it");
    assert_eq!(fetches(&stage.ben, &message.id).await, plain);
    assert_eq!(look(&stage.ben, &message.id).await, FileState::Here { shown: None }, "it is not shown as anything");
    let folder = tempfile::tempdir().unwrap();
    let save = || Question::FileSave { message: message.id.clone(), folder: Some(folder.path().display().to_string()) };
    let first: SavedFile = stage.ben.ask(save()).await.unwrap();
    let second: SavedFile = stage.ben.ask(save()).await.unwrap();
    assert_eq!(first.path, folder.path().join("tenderfdp.exe").display().to_string());
    assert_eq!(second.path, folder.path().join("tenderfdp (2).exe").display().to_string(), "nothing is overwritten");
    assert_eq!(std::fs::read(&first.path).unwrap(), plain);
    let gallery: Gallery = stage.ben.ask(Question::FileGallery { chat: chat.clone(), before: None }).await.unwrap();
    assert_eq!(gallery.messages.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), [message.id.as_str()]);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_away_from_their_own_domain_sends_when_it_is_back() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    stage.a.stop().await;
    let plain = file(300_000);
    let upload = sends(&stage.ana, &chat, "later.pdf", &plain, "").await.unwrap();
    assert_eq!((upload.done, upload.trouble), (0, None));
    // The app is closed and opened meanwhile: what waits, waits on.
    stage.ana.close().await;
    stage.ana.open().await;
    assert_eq!(uploads(&stage.ana, &chat).await, 1);
    stage.a.resume().await;
    let (message, _) = gets(&stage.ben, &chat, "later.pdf").await;
    assert_eq!(fetches(&stage.ben, &message.id).await, plain);
    assert_eq!(uploads(&stage.ana, &chat).await, 0);
    let view: ChatView = stage.ana.ask(Question::ChatOpen { chat: chat.clone() }).await.unwrap();
    let files = view.messages.iter().filter(|message| matches!(message.content, Content::File { .. })).count();
    assert_eq!(files, 1, "it went out once");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_that_somebody_changed_at_the_node_is_refused_and_told() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    sends(&stage.ana, &chat, "will.pdf", &file(400_000), "").await.unwrap();
    let (message, _) = gets(&stage.ben, &chat, "will.pdf").await;
    let node = rusqlite::Connection::open(stage.a.folder().join("node.sqlite")).unwrap();
    let first: String = node.query_row("SELECT sealed FROM blob_chunks WHERE n=1", [], |row| row.get(0)).unwrap();
    let mut bytes = keys::from_b64url(&first).unwrap();
    bytes[1_000] ^= 1;
    node.execute("UPDATE blob_chunks SET sealed=?1 WHERE n=1", [keys::b64url(&bytes)]).unwrap();
    stage.ben.ask::<FileState>(Question::FileGet { message: message.id.clone() }).await.unwrap();
    assert_eq!(fails(&stage.ben, &message.id).await, "file-tampered");
    let read = stage.ben.ask::<FileBytes>(Question::FileRead { message: message.id.clone(), part: 0 }).await;
    assert!(read.is_err(), "nothing of it is shown");
    // A chunk in another's place is no better.
    node.execute("UPDATE blob_chunks SET sealed=(SELECT sealed FROM blob_chunks WHERE n=0) WHERE n=1", []).unwrap();
    stage.ben.ask::<FileState>(Question::FileGet { message: message.id.clone() }).await.unwrap();
    assert_eq!(fails(&stage.ben, &message.id).await, "file-tampered");
    // Whole again, it comes.
    node.execute("UPDATE blob_chunks SET sealed=?1 WHERE n=1", [first]).unwrap();
    assert_eq!(fetches(&stage.ben, &message.id).await, file(400_000));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_is_gone_here_there_and_at_the_node() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    sends(&stage.ana, &chat, "oops.pdf", &file(200_000), "").await.unwrap();
    let (message, _) = gets(&stage.ben, &chat, "oops.pdf").await;
    fetches(&stage.ben, &message.id).await;
    assert_eq!((sealed_files(&stage.ana).len(), sealed_files(&stage.ben).len()), (1, 1));
    stage.ana.ask::<ChatMessage>(Question::ChatDelete { message: message.id.clone() }).await.unwrap();
    for person in [&stage.ana, &stage.ben] {
        person.until("the file to be gone", async |person| sealed_files(person).is_empty().then_some(())).await;
    }
    let node = rusqlite::Connection::open(stage.a.folder().join("node.sqlite")).unwrap();
    let kept = || node.query_row("SELECT count(*) FROM blob_chunks", [], |row| row.get::<_, i64>(0)).unwrap();
    stage.ana.until("the Node to forget it", async |_| (kept() == 0).then_some(())).await;
    let again = stage.ben.ask::<FileState>(Question::FileGet { message: message.id.clone() }).await;
    assert_eq!(again.unwrap_err().code, "no-file");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_the_node_keeps_no_more_is_told_and_one_with_a_full_quota_waits_for_the_person() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    sends(&stage.ana, &chat, "old.pdf", &file(200_000), "").await.unwrap();
    let (message, _) = gets(&stage.ben, &chat, "old.pdf").await;
    let node = rusqlite::Connection::open(stage.a.folder().join("node.sqlite")).unwrap();
    node.execute_batch("DELETE FROM blob_chunks; DELETE FROM blobs;").unwrap();
    stage.ben.ask::<FileState>(Question::FileGet { message: message.id.clone() }).await.unwrap();
    assert_eq!(fails(&stage.ben, &message.id).await, "file-gone");

    // Somebody fills Ana's share.
    let full = "INSERT INTO blobs(id, name, bytes, until) VALUES('full', 'ana', 1099511627776, 9000000000000)";
    node.execute_batch(full).unwrap();
    sends(&stage.ana, &chat, "new.pdf", &file(1_000), "").await.unwrap();
    let stopped = upload_stops(&stage.ana, &chat).await;
    assert_eq!(stopped.trouble.as_deref(), Some("file-quota"));
    node.execute_batch("DELETE FROM blobs WHERE id='full'").unwrap();
    stage.ana.ask::<Value>(Question::FileResume { file: stopped.file }).await.unwrap();
    let (message, _) = gets(&stage.ben, &chat, "new.pdf").await;
    assert_eq!(fetches(&stage.ben, &message.id).await, file(1_000));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_fit_file_is_refused_before_it_leaves() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    let begin = |size| Question::FileBegin { chat: chat.clone(), name: "x".into(), media: String::new(), size };
    let code = stage.ana.ask::<FileTicket>(begin((1 << 40) + 1)).await.unwrap_err().code;
    assert_eq!(code, "file-too-large");
    // Fewer bytes, or more, than were said.
    let ticket: FileTicket = stage.ana.ask(begin(10)).await.unwrap();
    let part = |bytes: &[u8]| Question::FilePart { file: ticket.file.clone(), data: STANDARD.encode(bytes) };
    stage.ana.ask::<Value>(part(&[1; 9])).await.unwrap();
    assert_eq!(stage.ana.ask::<Value>(part(&[1; 2])).await.unwrap_err().code, "file-changed");
    let send = Question::FileSend { file: ticket.file.clone(), text: String::new(), reply: None };
    assert_eq!(stage.ana.ask::<Upload>(send).await.unwrap_err().code, "file-changed");
    // A picture that says it has more pixels than any memory.
    let mut bomb = picture(4, 4);
    bomb[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    let code = sends(&stage.ana, &chat, "bomb.png", &bomb, "").await.unwrap_err().code;
    assert!(["picture-too-large", "picture-damaged"].contains(&code.as_str()), "{code}");
    assert!(sealed_files(&stage.ana).is_empty(), "nothing of it stays");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_note_is_recorded_sent_and_heard() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    stage.ana.ask::<contract::VoiceState>(Question::VoiceBegin { chat: chat.clone() }).await.unwrap();
    stage
        .ana
        .until("half a second", async |ana| {
            let state: contract::VoiceState = ana.ask(Question::VoiceLook).await.unwrap();
            (state.duration_ms >= 500).then_some(())
        })
        .await;
    let sent: Option<Upload> = stage.ana.ask(Question::VoiceEnd { send: true, reply: None }).await.unwrap();
    assert_eq!(sent.unwrap().view.kind, FileKind::Voice);
    let (message, view) = gets(&stage.ben, &chat, "voice.ogg").await;
    assert!(view.duration_ms.unwrap() >= 500 && !view.wave.is_empty());
    fetches(&stage.ben, &message.id).await;
    let sound: FileBytes = stage.ben.ask(Question::VoiceRead { message: message.id.clone(), part: 0 }).await.unwrap();
    assert!(STANDARD.decode(&sound.data).unwrap().starts_with(b"RIFF"));
    // One that is given up leaves nothing.
    stage.ana.ask::<contract::VoiceState>(Question::VoiceBegin { chat: chat.clone() }).await.unwrap();
    stage.ana.ask::<Option<Upload>>(Question::VoiceEnd { send: false, reply: None }).await.unwrap();
    assert_eq!(stage.ana.ask::<contract::VoiceState>(Question::VoiceLook).await.unwrap_err().code, "no-voice");
    assert_eq!(uploads(&stage.ana, &chat).await, 0);
    stage.close().await;
}
