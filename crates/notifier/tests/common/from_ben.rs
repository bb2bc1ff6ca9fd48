//! The notice of a message, as the tests of all systems show it.

use notices::{Button, Key, Notice, Urgency};

pub fn from_ben(text: &str) -> Notice {
    Notice {
        key: Key::Chat("comm://b.localhost/ben".into()),
        title: "Ben".into(),
        body: text.into(),
        open: "Open Parlance".into(),
        buttons: vec![(Button::Reply, "Reply".into()), (Button::Read, "Mark as read".into())],
        urgency: Urgency::Normal,
        sounds: true,
    }
}
