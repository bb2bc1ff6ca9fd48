//! The true windows, driven as a person uses them. Each story has a stage of its own.

use std::path::PathBuf;

use desktop::{StageError, Through};

/// Pictures and logs of a story, kept for whoever asks why it failed.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_story_in_two_windows() -> Result<(), StageError> {
    desktop::story::tell(&folder("whole-story")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_there_after_a_restart_and_a_call_rings_on_top() -> Result<(), StageError> {
    desktop::story::restart(&folder("restart")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tester_drives_the_app_with_tauri_driver() -> Result<(), StageError> {
    desktop::first_half(&folder("tauri-driver"), Through::Tauri).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_is_usable_by_keyboard_alone() -> Result<(), StageError> {
    desktop::keyboard(&folder("keyboard")).await
}
