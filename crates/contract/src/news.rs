//! Everything a shell is told unasked.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{
    AppState, BackupState, CallView, ChatMessage, ChatSummary, Consent, FileNews, GroupInvite, GroupJoining,
    HistoryState, LinkState, ModuleView, PastCall, PersonCard, Settings, SignInState, SoundTest, Trouble, Upload,
};

/// Everything a shell is told unasked.
///
/// On the wire: `{"news":"message","data":{…}}`.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(tag = "news", content = "data")]
pub enum News {
    /// The stage, the profile or the connection changed.
    #[serde(rename = "app")]
    App(AppState),
    /// A sign-in went on.
    #[serde(rename = "signin")]
    SignIn(SignInState),
    /// A conversation appeared or changed.
    #[serde(rename = "chat")]
    Chat(ChatSummary),
    /// A message appeared or changed.
    #[serde(rename = "message")]
    Message(ChatMessage),
    /// A conversation is here no more.
    #[serde(rename = "chat-gone")]
    ChatGone {
        /// Which one.
        chat: String,
    },
    /// An export or an import went on.
    #[serde(rename = "history")]
    History(HistoryState),
    /// A message was removed.
    #[serde(rename = "message-gone")]
    MessageGone {
        /// Which conversation.
        chat: String,
        /// Which message.
        id: String,
    },
    /// The file of a message went on.
    #[serde(rename = "file")]
    File(FileNews),
    /// A file on its way out appeared or went on.
    #[serde(rename = "upload")]
    Upload(Upload),
    /// A file is on its way out no more: it became a message, or was given up.
    #[serde(rename = "upload-gone")]
    UploadGone {
        /// Which conversation.
        chat: String,
        /// Which file.
        file: String,
    },
    /// The other side is typing; true for a few seconds.
    #[serde(rename = "typing")]
    Typing {
        /// Which conversation.
        chat: String,
        /// Who types, by address.
        user: String,
    },
    /// A link into a group that this device made changed, or somebody came by it.
    #[serde(rename = "group-invite")]
    GroupInvite(GroupInvite),
    /// It goes on with a group we asked to be let into.
    #[serde(rename = "group-joining")]
    GroupJoining(GroupJoining),
    /// Something is known about a person that was not.
    #[serde(rename = "person")]
    Person(PersonCard),
    /// A person is to be asked.
    #[serde(rename = "consent")]
    Consent(Consent),
    /// A question is settled.
    #[serde(rename = "consent-closed")]
    ConsentClosed {
        /// Which question.
        id: String,
    },
    /// A call appeared or changed.
    #[serde(rename = "call")]
    Call(CallView),
    /// A call is over, or what is known of it changed.
    #[serde(rename = "past-call")]
    PastCall(PastCall),
    /// A call that was over is forgotten.
    #[serde(rename = "past-call-gone")]
    PastCallGone {
        /// Which one.
        id: String,
    },
    /// So many missed calls nobody looked at.
    #[serde(rename = "calls-missed")]
    CallsMissed {
        /// How many.
        count: u32,
    },
    /// How the devices do that are being tried.
    #[serde(rename = "sound")]
    Sound(SoundTest),
    /// The person set something, in whichever window.
    #[serde(rename = "settings")]
    Settings(Settings),
    /// A guest appeared or changed.
    #[serde(rename = "module")]
    Module(ModuleView),
    /// The linking of a device went on.
    #[serde(rename = "link")]
    Link(LinkState),
    /// A backup went on.
    #[serde(rename = "backup")]
    Backup(BackupState),
    /// The own devices, issuers or policies changed: ask for them again.
    #[serde(rename = "mine")]
    Mine,
    /// Something went wrong that nobody asked for.
    #[serde(rename = "trouble")]
    Trouble(Trouble),
}
