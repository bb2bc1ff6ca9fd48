//! A conversation, as far as its notices need it.

use std::collections::BTreeMap;

use contract::{ChatMessage, ContactState, Content};

/// What the desk knows of a conversation.
pub(crate) struct Chat {
    pub(crate) name: String,
    pub(crate) contact: ContactState,
    pub(crate) unread: u32,
    pub(crate) names: Option<BTreeMap<String, String>>,
    pub(crate) muted_until: Option<i64>,
    /// Something unread names us.
    pub(crate) names_us: bool,
    /// The place of the newest message that was heard of.
    pub(crate) heard: i32,
    /// The newest message of somebody else that is still there.
    pub(crate) newest: Option<ChatMessage>,
}

impl Chat {
    /// Who is named in a quiet conversation is told until it is read.
    pub(crate) fn is_muted(&self, now: i64) -> bool {
        !self.names_us && self.is_quiet(now)
    }

    /// The person wants nothing of it.
    pub(crate) fn is_quiet(&self, now: i64) -> bool {
        self.muted_until.is_some_and(|until| until > now)
    }
}

/// Whether a message is one that somebody is told of.
pub(crate) fn tells(message: &ChatMessage) -> bool {
    !message.mine && !matches!(message.content, Content::System { .. })
}
