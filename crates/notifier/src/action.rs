//! Names what can be done with a notice towards the systems, and reads it back.

use notices::{Answer, Button};

/// Pressing the notice itself.
///
/// Linux has this word from the specification ("Actions"); the others are given it.
pub(crate) const DEFAULT: &str = "default";

/// Characters of a reply that are taken from a system; the app has its own, smaller limit.
pub(crate) const REPLY_LIMIT: usize = 32 * 1024;

/// What a button is called towards the system.
pub(crate) fn word_of(button: Button) -> &'static str {
    match button {
        Button::Reply => "reply",
        Button::Read => "read",
        Button::CallBack => "call-back",
    }
}

/// The button that is called so.
pub(crate) fn button_of(word: &str) -> Option<Button> {
    [Button::Reply, Button::Read, Button::CallBack].into_iter().find(|button| word_of(*button) == word)
}

/// As much of a written reply as is taken.
pub(crate) fn bounded(text: &str) -> String {
    text.chars().take(REPLY_LIMIT).collect()
}

/// What a person did, where a system gives the action and, with it, what was written.
#[cfg_attr(target_os = "linux", allow(dead_code, reason = "its server has a signal of its own for each"))]
pub(crate) fn answer_of(action: &str, text: Option<&str>) -> Option<Answer> {
    if action == DEFAULT {
        return Some(Answer::Opened);
    }
    let button = button_of(action)?;
    match text.filter(|text| button == Button::Reply && !text.trim().is_empty()) {
        Some(text) => Some(Answer::Wrote(bounded(text))),
        // Who presses it without a word is led to where they can write.
        None => Some(Answer::Pressed(button)),
    }
}
