//! Every device is lost: the words on the sheet bring the address back, and a backup what was said.

use crate::common::Stage;
use contract::{
    AppState, ChatSummary, ContactState, KeyChangeKind, PersonCard, Question, RecoveryState, SheetWord, Stage as At,
    TrustState, WrittenFile,
};
use lab::Person;
use lab::person::Setup;
use serde_json::Value;
use tempfile::TempDir;

const ANA: &str = "ana@a.localhost";
const BEN: &str = "ben@b.localhost";

/// Ana's sheet, written into a folder.
async fn sheet(ana: &Person, folder: &TempDir) -> String {
    let folder = Some(folder.path().to_str().unwrap().to_owned());
    ana.ask::<WrittenFile>(Question::RecoverySheet { folder }).await.unwrap().path
}

/// The words of a sheet, as they are asked for.
fn words(sheet: &str, asked: &[u8]) -> Vec<SheetWord> {
    let text = std::fs::read_to_string(sheet).unwrap();
    let word = |place: &u8| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(&format!("{place}. ")).map(str::to_owned));
        SheetWord { place: *place, word: line.unwrap() }
    };
    asked.iter().map(word).collect()
}

/// A new computer of Ana's, on which nothing is.
async fn new_computer(stage: &Stage) -> Person {
    Person::new("ana", Setup::with(&[&stage.a, &stage.b]).knowing(&stage.issuer.url)).await
}

/// Waits until a conversation is in the list.
async fn sees(person: &Person, chat: &str) {
    person
        .until("the conversation", async |person| {
            let chats: Vec<ChatSummary> = person.ask(Question::ChatList).await.unwrap();
            chats.iter().any(|one| one.chat == chat).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn words_that_were_kept_are_forgotten_by_the_app() {
    let stage = Stage::strangers().await;
    let folder = TempDir::new().unwrap();
    let state: RecoveryState = stage.ana.ask(Question::RecoveryState).await.unwrap();
    let again: RecoveryState = stage.ana.ask(Question::RecoveryState).await.unwrap();
    assert!(!state.kept && state.asked.len() == 3);
    assert_eq!(state, again, "the same words are asked for until they are told");
    let path = sheet(&stage.ana, &folder).await;
    let mut wrong = words(&path, &state.asked);
    wrong[1].word = if wrong[1].word == "abandon" { "zoo".into() } else { "abandon".into() };
    let refused = stage.ana.ask::<Value>(Question::RecoveryConfirm { words: wrong }).await.unwrap_err();
    assert_eq!(refused.code, "wrong-words");
    let right = words(&path, &state.asked);
    let state: RecoveryState = stage.ana.ask(Question::RecoveryConfirm { words: right }).await.unwrap();
    assert!(state.kept && state.asked.is_empty() && state.sheet.is_none());
    let gone = stage.ana.ask::<Value>(Question::RecoverySheet { folder: None }).await.unwrap_err();
    assert_eq!(gone.code, "words-forgotten");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn words_and_a_backup_bring_back_the_address_and_what_was_said() {
    let mut stage = Stage::strangers().await;
    let folder = TempDir::new().unwrap();
    let chat = stage.become_contacts().await;
    stage.ana.writes(&chat, "remember this").await;
    stage.ben.reads(&chat, &["remember this"]).await;
    let words = sheet(&stage.ana, &folder).await;
    let to = Some(folder.path().to_str().unwrap().to_owned());
    let backup: WrittenFile = stage.ana.ask(Question::BackupWrite { folder: to }).await.unwrap();
    stage.ana.close().await;

    stage.ana = new_computer(&stage).await;
    let restore =
        |words: String| Question::RecoveryRestore { user: ANA.into(), words, backup: Some(backup.path.clone()) };
    let state: AppState = stage.ana.ask(restore(words)).await.unwrap();
    assert_eq!((state.stage, state.profile.unwrap().user.as_str()), (At::Ready, ANA));
    stage.ana.waits_until_online().await;
    stage.ana.reads(&chat, &["remember this"]).await;

    // She goes on where she was; for Ben it is a conversation with the keys she has now.
    let said = stage.ana.writes(&chat, "I am back").await;
    assert_ne!(said.chat, chat);
    sees(&stage.ben, &said.chat).await;
    stage.ben.reads(&said.chat, &["I am back"]).await;
    stage.ben.writes(&said.chat, "good").await;
    stage.ana.reads(&said.chat, &["I am back", "good"]).await;
    stage.ana.writes(&chat, "I went on").await;
    // Nor does what Ben writes in the old place go to the computer that is lost.
    stage.ben.writes(&chat, "in the old place").await;
    stage.ana.reads(&said.chat, &["I am back", "good", "I went on", "in the old place"]).await;

    let change = stage.ben.card(ANA).await.change.unwrap();
    assert_eq!((change.kind, change.stops), (KeyChangeKind::Recovered, false));
    assert_eq!(stage.ben.lines().await.iter().filter(|line| *line == "key-recovered").count(), 1);
    let card: PersonCard = stage.ben.ask(Question::KeyChangeAccept { user: ANA.into() }).await.unwrap();
    assert!(card.change.is_none(), "known, and done with");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn words_alone_bring_back_the_address() {
    let mut stage = Stage::strangers().await;
    let folder = TempDir::new().unwrap();
    stage.become_contacts().await;
    let _: PersonCard = stage.ben.compared(ANA, true).await;
    let path = sheet(&stage.ana, &folder).await;
    stage.ana.close().await;
    let typed: Vec<String> = words(&path, &(1..=24).collect::<Vec<u8>>()).into_iter().map(|one| one.word).collect();

    stage.ana = new_computer(&stage).await;
    let restore = |words: String| Question::RecoveryRestore { user: ANA.into(), words, backup: None };
    // The words of somebody else, which are words as well.
    let other = keys_of_nobody();
    let refused = stage.ana.ask::<Value>(restore(other)).await.unwrap_err();
    assert_eq!(refused.code, "wrong-words");
    let _: AppState = stage.ana.ask(restore(typed.join(" "))).await.unwrap();
    stage.ana.waits_until_online().await;
    let chat = stage.ana.asks_for_contact(BEN).await;
    stage.ana.writes(&chat, "it is me").await;
    sees(&stage.ben, &chat).await;
    stage.ben.reads(&chat, &["it is me"]).await;
    stage.ana.sees_contact(BEN, ContactState::Accepted).await;
    assert_eq!(stage.ben.lines().await.iter().filter(|line| *line == "key-recovered").count(), 1);
    let card = stage.ben.card(ANA).await;
    assert_eq!((card.compared_at, card.change.unwrap().stops), (None, false), "to be compared again, when they meet");
    assert_eq!(card.identity.unwrap().state, TrustState::Changed);
    stage.close().await;
}

/// Words of the standard's own examples.
fn keys_of_nobody() -> String {
    "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful legal winner \
     thank year wave sausage worth title"
        .into()
}
