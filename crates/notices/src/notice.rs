//! What the desk says: notices, what is done with them, and what stands on badge and tray.

use contract::Question;

/// What a notice is about. There is at most one of each on the desktop.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// All messages, where nothing of them may be told.
    Anything,
    /// The messages of a conversation.
    Chat(String),
    /// Somebody asks for contact.
    Request(String),
    /// A missed call.
    Missed(String),
    /// Somebody came by a link into a group and waits for a yes.
    Door(String),
}

/// How much a notice presses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// It may wait.
    Low,
    /// As usual.
    Normal,
}

/// What can be pressed beside the notice itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Button {
    /// Answers in words, where the desktop can take them.
    Reply,
    /// Counts as read.
    Read,
    /// Calls the person back.
    CallBack,
}

/// One notice, ready to be shown. Its texts are plain: no markup, one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it is about; a notice about the same replaces it.
    pub key: Key,
    /// Who or what.
    pub title: String,
    /// What was said; may be empty.
    pub body: String,
    /// How pressing the notice itself is called, where a desktop has a word for that.
    pub open: String,
    /// What can be pressed beside it, and how that is called.
    pub buttons: Vec<(Button, String)>,
    /// How much it presses.
    pub urgency: Urgency,
    /// Whether it sounds.
    pub sounds: bool,
}

/// What stands on badge and tray.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Badge {
    /// Unread messages in conversations that are not quiet.
    pub unread: u32,
    /// Missed calls that nobody looked at.
    pub missed: u32,
    /// A call goes on.
    pub call: Option<CallSign>,
}

/// How the call goes that one is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallSign {
    /// Whether the microphone is off.
    pub muted: bool,
}

/// Everything the desk asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Show a notice, in the place of the one about the same.
    Show(Notice),
    /// Take a notice away, if it is still there.
    Withdraw(Key),
    /// Badge and tray say something else.
    Badge(Badge),
    /// Ask for the conversations and calls, and tell the desk by [`crate::Desk::catch_up`].
    CatchUp,
}

/// What a person did with a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Pressed the notice itself.
    Opened,
    /// Pressed a button.
    Pressed(Button),
    /// Wrote an answer into it.
    Wrote(String),
    /// Put it away.
    Closed,
}

/// What is to be done because of an answer.
#[derive(Debug, Clone)]
pub enum Deed {
    /// Ask the app.
    Ask(Question),
    /// Show the window, at this place of the interface (`#/chats/…`).
    Go(String),
}
