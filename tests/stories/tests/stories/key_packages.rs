//! Key packages are published as they run out, and their private halves do not pile up on the disk.

use crate::common::Stage;
use lab::Person;

/// Secrets of the groups and key packages in a closed profile.
fn secrets_kept(person: &Person) -> u32 {
    let db = rusqlite::Connection::open(person.folder().join("parlance.db")).unwrap();
    db.query_row("SELECT count(*) FROM vault", [], |row| row.get(0)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_the_app_again_and_again_leaves_no_more_keys_than_the_first_time() {
    let mut stage = Stage::strangers().await;
    stage.ana.close().await;
    let first = secrets_kept(&stage.ana);
    assert!(first > 0, "there are key packages for strangers");
    for _ in 0..3 {
        stage.ana.open().await;
        stage.ana.waits_until_online().await;
        // What the new session may publish has time to be published.
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        stage.ana.close().await;
    }
    assert_eq!(secrets_kept(&stage.ana), first);
    // Who comes now finds a key package that still opens.
    stage.ana.open().await;
    stage.ana.waits_until_online().await;
    stage.become_contacts().await;
    stage.close().await;
}
