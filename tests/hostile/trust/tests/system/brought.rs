//! Attacks by whoever makes a file with a history, and gets a person to import it.

use archive::{Attachment, Chat, Language, Manifest, Message, Reaction, Writer};
use contract::{
    ChatMessage, ChatSummary, ChatView, ContactState, Content, HistoryImported, PersonCard, Question, TrustMark,
};
use lab::person::Setup;
use lab::{Domain, Person};
use node::Wire;
use serde_json::Value;

async fn view(person: &Person, chat: &str) -> ChatView {
    person.ask(Question::ChatOpen { chat: chat.to_owned() }).await.unwrap()
}

/// Attack: L-09
/// By: Mallory, who gives Ana a file "with our old messages"
/// Does: lets Ben say other things in it, under the names of his messages; reacts as him, and names files as paths and markup
/// Holds: Ben's conversation stays as it was; what was brought stands apart, each word marked as not verified, and no file is unpacked
#[tokio::test(flavor = "multi_thread")]
async fn a_forged_history_stands_apart_and_changes_nothing_that_was_verified() {
    let mut a = Domain::start("a.localhost", Wire::Ws).await;
    let mut b = Domain::start("b.localhost", Wire::Ws).await;
    let setup = Setup::with(&[&a, &b]);
    let mut ana = Person::new("ana", setup.clone()).await;
    let mut ben = Person::new("ben", setup).await;
    ana.signs_up(&a, None).await;
    ben.signs_up(&b, None).await;
    let chat = ana.asks_for_contact("ben@b.localhost").await;
    ben.accepts("ana@a.localhost").await;
    ana.sees_contact("ben@b.localhost", ContactState::Accepted).await;
    ben.writes(&chat, "I owe you nothing").await;
    ana.reads(&chat, &["I owe you nothing"]).await;
    ana.compared("ben@b.localhost", true).await;
    let (before, card): (ChatView, PersonCard) = (view(&ana, &chat).await, ana.card("ben@b.localhost").await);
    let said = before.messages.iter().find(|one| matches!(one.content, Content::Text { .. })).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("old messages.tar");
    let (ben_says, evil) = ("ben@b.localhost", "../../../../evil<script>alert(1)</script>\u{202e}");
    let manifest = Manifest {
        format: "parlance-history".into(),
        version: 1,
        made_at: i64::MAX,
        user: "ana@a.localhost".into(),
        name: evil.into(),
        chats: vec![Chat {
            chat: chat.clone(),
            name: evil.into(),
            user: ben_says.into(),
            group: false,
            messages: u64::MAX,
        }],
    };
    let mut writer = Writer::begin(std::fs::File::create(&file).unwrap(), None, manifest, Language::English).unwrap();
    writer.next_chat();
    let digest = keys::b64url(&keys::sha256(b"payload"));
    let mut carried =
        Attachment { name: evil.into(), media: "text/html".into(), size: 7, digest, ..Attachment::default() };
    carried.path = Some(writer.file(&carried, &b"payload"[..]).unwrap());
    let like = Reaction { emoji: "👍".into(), who: vec![ben_says.into()] };
    let forged = Message { id: said.id.clone(), author: ben_says.into(), at: said.at, ..Message::default() };
    let lines = [
        Message { text: "I owe you all".into(), edited: true, reactions: vec![like], ..forged.clone() },
        // The same name twice, and one that answers itself.
        Message { text: "I owe you the house".into(), ..forged.clone() },
        Message { id: "x".into(), reply: Some("x".into()), text: "I swear".into(), at: i64::MIN, ..forged.clone() },
        Message { id: format!("{chat}/children/../../y"), file: Some(carried), ..forged },
    ];
    writer.part(&lines, true).unwrap();
    writer.end().unwrap();

    let question = Question::HistoryImport { path: file.display().to_string(), passphrase: None };
    let brought: HistoryImported = ana.ask(question).await.unwrap();
    let after = view(&ana, &chat).await;
    assert_eq!(after.messages, before.messages);
    assert_eq!((after.summary.mark, after.summary.last), (TrustMark::Verified, before.summary.last));
    let now = ana.card("ben@b.localhost").await;
    assert_eq!((now.identity, now.devices, now.chat), (card.identity, card.devices, card.chat));

    assert_eq!((brought.messages, brought.known, brought.chats.len()), (3, 1, 1));
    let there = view(&ana, &brought.chats[0]).await;
    assert!(there.summary.imported.is_some() && there.summary.mark == TrustMark::Imported && there.identity.is_none());
    assert!(!there.summary.name.contains('\u{202e}'), "a name turns no letters");
    let marked = |one: &ChatMessage| one.mark == TrustMark::Imported && one.id.starts_with(&brought.chats[0]);
    assert!(there.messages.iter().all(marked));
    let name = there.messages.iter().find_map(|one| match &one.content {
        Content::File { file, .. } => Some(file.name.clone()),
        _ => None,
    });
    assert!(!name.unwrap().contains(['/', '\u{202e}']));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was unpacked");
    let listed: Vec<ChatSummary> = ana.ask(Question::ChatList).await.unwrap();
    assert_eq!(listed.iter().filter(|one| one.imported.is_none()).count(), 1);
    // Nor does Ben hear of any of it.
    ana.writes(&chat, "Did you write this?").await;
    ben.reads(&chat, &["I owe you nothing", "Did you write this?"]).await;
    ana.ask::<Value>(Question::HistoryForget { chat: brought.chats[0].clone() }).await.unwrap();
    ana.close().await;
    ben.close().await;
    a.stop().await;
    b.stop().await;
}
