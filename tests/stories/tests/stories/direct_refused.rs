//! Whoever gives a file from device to device may end it in the middle, and then no more of it comes.

use crate::common::Stage;
use crate::direct_files::{
    SIZE, asks_for, hears, hears_direct_progress, hears_it_is_here, only_the_device_gives, sent,
};
use crate::files::{file, look, reads, sealed_files};
use contract::{ApiError, ChatMessage, ContactState, Content, FileNews, FileState, News, Question};
use lab::Person;
use serde_json::Value;

/// Twice as many pieces as elsewhere: something is said and heard while they come.
const LONG: usize = 2 * SIZE;

const BEN: &str = "ben@b.localhost";

async fn asks_in_vain(person: &Person, message: &str) -> Option<ApiError> {
    person.ask::<FileState>(Question::FileGet { message: message.to_owned() }).await.err()
}

/// The next time that a person waits for the author; what came until then.
async fn waits_for_the_author(person: &mut Person) -> u64 {
    hears(person, "that it waits for the sender", |state| match state {
        FileState::Waiting { done } => Some(*done),
        _ => None,
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_the_message_back_in_the_middle_gives_no_more_of_its_file_and_nothing_of_it_stays() {
    let mut stage = Stage::strangers().await;
    let chat = only_the_device_gives(&mut stage).await;
    let message = sent(&stage, &chat, &file(LONG)).await;
    asks_for(&stage.ben, &message.id).await;
    hears_direct_progress(&mut stage.ben, LONG as u64 / 8).await;
    stage.ana.ask::<ChatMessage>(Question::ChatDelete { message: message.id.clone() }).await.unwrap();
    stage
        .ben
        .hears("that the message is taken back", |news| match news {
            News::File(FileNews { state: FileState::Here { .. }, .. }) => panic!("all of it came"),
            News::Message(told) if told.id == message.id && told.content == Content::Deleted => Some(()),
            _ => None,
        })
        .await;
    for person in [&stage.ana, &stage.ben] {
        person.until("the file to be gone", async |person| sealed_files(person).is_empty().then_some(())).await;
        assert_eq!(asks_in_vain(person, &message.id).await.map(|error| error.code).as_deref(), Some("no-file"));
    }
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_blocked_in_the_middle_gets_no_more_of_the_file_until_the_block_is_taken_back() {
    let mut stage = Stage::strangers().await;
    // Else the domain would give the rest of what was sent, for it does not know who is blocked.
    let chat = only_the_device_gives(&mut stage).await;
    let plain = file(LONG);
    let message = sent(&stage, &chat, &plain).await;
    asks_for(&stage.ben, &message.id).await;
    let here = hears_direct_progress(&mut stage.ben, LONG as u64 / 8).await;
    stage.ana.ask::<Value>(Question::PersonBlock { user: BEN.into() }).await.unwrap();
    let came = waits_for_the_author(&mut stage.ben).await;
    assert!((here..LONG as u64).contains(&came), "{came} of {LONG} came, of which {here} before the block");
    asks_for(&stage.ben, &message.id).await;
    assert_eq!(waits_for_the_author(&mut stage.ben).await, came, "who asks again gets no more");
    assert_eq!(look(&stage.ben, &message.id).await, FileState::Waiting { done: came });

    stage.ana.ask::<Value>(Question::PersonUnblock { user: BEN.into() }).await.unwrap();
    stage.ana.sees_contact(BEN, ContactState::Accepted).await;
    asks_for(&stage.ben, &message.id).await;
    let first = hears_direct_progress(&mut stage.ben, 0).await;
    assert!(first > came, "what is here does not come again: {first} after {came}");
    hears_it_is_here(&mut stage.ben).await;
    assert!(reads(&stage.ben, &message.id).await == plain, "what came is what went");
    stage.close().await;
}
