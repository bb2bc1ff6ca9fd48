//! What people expect of a large file between two devices that are both there: it comes directly, past every domain, and
//! whatever is cut on the way goes on where it was.

use crate::common::Stage;
use crate::files::{file, gets, look, reads, sends};
use contract::{ChatMessage, FileNews, FileState, News, Question};
use lab::Person;

/// Enough pieces for a cut to fall between them.
pub const SIZE: usize = 12 * 1024 * 1024;

/// They become contacts, and Ana's domain keeps no large file: it has nothing to give where her device gives none.
pub async fn only_the_device_gives(stage: &mut Stage) -> String {
    let chat = stage.become_contacts().await;
    stage.a.keeps_of_files(1024 * 1024).await;
    stage.ana.waits_until_online().await;
    chat
}

/// Sends a file and gives the message in which the other side finds it.
pub async fn sent(stage: &Stage, chat: &str, plain: &[u8]) -> ChatMessage {
    sends(&stage.ana, chat, "film.bin", plain, "").await.unwrap();
    let (message, _) = gets(&stage.ben, chat, "film.bin").await;
    message
}

pub async fn asks_for(person: &Person, message: &str) {
    person.ask::<FileState>(Question::FileGet { message: message.to_owned() }).await.unwrap();
}

/// The next news of a file's way, as far as this picks it.
pub async fn hears<T>(person: &mut Person, what: &str, pick: impl Fn(&FileState) -> Option<T>) -> T {
    person
        .hears(what, |news| match news {
            News::File(FileNews { state: FileState::Failed { code }, .. }) => panic!("the file cannot be had: {code}"),
            News::File(FileNews { state, .. }) => pick(&state),
            _ => None,
        })
        .await
}

/// More than this is here, and it came directly.
pub async fn hears_direct_progress(person: &mut Person, more_than: u64) -> u64 {
    hears(person, "pieces that come directly", |state| match state {
        FileState::Coming { done, directly: true } if *done > more_than => Some(*done),
        _ => None,
    })
    .await
}

/// All that is missing comes directly, however slowly; nothing comes twice.
pub async fn hears_all_come_directly(person: &mut Person, mut here: u64, size: usize) {
    while here < size as u64 {
        let more = hears_direct_progress(person, 0).await;
        assert!(more > here, "a piece came twice: {more} after {here}");
        here = more;
    }
    hears_it_is_here(person).await;
}

pub async fn hears_it_is_here(person: &mut Person) {
    hears(person, "the whole file", |state| matches!(state, FileState::Here { .. }).then_some(())).await;
}

/// Pieces that a domain's node gave out.
pub async fn given_out(domain: &lab::Domain) -> u64 {
    domain.node().stats().await.blob_chunks_got
}

fn pieces(bytes: u64) -> u64 {
    bytes.div_ceil(128 * 1024)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_comes_from_device_to_device_and_no_domain_gives_out_a_piece() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    let plain = file(SIZE);
    let message = sent(&stage, &chat, &plain).await;
    asks_for(&stage.ben, &message.id).await;
    hears_direct_progress(&mut stage.ben, 0).await;
    hears_it_is_here(&mut stage.ben).await;
    assert!(reads(&stage.ben, &message.id).await == plain, "what came is what went");
    assert_eq!((given_out(&stage.a).await, given_out(&stage.b).await), (0, 0));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_sender_leaves_in_the_middle_the_domain_gives_the_rest_and_nothing_comes_twice() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    let plain = file(SIZE);
    let message = sent(&stage, &chat, &plain).await;
    asks_for(&stage.ben, &message.id).await;
    let here = hears_direct_progress(&mut stage.ben, SIZE as u64 / 8).await;
    stage.ana.close().await;
    hears(&mut stage.ben, "the rest through the domain", |state| {
        matches!(state, FileState::Coming { directly: false, .. }).then_some(())
    })
    .await;
    hears_it_is_here(&mut stage.ben).await;
    assert!(reads(&stage.ben, &message.id).await == plain, "what came is what went");
    let from_domain = given_out(&stage.a).await;
    assert!((1..=pieces(SIZE as u64 - here)).contains(&from_domain), "{from_domain} pieces came from the domain");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_domain_stops_giving_in_the_middle_the_sender_gives_the_rest() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    let plain = file(SIZE);
    let message = sent(&stage, &chat, &plain).await;
    stage.ana.close().await;
    asks_for(&stage.ben, &message.id).await;
    let here = hears(&mut stage.ben, "pieces from the domain", |state| match state {
        FileState::Coming { done, directly: false } if *done > SIZE as u64 / 8 => Some(*done),
        _ => None,
    })
    .await;
    stage.ben.close().await;
    let node = rusqlite::Connection::open(stage.a.folder().join("node.sqlite")).unwrap();
    node.execute_batch("DELETE FROM blob_chunks; DELETE FROM blobs;").unwrap();
    let given = given_out(&stage.a).await;
    stage.ana.open().await;
    stage.ana.waits_until_online().await;
    // What was asked for is asked for after a start as well.
    stage.ben.open().await;
    hears_direct_progress(&mut stage.ben, here).await;
    hears_it_is_here(&mut stage.ben).await;
    assert!(reads(&stage.ben, &message.id).await == plain, "what came is what went");
    assert_eq!(given_out(&stage.a).await, given, "the domain gave no more");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_domain_takes_waits_for_the_sender_and_goes_on_where_it_was() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    stage.a.keeps_of_files(1024 * 1024).await;
    stage.ana.waits_until_online().await;
    let plain = file(SIZE);
    let message = sent(&stage, &chat, &plain).await;
    stage.ana.close().await;
    asks_for(&stage.ben, &message.id).await;
    hears(&mut stage.ben, "that it waits for the sender", |state| {
        matches!(state, FileState::Waiting { done: 0 }).then_some(())
    })
    .await;
    assert_eq!(look(&stage.ben, &message.id).await, FileState::Waiting { done: 0 });
    stage.ana.open().await;
    let here = hears_direct_progress(&mut stage.ben, SIZE as u64 / 8).await;
    stage.ben.close().await;
    stage.ben.open().await;
    let first = hears_direct_progress(&mut stage.ben, 0).await;
    assert!(first > here, "what is here does not come again: {first} after {here}");
    hears_it_is_here(&mut stage.ben).await;
    assert!(reads(&stage.ben, &message.id).await == plain, "what came is what went");
    let node = rusqlite::Connection::open(stage.a.folder().join("node.sqlite")).unwrap();
    let kept: i64 = node.query_row("SELECT count(*) FROM blob_chunks", [], |row| row.get(0)).unwrap();
    assert_eq!((kept, given_out(&stage.a).await), (0, 0), "no domain ever had a piece");
    stage.close().await;
}
